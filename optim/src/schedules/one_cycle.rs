//! The one-cycle schedule: up to a large rate, then down to a tiny one.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::check::{Check, at_least_one_step, between_0_and_1, positive};
use crate::options::options;

/// The curve from one rate to another.
///
/// ```
/// use gradus_optim::{Annealing, OneCycle, Schedule};
/// // From 0.04 to 1 in the first 50 of 102 steps: after a fifth of them a fifth of the way.
/// let schedule = OneCycle::new(1.0, 102).rise(0.5).annealing(Annealing::Linear);
/// assert!((schedule.at(10) - (0.04 + 0.96 / 5.0)).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Annealing {
    /// Half a cosine wave: gentle at both ends.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

impl Annealing {
    /// The rate between two rates, at the fraction `done` of the way.
    fn between(self, from: f64, to: f64, done: f64) -> f64 {
        match self {
            Annealing::Cosine => to + (from - to) * 0.5 * (1.0 + (PI * done).cos()),
            Annealing::Linear => from + (to - from) * done,
        }
    }
}

options! {
    /// Up from max / 25 to max over three tenths of the steps, then down to a ten-thousandth of the first rate.
    ///
    /// Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    /// with the defaults of PyTorch. After the last step the rate stays where it is. The momentum is not cycled.
    ///
    /// ```
    /// use gradus_optim::{OneCycle, Schedule};
    /// let schedule = OneCycle::new(0.5, 1001);
    /// assert!((schedule.at(0) - 0.02).abs() < 1e-12 && (schedule.at(1000) - 2e-6).abs() < 1e-12);
    /// ```
    #[doc(alias = "OneCycleLR")]
    pub struct OneCycle {
        /// One cycle up to the learning rate `max` in `steps` steps.
        ///
        /// # Panics
        /// If there are fewer than 2 steps, or the rate is not greater than 0.
        pub fn new(#[check(positive)] max: f64, #[check(at_least_two_steps)] steps: u64);
        /// The fraction of the steps in which the rate rises; 0.3 by default.
        ///
        /// # Panics
        /// If it is not between 0 and 1.
        #[check(between_0_and_1)]
        rise: f64 = 0.3,
        /// How many times smaller than the largest the first rate is; 25 by default.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        div_factor: f64 = 25.0,
        /// How many times smaller than the first rate the last one is; 10,000 by default.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        final_div_factor: f64 = 1e4,
        /// The curve of the rise and of the fall.
        annealing: Annealing = Annealing::Cosine,
        /// Whether the rate falls back to the first rate in as many steps as it rose, and to the last rate in the remaining
        /// steps, as in the paper.
        three_phase: bool = false,
    }
}

fn at_least_two_steps(option: &str, steps: u64) -> Check {
    at_least_one_step(&format!("{option} after the first"), steps.saturating_sub(1))
}

impl Schedule for OneCycle {
    fn at(&self, step: u64) -> f64 {
        let (low, high) = (self.max / self.div_factor, self.max);
        let bottom = low / self.final_div_factor;
        let last = (self.steps - 1) as f64;
        let step = (step as f64).min(last);
        let top = (self.rise * self.steps as f64 - 1.0).max(0.0);
        let back = if self.three_phase { (2.0 * top).min(last) } else { top };
        let (from, to, begin, end) = if step <= top {
            (low, high, 0.0, top)
        } else if step <= back {
            (high, low, top, back)
        } else {
            (if self.three_phase { low } else { high }, bottom, back, last)
        };
        let done = if end > begin { (step - begin) / (end - begin) } else { 1.0 };
        self.annealing.between(from, to, done)
    }
}
