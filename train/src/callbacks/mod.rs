//! What happens along the way of a training run.

mod csv_logger;
mod early_stopping;
mod learning_rate;
mod monitor;
mod on;
mod progress;
mod stop_on_nan;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use learning_rate::{LearningRateScheduler, ReduceLrOnPlateau};
pub use on::{On, on_batch_end, on_epoch_begin, on_epoch_end};
pub use progress::Progress;
pub use stop_on_nan::StopOnNan;

use gradus_nn::Model;
use gradus_optim::{Optimizer, Rule};
use gradus_tensor::Float;

use crate::error::Result;
use crate::history::Logs;

/// Something done along the way: hooks, each of which may look at the run, change the learning rate or the weights, or
/// end it.
pub trait Callback<T: Float = f32>: Send {
    /// Before the first batch of an epoch.
    ///
    /// # Errors
    /// What makes going on impossible; `fit` returns it.
    fn on_epoch_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After the update of each batch.
    ///
    /// # Errors
    /// As above.
    fn on_batch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After an epoch's batches and its validation.
    ///
    /// # Errors
    /// As above.
    fn on_epoch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, whoever has ended the run; not after an error.
    ///
    /// # Errors
    /// As above.
    fn on_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }
}

/// A training run as callbacks see it.
pub struct Run<'a, T: Float = f32> {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// How many epochs there are to be.
    pub epochs: usize,
    /// The batches of this epoch that are done.
    pub batch: usize,
    /// The batches of an epoch.
    pub batches: usize,
    /// The loss of the batch just done; NaN before the first.
    pub loss: f64,
    /// The model in training.
    pub model: &'a mut Model<T>,
    pub(crate) learning_rate: &'a mut dyn LearningRate,
    pub(crate) logs: &'a mut dyn FnMut() -> Logs,
    pub(crate) stop: &'a mut Option<String>,
}

impl<T: Float> Run<'_, T> {
    /// What was measured so far in this epoch: means over its batches; at its end also the validation's, as `val_..`.
    pub fn logs(&mut self) -> Logs {
        (self.logs)()
    }

    /// Whether this is the last epoch: the last one planned, or the run is being ended.
    pub fn is_last_epoch(&self) -> bool {
        self.stop.is_some() || self.epoch + 1 == self.epochs
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    /// Learns at this constant rate from now on.
    ///
    /// # Panics
    /// If it is negative or not finite.
    pub fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate.set(rate);
    }

    /// Ends the run: no further batch if called within an epoch, no further epoch after one.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.stop.get_or_insert(reason.into());
    }

    /// Why the run is being ended, if it is.
    pub fn stopped(&self) -> Option<&str> {
        self.stop.as_deref()
    }
}

/// An optimiser's learning rate, whatever its rule.
pub(crate) trait LearningRate {
    fn get(&self) -> f64;
    fn set(&mut self, rate: f64);
}

impl<R: Rule, T: Float> LearningRate for Optimizer<R, T> {
    fn get(&self) -> f64 {
        self.current_learning_rate()
    }
    fn set(&mut self, rate: f64) {
        self.set_learning_rate(rate);
    }
}
