//! Inverse time decay.

use serde::Serialize;

use super::{Schedule, periods};
use crate::check::{Check, Checked, at_least_one_step, checked, not_negative};

checked! {
    /// initial / (1 + rate step / steps): fast at first, then ever slower, never 0.
    ///
    /// ```
    /// use gradus_optim::{InverseTimeDecay, Schedule};
    /// let schedule = InverseTimeDecay::new(0.1, 1000, 1.0);
    /// assert_eq!([0, 1000, 3000].map(|step| schedule.at(step)), [0.1, 0.05, 0.025]);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct InverseTimeDecay {
        initial: f64,
        steps: u64,
        rate: f64,
        staircase: bool,
    }
}

impl InverseTimeDecay {
    /// A learning rate that begins at `initial` and is divided by 1 + `rate` after `steps` steps, by 1 + 2 `rate` after
    /// twice as many, and so on.
    ///
    /// # Panics
    /// If `steps` is 0, or a number is negative or not finite.
    #[track_caller]
    pub fn new(initial: f64, steps: u64, rate: f64) -> Self {
        InverseTimeDecay { initial, steps, rate, staircase: false }.checked()
    }

    /// Whether the rate jumps at the end of each `steps` steps and is constant between.
    pub fn staircase(self, staircase: bool) -> Self {
        InverseTimeDecay { staircase, ..self }
    }
}

impl Checked for InverseTimeDecay {
    fn check(&self) -> Check {
        not_negative("InverseTimeDecay: initial", self.initial)?;
        at_least_one_step("InverseTimeDecay: steps", self.steps)?;
        not_negative("InverseTimeDecay: rate", self.rate)
    }
}

impl Schedule for InverseTimeDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial / (1.0 + self.rate * periods(step, self.steps, self.staircase))
    }
}
