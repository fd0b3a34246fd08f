//! Each feature brought to mean 0 and variance 1 over the batch.

use gradus_autograd::Var;
use gradus_tensor::{Float, Standardization, Tensor};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, Standardizing, check_epsilon};
use crate::epilogue::{Epilogue, Supports};
use crate::error::Result;
use crate::layer::{Build, Built, Context, Layer, ParamId};

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
        let epsilon = check_epsilon(self.epsilon, 1e-3, build)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let problem = format!("the momentum must be from 0 to 1, found {}", self.momentum);
            return Err(build.error(problem, "Keras's is 0.99"));
        }
        let affine = Affine::new(self.scale, self.center, &features, build)?;
        let moving_mean = build.state("moving_mean", Tensor::zeros(&features.shape))?;
        let moving_variance = build.state("moving_variance", Tensor::ones(&features.shape))?;
        let are_channels = features.are_channels();
        let how = Standardization::of_channels().epsilon(epsilon);
        let batch = Standardizing { features, affine, how };
        let computation = Computation { batch, moving_mean, moving_variance, epsilon, momentum: self.momentum };
        let moving = computation.clone();
        let supports = if are_channels { Supports::ELEMENTWISE } else { Supports::NOTHING };
        let built = Built::with_epilogue(build.input()?, supports, move |context, x, epilogue| {
            computation.compute(context, x, epilogue)
        });
        if !are_channels {
            return Ok(built);
        }
        Ok(built.or_epilogue(move |context| {
            let affine = (!moving.learns(context)).then(|| moving.moving(context, &Epilogue::IDENTITY))?;
            Some(Epilogue { affine: Some(affine), ..Epilogue::IDENTITY })
        }))
    }
}

/// The computation of the built layer.
#[derive(Clone)]
struct Computation {
    batch: Standardizing,
    moving_mean: ParamId,
    moving_variance: ParamId,
    epsilon: f64,
    momentum: f64,
}

impl Computation {
    /// Whether the statistics are those of the batch.
    fn learns<T: Float>(&self, context: &mut Context<'_, T>) -> bool {
        context.training().is_some() && !context.is_frozen(self.moving_mean)
    }

    /// Scale and shift of y = scale x + shift: the layer with its moving statistics, and the epilogue's affine part.
    fn moving<T: Float>(&self, context: &Context<'_, T>, epilogue: &Epilogue<T>) -> (Var<T>, Var<T>) {
        let [gamma, beta] = self.batch.affine.weights(context, epilogue);
        let variance = context.weight(self.moving_variance).value();
        let scale = gamma * &(variance + T::of(self.epsilon)).rsqrt();
        let shift = beta - &scale * context.weight(self.moving_mean).value();
        (scale, shift)
    }

    fn compute<T: Float>(&self, context: &mut Context<'_, T>, x: &Var<T>, epilogue: &Epilogue<T>) -> Var<T> {
        if !self.learns(context) {
            let (scale, shift) = self.moving(context, epilogue);
            return self.batch.features.as_channels(x, |x| x.affine(&scale, &shift, epilogue.relu));
        }
        let (y, moments) = self.batch.compute(context, x, epilogue);
        let (keep, take) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        for (state, statistic) in [(self.moving_mean, moments.mean), (self.moving_variance, moments.variance)] {
            let next = context.weight(state).value() * keep + statistic * take;
            context.update(state, next);
        }
        y
    }
}
