use gradus_tensor::{Float, Math};
use serde::{Deserialize, Serialize};

use super::correction;
use crate::Rule;
use crate::check::{Check, Checked, checked, fraction, not_negative};

checked! {
    /// Adam: p -= lr m̂ / (sqrt(v̂) + epsilon), the moments m̂ and v̂ being moving averages of g and g².
    ///
    /// m = beta_1 m + (1 - beta_1) g and v = beta_2 v + (1 - beta_2) g² begin at 0; m̂ = m / (1 - beta_1^t) and
    /// v̂ = v / (1 - beta_2^t) make up for that (Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization",
    /// algorithm 1).
    ///
    /// Keras adds epsilon to sqrt(v) instead of sqrt(v̂), which makes it count sqrt(1 / (1 - beta_2^t)) times as much:
    /// 30 times at the first step. Here it stands where the paper has it.
    ///
    /// Slots: `momentum` and `velocity`; with AMSGrad `max_velocity`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_optim::{Adam, CosineDecay, Optimizer, Rule, Schedule};
    /// let optimizer: Optimizer<Adam> = Adam::default().learning_rate(CosineDecay::new(1e-3, 10_000).warm_up(500));
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Adam {
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
        bias_correction: bool,
        amsgrad: bool,
    }
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, bias_correction: true, amsgrad: false }
    }
}

impl Adam {
    /// How much of itself the average of the gradient keeps at each step; 0.9 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_1` < 1.
    #[track_caller]
    pub fn beta_1(self, beta_1: f64) -> Self {
        Adam { beta_1, ..self }.checked()
    }

    /// How much of itself the average of the squared gradient keeps at each step; 0.999 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_2` < 1.
    #[track_caller]
    pub fn beta_2(self, beta_2: f64) -> Self {
        Adam { beta_2, ..self }.checked()
    }

    /// What keeps the division away from 0; 1e-7 by default, as in Keras (the paper has 1e-8).
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adam { epsilon, ..self }.checked()
    }

    /// Whether the averages are corrected for having begun at 0. Some introductions leave it out, which makes the first
    /// steps about three times as long.
    pub fn bias_correction(self, bias_correction: bool) -> Self {
        Adam { bias_correction, ..self }
    }

    /// Whether to divide by the largest average of the squared gradient so far, not the latest (Reddi et al. 2018, "On
    /// the Convergence of Adam and Beyond"). The bias is corrected after the maximum is taken, as in Keras and PyTorch.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        Adam { amsgrad, ..self }
    }
}

impl Checked for Adam {
    fn check(&self) -> Check {
        fraction("beta_1", self.beta_1)?;
        fraction("beta_2", self.beta_2)?;
        not_negative("epsilon", self.epsilon)
    }
}

impl Rule for Adam {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["momentum", "velocity", "max_velocity"] } else { &["momentum", "velocity"] }
    }

    #[inline(always)]
    fn update<T: Float>(
        &self,
        step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        slots: &mut [&mut [T]],
    ) {
        // Both corrections are scalars, so that an element costs one square root and one division.
        let (correction_1, correction_2) = match self.bias_correction {
            true => (correction(self.beta_1, step), correction(self.beta_2, step)),
            false => (1.0, 1.0),
        };
        let rate = T::of(learning_rate / correction_1);
        let root = T::of(correction_2.sqrt().recip());
        let epsilon = T::of(self.epsilon);
        let (keep_1, take_1) = (T::of(self.beta_1), T::of(1.0 - self.beta_1));
        let (keep_2, take_2) = (T::of(self.beta_2), T::of(1.0 - self.beta_2));
        let pairs = parameter.iter_mut().zip(gradient);
        match slots {
            [momentum, velocity] => {
                for (((p, &g), m), v) in pairs.zip(momentum.iter_mut()).zip(velocity.iter_mut()) {
                    let (mean, square) = (keep_1 * *m + take_1 * g, keep_2 * *v + take_2 * (g * g));
                    *p -= rate * mean / (root * Math::sqrt(square) + epsilon);
                    (*m, *v) = (mean, square);
                }
            }
            [momentum, velocity, max_velocity] => {
                let moments = momentum.iter_mut().zip(velocity.iter_mut());
                for (((p, &g), (m, v)), top) in pairs.zip(moments).zip(max_velocity.iter_mut()) {
                    let (mean, square) = (keep_1 * *m + take_1 * g, keep_2 * *v + take_2 * (g * g));
                    let largest = top.max(square);
                    *p -= rate * mean / (root * Math::sqrt(largest) + epsilon);
                    (*m, *v, *top) = (mean, square, largest);
                }
            }
            _ => unreachable!("two slots, and one for AMSGrad"),
        }
    }
}

/// Adam with decoupled weight decay: p -= lr decay p, then a step of [`Adam`].
///
/// Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. The decay is 0.004 unless another
/// is set with [`weight_decay`](crate::Optimizer::weight_decay).
///
/// ```
/// use gradus_optim::{Adam, AdamW, Optimizer, Rule};
/// let optimizer: Optimizer<AdamW> =
///     AdamW(Adam::default().beta_2(0.95)).weight_decay(0.1).exclude_from_weight_decay(["bias"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AdamW(
    /// The step that follows the decay.
    pub Adam,
);

impl Rule for AdamW {
    const LEARNING_RATE: f64 = Adam::LEARNING_RATE;
    const WEIGHT_DECAY: f64 = 0.004;

    fn slots(&self) -> &'static [&'static str] {
        self.0.slots()
    }

    #[inline(always)]
    fn update<T: Float>(
        &self,
        step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        slots: &mut [&mut [T]],
    ) {
        self.0.update(step, learning_rate, parameter, gradient, slots);
    }
}
