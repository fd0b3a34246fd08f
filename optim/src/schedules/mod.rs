//! Schedules: learning rates that change in the course of training.

mod cosine;
mod exponential;
mod inverse_time;
mod one_cycle;
mod polynomial;
mod stairs;
mod warm_up;

use std::any::Any;

pub use cosine::{CosineDecay, CosineRestarts};
pub use exponential::ExponentialDecay;
pub use inverse_time::InverseTimeDecay;
pub use one_cycle::{Annealing, OneCycle};
pub use polynomial::PolynomialDecay;
pub use stairs::{PiecewiseConstant, StepDecay};
pub use warm_up::WarmUp;

/// A learning rate for every step.
///
/// A number is a constant schedule, and a closure from step to rate is a schedule:
///
/// ```
/// use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
/// let constant: Optimizer<Sgd> = Sgd::default().learning_rate(0.1);
/// let root: Optimizer<Sgd> = Sgd::default().learning_rate(|step: u64| 0.1 / (1.0 + step as f64).sqrt());
/// ```
///
/// The schedules of this crate are plain data that serde writes and reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no learning rate",
    label = "give a number with a point, such as 0.001, or a schedule, such as `CosineDecay::new(0.001, 1000)`"
)]
pub trait Schedule: Any + Send + Sync {
    /// The learning rate of a step, counted from 0.
    fn at(&self, step: u64) -> f64;

    /// This schedule, preceded by `steps` steps in which the rate grows from 0; see [`WarmUp`].
    ///
    /// # Panics
    /// If `steps` is 0.
    #[track_caller]
    fn warm_up(self, steps: u64) -> WarmUp<Self>
    where
        Self: Sized,
    {
        WarmUp::new(steps, self)
    }
}

impl Schedule for f64 {
    fn at(&self, _step: u64) -> f64 {
        *self
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync + 'static> Schedule for F {
    fn at(&self, step: u64) -> f64 {
        self(step)
    }
}

/// The number of periods of `period` steps that have passed, rounded down if `staircase`.
fn periods(step: u64, period: u64, staircase: bool) -> f64 {
    if staircase { (step / period) as f64 } else { step as f64 / period as f64 }
}
