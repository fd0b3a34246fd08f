//! The rectified linear unit whose leak is learned.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};
use crate::regularizers::Regularizer;

/// x where positive, else alpha x, with one learned alpha for each element of a sample. He et al., arXiv:1502.01852.
///
/// Shape: unchanged. Weight: `alpha`, of the input's shape without the batch axis, with length 1 along shared axes;
/// zeros.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PReLU {
    alpha_initializer: Initializer,
    alpha_regularizer: Option<Regularizer>,
    shared_axes: Vec<usize>,
}

impl PReLU {
    /// One alpha for each element of a sample.
    pub fn new() -> Self {
        PReLU { alpha_initializer: Initializer::Zeros, alpha_regularizer: None, shared_axes: Vec::new() }
    }

    /// With alpha drawn from this distribution.
    pub fn alpha_initializer(self, alpha_initializer: Initializer) -> Self {
        PReLU { alpha_initializer, ..self }
    }

    /// With this penalty on alpha.
    pub fn alpha_regularizer(self, regularizer: Regularizer) -> Self {
        PReLU { alpha_regularizer: Some(regularizer), ..self }
    }

    /// With one alpha for all elements along these axes. Axes count from 1, for axis 0 is the batch.
    pub fn shared_axes(self, axes: impl AsRef<[usize]>) -> Self {
        PReLU { shared_axes: axes.as_ref().to_vec(), ..self }
    }
}

impl Default for PReLU {
    fn default() -> Self {
        PReLU::new()
    }
}

impl Layer for PReLU {
    const KIND: &'static str = "PReLU";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let output = build.input()?.clone();
        let mut shape = output.clone();
        for &axis in &self.shared_axes {
            if axis < 1 || axis > shape.len() {
                let problem = format!("axis {axis} cannot be shared, found samples of shape {output}");
                return Err(build.error(problem, "count axes from 1, the first after the batch"));
            }
            shape[axis - 1] = 1;
        }
        let alpha = build.weight("alpha", shape, self.alpha_initializer)?;
        build.penalty(alpha, self.alpha_regularizer);
        Ok(Built::new(output, move |context, x| x.relu() - (-x).relu() * context.weight(alpha)))
    }
}
