//! Rates that jump and are constant between.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::check::{at_least_one_step, not_negative};

/// initial factor^floor(step / every): the rate is multiplied by `factor` once in `every` steps.
///
/// ```
/// use gradus_optim::{Schedule, StepDecay};
/// let schedule = StepDecay::new(0.1, 3, 0.5);
/// assert_eq!([0, 2, 3, 6].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.025]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepDecay {
    initial: f64,
    every: u64,
    factor: f64,
}

impl StepDecay {
    /// A rate that begins at `initial` and is multiplied by `factor` once in `every` steps.
    ///
    /// # Panics
    /// If `every` is 0, or a number is negative or not finite.
    #[track_caller]
    pub fn new(initial: f64, every: u64, factor: f64) -> Self {
        StepDecay {
            initial: not_negative("StepDecay: initial", initial),
            every: at_least_one_step("StepDecay: every", every),
            factor: not_negative("StepDecay: factor", factor),
        }
    }
}

impl Schedule for StepDecay {
    fn at(&self, step: u64) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
    }
}

/// The rate `values[i]` until step `boundaries[i]`, inclusive, and the last value from then on.
///
/// ```
/// use gradus_optim::{PiecewiseConstant, Schedule};
/// let schedule = PiecewiseConstant::new([3, 8], [0.1, 0.05, 0.01]);
/// assert_eq!([0, 3, 4, 8, 9].map(|step| schedule.at(step)), [0.1, 0.1, 0.05, 0.05, 0.01]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PiecewiseConstant {
    boundaries: Vec<u64>,
    values: Vec<f64>,
}

impl PiecewiseConstant {
    /// One value for each stretch of steps: there is one more of them than boundaries.
    ///
    /// # Panics
    /// If it is not one more, a boundary is not greater than the one before, or a value is negative or not finite.
    #[track_caller]
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        let (boundaries, values) = (boundaries.into(), values.into());
        if values.len() != boundaries.len() + 1 {
            panic!(
                "PiecewiseConstant: one value more than boundaries is needed: {} and {}",
                values.len(),
                boundaries.len()
            );
        }
        if !boundaries.is_sorted_by(|a, b| a < b) {
            panic!("PiecewiseConstant: each boundary must be greater than the one before: {boundaries:?}");
        }
        for &value in &values {
            not_negative("PiecewiseConstant: values", value);
        }
        PiecewiseConstant { boundaries, values }
    }
}

impl Schedule for PiecewiseConstant {
    fn at(&self, step: u64) -> f64 {
        self.values[self.boundaries.partition_point(|&boundary| boundary < step)]
    }
}
