//! The exponential linear unit.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// x where positive, else `alpha` (e^x - 1). Shape: unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ELU {
    alpha: f64,
}

impl ELU {
    /// With the limit -alpha below 0.
    pub fn new(alpha: f64) -> Self {
        ELU { alpha }
    }
}

impl Default for ELU {
    fn default() -> Self {
        ELU::new(1.0)
    }
}

impl Layer for ELU {
    const KIND: &'static str = "ELU";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Activation::Elu { alpha: self.alpha }.build(build)
    }
}
