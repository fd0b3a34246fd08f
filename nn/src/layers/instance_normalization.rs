//! Each channel of a sample normalised to mean 0 and variance 1.

use gradus_tensor::Standardization;

use super::support::prelude::*;
use super::support::{FeatureAxes, GammaBeta, Normalizer};

options! {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each channel of a sample over its
    /// places.
    ///
    /// Shape: unchanged, `[n, spatial.., channels]`. Weights: `gamma`, ones, and `beta`, zeros, both `[channels]`. The same
    /// as [`GroupNormalization`](crate::GroupNormalization) with a group for each channel. Ulyanov et al., arXiv:1607.08022.
    ///
    /// ```
    /// use gradus_nn::{Activation, Conv2D, InstanceNormalization, Sequential};
    /// let block = Sequential::new()
    ///     .add(Conv2D::new(64, 3).use_bias(false))
    ///     .add(InstanceNormalization::new())
    ///     .add(Activation::Relu);
    /// ```
    #[doc(alias("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"))]
    pub struct InstanceNormalization {
        /// A layer with epsilon 0.001, gamma and beta.
        pub fn new();
        /// The number added to the variance; 0.001 by default.
        #[check(checks::epsilon("Keras's is 0.001"))]
        epsilon: f64 = 1e-3,
        /// Whether beta is added, as by default.
        center: bool = true,
        /// Whether gamma multiplies, as by default.
        scale: bool = true,
    }
}

/// The short form of [`InstanceNormalization`].
pub type InstanceNorm = InstanceNormalization;

impl Layer for InstanceNormalization {
    const KIND: &'static str = "InstanceNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = build.input()?;
        let (Some(&channels), true) = (input.last(), input.len() > 1) else {
            let problem = format!("needs an axis besides the channels, found samples of shape {input}");
            return Err(build.error(problem, "take LayerNormalization for vectors"));
        };
        if channels == 0 {
            let problem = format!("needs at least one channel, found samples of shape {input}");
            return Err(build.error(problem, "give it samples that hold some"));
        }
        let features = FeatureAxes::new(&[-1], build)?;
        self.check(build)?;
        let how = Standardization::of_groups(channels).epsilon(self.epsilon);
        let weights = GammaBeta::new((self.scale, None), (self.center, None), &features, build)?;
        Normalizer { features, weights, how }.layer(build)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
