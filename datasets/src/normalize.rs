//! Inputs brought to mean 0 and standard deviation 1.

use gradus_tensor::{Float, SampleType, Tensor};

use crate::dataset::Dataset;
use crate::splits::Splits;

/// Mean and standard deviation to normalise by, of any shape that broadcasts to a sample: one number, or one for each
/// feature.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::new([[1.0, 200.0], [3.0, 600.0]]), Tensor::new([0.0, 1.0]))?;
/// let statistics = data.statistics();
/// assert_eq!((statistics.mean, statistics.std), (Tensor::new([2.0, 400.0]), Tensor::new([1.0, 200.0])));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics<T: Float = f32> {
    /// The mean, which is subtracted.
    pub mean: Tensor<T>,
    /// The standard deviation, by which the difference is divided.
    pub std: Tensor<T>,
}

impl<X: Float, Y: SampleType> Dataset<X, Y> {
    /// Mean and standard deviation of each feature over the samples, computed in f64. The variance is divided by n, as in
    /// NumPy and scikit-learn. A feature that never changes gets a deviation of 1, so that it is normalised to 0. So does one
    /// whose deviation is within rounding of its mean: at most |mean| times X's epsilon
    /// ([`Tensor::mean_and_divisor`] has the details). A feature with a number that is not finite has NaN for both.
    pub fn statistics(&self) -> Statistics<X> {
        let (mean, std) = self.inputs().mean_and_divisor(0);
        Statistics { mean: mean.to(), std: std.to() }
    }

    /// The same samples with every feature at mean 0 and standard deviation 1; see [`Dataset::statistics`].
    ///
    /// Other samples, to test on, are normalised with the statistics of these ([`Dataset::normalize_with`],
    /// [`Splits::normalize`]).
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_tensor::Tensor;
    /// let train = Dataset::new(Tensor::new([[1.0, 200.0], [3.0, 600.0]]), Tensor::new([0.0, 1.0]))?;
    /// assert_eq!(*train.normalize().inputs(), Tensor::new([[-1.0, -1.0], [1.0, 1.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn normalize(&self) -> Self {
        self.normalize_with(&self.statistics())
    }

    /// `(inputs - mean) / std`, with statistics that broadcast to the inputs.
    ///
    /// # Panics
    /// If they do not.
    #[track_caller]
    pub fn normalize_with(&self, statistics: &Statistics<X>) -> Self {
        let Statistics { mean, std } = statistics;
        if [mean, std].iter().any(|statistic| statistic.try_broadcast_to(self.inputs().shape()).is_err()) {
            let inputs = self.inputs().shape();
            panic!(
                "normalize: mean and std must broadcast to the inputs: {} and {} to {inputs}",
                mean.shape(),
                std.shape()
            );
        }
        self.clone().map_inputs(|x| (x - mean) / std)
    }
}

impl<X: Float, Y: SampleType> Splits<X, Y> {
    /// Both sets normalised by the mean and standard deviation of the training set.
    pub fn normalize(&self) -> Self {
        let statistics = self.train.statistics();
        Splits { train: self.train.normalize_with(&statistics), test: self.test.normalize_with(&statistics) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(inputs: Tensor<f64>) -> Dataset<f64> {
        let targets = Tensor::zeros([inputs.shape()[0]]);
        Dataset::new(inputs, targets).unwrap()
    }

    #[test]
    fn every_feature_is_normalised_on_its_own() {
        // By hand: the columns have means 2, 7, 0 and deviations sqrt(2/3), 0 (so 1), sqrt(200/3).
        let train = samples([[1.0, 7.0, -10.0], [2.0, 7.0, 0.0], [3.0, 7.0, 10.0]].into());
        let statistics = train.statistics();
        assert_eq!(statistics.mean, [2.0, 7.0, 0.0].into());
        let std = [(2.0_f64 / 3.0).sqrt(), 1.0, (200.0_f64 / 3.0).sqrt()];
        assert!(statistics.std.allclose(&std.into(), 1e-15, 0.0));
        let z = 1.5_f64.sqrt();
        let expected = [[-z, 0.0, -z], [0.0, 0.0, 0.0], [z, 0.0, z]];
        assert!(train.normalize().inputs().allclose(&expected.into(), 1e-15, 1e-15));
    }

    #[test]
    fn a_constant_feature_becomes_0() {
        // Summed up, 1000 times 14.62 is 14619.999999999...
        for constant in [14.62, 1e300, -1e-300, 5e-324, 0.0] {
            let train = samples(Tensor::full([1000, 2], constant));
            assert_eq!(*train.normalize().inputs(), Tensor::zeros([1000, 2]), "{constant}");
        }
        for constant in [14.62, 1e30, -1e-30, 1e-45, 0.0] {
            let train = Dataset::new(Tensor::full([1000], constant), Tensor::<f32>::zeros([1000])).unwrap();
            assert_eq!(*train.normalize().inputs(), Tensor::zeros([1000]), "{constant} in f32");
        }
        assert_eq!(*samples([[7.5, -3.0]].into()).normalize().inputs(), Tensor::zeros([1, 2]));
        // 0.1 + 0.2 is the number after 0.3: equal but for rounding, and the other feature is not.
        let nearly = samples([[0.3, 1.0], [0.1 + 0.2, 1.0 + 1e-9]].into()).normalize();
        assert!(nearly.inputs().select(1, 0).abs().max(..).item() < 1e-15);
        assert!(nearly.inputs().select(1, 1).allclose(&[-1.0, 1.0].into(), 1e-6, 0.0));
    }

    #[test]
    fn a_test_set_is_normalised_by_the_training_set() {
        let splits = Splits { train: samples([1.0, 3.0].into()), test: samples([5.0].into()) };
        assert_eq!(*splits.normalize().test.inputs(), [3.0].into());
    }

    #[test]
    fn one_mean_for_all_pixels_broadcasts() {
        let images = samples(Tensor::full([2, 3, 3], 0.5));
        let statistics = Statistics { mean: Tensor::scalar(0.25), std: Tensor::scalar(0.5) };
        assert_eq!(*images.normalize_with(&statistics).inputs(), Tensor::full([2, 3, 3], 0.5));
    }

    #[test]
    #[should_panic(expected = "normalize: mean and std must broadcast to the inputs: [4] and [4] to [2, 3]")]
    fn moments_of_other_features_are_refused() {
        let other = samples(Tensor::ones([2, 4])).statistics();
        samples(Tensor::ones([2, 3])).normalize_with(&other);
    }
}
