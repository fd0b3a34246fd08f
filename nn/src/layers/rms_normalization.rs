//! Each sample's features normalised to a mean square of 1.

use gradus_tensor::Standardization;

use super::support::prelude::*;
use super::support::{FeatureAxes, GammaBeta, Normalizer};

options! {
    /// y = scale x / sqrt(mean of x^2 + epsilon), with the mean over the last axis of each sample, or over other axes of it.
    ///
    /// Shape: unchanged. Weights: `scale`, ones, of the lengths of the normalised axes, in order. Zhang
    /// and Sennrich, arXiv:1910.07467.
    ///
    /// ```
    /// use gradus_nn::{Model, RMSNormalization, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(RMSNormalization::new()), [2], 42)?;
    /// // The mean square of 1 and 7 is 25.
    /// let y = model.predict(&Tensor::new([[1.0, 7.0]]))?;
    /// assert!(y.allclose(&Tensor::new([[0.2, 1.4]]), 1e-6, 0.0));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct RMSNormalization {
        /// A layer over the last axis, with epsilon 1e-6.
        pub fn new();
        // Set by `axis` and `axes`.
        axis: Vec<isize> = vec![-1],
        /// The number added to the mean square; 1e-6 by default.
        #[check(checks::epsilon("Keras's is 0.000001"))]
        epsilon: f64 = 1e-6,
    }
}

/// The short form of [`RMSNormalization`].
pub type RMSNorm = RMSNormalization;

impl RMSNormalization {
    /// The axis to normalise: counted from 1, since axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        self.axes([axis])
    }

    /// The axes to normalise together: Keras's `axis` where it is a list.
    pub fn axes(self, axes: impl AsRef<[isize]>) -> Self {
        RMSNormalization { axis: axes.as_ref().to_vec(), ..self }
    }
}

impl Layer for RMSNormalization {
    const KIND: &'static str = "RMSNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = FeatureAxes::new(&self.axis, build)?;
        self.check(build)?;
        let how = Standardization::of_rows_by_square().epsilon(self.epsilon);
        let weights = GammaBeta::scale(&features, build)?;
        let rule = features.mask_rule();
        Ok(Normalizer { features, weights, how }.layer(build)?.mask_rule(rule))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
