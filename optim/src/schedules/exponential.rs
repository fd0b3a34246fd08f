//! Exponential decay.

use super::{Schedule, periods};
use crate::check::{at_least_one_step, not_negative};
use crate::options::options;

options! {
    /// initial rate^(step / steps): the learning rate is multiplied by `rate` over each `steps` steps, gradually.
    ///
    /// ```
    /// use gradus_optim::{ExponentialDecay, Schedule};
    /// let schedule = ExponentialDecay::new(0.1, 1000, 0.5);
    /// assert_eq!([0, 1000, 2000].map(|step| schedule.at(step)), [0.1, 0.05, 0.025]);
    /// ```
    #[doc(alias = "ExponentialLR")]
    pub struct ExponentialDecay {
        /// A learning rate that begins at `initial` and comes to `rate` times that in `steps` steps, and so on.
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

impl Schedule for ExponentialDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial * self.rate.powf(periods(step, self.steps, self.staircase))
    }
}
