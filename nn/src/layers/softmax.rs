//! Softmax along any axis.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// exp(x_i) / sum_j exp(x_j) over an axis, the last unless said otherwise. Shape: unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softmax {
    axis: isize,
}

impl Softmax {
    /// Over the last axis.
    pub fn new() -> Self {
        Softmax { axis: -1 }
    }

    /// Over this axis: from 1, for axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        Softmax { axis }
    }
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax::new()
    }
}

impl Layer for Softmax {
    const KIND: &'static str = "Softmax";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (axis, shape) = (self.axis, build.input()?);
        if axis == 0 || axis.unsigned_abs() > shape.len() {
            let problem = format!("there is no axis {axis} in samples of shape {shape}");
            return Err(build.error(problem, "count axes from 1, the first after the batch, or from -1, the last"));
        }
        Ok(Built::new(shape, move |_, x| x.softmax(axis)))
    }
}
