//! Each sample's features brought to mean 0 and variance 1.

use gradus_tensor::{Float, Standardization};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, Standardizing, check_epsilon};
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance over the last axis of each sample, or
/// over other axes of it.
///
/// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros, both of the lengths of the normalised axes, in order.
/// Keras's `LayerNormalization`. Ba et al., arXiv:1607.06450.
///
/// ```
/// use gradus_nn::LayerNorm;
/// let of_words = LayerNorm::new();
/// let of_whole_images = LayerNorm::new().axes([1, 2, 3]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    axis: Vec<isize>,
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl LayerNorm {
    /// Over the last axis, with epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        LayerNorm { axis: vec![-1], epsilon: 1e-3, center: true, scale: true }
    }

    /// Over this axis: from 1, for axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        self.axes([axis])
    }

    /// Over these axes together: Keras's `axis` where it is a list.
    pub fn axes(self, axes: impl AsRef<[isize]>) -> Self {
        LayerNorm { axis: axes.as_ref().to_vec(), ..self }
    }

    /// With this added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNorm { epsilon, ..self }
    }

    /// With or without beta.
    pub fn center(self, center: bool) -> Self {
        LayerNorm { center, ..self }
    }

    /// With or without gamma.
    pub fn scale(self, scale: bool) -> Self {
        LayerNorm { scale, ..self }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        LayerNorm::new()
    }
}

impl Layer for LayerNorm {
    const KIND: &'static str = "LayerNormalization";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = Features::new(&self.axis, build)?;
        let how = Standardization::of_rows().epsilon(check_epsilon(self.epsilon, 1e-3, build)?);
        let affine = Affine::new(self.scale, self.center, &features, build)?;
        Standardizing { features, affine, how }.layer(build)
    }
}
