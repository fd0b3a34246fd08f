//! Rates that jump and are constant between.

use serde::Serialize;

use super::Schedule;
use crate::check::{Check, Checked, at_least_one_step, checked, not_negative};

checked! {
    /// initial factor^floor(step / every): the rate is multiplied by `factor` once in `every` steps.
    ///
    /// ```
    /// use gradus_optim::{Schedule, StepDecay};
    /// let schedule = StepDecay::new(0.1, 3, 0.5);
    /// assert_eq!([0, 2, 3, 6].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.025]);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct StepDecay {
        initial: f64,
        every: u64,
        factor: f64,
    }
}

impl StepDecay {
    /// A rate that begins at `initial` and is multiplied by `factor` once in `every` steps.
    ///
    /// # Panics
    /// If `every` is 0, or a number is negative or not finite.
    #[track_caller]
    pub fn new(initial: f64, every: u64, factor: f64) -> Self {
        StepDecay { initial, every, factor }.checked()
    }
}

impl Checked for StepDecay {
    fn check(&self) -> Check {
        not_negative("StepDecay: initial", self.initial)?;
        at_least_one_step("StepDecay: every", self.every)?;
        not_negative("StepDecay: factor", self.factor)
    }
}

impl Schedule for StepDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
    }
}

checked! {
    /// The rate `values[i]` until step `boundaries[i]`, inclusive, and the last value from then on.
    ///
    /// ```
    /// use gradus_optim::{PiecewiseConstant, Schedule};
    /// let schedule = PiecewiseConstant::new([3, 8], [0.1, 0.05, 0.01]);
    /// assert_eq!([0, 3, 4, 8, 9].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.05, 0.01]);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct PiecewiseConstant {
        boundaries: Vec<u64>,
        values: Vec<f64>,
    }
}

impl PiecewiseConstant {
    /// One value for each stretch of steps: there is one more of them than boundaries.
    ///
    /// # Panics
    /// If it is not one more, a boundary is not greater than the one before, or a value is negative or not finite.
    #[track_caller]
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        PiecewiseConstant { boundaries: boundaries.into(), values: values.into() }.checked()
    }
}

impl Checked for PiecewiseConstant {
    fn check(&self) -> Check {
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
