//! A warm-up before any other schedule.

use super::Schedule;
use crate::check::{at_least_one_step, not_negative};
use crate::options::options;

options! {
    /// start + (then(0) - start) step / steps, a straight line up to another schedule, which begins after `steps`
    /// steps.
    ///
    /// Goyal et al. 2017, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", section 2.2.
    ///
    /// ```
    /// use gradus_optim::{CosineDecay, Schedule};
    /// let schedule = CosineDecay::new(0.5, 1000).warm_up(100);
    /// assert_eq!([0, 50, 100, 1100].map(|step| schedule.at(step)), [0.0, 0.25, 0.5, 0.0]);
    /// ```
    #[doc(alias = "LinearLR")]
    pub struct WarmUp<S = f64> {
        /// A learning rate that grows from 0 over `steps` steps, and from then on follows `then`.
        ///
        /// # Panics
        /// If `steps` is 0.
        pub fn new(#[check(at_least_one_step)] steps: u64, then: S);
        /// The rate of the first step.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        start: f64 = 0.0,
    }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn at(&self, step: u64) -> f64 {
        match step.checked_sub(self.steps) {
            Some(since) => self.then.at(since),
            None => self.start + (self.then.at(0) - self.start) * (step as f64 / self.steps as f64),
        }
    }
}
