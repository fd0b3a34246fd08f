//! Learning rates that change as training goes on.

/// A learning rate for every step.
///
/// A number is the schedule that never changes, and a closure can be one too:
///
/// ```
/// use gradus_optim::{Optimizer, Rule, Sgd};
/// let constant: Optimizer<Sgd> = Sgd::default().learning_rate(0.1);
/// let root: Optimizer<Sgd> = Sgd::default().learning_rate(|step: u64| 0.1 / (1.0 + step as f64).sqrt());
/// ```
pub trait Schedule: Send + Sync + 'static {
    /// The learning rate of the step after `step` others: `at(0)` is the first step's.
    fn at(&self, step: u64) -> f64;
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
