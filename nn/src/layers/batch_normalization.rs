//! Each feature normalised to mean 0 and variance 1 over the batch.

use gradus_autograd::Var;
use gradus_tensor::{Standardization, Tensor};

use super::support::prelude::*;
use super::support::{FeatureAxes, GammaBeta, Normalizer};
use crate::epilogue::{Epilogue, Supports};
use crate::layer::{Context, ParamId};
use crate::mask::Positions;

options! {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each feature: each place on the last axis, or another.
    ///
    /// While training, mean and variance are those of the batch over all other axes, and each moving statistic becomes
    /// momentum times itself plus (1 - momentum) times the batch's. When predicting, they are the moving ones; so they are
    /// while training if the layer is frozen ([`Model::freeze`](crate::Model::freeze)), and then they stay as they are.
    /// A batch that is cut into [shards](crate::Shard) is normalised as a whole.
    ///
    /// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros; states: `moving_mean`, zeros, and `moving_variance`,
    /// ones; all `[features]`. The variance is the population's, as in Keras. Ioffe and Szegedy,
    /// arXiv:1502.03167.
    ///
    /// Positions that are padding, by a [mask](crate::MaskRule), do not count; a batch of nothing else is normalised with the moving
    /// statistics and leaves them as they are.
    ///
    /// ```
    /// use gradus_nn::BatchNormalization;
    /// let of_images = BatchNormalization::new(); // [n, height, width, channels]
    /// let of_images_with_channels_first = BatchNormalization::new().axis(1);
    /// ```
    #[doc(alias("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"))]
    pub struct BatchNormalization {
        /// A layer over the last axis, with momentum 0.99, epsilon 0.001, gamma and beta.
        pub fn new();
        /// The axis of the features: counted from 1, since axis 0 is the batch, or from -1, the last, down.
        axis: isize = -1,
        /// The share of a moving statistic that is kept at each step; 0.99 by default.
        #[check(checks::momentum)]
        momentum: f64 = 0.99,
        /// The number added to the variance; 0.001 by default.
        #[check(checks::epsilon("Keras's is 0.001"))]
        epsilon: f64 = 1e-3,
        /// Whether beta is added, as by default.
        center: bool = true,
        /// Whether gamma multiplies, as by default.
        scale: bool = true,
        /// The constraint on beta; none by default.
        beta_constraint: Option<Constraint> = None,
        /// The constraint on gamma; none by default.
        gamma_constraint: Option<Constraint> = None,
    }
}

/// The short form of [`BatchNormalization`].
pub type BatchNorm = BatchNormalization;

impl Layer for BatchNormalization {
    const KIND: &'static str = "BatchNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = FeatureAxes::new(&[self.axis], build)?;
        self.check(build)?;
        let gamma = (self.scale, self.gamma_constraint.as_ref());
        let beta = (self.center, self.beta_constraint.as_ref());
        let weights = GammaBeta::new(gamma, beta, &features, build)?;
        let all = |value: T| Tensor::scalar(value).broadcast_to(&features.shape);
        let moving_mean = build.state("moving_mean", all(T::ZERO))?;
        let moving_variance = build.state("moving_variance", all(T::ONE))?;
        let are_channels = features.are_channels();
        let along_positions = features.mask_rule() == MaskRule::Unsaid;
        let how = Standardization::of_channels().epsilon(self.epsilon);
        let normalizer = Normalizer { features, weights, how };
        let (epsilon, momentum) = (self.epsilon, self.momentum);
        let of_batch = BatchStatistics { normalizer, moving_mean, moving_variance, epsilon, momentum };
        let of_moving = of_batch.clone();
        let supports = if are_channels { Supports::ELEMENTWISE } else { Supports::NOTHING };
        let input = &build.inputs()[0];
        let built = if input.is_masked() && of_batch.normalizer.features.mask_rule() == MaskRule::Kept {
            let compute = move |context: &mut Context<'_, T>, inputs: Values<T>| {
                let mask = inputs.mask(0).cloned();
                Values::from(of_batch.normalize_there(context, inputs[0].floats(), mask.as_ref())).with_mask(0, mask)
            };
            Built::of_values(vec![input.clone()], compute).mask_rule(MaskRule::Known)
        } else {
            Built::with_epilogue(build.input()?, supports, move |context, x, epilogue| {
                of_batch.normalize(context, x, epilogue)
            })
        };
        // The moving statistics, with which it predicts, are none of a sequence.
        let built = if along_positions { built } else { built.part_rule(PartRule::Alone) };
        if !are_channels {
            return Ok(built);
        }
        Ok(built.or_epilogue(move |context| {
            let affine = (!of_moving.are_updated(context)).then(|| of_moving.affine(context, &Epilogue::IDENTITY))?;
            Some(Epilogue { affine: Some(affine), ..Epilogue::IDENTITY })
        }))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}

/// The computation of the built layer: with the batch's statistics, which update the moving ones, or with the moving ones.
#[derive(Clone)]
struct BatchStatistics {
    normalizer: Normalizer,
    moving_mean: ParamId,
    moving_variance: ParamId,
    epsilon: f64,
    momentum: f64,
}

impl BatchStatistics {
    /// Whether this pass normalises with the batch's statistics and updates the moving ones.
    fn are_updated<T: Float>(&self, context: &mut Context<'_, T>) -> bool {
        context.training().is_some() && !context.is_frozen(self.moving_mean)
    }

    /// Scale and shift of y = scale x + shift: the layer with its moving statistics, and the epilogue's affine part.
    fn affine<T: Float>(&self, context: &Context<'_, T>, epilogue: &Epilogue<T>) -> (Var<T>, Var<T>) {
        let [gamma, beta] = self.normalizer.weights.values(context, epilogue);
        let variance = context.weight(self.moving_variance).value();
        let scale = gamma * &(variance + T::of(self.epsilon)).rsqrt();
        let shift = beta - &scale * context.weight(self.moving_mean).value();
        (scale, shift)
    }

    /// As [`normalize`](Self::normalize), over the positions that are there.
    fn normalize_there<T: Float>(
        &self,
        context: &mut Context<'_, T>,
        x: &Var<T>,
        mask: Option<&Tensor<bool>>,
    ) -> Var<T> {
        let Some(mask) = mask.filter(|_| self.are_updated(context)) else {
            return self.normalize(context, x, &Epilogue::IDENTITY);
        };
        let positions = Positions::of(mask);
        // One sample of all these positions has as many axes as x.
        let rows = positions.of_outputs(x).unsqueeze(0);
        match self.with_those_of_batch(context, &rows, &Epilogue::IDENTITY) {
            Some(y) => positions.spread(&y.squeeze(0)),
            None => self.with_moving(context, x, &Epilogue::IDENTITY),
        }
    }

    fn normalize<T: Float>(&self, context: &mut Context<'_, T>, x: &Var<T>, epilogue: &Epilogue<T>) -> Var<T> {
        let is_updated = self.are_updated(context);
        let y = is_updated.then(|| self.with_those_of_batch(context, x, epilogue)).flatten();
        y.unwrap_or_else(|| self.with_moving(context, x, epilogue))
    }

    fn with_moving<T: Float>(&self, context: &Context<'_, T>, x: &Var<T>, epilogue: &Epilogue<T>) -> Var<T> {
        let (scale, shift) = self.affine(context, epilogue);
        self.normalizer.features.as_channels(x, |x| x.affine(&scale, &shift, epilogue.relu))
    }

    /// With the batch's statistics, which update the moving ones. `None` if the batch, with all its shards, has no element.
    fn with_those_of_batch<T: Float>(
        &self,
        context: &mut Context<'_, T>,
        x: &Var<T>,
        epilogue: &Epilogue<T>,
    ) -> Option<Var<T>> {
        let (y, moments) = match context.shard().cloned() {
            Some(shard) => self.normalizer.compute_in_shard(context, x, epilogue, shard)?,
            None if x.value().is_empty() => return None,
            None => self.normalizer.compute(context, x, epilogue),
        };
        let (keep, take) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        for (state, statistic) in [(self.moving_mean, moments.mean), (self.moving_variance, moments.variance)] {
            let next = context.state(state) * keep + statistic * take;
            context.update_of_batch(state, next);
        }
        Some(y)
    }
}
