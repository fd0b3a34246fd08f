use gradus_tensor::Float;
use serde::Serialize;

use super::correction;
use crate::Rule;
use crate::check::{Check, Checked, checked, fraction, not_negative};

checked! {
    /// Adamax: Adam with the largest gradient of late in the place of the mean square.
    ///
    /// m = beta_1 m + (1 - beta_1) g; u = max(beta_2 u, |g|); p -= lr / (1 - beta_1^t) m / (u + epsilon).
    ///
    /// Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 2. The paper has no epsilon; as in
    /// Keras it keeps a gradient that has always been 0 from dividing by 0.
    ///
    /// Slots: `momentum` and `norm`. Learning rate: 0.001.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Adamax {
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
    }
}

impl Default for Adamax {
    fn default() -> Self {
        Adamax { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Adamax {
    /// How much of itself the average of the gradient keeps at each step; 0.9 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_1` < 1.
    #[track_caller]
    pub fn beta_1(self, beta_1: f64) -> Self {
        Adamax { beta_1, ..self }.checked()
    }

    /// How much of itself the largest gradient keeps at each step; 0.999 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_2` < 1.
    #[track_caller]
    pub fn beta_2(self, beta_2: f64) -> Self {
        Adamax { beta_2, ..self }.checked()
    }

    /// What keeps the division away from 0; 1e-7 by default.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adamax { epsilon, ..self }.checked()
    }
}

impl Checked for Adamax {
    fn check(&self) -> Check {
        fraction("beta_1", self.beta_1)?;
        fraction("beta_2", self.beta_2)?;
        not_negative("epsilon", self.epsilon)
    }
}

impl Rule for Adamax {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "norm"]
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
        let rate = T::of(learning_rate / correction(self.beta_1, step));
        let (keep_1, take_1) = (T::of(self.beta_1), T::of(1.0 - self.beta_1));
        let keep_2 = T::of(self.beta_2);
        let epsilon = T::of(self.epsilon);
        let [momentum, norm] = slots else { unreachable!("two slots") };
        for (((p, &g), m), u) in parameter.iter_mut().zip(gradient).zip(momentum.iter_mut()).zip(norm.iter_mut()) {
            let (mean, largest) = (keep_1 * *m + take_1 * g, g.magnitude().max(keep_2 * *u));
            *p -= rate * mean / (largest + epsilon);
            (*m, *u) = (mean, largest);
        }
    }
}
