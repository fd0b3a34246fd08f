//! The rectified linear unit that leaks.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// x where positive, else `negative_slope` x. Shape: unchanged. As in Keras, the layer's default slope is 0.3.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyReLU {
    negative_slope: f64,
}

impl LeakyReLU {
    /// With this slope below 0.
    pub fn new(negative_slope: f64) -> Self {
        LeakyReLU { negative_slope }
    }
}

impl Default for LeakyReLU {
    fn default() -> Self {
        LeakyReLU::new(0.3)
    }
}

impl Layer for LeakyReLU {
    const KIND: &'static str = "LeakyReLU";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Activation::LeakyRelu { negative_slope: self.negative_slope }.build(build)
    }
}
