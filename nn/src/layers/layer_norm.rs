//! Each sample's features brought to mean 0 and variance 1.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::normalize::normalize;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance over the last axis of each sample.
///
/// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros, both `[features]`. Keras's `LayerNormalization`. Ba et
/// al., arXiv:1607.06450.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl LayerNorm {
    /// With epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        LayerNorm { epsilon: 1e-3, center: true, scale: true }
    }

    /// With this added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNorm { epsilon, ..self }
    }

    /// With or without beta.
    pub fn center(self, center: bool) -> Self {
        LayerNorm { center, ..self }
    }

    /// With or without gamma.
    pub fn scale(self, scale: bool) -> Self {
        LayerNorm { scale, ..self }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        LayerNorm::new()
    }
}

impl Layer for LayerNorm {
    const KIND: &'static str = "LayerNormalization";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = build.features()?;
        let epsilon = check_epsilon(self.epsilon, build)?;
        let gamma = self.scale.then(|| build.weight("gamma", features, Initializer::Ones)).transpose()?;
        let beta = self.center.then(|| build.weight("beta", features, Initializer::Zeros)).transpose()?;
        Ok(Built::new(build.input()?, move |context, x| {
            let mut y = normalize(x, -1, epsilon).output;
            if let Some(gamma) = gamma {
                y = y * context.weight(gamma);
            }
            if let Some(beta) = beta {
                y = y + context.weight(beta);
            }
            y
        }))
    }
}

/// The epsilon, if a variance of 0 plus it has a root to divide by.
pub(super) fn check_epsilon<T: Float>(epsilon: f64, build: &Build<'_, T>) -> Result<T> {
    if epsilon > 0.0 && epsilon.is_finite() {
        return Ok(T::of(epsilon));
    }
    Err(build.error(format!("epsilon must be positive and finite, found {epsilon}"), "Keras's is 0.001"))
}
