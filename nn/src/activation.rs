//! Activation functions, by name.

use gradus_autograd::Var;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

/// A function applied to a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// x
    #[default]
    Linear,
    /// max(x, 0)
    Relu,
    /// exp(x_i) / sum_j exp(x_j) over the last axis.
    Softmax,
}

impl Activation {
    /// The function of `x`. Shape: unchanged.
    pub fn apply<T: Float>(self, x: &Var<T>) -> Var<T> {
        match self {
            Activation::Linear => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Softmax => x.softmax(-1),
        }
    }
}
