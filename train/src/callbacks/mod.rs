//! What happens along the way of a training run.

mod csv_logger;
mod early_stopping;
mod learning_rate;
mod monitor;
mod on;
mod progress;
mod run;
mod stop_on_nan;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use learning_rate::{LearningRateScheduler, ReduceLrOnPlateau};
pub use on::{On, on_batch_end, on_epoch_begin, on_epoch_end};
pub use progress::Progress;
pub(crate) use run::Hook;
pub use run::Run;
pub use stop_on_nan::StopOnNan;

use gradus_tensor::Float;
use serde_json::Value;

use crate::error::{Error, Result};

/// Something done during a training run: hooks, each of which may look at the run, change the learning rate or the
/// weights, or stop or pause the run.
///
/// A callback that remembers anything from one hook to the next implements [`state`](Callback::state) and
/// [`restore`](Callback::restore) as well, so that a run can be paused and gone on with.
///
/// ```
/// use gradus_train::callbacks::{Callback, Run};
/// use gradus_train::state::{from_state, to_state};
/// use gradus_train::Result;
///
/// /// Counts the batches of a run.
/// #[derive(Default)]
/// struct Counter {
///     batches: usize,
/// }
///
/// impl Callback for Counter {
///     fn on_begin(&mut self, _run: &mut Run) -> Result<()> {
///         self.batches = 0;
///         Ok(())
///     }
///
///     fn on_batch_end(&mut self, _run: &mut Run) -> Result<()> {
///         self.batches += 1;
///         Ok(())
///     }
///
///     fn state(&self) -> serde_json::Value {
///         to_state(&self.batches)
///     }
///
///     fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
///         self.batches = from_state("Counter", state)?;
///         Ok(())
///     }
/// }
/// ```
pub trait Callback<T: Float = f32>: Send {
    /// Before the first epoch of a run. A callback that is given to a second run forgets the first one here.
    ///
    /// When a paused run goes on, [`restore`](Callback::restore) is called instead if the callback has a state.
    ///
    /// # Errors
    /// What makes going on impossible; `fit` returns it.
    fn on_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Before the first batch of an epoch.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_epoch_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After the update of each batch.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_batch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After the batches of an epoch and its validation.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_epoch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, whoever has stopped the run; not after an error.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// The name under which the state is written: the name of the type.
    fn name(&self) -> String {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path).to_owned()
    }

    /// What the callback remembers, made by [`to_state`](crate::state::to_state); null, the default, if nothing.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from what [`state`](Callback::state) of such a callback returned, in this program or another.
    ///
    /// # Errors
    /// If the state is not one of such a callback.
    fn restore(&mut self, _state: &Value) -> Result<()> {
        let problem = format!("{} has a state, but cannot restore one", self.name());
        Err(Error::new("restore", problem, "implement Callback::restore as well as Callback::state"))
    }
}
