//! Each sample's features normalised to mean 0 and variance 1.

use gradus_tensor::Standardization;

use super::support::prelude::*;
use super::support::{FeatureAxes, GammaBeta, Normalizer};

options! {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance over the last axis of each sample, or
    /// over other axes of it.
    ///
    /// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros, both of the lengths of the normalised axes, in order.
    /// Ba et al., arXiv:1607.06450.
    ///
    /// ```
    /// use gradus_nn::LayerNormalization;
    /// let of_words = LayerNormalization::new();
    /// let of_whole_images = LayerNormalization::new().axes([1, 2, 3]);
    /// ```
    pub struct LayerNormalization {
        /// A layer over the last axis, with epsilon 0.001, gamma and beta.
        pub fn new();
        // Set by `axis` and `axes`.
        axis: Vec<isize> = vec![-1],
        /// The number added to the variance; 0.001 by default.
        #[check(checks::epsilon("Keras's is 0.001"))]
        epsilon: f64 = 1e-3,
        /// Whether beta is added, as by default.
        center: bool = true,
        /// Whether gamma multiplies, as by default.
        scale: bool = true,
        /// The constraint on beta; none by default.
        beta_constraint: Option<Constraint> = None,
        /// The constraint on gamma; none by default.
        gamma_constraint: Option<Constraint> = None,
    }
}

/// The short form of [`LayerNormalization`].
pub type LayerNorm = LayerNormalization;

impl LayerNormalization {
    /// The axis to normalise: counted from 1, since axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        self.axes([axis])
    }

    /// The axes to normalise together: Keras's `axis` where it is a list.
    pub fn axes(self, axes: impl AsRef<[isize]>) -> Self {
        LayerNormalization { axis: axes.as_ref().to_vec(), ..self }
    }
}

impl Layer for LayerNormalization {
    const KIND: &'static str = "LayerNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = FeatureAxes::new(&self.axis, build)?;
        self.check(build)?;
        let how = Standardization::of_rows().epsilon(self.epsilon);
        let gamma = (self.scale, self.gamma_constraint.as_ref());
        let beta = (self.center, self.beta_constraint.as_ref());
        let weights = GammaBeta::new(gamma, beta, &features, build)?;
        let rule = features.mask_rule();
        Ok(Normalizer { features, weights, how }.layer(build)?.mask_rule(rule))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
