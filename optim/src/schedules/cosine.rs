//! Decay along a cosine, once or with restarts.

use std::f64::consts::PI;

use super::Schedule;
use crate::check::{at_least_1, at_least_one_step, not_negative, positive};
use crate::options::options;

/// Half a cosine wave from 1 to 0, at the fraction `done` of it.
fn half_wave(done: f64) -> f64 {
    0.5 * (1.0 + (PI * done).cos())
}

options! {
    /// initial (alpha + (1 - alpha) (1 + cos(pi step / steps)) / 2), and initial alpha from `steps` on.
    ///
    /// Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without the restarts. With a
    /// warm-up before it: `CosineDecay::new(..).warm_up(steps)`.
    ///
    /// ```
    /// use gradus_optim::{CosineDecay, Schedule};
    /// let schedule = CosineDecay::new(0.1, 1000);
    /// assert_eq!([0, 1000, 2000].map(|step| schedule.at(step)), [0.1, 0.0, 0.0]);
    /// ```
    #[doc(alias = "CosineAnnealingLR")]
    pub struct CosineDecay {
        /// A learning rate that falls from `initial` to 0 over `steps` steps.
        ///
        /// # Panics
        /// If `steps` is 0, or the rate is negative or not finite.
        pub fn new(#[check(not_negative)] initial: f64, #[check(at_least_one_step)] steps: u64);
        /// The rate at the end, as a fraction of the initial one.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        alpha: f64 = 0.0,
    }
}

impl Schedule for CosineDecay {
    fn at(&self, step: u64) -> f64 {
        let done = step.min(self.steps) as f64 / self.steps as f64;
        self.initial * (self.alpha + (1.0 - self.alpha) * half_wave(done))
    }
}

options! {
    /// [`CosineDecay`] that restarts whenever it has ended, each time for longer and, with `m_mul`, from a lower rate.
    ///
    /// Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts". Decay i, from 0, takes
    /// steps t_mul^i steps; in it the rate is initial (alpha + (1 - alpha) m_mul^i (1 + cos(pi done)) / 2).
    ///
    /// ```
    /// use gradus_optim::{CosineRestarts, Schedule};
    /// let schedule = CosineRestarts::new(0.1, 1000);
    /// assert_eq!([0, 1000, 3000, 7000].map(|step| schedule.at(step)), [0.1; 4]);
    /// ```
    #[doc(alias("CosineDecayRestarts", "CosineAnnealingWarmRestarts"))]
    pub struct CosineRestarts {
        /// A learning rate that falls from `initial` to 0 over `steps` steps, then over twice as many, and so on.
        ///
        /// # Panics
        /// If `steps` is 0, or the rate is negative or not finite.
        pub fn new(#[check(not_negative)] initial: f64, #[check(at_least_one_step)] steps: u64);
        /// How many times as long a decay takes as the one before; 2 by default.
        ///
        /// # Panics
        /// If it is less than 1 or not finite.
        #[check(at_least_1)]
        t_mul: f64 = 2.0,
        /// How many times as high a decay begins as the one before; 1 by default.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        m_mul: f64 = 1.0,
        /// The rate at the end of every decay, as a fraction of the initial one.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        alpha: f64 = 0.0,
    }
}

impl Schedule for CosineRestarts {
    fn at(&self, step: u64) -> f64 {
        let (mut since, mut length, mut restarts) = (step as f64, self.steps as f64, 0.0);
        if self.t_mul == 1.0 {
            restarts = (step / self.steps) as f64;
            since = (step % self.steps) as f64;
        }
        // A few rounds, and exact when `t_mul` is a whole number, which a closed form with logarithms is not.
        while since >= length {
            since -= length;
            length *= self.t_mul;
            restarts += 1.0;
        }
        let height = self.m_mul.powf(restarts) * half_wave(since / length);
        self.initial * (self.alpha + (1.0 - self.alpha) * height)
    }
}
