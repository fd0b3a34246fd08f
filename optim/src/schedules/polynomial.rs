//! Polynomial decay.

use super::Schedule;
use crate::check::{at_least_one_step, not_negative, positive};
use crate::options::options;

options! {
    /// (initial - end) (1 - step / steps)^power + end, and `end` from `steps` on. A straight line unless a power is
    /// set.
    ///
    /// ```
    /// use gradus_optim::{PolynomialDecay, Schedule};
    /// let schedule = PolynomialDecay::new(0.5, 1000).end(0.25);
    /// assert_eq!([0, 500, 1000, 5000].map(|step| schedule.at(step)), [0.5, 0.375, 0.25, 0.25]);
    /// ```
    #[doc(alias = "PolynomialLR")]
    pub struct PolynomialDecay {
        /// A learning rate that falls from `initial` in a straight line to 0.0001 over `steps` steps.
        ///
        /// # Panics
        /// If `steps` is 0, or the rate is negative or not finite.
        pub fn new(#[check(not_negative)] initial: f64, #[check(at_least_one_step)] steps: u64);
        /// The rate at the end.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        end: f64 = 0.0001,
        /// The power of the share of steps that remains: above 1 the rate falls fast at first, below 1 at last.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        power: f64 = 1.0,
        /// Whether, each time the end is reached, the decay is drawn out by another `steps` steps: the rate jumps to where
        /// the longer decay has come to, and falls again.
        cycle: bool = false,
    }
}

impl Schedule for PolynomialDecay {
    fn at(&self, step: u64) -> f64 {
        let cycles = if self.cycle { step.div_ceil(self.steps).max(1) } else { 1 };
        let done = (step as f64 / (self.steps as f64 * cycles as f64)).min(1.0);
        (self.initial - self.end) * (1.0 - done).powf(self.power) + self.end
    }
}
