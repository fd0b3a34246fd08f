//! Each feature brought to mean 0 and variance 1 over the batch.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, check_epsilon, normalize};
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each feature: each place on the last axis, or another.
///
/// While training, mean and variance are those of the batch, over all other axes, and each moving statistic becomes
/// momentum times itself plus (1 - momentum) times the batch's. When predicting, they are the moving ones; so they are
/// while training if the layer is frozen ([`Model::freeze`](crate::Model::freeze)), and then they stay as they are.
///
/// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros; states: `moving_mean`, zeros, and `moving_variance`,
/// ones; all `[features]`. Keras's `BatchNormalization`, whose variance is the population's. Ioffe and Szegedy,
/// arXiv:1502.03167.
///
/// ```
/// use gradus_nn::BatchNorm;
/// let of_images = BatchNorm::new(); // [n, height, width, channels]
/// let of_images_with_channels_first = BatchNorm::new().axis(1);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    axis: isize,
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl BatchNorm {
    /// Of the last axis, with momentum 0.99, epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        BatchNorm { axis: -1, momentum: 0.99, epsilon: 1e-3, center: true, scale: true }
    }

    /// Of the features along this axis: from 1, for axis 0 is the batch, or from -1, the last, down.
    pub fn axis(self, axis: isize) -> Self {
        BatchNorm { axis, ..self }
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
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = Features::new(&[self.axis], build)?;
        let epsilon = check_epsilon(self.epsilon, build)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let problem = format!("the momentum must be from 0 to 1, found {}", self.momentum);
            return Err(build.error(problem, "Keras's is 0.99"));
        }
        let (keep, take) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        let affine = Affine::new(self.scale, self.center, &features, build)?;
        let moving_mean = build.state("moving_mean", Tensor::zeros(&features.shape))?;
        let moving_variance = build.state("moving_variance", Tensor::ones(&features.shape))?;
        let output = build.input()?.clone();
        let others: Vec<usize> = (0..=output.len()).filter(|axis| !features.axes.contains(axis)).collect();

        Ok(Built::new(output, move |context, x| {
            let y = if context.training().is_some() && !context.is_frozen(moving_mean) {
                let batch = normalize(x, &others[..], epsilon);
                for (state, statistic) in [(moving_mean, batch.mean), (moving_variance, batch.variance)] {
                    let moving = context.weight(state).value();
                    let next = moving * keep + statistic.reshape(&features.shape) * take;
                    context.update(state, next);
                }
                batch.output
            } else {
                let scale = Var::from((context.weight(moving_variance).value() + epsilon).rsqrt());
                (x - features.spread(context.weight(moving_mean))) * features.spread(&scale)
            };
            affine.apply(y, &features, context)
        }))
    }
}
