//! The end of a run that no longer gets better.

use gradus_autograd::Params;
use gradus_tensor::Float;

use super::monitor::Monitor;
use super::{Callback, Run};
use crate::error::Result;

/// Ends the run when a measurement has not become better for `patience` epochs.
///
/// ```
/// use gradus_train::callbacks::EarlyStopping;
/// let stopping: EarlyStopping = EarlyStopping::new("val_loss").patience(3).restore_best_weights(true);
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping<T: Float = f32> {
    monitor: Monitor,
    patience: usize,
    restore_best_weights: bool,
    start_from_epoch: usize,
    waited: usize,
    best_epoch: usize,
    best: Option<Params<T>>,
}

impl<T: Float> EarlyStopping<T> {
    /// Watches the measurement of this name, such as `"val_loss"`: what ends in `loss` or `error` should fall,
    /// anything else rise.
    pub fn new(monitor: impl Into<String>) -> Self {
        EarlyStopping {
            monitor: Monitor::new(monitor),
            patience: 0,
            restore_best_weights: false,
            start_from_epoch: 0,
            waited: 0,
            best_epoch: 0,
            best: None,
        }
    }

    /// Waits this many epochs for something better; 0 otherwise.
    pub fn patience(self, patience: usize) -> Self {
        EarlyStopping { patience, ..self }
    }

    /// Takes only a change by more than this for better; 0 otherwise.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor = self.monitor.min_delta(min_delta);
        self
    }

    /// Takes less for better, whatever the name.
    pub fn minimize(mut self) -> Self {
        self.monitor = self.monitor.minimize();
        self
    }

    /// Takes more for better, whatever the name.
    pub fn maximize(mut self) -> Self {
        self.monitor = self.monitor.maximize();
        self
    }

    /// At the end of the run, leaves the model as it was after its best epoch rather than its last.
    pub fn restore_best_weights(self, restore_best_weights: bool) -> Self {
        EarlyStopping { restore_best_weights, ..self }
    }

    /// Lets this many epochs pass before it begins to watch.
    pub fn start_from_epoch(self, start_from_epoch: usize) -> Self {
        EarlyStopping { start_from_epoch, ..self }
    }
}

impl<T: Float> Callback<T> for EarlyStopping<T> {
    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if run.epoch == 0 {
            // A new run begins, perhaps after another one with the same callback.
            self.monitor.reset();
            (self.waited, self.best) = (0, None);
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if run.epoch < self.start_from_epoch {
            return Ok(());
        }
        if self.monitor.improves("EarlyStopping", &run.logs())? {
            self.waited = 0;
            self.best_epoch = run.epoch;
            if self.restore_best_weights {
                self.best = Some(run.model.params().clone());
            }
        } else {
            self.waited += 1;
            if self.waited >= self.patience.max(1) {
                run.stop(format!("{} was best in epoch {}", self.monitor.name(), self.best_epoch + 1));
            }
        }
        Ok(())
    }

    fn on_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if let Some(best) = self.best.take() {
            *run.model.params_mut() = best;
        }
        Ok(())
    }
}
