//! How weights begin.

use gradus_tensor::{Float, Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// The distribution that a weight's first values are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Uniform in -limit..limit, limit = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, 2010.
    GlorotUniform,
}

impl Initializer {
    /// A tensor of this distribution.
    pub fn draw<T: Float>(self, shape: &Shape, generator: &mut Generator) -> Tensor<T> {
        match self {
            Initializer::Zeros => Tensor::zeros(shape),
            Initializer::Ones => Tensor::ones(shape),
            Initializer::GlorotUniform => {
                let limit = (6.0 / (shape[0] + shape[1]) as f64).sqrt();
                generator.uniform(shape, T::of(-limit)..T::of(limit))
            }
        }
    }
}
