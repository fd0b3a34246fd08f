//! A fixed scale and offset.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = x scale + offset. Shape: unchanged.
///
/// ```
/// use gradus_nn::Rescaling;
/// let to_unit = Rescaling::new(1.0 / 255.0); // bytes to 0..=1
/// let to_signed = Rescaling::new(1.0 / 127.5).offset(-1.0); // bytes to -1..=1
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    /// By this factor.
    pub fn new(scale: f64) -> Self {
        Rescaling { scale, offset: 0.0 }
    }

    /// And with this added.
    pub fn offset(self, offset: f64) -> Self {
        Rescaling { offset, ..self }
    }
}

impl Layer for Rescaling {
    const KIND: &'static str = "Rescaling";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (scale, offset) = (T::of(self.scale), T::of(self.offset));
        Ok(Built::new(build.input()?, move |_, x| if offset == T::ZERO { x * scale } else { x * scale + offset }))
    }
}
