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
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let axis = build.axis(self.axis)? as isize;
        Ok(Built::new(build.input()?, move |_, x| x.softmax(axis)))
    }
}
