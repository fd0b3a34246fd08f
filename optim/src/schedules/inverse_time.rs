//! Inverse time decay.

use super::{Schedule, periods};
use crate::check::{at_least_one_step, not_negative};
use crate::options::options;

options! {
    /// initial / (1 + rate step / steps): a decay that is fast at first, then ever slower, and never reaches 0.
    ///
    /// ```
    /// use gradus_optim::{InverseTimeDecay, Schedule};
    /// let schedule = InverseTimeDecay::new(0.1, 1000, 1.0);
    /// assert_eq!([0, 1000, 3000].map(|step| schedule.at(step)), [0.1, 0.05, 0.025]);
    /// ```
    pub struct InverseTimeDecay {
        /// A learning rate that begins at `initial` and is divided by 1 + `rate` after `steps` steps, by 1 + 2 `rate` after
        /// twice as many, and so on.
        ///
        /// # Panics
        /// If `steps` is 0, or a number is negative or not finite.
        pub fn new(
            #[check(not_negative)] initial: f64,
            #[check(at_least_one_step)] steps: u64,
            #[check(not_negative)] rate: f64,
        );
        /// Whether the rate changes at the end of each `steps` steps only.
        staircase: bool = false,
    }
}

impl Schedule for InverseTimeDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial / (1.0 + self.rate * periods(step, self.steps, self.staircase))
    }
}
