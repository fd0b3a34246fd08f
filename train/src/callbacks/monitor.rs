//! A measurement watched for getting better.

use crate::error::{Error, Result};
use crate::history::Logs;

/// Which measurement, which way is better, and the best so far.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    name: String,
    falls: bool,
    min_delta: f64,
    best: Option<f64>,
}

impl Monitor {
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let falls = name.ends_with("loss") || name.ends_with("error");
        Monitor { name, falls, min_delta: 0.0, best: None }
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

    pub fn reset(&mut self) {
        self.best = None;
    }

    /// Whether the measurement is better than ever; NaN never is.
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
        let gain = match self.best {
            None if value.is_nan() => return Ok(false),
            None => f64::INFINITY,
            Some(best) if self.falls => best - value,
            Some(best) => value - best,
        };
        let better = gain > self.min_delta;
        if better {
            self.best = Some(value);
        }
        Ok(better)
    }
}
