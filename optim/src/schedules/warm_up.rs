//! A gentle beginning before any other schedule.

use serde::Serialize;

use super::Schedule;
use crate::check::{Check, Checked, at_least_one_step, checked, not_negative};

checked! {
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
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct WarmUp<S = f64> {
        start: f64,
        steps: u64,
        then: S,
    }
}

impl<S: Schedule> WarmUp<S> {
    /// A learning rate that grows from 0 over `steps` steps, and from then on follows `then`.
    ///
    /// # Panics
    /// If `steps` is 0.
    #[track_caller]
    pub fn new(steps: u64, then: S) -> Self {
        WarmUp { start: 0.0, steps, then }.checked()
    }

    /// The rate of the first step.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn start(self, start: f64) -> Self {
        WarmUp { start, ..self }.checked()
    }
}

impl<S> Checked for WarmUp<S> {
    fn check(&self) -> Check {
        not_negative("WarmUp: start", self.start)?;
        at_least_one_step("WarmUp: steps", self.steps)
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
