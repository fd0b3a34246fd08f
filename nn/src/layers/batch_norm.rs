//! Each feature brought to mean 0 and variance 1 over the batch.

use gradus_autograd::Var;
use gradus_tensor::{Axes, Float, Tensor};
use serde::{Deserialize, Serialize};

use super::layer_norm::check_epsilon;
use super::normalize::normalize;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each feature (the last axis).
///
/// While training, mean and variance are those of the batch, over all axes but the last, and each moving statistic
/// becomes momentum times itself plus (1 - momentum) times the batch's. When predicting, they are the moving ones.
///
/// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros; states: `moving_mean`, zeros, and `moving_variance`,
/// ones; all `[features]`. Keras's `BatchNormalization`, whose variance is the population's. Ioffe and Szegedy,
/// arXiv:1502.03167.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl BatchNorm {
    /// With momentum 0.99, epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        BatchNorm { momentum: 0.99, epsilon: 1e-3, center: true, scale: true }
    }

    /// With this share of a moving statistic kept at each step.
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum, ..self }
    }

    /// With this added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        BatchNorm { epsilon, ..self }
    }

    /// With or without beta.
    pub fn center(self, center: bool) -> Self {
        BatchNorm { center, ..self }
    }

    /// With or without gamma.
    pub fn scale(self, scale: bool) -> Self {
        BatchNorm { scale, ..self }
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm::new()
    }
}

impl Layer for BatchNorm {
    const KIND: &'static str = "BatchNormalization";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = build.features()?;
        let epsilon = check_epsilon(self.epsilon, build)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let problem = format!("the momentum must be from 0 to 1, found {}", self.momentum);
            return Err(build.error(problem, "Keras's is 0.99"));
        }
        let (keep, take) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        let gamma = self.scale.then(|| build.weight("gamma", features, Initializer::Ones)).transpose()?;
        let beta = self.center.then(|| build.weight("beta", features, Initializer::Zeros)).transpose()?;
        let moving_mean = build.state("moving_mean", Tensor::zeros(features))?;
        let moving_variance = build.state("moving_variance", Tensor::ones(features))?;

        Ok(Built::new(build.input()?, move |context, x| {
            let mut y = if context.training().is_some() {
                let axes: Axes = (0..x.ndim() as isize - 1).collect();
                let batch = normalize(x, axes, epsilon);
                for (state, statistic) in [(moving_mean, batch.mean), (moving_variance, batch.variance)] {
                    let moving = context.weight(state).value();
                    let next = moving * keep + statistic.reshape(features) * take;
                    context.update(state, next);
                }
                batch.output
            } else {
                let scale = (context.weight(moving_variance).value() + epsilon).rsqrt();
                (x - context.weight(moving_mean)) * Var::from(scale)
            };
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
