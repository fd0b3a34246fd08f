//! Inputs normalised to mean 0 and variance 1 by statistics of the training data.

use gradus_tensor::{Axes, Tensor};
use serde::{Deserialize, Serialize};

use super::support::after_affine;
use super::support::prelude::*;
use crate::error::Error;

/// y = (x - mean) / sqrt(variance), for each feature (the last axis) or for all together; y = x - mean where the variance
/// is 0.
///
/// Shape: unchanged. The statistics are options of the layer, not weights: they are written with the network. Keras divides
/// by at least 1e-7 instead, which leaves features of small units small, and turns rounding into large numbers.
///
/// ```
/// use gradus_nn::{Model, Normalization, Sequential};
/// use gradus_tensor::Tensor;
/// let data = Tensor::new([[1.0, 100.0], [3.0, 300.0]]);
/// let model = Model::build(Sequential::new().add(Normalization::adapt(&data)?), [2], 0)?;
/// assert_eq!(model.predict(&data)?, Tensor::new([[-1.0, -1.0], [1.0, 1.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    #[serde(serialize_with = "crate::finite::serialize_all")]
    mean: Vec<f64>,
    #[serde(serialize_with = "crate::finite::serialize_all")]
    variance: Vec<f64>,
}

impl Normalization {
    /// A layer with the mean and the population variance of each feature, the last axis of `data`, over all other axes.
    ///
    /// A feature that never varies gets the variance 1, so that it becomes 0. So does one whose deviation is within rounding
    /// of its mean; [`Tensor::mean_and_divisor`] has the details.
    ///
    /// # Errors
    /// If there are no samples, a feature is not finite everywhere, or f64 cannot hold its variance.
    pub fn adapt<T: Float>(data: &Tensor<T>) -> Result<Self> {
        if data.ndim() == 0 {
            return Err(Error::new("Normalization", "the data is a single number: []", "give it the shape [n, 1]"));
        }
        Self::over(data, (0..data.ndim() as isize - 1).collect())
    }

    /// A layer with one mean and one variance of all elements: Keras's `axis=None`, as for images.
    ///
    /// # Errors
    /// If there are no samples, one is not finite, or f64 cannot hold the variance.
    pub fn adapt_all<T: Float>(data: &Tensor<T>) -> Result<Self> {
        Self::over(data, (..).into())
    }

    /// A layer with these statistics: one of each for each feature, or one for all.
    pub fn new(mean: impl Into<Vec<f64>>, variance: impl Into<Vec<f64>>) -> Self {
        Normalization { mean: mean.into(), variance: variance.into() }
    }

    /// The mean of each feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The variance of each feature.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    fn over<T: Float>(data: &Tensor<T>, axes: Axes) -> Result<Self> {
        if data.is_empty() {
            let problem = format!("there is no data to adapt to: {}", data.shape());
            return Err(Error::new("Normalization", problem, "give at least one sample"));
        }
        let (mean, deviation) = data.mean_and_divisor(axes);
        let variance = deviation.square();
        if let Some(feature) = deviation.iter().position(|deviation| !deviation.is_finite()) {
            let problem = format!("feature {feature} of the data has a value that is not finite");
            return Err(Error::new("Normalization", problem, "drop or fill in values that are missing or infinite"));
        }
        if let Some(feature) = variance.iter().position(|variance| !variance.is_normal()) {
            let found = deviation.iter().nth(feature).unwrap_or_default();
            let problem =
                format!("feature {feature} of the data has the deviation {found:e}, whose square f64 cannot hold");
            return Err(Error::new("Normalization", problem, "give the data in other units"));
        }
        let (mean, variance) = (mean.to_vec(), variance.to_vec());
        Ok(Normalization { mean, variance })
    }
}

impl Layer for Normalization {
    const KIND: &'static str = "Normalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (count, variances) = (self.mean.len(), self.variance.len());
        if count != variances {
            let problem = format!("needs as many variances as means, found {variances} and {count}");
            return Err(build.error(problem, "adapt it to the training data"));
        }
        let bad = |&(mean, variance): &(&f64, &f64)| !(mean.is_finite() && variance.is_finite() && *variance >= 0.0);
        if let Some((mean, variance)) = self.mean.iter().zip(&self.variance).find(bad) {
            let problem = format!("needs finite means and variances of at least 0, found {mean} and {variance}");
            return Err(build.error(problem, "adapt it to the training data"));
        }
        if count != 1 && build.features()? != count {
            let problem = format!("was adapted to {count} features, found samples of shape {}", build.input()?);
            return Err(build.error(problem, "adapt it to data of the shape that the network is built for"));
        }
        // The reciprocal of a smaller divisor overflows.
        let smallest = T::min_positive_value().as_f64();
        let scale = self.variance.iter().map(|&variance| match variance {
            0.0 => T::ONE,
            variance => T::of(1.0 / variance.sqrt().max(smallest)),
        });
        let (mean, scale): (Tensor<T>, Tensor<T>) =
            (self.mean.iter().map(|&mean| T::of(mean)).collect(), scale.collect());
        let (mean, scale) = if count == 1 { (mean.squeeze(0), scale.squeeze(0)) } else { (mean, scale) };
        let rule = MaskRule::kept_if(count == 1 || build.input()?.len() > 1);
        Ok(Built::new(build.input()?, move |_, x| (x - &mean) * &scale).mask_rule(rule))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        after_affine(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Sequential};

    #[test]
    fn data_that_cannot_be_adapted_to_is_refused() {
        let message = |data: Tensor| Normalization::adapt(&data).unwrap_err().to_string();
        assert_eq!(
            message(Tensor::zeros([0, 3])),
            "Normalization: there is no data to adapt to: [0, 3]; give at least one sample"
        );
        assert_eq!(
            message(Tensor::new([[1.0, f32::NAN]])),
            "Normalization: feature 1 of the data has a value that is not finite; drop or fill in values that are missing \
             or infinite"
        );
        assert_eq!(
            Normalization::adapt(&Tensor::from([[1e200], [3e200]])).unwrap_err().to_string(),
            "Normalization: feature 0 of the data has the deviation 1e200, whose square f64 cannot hold; give the data in \
             other units"
        );
        assert!(Normalization::adapt(&Tensor::new(1.0)).is_err());
    }

    fn normalized<T: Float>(data: Tensor<T>) -> Vec<T> {
        let network = Sequential::new().add(Normalization::adapt(&data).unwrap());
        Model::<T>::build_as(network, [data.shape()[1]], 0).unwrap().predict(&data).unwrap().to_vec()
    }

    #[test]
    fn a_constant_feature_becomes_0() {
        for constant in [14.62, 1e30, -1e-30, 0.0] {
            assert_eq!(normalized(Tensor::full([1000, 1], constant)), [0.0; 1000], "{constant}");
            assert_eq!(normalized(Tensor::full([1000, 1], constant as f32)), [0.0; 1000], "{constant} in f32");
        }
        // Equal but for rounding: two neighbours among the numbers of f32.
        let [low, high] = [14.62_f32, 14.62_f32.next_up()];
        assert!(normalized(Tensor::new([[low], [high], [low]])).iter().all(|y| y.abs() < 1e-6));
        assert_eq!(Normalization::adapt(&Tensor::new([[2.0], [2.0]])).unwrap().variance(), [1.0]);
    }

    #[test]
    fn small_units_and_large_ones_make_no_difference() {
        // By hand: mean 2 and deviation 1, times a power of two.
        for power in [-60, 0, 60] {
            let factor = 2.0_f64.powi(power);
            assert_eq!(normalized(Tensor::from([[factor], [3.0 * factor]])), [-1.0, 1.0]);
            assert_eq!(normalized(Tensor::from([[factor as f32], [3.0 * factor as f32]])), [-1.0, 1.0]);
        }
    }

    #[test]
    fn a_variance_of_0_only_shifts() {
        let model = Model::build(Sequential::new().add(Normalization::new([2.0], [0.0])), [1], 0).unwrap();
        assert_eq!(model.predict(Tensor::new([[2.0], [2.5]])).unwrap(), Tensor::new([[0.0], [0.5]]));
    }

    #[test]
    fn statistics_that_cannot_be_are_refused() {
        for (mean, variance) in [(0.0, -1.0), (0.0, f64::NAN), (f64::INFINITY, 1.0)] {
            let network = Sequential::new().add(Normalization::new([1.0, mean], [1.0, variance]));
            let message = Model::build(network, [2], 0).map(|_| ()).unwrap_err().to_string();
            let expected = format!("needs finite means and variances of at least 0, found {mean} and {variance};");
            assert!(message.contains(&expected), "{message}");
        }
    }

    #[test]
    fn one_pair_of_statistics_may_serve_all() {
        // By hand: mean 2, variance 1.
        let layer = Normalization::adapt_all(&Tensor::new([[1.0, 3.0], [3.0, 1.0]])).unwrap();
        assert_eq!((layer.mean(), layer.variance()), (&[2.0][..], &[1.0][..]));
    }
}
