//! Each sample's features brought to a mean square of 1.

use gradus_tensor::{Float, Standardization};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, Standardizing, check_epsilon};
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = scale x / sqrt(mean of x^2 + epsilon), with the mean over the last axis of each sample, or over other axes of it.
///
/// Shape: unchanged. Weights: `scale`, ones, of the lengths of the normalised axes, in order. Keras's `RMSNormalization`.
/// Zhang and Sennrich, arXiv:1910.07467.
///
/// ```
/// use gradus_nn::{Model, RMSNorm, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(RMSNorm::new()), [2], 42)?;
/// // The mean square of 1 and 7 is 25.
/// let y = model.predict(&Tensor::new([[1.0, 7.0]]))?;
/// assert!(y.allclose(&Tensor::new([[0.2, 1.4]]), 1e-6, 0.0));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RMSNorm {
    axis: Vec<isize>,
    epsilon: f64,
}

impl RMSNorm {
    /// Over the last axis, with epsilon 1e-6.
    pub fn new() -> Self {
        RMSNorm { axis: vec![-1], epsilon: 1e-6 }
    }

    /// Over this axis: from 1, for axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        self.axes([axis])
    }

    /// Over these axes together: Keras's `axis` where it is a list.
    pub fn axes(self, axes: impl AsRef<[isize]>) -> Self {
        RMSNorm { axis: axes.as_ref().to_vec(), ..self }
    }

    /// With this added to the mean square.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RMSNorm { epsilon, ..self }
    }
}

impl Default for RMSNorm {
    fn default() -> Self {
        RMSNorm::new()
    }
}

impl Layer for RMSNorm {
    const KIND: &'static str = "RMSNormalization";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = Features::new(&self.axis, build)?;
        let how = Standardization::of_rows_by_square().epsilon(check_epsilon(self.epsilon, 1e-6, build)?);
        let affine = Affine::scale(&features, build)?;
        Standardizing { features, affine, how }.layer(build)
    }
}
