//! Polynomial decay.

use serde::Serialize;

use super::Schedule;
use crate::check::{Check, Checked, at_least_one_step, checked, not_negative, positive};

checked! {
    /// (initial - end) (1 - step / steps)^power + end, and `end` from `steps` on. A straight line unless a power is
    /// set.
    ///
    /// ```
    /// use gradus_optim::{PolynomialDecay, Schedule};
    /// let schedule = PolynomialDecay::new(0.5, 1000).end(0.25);
    /// assert_eq!([0, 500, 1000, 5000].map(|step| schedule.at(step)), [0.5, 0.375, 0.25, 0.25]);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct PolynomialDecay {
        initial: f64,
        steps: u64,
        end: f64,
        power: f64,
        cycle: bool,
    }
}

impl PolynomialDecay {
    /// A learning rate that falls from `initial` in a straight line to 0.0001 over `steps` steps.
    ///
    /// # Panics
    /// If `steps` is 0, or the rate is negative or not finite.
    #[track_caller]
    pub fn new(initial: f64, steps: u64) -> Self {
        PolynomialDecay { initial, steps, end: 0.0001, power: 1.0, cycle: false }.checked()
    }

    /// The rate at the end.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn end(self, end: f64) -> Self {
        PolynomialDecay { end, ..self }.checked()
    }

    /// The power of what is left of the steps: above 1 the rate falls fast at first, below 1 at last.
    ///
    /// # Panics
    /// If it is not greater than 0.
    #[track_caller]
    pub fn power(self, power: f64) -> Self {
        PolynomialDecay { power, ..self }.checked()
    }

    /// Whether, each time the end is reached, the decay is drawn out by another `steps` steps: the rate jumps to where
    /// the longer decay has come to, and falls again.
    pub fn cycle(self, cycle: bool) -> Self {
        PolynomialDecay { cycle, ..self }
    }
}

impl Checked for PolynomialDecay {
    fn check(&self) -> Check {
        not_negative("PolynomialDecay: initial", self.initial)?;
        at_least_one_step("PolynomialDecay: steps", self.steps)?;
        not_negative("PolynomialDecay: end", self.end)?;
        positive("PolynomialDecay: power", self.power)
    }
}

impl Schedule for PolynomialDecay {
    fn at(&self, step: u64) -> f64 {
        let cycles = if self.cycle { step.div_ceil(self.steps).max(1) } else { 1 };
        let done = (step as f64 / (self.steps as f64 * cycles as f64)).min(1.0);
        (self.initial - self.end) * (1.0 - done).powf(self.power) + self.end
    }
}
