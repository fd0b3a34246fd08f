//! Exponential decay.

use serde::Serialize;

use super::{Schedule, periods};
use crate::check::{Check, Checked, at_least_one_step, checked, not_negative};

checked! {
    /// initial rate^(step / steps): each `steps` steps multiply the learning rate by `rate`, little by little.
    ///
    /// ```
    /// use gradus_optim::{ExponentialDecay, Schedule};
    /// let schedule = ExponentialDecay::new(0.1, 1000, 0.5);
    /// assert_eq!([0, 1000, 2000].map(|step| schedule.at(step)), [0.1, 0.05, 0.025]);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct ExponentialDecay {
        initial: f64,
        steps: u64,
        rate: f64,
        staircase: bool,
    }
}

impl ExponentialDecay {
    /// A learning rate that begins at `initial` and comes to `rate` times that in `steps` steps, and so on.
    ///
    /// # Panics
    /// If `steps` is 0, or a number is negative or not finite.
    #[track_caller]
    pub fn new(initial: f64, steps: u64, rate: f64) -> Self {
        ExponentialDecay { initial, steps, rate, staircase: false }.checked()
    }

    /// Whether the rate jumps at the end of each `steps` steps and is constant between.
    pub fn staircase(self, staircase: bool) -> Self {
        ExponentialDecay { staircase, ..self }
    }
}

impl Checked for ExponentialDecay {
    fn check(&self) -> Check {
        not_negative("ExponentialDecay: initial", self.initial)?;
        at_least_one_step("ExponentialDecay: steps", self.steps)?;
        not_negative("ExponentialDecay: rate", self.rate)
    }
}

impl Schedule for ExponentialDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial * self.rate.powf(periods(step, self.steps, self.staircase))
    }
}
