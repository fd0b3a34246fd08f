//! Penalties on weights.

use gradus_autograd::Var;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

/// A penalty on the size of a weight, added to the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Regularizer {
    /// The factor times the sum of squares.
    L2(f64),
}

impl Regularizer {
    /// The penalty of this weight: a scalar.
    pub fn penalty<T: Float>(self, weight: &Var<T>) -> Var<T> {
        match self {
            Regularizer::L2(factor) => weight.square().sum(..) * T::of(factor),
        }
    }
}
