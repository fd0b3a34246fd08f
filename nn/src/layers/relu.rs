//! The rectified linear unit with its options.

use gradus_autograd::Op;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::activation::elementwise;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// max(x, 0), or with options: `max_value` where x reaches it, x from `threshold` on, and below that
/// `negative_slope` (x - `threshold`). Shape: unchanged.
///
/// ```
/// use gradus_nn::ReLU;
/// let relu6 = ReLU::new().max_value(6.0);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReLU {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

impl ReLU {
    /// max(x, 0)
    pub fn new() -> Self {
        ReLU::default()
    }

    /// With nothing above this value.
    pub fn max_value(self, max_value: f64) -> Self {
        ReLU { max_value: Some(max_value), ..self }
    }

    /// With this slope below the threshold.
    pub fn negative_slope(self, negative_slope: f64) -> Self {
        ReLU { negative_slope, ..self }
    }

    /// With the identity beginning here instead of at 0.
    pub fn threshold(self, threshold: f64) -> Self {
        ReLU { threshold, ..self }
    }
}

impl Layer for ReLU {
    const KIND: &'static str = "ReLU";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?;
        if self.max_value.is_none() && self.negative_slope == 0.0 && self.threshold == 0.0 {
            return Ok(Built::new(shape, |_, x| x.relu()).or_epilogue(|_| Some(Epilogue::RELU)));
        }
        let max = self.max_value.map_or(T::HIGHEST, T::of);
        let (slope, threshold) = (T::of(self.negative_slope), T::of(self.threshold));
        Ok(Built::new(shape, move |_, x| {
            elementwise!("relu" of x: |x| {
                let below = slope * (x - threshold);
                if x >= max { max } else if x >= threshold { x } else { below }
            },
            derivative {
                let risen = if x >= max { T::ZERO } else { T::ONE };
                if x > threshold { risen } else { slope }
            })
        }))
    }
}
