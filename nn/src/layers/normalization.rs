//! Inputs normalised to mean 0 and variance 1 by statistics of the training data.

use gradus_tensor::{Axes, Tensor};
use serde::{Deserialize, Serialize};

use super::support::prelude::*;
use crate::error::Error;

/// y = (x - mean) / sqrt(variance), for each feature (the last axis) or for all together.
///
/// Shape: unchanged. The statistics are options of the layer, not weights: they are written with the network.
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
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Normalization {
    /// A layer with the mean and the population variance of each feature, the last axis of `data`, over all other axes.
    ///
    /// # Errors
    /// If there are no samples, or a feature is not finite everywhere.
    pub fn adapt<T: Float>(data: &Tensor<T>) -> Result<Self> {
        if data.ndim() == 0 {
            return Err(Error::new("Normalization", "the data is a single number: []", "give it the shape [n, 1]"));
        }
        Self::over(data, (0..data.ndim() as isize - 1).collect())
    }

    /// A layer with one mean and one variance of all elements: Keras's `axis=None`, as for images.
    ///
    /// # Errors
    /// If there are no samples, or one is not finite.
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
        let numbers = |statistic: Tensor<T>| statistic.iter().map(T::as_f64).collect::<Vec<f64>>();
        let (mean, variance) = (numbers(data.mean(axes.clone())), numbers(data.var(axes)));
        if let Some(feature) = variance.iter().position(|variance| !variance.is_finite()) {
            let problem = format!("feature {feature} of the data has the mean {}", mean[feature]);
            return Err(Error::new("Normalization", problem, "drop or fill in values that are missing or infinite"));
        }
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
        if count != 1 && build.features()? != count {
            let problem = format!("was adapted to {count} features, found samples of shape {}", build.input()?);
            return Err(build.error(problem, "adapt it to data of the shape that the network is built for"));
        }
        // A feature that never varies is only shifted: Keras's bound on the divisor.
        let scale = self.variance.iter().map(|variance| T::of(1.0 / variance.sqrt().max(1e-7)));
        let (mean, scale): (Tensor<T>, Tensor<T>) =
            (self.mean.iter().map(|&mean| T::of(mean)).collect(), scale.collect());
        let (mean, scale) = if count == 1 { (mean.squeeze(0), scale.squeeze(0)) } else { (mean, scale) };
        Ok(Built::new(build.input()?, move |_, x| (x - &mean) * &scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_cannot_be_adapted_to_is_refused() {
        let message = |data: Tensor| Normalization::adapt(&data).unwrap_err().to_string();
        assert_eq!(
            message(Tensor::zeros([0, 3])),
            "Normalization: there is no data to adapt to: [0, 3]; give at least one sample"
        );
        assert_eq!(
            message(Tensor::new([[1.0, f32::NAN]])),
            "Normalization: feature 1 of the data has the mean NaN; drop or fill in values that are missing or infinite"
        );
        assert!(Normalization::adapt(&Tensor::new(1.0)).is_err());
    }

    #[test]
    fn one_pair_of_statistics_may_serve_all() {
        // By hand: mean 2, variance 1.
        let layer = Normalization::adapt_all(&Tensor::new([[1.0, 3.0], [3.0, 1.0]])).unwrap();
        assert_eq!((layer.mean(), layer.variance()), (&[2.0][..], &[1.0][..]));
    }
}
