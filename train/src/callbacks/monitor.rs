//! The best value of a measurement.

use crate::error::{Error, Result};
use crate::history::Logs;

/// A measurement, the direction in which it gets better, and its best value so far.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    name: String,
    falls: bool,
    min_delta: f64,
    /// The best value so far; NaN before there is one.
    best: f64,
}

impl Monitor {
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let falls = name.ends_with("loss") || name.ends_with("error");
        Monitor { name, falls, min_delta: 0.0, best: f64::NAN }
    }

    pub fn min_delta(self, min_delta: f64) -> Self {
        Monitor { min_delta: min_delta.abs(), ..self }
    }

    pub fn minimize(self) -> Self {
        Monitor { falls: true, ..self }
    }

    pub fn maximize(self) -> Self {
        Monitor { falls: false, ..self }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The best value so far.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Goes on from this best value.
    pub fn restore(&mut self, best: f64) {
        self.best = best;
    }

    pub fn reset(&mut self) {
        self.best = f64::NAN;
    }

    /// Whether the measurement is better than all before; NaN never is.
    pub fn improves(&mut self, callback: &str, logs: &Logs) -> Result<bool> {
        let Some(value) = logs.get(&self.name) else {
            let hint = if self.name.starts_with("val_") {
                "fit with a validation_split or a validation set, or watch another"
            } else {
                "add the metric to the trainer, or watch another"
            };
            let problem = format!("nothing named {:?} is measured, only {}", self.name, logs.names());
            return Err(Error::new(callback, problem, hint));
        };
        let gain = if self.falls { self.best - value } else { value - self.best };
        let better = if self.best.is_nan() { !value.is_nan() } else { gain > self.min_delta };
        if better {
            self.best = value;
        }
        Ok(better)
    }
}
