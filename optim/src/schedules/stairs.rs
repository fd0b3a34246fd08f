//! Rates that are constant between jumps.

use super::Schedule;
use crate::check::{Check, at_least_one_step, not_negative};
use crate::options::options;

options! {
    /// initial factor^floor(step / every): the rate is multiplied by `factor` once in `every` steps.
    ///
    /// ```
    /// use gradus_optim::{Schedule, StepDecay};
    /// let schedule = StepDecay::new(0.1, 3, 0.5);
    /// assert_eq!([0, 2, 3, 6].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.025]);
    /// ```
    #[doc(alias = "StepLR")]
    pub struct StepDecay {
        /// A rate that begins at `initial` and is multiplied by `factor` once in `every` steps.
        ///
        /// # Panics
        /// If `every` is 0, or a number is negative or not finite.
        pub fn new(
            #[check(not_negative)] initial: f64,
            #[check(at_least_one_step)] every: u64,
            #[check(not_negative)] factor: f64,
        );
    }
}

impl Schedule for StepDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
    }
}

options! {
    /// The rate `values[i]` until step `boundaries[i]`, inclusive, and the last value from then on.
    ///
    /// ```
    /// use gradus_optim::{PiecewiseConstant, Schedule};
    /// let schedule = PiecewiseConstant::new([3, 8], [0.1, 0.05, 0.01]);
    /// assert_eq!([0, 3, 4, 8, 9].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.05, 0.01]);
    /// ```
    #[doc(alias("PiecewiseConstantDecay", "MultiStepLR"))]
    pub struct PiecewiseConstant {
        check(PiecewiseConstant::fits);
        /// One value for each stretch of steps: there is one more of them than boundaries.
        ///
        /// # Panics
        /// If it is not one more, a boundary is not greater than the one before, or a value is negative or not finite.
        pub fn new(boundaries: Vec<u64>, values: Vec<f64>);
    }
}

impl PiecewiseConstant {
    /// Whether the boundaries ascend and there is a value for each stretch between them.
    fn fits(&self) -> Check {
        let (boundaries, values) = (&self.boundaries, &self.values);
        if values.len() != boundaries.len() + 1 {
            let (values, boundaries) = (values.len(), boundaries.len());
            return Err(format!(
                "PiecewiseConstant: one value more than boundaries is needed: {values} and {boundaries}"
            ));
        }
        if !boundaries.is_sorted_by(|a, b| a < b) {
            return Err(format!(
                "PiecewiseConstant: each boundary must be greater than the one before: {boundaries:?}"
            ));
        }
        values.iter().try_for_each(|&value| not_negative("PiecewiseConstant: values", value))
    }
}

impl Schedule for PiecewiseConstant {
    fn at(&self, step: u64) -> f64 {
        self.values[self.boundaries.partition_point(|&boundary| boundary < step)]
    }
}
