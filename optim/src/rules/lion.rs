use gradus_tensor::Float;
use serde::Serialize;

use crate::Rule;
use crate::check::{Check, Checked, checked, fraction};

checked! {
    /// Lion: p -= lr sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.
    ///
    /// Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Every element moves by the
    /// learning rate, so the authors advise a third to a tenth of Adam's, and a
    /// [`weight_decay`](crate::Optimizer::weight_decay) as many times larger.
    ///
    /// Slot: `momentum`. Learning rate: 0.001.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Lion {
        beta_1: f64,
        beta_2: f64,
    }
}

impl Default for Lion {
    fn default() -> Self {
        Lion { beta_1: 0.9, beta_2: 0.99 }
    }
}

impl Lion {
    /// How much the average of the gradient weighs in a step against the gradient itself; 0.9 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_1` < 1.
    #[track_caller]
    pub fn beta_1(self, beta_1: f64) -> Self {
        Lion { beta_1, ..self }.checked()
    }

    /// How much of itself the average of the gradient keeps at each step; 0.99 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_2` < 1.
    #[track_caller]
    pub fn beta_2(self, beta_2: f64) -> Self {
        Lion { beta_2, ..self }.checked()
    }
}

impl Checked for Lion {
    fn check(&self) -> Check {
        fraction("beta_1", self.beta_1)?;
        fraction("beta_2", self.beta_2)
    }
}

impl Rule for Lion {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        &["momentum"]
    }

    #[inline(always)]
    fn update<T: Float>(
        &self,
        _step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        slots: &mut [&mut [T]],
    ) {
        let rate = T::of(learning_rate);
        let (keep_1, take_1) = (T::of(self.beta_1), T::of(1.0 - self.beta_1));
        let (keep_2, take_2) = (T::of(self.beta_2), T::of(1.0 - self.beta_2));
        let [momentum] = slots else { unreachable!("one slot") };
        for ((p, &g), m) in parameter.iter_mut().zip(gradient).zip(momentum.iter_mut()) {
            *p -= rate * sign(keep_1 * *m + take_1 * g);
            *m = keep_2 * *m + take_2 * g;
        }
    }
}

/// 1, 0 or -1; NaN stays NaN.
#[inline(always)]
fn sign<T: Float>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x
    }
}
