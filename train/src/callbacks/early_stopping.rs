//! The end of a run when a measurement has stopped improving.

use gradus_autograd::Params;
use gradus_tensor::{AnyTensor, Float};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::monitor::Monitor;
use super::{Callback, Run};
use crate::error::{Error, Result};
use crate::state::{NamedState, Tensors, from_state, to_state};

/// Ends the run when a measurement has not become better for `patience` epochs. Epochs after which the validation is left out
/// ([`Fit::validation_freq`](crate::Fit)) do not count, if it is one of the validation.
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
    /// Watches the measurement of this name, such as `"val_loss"`. Less is better if the name ends in `loss`, `error`, `mae`
    /// or `mse`, else more is better. NaN is never better.
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

    /// Waits this many epochs for something better; 0 by default.
    pub fn patience(self, patience: usize) -> Self {
        EarlyStopping { patience, ..self }
    }

    /// Sets the least change that counts as better, 0 by default: a change must be greater.
    ///
    /// # Panics
    /// If it is not finite.
    #[track_caller]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor = self.monitor.min_delta(min_delta);
        self
    }

    /// Lets less be better, whatever the name.
    pub fn minimize(mut self) -> Self {
        self.monitor = self.monitor.minimize();
        self
    }

    /// Lets more be better, whatever the name.
    pub fn maximize(mut self) -> Self {
        self.monitor = self.monitor.maximize();
        self
    }

    /// At the end of the run, restores the weights of the best epoch. An epoch that leaves a weight that is not finite is
    /// none of the best, whatever is measured.
    pub fn restore_best_weights(self, restore_best_weights: bool) -> Self {
        EarlyStopping { restore_best_weights, ..self }
    }

    /// Sets the number of epochs before it begins to watch, 0 by default.
    pub fn start_from_epoch(self, start_from_epoch: usize) -> Self {
        EarlyStopping { start_from_epoch, ..self }
    }
}

impl<T: Float> Callback<T> for EarlyStopping<T> {
    fn on_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        self.monitor.reset();
        (self.waited, self.best_epoch, self.best) = (0, 0, None);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if run.epoch < self.start_from_epoch || self.monitor.waits(run) {
            return Ok(());
        }
        let logs = run.logs();
        // What is measured in training was so before the last update, and weights may have become NaN by that.
        let sound = || !self.restore_best_weights || all_finite(run.model.params());
        if self.monitor.improves_if("EarlyStopping", &logs, sound)? {
            self.waited = 0;
            self.best_epoch = run.epoch;
            if self.restore_best_weights {
                self.best = Some(run.model.params().clone());
            }
        } else {
            self.waited += 1;
            if self.waited >= self.patience.max(1) {
                let name = self.monitor.name();
                let reason = if self.monitor.best().is_nan() {
                    format!("{name} was a number in no epoch")
                } else {
                    format!("{name} was best in epoch {}", self.best_epoch + 1)
                };
                run.stop(reason);
            }
        }
        Ok(())
    }

    fn on_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        // It stays in the state: a run may go on to more epochs, and find nothing better.
        let Some(best) = &self.best else { return Ok(()) };
        run.model.params_mut().assign(best).map_err(|error| {
            let problem = format!("the best weights are those of another model: {error}");
            Error::new("EarlyStopping", problem, "restore the state that was written by the same program")
        })
    }

    fn state(&self) -> Value {
        to_state(&State { waited: self.waited, best: self.monitor.best(), best_epoch: self.best_epoch })
    }

    /// The best weights.
    fn tensors(&self) -> Tensors {
        let best = self.best.iter().flat_map(|best| best.iter());
        best.map(|param| (param.name.clone(), AnyTensor::from(&param.value))).collect()
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let State { waited, best, best_epoch } = from_state(state)?;
        self.monitor.restore(best);
        let mut params = Params::new();
        for (name, tensor) in &state.tensors {
            params.add(name, tensor.to());
        }
        (self.waited, self.best_epoch, self.best) = (waited, best_epoch, (!params.is_empty()).then_some(params));
        Ok(())
    }
}

/// The state between two epochs.
#[derive(Serialize, Deserialize)]
struct State {
    waited: usize,
    #[serde(with = "crate::number")]
    best: f64,
    best_epoch: usize,
}

fn all_finite<T: Float>(params: &Params<T>) -> bool {
    params.iter().all(|param| param.value.is_finite().all(..).item())
}
