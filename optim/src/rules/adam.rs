use serde::{Deserialize, Serialize};

use super::*;

options! {
    /// Adam: p -= lr m̂ / (sqrt(v̂) + epsilon), the moments m̂ and v̂ being moving averages of g and g².
    ///
    /// m = beta_1 m + (1 - beta_1) g and v = beta_2 v + (1 - beta_2) g² begin at 0; m̂ = m / (1 - beta_1^t) and
    /// v̂ = v / (1 - beta_2^t) make up for that (Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization",
    /// algorithm 1).
    ///
    /// Keras adds epsilon to sqrt(v) instead of sqrt(v̂), which makes it count sqrt(1 / (1 - beta_2^t)) times as much:
    /// 30 times at the first step. Here it stands where the paper has it, unless [`keras_epsilon`](Adam::keras_epsilon) is set.
    ///
    /// Slots: `momentum` and `velocity`; with AMSGrad `max_velocity`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_optim::{Adam, CosineDecay, IntoOptimizer, Optimizer, Schedule};
    /// let optimizer: Optimizer<Adam> = Adam::default().learning_rate(CosineDecay::new(1e-3, 10_000).warm_up(500));
    /// ```
    pub struct Adam {
        /// The share of itself that the average of the gradient keeps at each step; 0.9 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_1` < 1.
        #[check(fraction)]
        beta_1: f64 = 0.9,
        /// The share of itself that the average of the squared gradient keeps at each step; 0.999 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_2` < 1.
        #[check(fraction)]
        beta_2: f64 = 0.999,
        /// The number that keeps the division away from 0; 1e-7 by default, as in Keras (the paper has 1e-8).
        ///
        /// # Panics
        /// If it is negative.
        #[check(not_negative)]
        epsilon: f64 = 1e-7,
        /// Whether the averages are corrected for having begun at 0. Some introductions leave it out, which makes the first
        /// steps about three times as long.
        bias_correction: bool = true,
        /// Whether to divide by the largest average of the squared gradient so far, not the latest (Reddi et al. 2018, "On
        /// the Convergence of Adam and Beyond"). The bias is corrected after the maximum is taken, as in Keras and
        /// PyTorch.
        amsgrad: bool = false,
        /// Whether epsilon is added to sqrt(v), as Keras does, and not to sqrt(v̂): for a training that was begun in Keras, or goes
        /// on there.
        keras_epsilon: bool = false,
    }
}

impl ElementwiseRule for Adam {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 2];

    fn slot_names(&self) -> &'static [&'static str] {
        if self.amsgrad { &["momentum", "velocity", "max_velocity"] } else { &["momentum", "velocity"] }
    }

    // Both corrections are scalars, so that an element costs one square root and one division.
    fn scalars(&self, step: u64, learning_rate: f64) -> [f64; 2] {
        if !self.bias_correction {
            return [learning_rate, 1.0];
        }
        let (correction_1, correction_2) = (correction(self.beta_1, step), correction(self.beta_2, step));
        [learning_rate / correction_1, correction_2.sqrt().recip()]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate, root]: [N; 2], p: N, g: N, slots: &mut [N]) -> N {
        let [m, v, rest @ ..] = slots else { unreachable!("two slots, and one for AMSGrad") };
        *m = moving_average(self.beta_1, *m, g);
        *v = moving_average(self.beta_2, *v, g * g);
        let square = match rest {
            [largest] => {
                *largest = largest.maximum(*v);
                *largest
            }
            _ => *v,
        };
        let epsilon = N::of(self.epsilon);
        let divisor =
            if self.keras_epsilon { root * (square.sqrt() + epsilon) } else { root * square.sqrt() + epsilon };
        p - rate * (*m / divisor)
    }
}

/// Adam with decoupled weight decay: p -= lr decay p, then a step of [`Adam`].
///
/// Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. The decay is 0.004 unless another
/// is set with [`weight_decay`](crate::Optimizer::weight_decay).
///
/// ```
/// use gradus_optim::{Adam, AdamW, IntoOptimizer, Optimizer};
/// let optimizer: Optimizer<AdamW> =
///     AdamW(Adam::default().beta_2(0.95)).weight_decay(0.1).exclude_from_weight_decay(["bias"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AdamW(
    /// The step that follows the decay.
    pub Adam,
);

impl ElementwiseRule for AdamW {
    const LEARNING_RATE: f64 = Adam::LEARNING_RATE;
    const WEIGHT_DECAY: f64 = 0.004;
    type Scalars = [f64; 2];

    fn slot_names(&self) -> &'static [&'static str] {
        self.0.slot_names()
    }

    fn scalars(&self, step: u64, learning_rate: f64) -> [f64; 2] {
        self.0.scalars(step, learning_rate)
    }

    #[inline(always)]
    fn formula<N: Real>(&self, scalars: [N; 2], p: N, g: N, slots: &mut [N]) -> N {
        self.0.formula(scalars, p, g, slots)
    }
}
