use gradus_tensor::{Float, Math};
use serde::Serialize;

use super::correction;
use crate::Rule;
use crate::check::{Check, Checked, checked, fraction, not_negative};

checked! {
    /// Nadam: Adam with Nesterov's look ahead.
    ///
    /// With Adam's averages m and v of the gradient and its square, and mu_t = beta_1 (1 - 0.96^t / 2),
    /// m̂ = mu_(t+1) m / (1 - mu_1 .. mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 .. mu_t); v̂ = v / (1 - beta_2^t);
    /// p -= lr m̂ / (sqrt(v̂) + epsilon).
    ///
    /// Dozat 2016, "Incorporating Nesterov Momentum into Adam", with Keras's mu. PyTorch's comes to beta_1 more slowly,
    /// with 0.96^(t / 250); Optax has beta_1 from the beginning.
    ///
    /// Slots: `momentum` and `velocity`. Learning rate: 0.001.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Nadam {
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
    }
}

impl Default for Nadam {
    fn default() -> Self {
        Nadam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Nadam {
    /// How much of itself the average of the gradient keeps at each step; 0.9 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_1` < 1.
    #[track_caller]
    pub fn beta_1(self, beta_1: f64) -> Self {
        Nadam { beta_1, ..self }.checked()
    }

    /// How much of itself the average of the squared gradient keeps at each step; 0.999 by default.
    ///
    /// # Panics
    /// Unless 0 <= `beta_2` < 1.
    #[track_caller]
    pub fn beta_2(self, beta_2: f64) -> Self {
        Nadam { beta_2, ..self }.checked()
    }

    /// What keeps the division away from 0; 1e-7 by default.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Nadam { epsilon, ..self }.checked()
    }

    /// mu_t.
    fn momentum(&self, step: u64) -> f64 {
        self.beta_1 * (1.0 - 0.5 * 0.96_f64.powf(step as f64))
    }

    /// mu_1 .. mu_t, or less than a rounding of 1 if it is so small.
    fn product(&self, step: u64) -> f64 {
        let (mut product, mut power) = (1.0, 1.0);
        for _ in 0..step {
            power *= 0.96;
            product *= self.beta_1 * (1.0 - 0.5 * power);
            // From here on 1 - product stays 1, so a long training costs no more than some hundred rounds.
            if product < f64::EPSILON / 4.0 {
                break;
            }
        }
        product
    }
}

impl Checked for Nadam {
    fn check(&self) -> Check {
        fraction("beta_1", self.beta_1)?;
        fraction("beta_2", self.beta_2)?;
        not_negative("epsilon", self.epsilon)
    }
}

impl Rule for Nadam {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "velocity"]
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
        let (now, next, product) = (self.momentum(step), self.momentum(step + 1), self.product(step));
        let rate_m = T::of(learning_rate * next / (1.0 - product * next));
        let rate_g = T::of(learning_rate * (1.0 - now) / (1.0 - product));
        let root = T::of(correction(self.beta_2, step).sqrt().recip());
        let epsilon = T::of(self.epsilon);
        let (keep_1, take_1) = (T::of(self.beta_1), T::of(1.0 - self.beta_1));
        let (keep_2, take_2) = (T::of(self.beta_2), T::of(1.0 - self.beta_2));
        let [momentum, velocity] = slots else { unreachable!("two slots") };
        let moments = momentum.iter_mut().zip(velocity.iter_mut());
        for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let (mean, square) = (keep_1 * *m + take_1 * g, keep_2 * *v + take_2 * (g * g));
            *p -= (rate_m * mean + rate_g * g) / (root * Math::sqrt(square) + epsilon);
            (*m, *v) = (mean, square);
        }
    }
}
