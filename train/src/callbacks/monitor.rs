//! The best value of a measurement.

use gradus_tensor::Float;

use super::Run;
use crate::error::{Error, Result};
use crate::history::{Logs, VALIDATION};

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
        let falls = ["loss", "error", "mae", "mse"].iter().any(|end| name.ends_with(end));
        Monitor { name, falls, min_delta: 0.0, best: f64::NAN }
    }

    #[track_caller]
    pub fn min_delta(self, min_delta: f64) -> Self {
        assert!(min_delta.is_finite(), "min_delta: a finite number is needed, not {min_delta}");
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

    /// Whether it is a measurement of the validation, which was left out after this epoch: then there is nothing to see.
    pub fn waits<T: Float>(&self, run: &Run<'_, T>) -> bool {
        self.name.starts_with(VALIDATION) && run.leaves_out_validation()
    }

    /// Whether the measurement is better than all before; NaN never is.
    pub fn improves(&mut self, callback: &str, logs: &Logs) -> Result<bool> {
        self.improves_if(callback, logs, || true)
    }

    /// As [`improves`](Monitor::improves), if that of which it is a measurement is `sound`, too.
    pub fn improves_if(&mut self, callback: &str, logs: &Logs, sound: impl FnOnce() -> bool) -> Result<bool> {
        let Some(value) = logs.get(&self.name) else {
            let problem = format!("nothing named {:?} is measured, only {}", self.name, logs.names());
            return Err(Error::new(callback, problem, self.missing(logs)));
        };
        let gain = if self.falls { self.best - value } else { value - self.best };
        let better = if self.best.is_nan() { !value.is_nan() } else { gain > self.min_delta };
        let better = better && sound();
        if better {
            self.best = value;
        }
        Ok(better)
    }

    /// What to do if nothing of this name is measured.
    fn missing(&self, logs: &Logs) -> String {
        let known = |name: &str| logs.get(name).is_some();
        let validates = logs.have_validation();
        let nearest = |name: &str| {
            let shares = logs.iter().map(|(known, _)| (likeness(name, known), known));
            // Of equals the shorter one: it has less besides.
            let better = |a: &(f64, &str), b: &(f64, &str)| a.0.total_cmp(&b.0).then(b.1.len().cmp(&a.1.len()));
            shares.max_by(better).filter(|(share, _)| *share > 0.5).map(|(_, known)| known.to_owned())
        };
        match self.name.strip_prefix(VALIDATION) {
            Some(measure) if !validates && known(measure) => {
                format!("fit with a validation_split or a validation set, or watch {measure:?}")
            }
            Some(measure) if !validates => match nearest(measure) {
                Some(near) => {
                    format!("fit with a validation_split or a validation set, and watch \"{VALIDATION}{near}\"")
                }
                None => "fit with a validation_split or a validation set, and add the metric to the trainer".to_owned(),
            },
            _ => match nearest(&self.name) {
                Some(near) => format!("watch {near:?}, or add the metric to the trainer"),
                None => "add the metric to the trainer, or watch another".to_owned(),
            },
        }
    }
}

/// How much `name` is like `known`: the share of its letters that `known` has in the same order, as all of `acc` in
/// `accuracy`; more if they are the first letters of its words, as `mae` of `mean_absolute_error`.
fn likeness(name: &str, known: &str) -> f64 {
    let measure = |name: &str| name.strip_prefix(VALIDATION).unwrap_or(name).to_owned();
    let initials: String = measure(known).split('_').filter_map(|word| word.chars().next()).collect();
    if initials == measure(name) && name.starts_with(VALIDATION) == known.starts_with(VALIDATION) {
        return 2.0;
    }
    let known: Vec<char> = known.chars().collect();
    // The length of the longest common subsequence of the letters so far and the first letters of `known`.
    let mut longest = vec![0; known.len() + 1];
    for letter in name.chars() {
        let mut diagonal = 0;
        for (i, &other) in known.iter().enumerate() {
            let above = longest[i + 1];
            longest[i + 1] = if letter == other { diagonal + 1 } else { above.max(longest[i]) };
            diagonal = above;
        }
    }
    f64::from(longest[known.len()]) / name.chars().count().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_measured_is_hinted_at_by_the_nearest() {
        let logs = |names: &[&str]| {
            let mut logs = Logs::default();
            names.iter().for_each(|name| logs.insert(*name, 0.5));
            logs
        };
        let alone = logs(&["loss", "accuracy", "mean_absolute_error", "mean_squared_error"]);
        let both =
            logs(&["loss", "accuracy", "mean_squared_error", "val_loss", "val_accuracy", "val_mean_squared_error"]);
        let validation = "fit with a validation_split or a validation set, ";
        for (logs, name, expected) in [
            (&both, "val_acc", "watch \"val_accuracy\", or add the metric to the trainer".to_owned()),
            (&both, "val_mse", "watch \"val_mean_squared_error\", or add the metric to the trainer".to_owned()),
            (&both, "acc", "watch \"accuracy\", or add the metric to the trainer".to_owned()),
            (&both, "vall_loss", "watch \"val_loss\", or add the metric to the trainer".to_owned()),
            (&both, "f1", "add the metric to the trainer, or watch another".to_owned()),
            (&alone, "mae", "watch \"mean_absolute_error\", or add the metric to the trainer".to_owned()),
            (&alone, "val_accuracy", format!("{validation}or watch \"accuracy\"")),
            (&alone, "val_acc", format!("{validation}and watch \"val_accuracy\"")),
            (&alone, "val_f1", format!("{validation}and add the metric to the trainer")),
        ] {
            assert_eq!(Monitor::new(name).missing(logs), expected, "{name}");
        }
    }
}
