//! Callbacks: actions during a training run.

mod checkpoint;
mod csv_logger;
mod doctor;
mod early_stopping;
mod learning_rate;
mod monitor;
mod on;
mod progress;
mod run;
mod tensorboard;
mod terminate_on_nan;

pub use checkpoint::Checkpoint;
pub use csv_logger::CsvLogger;
pub use doctor::Doctor;
pub use early_stopping::EarlyStopping;
pub use learning_rate::{LearningRateScheduler, ReduceLrOnPlateau};
pub use on::{On, on_batch_begin, on_batch_end, on_begin, on_end, on_epoch_begin, on_epoch_end};
pub use progress::Progress;
pub(crate) use run::Hook;
pub use run::Run;
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNaN;

use std::path::PathBuf;
use std::sync::Arc;

use gradus_tensor::Float;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::examination::{Examination, Examine};
use crate::snapshot::Snapshot;
use crate::state::{NamedState, Tensors};

/// Actions during a training run. Each hook may look at the run, change the learning rate or the weights, and stop or
/// pause the run.
///
/// A callback that remembers something from one hook to the next implements [`state`](Callback::state) and
/// [`restore`](Callback::restore) as well, so that a run that was paused or killed goes on as if nothing had happened.
///
/// ```
/// use gradus_train::callbacks::{Callback, Run};
/// use gradus_train::state::{NamedState, from_state, to_state};
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
///     fn restore(&mut self, state: &NamedState) -> Result<()> {
///         self.batches = from_state(state)?;
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no callback",
    label = "give a callback, such as `EarlyStopping::new(\"val_loss\")`",
    note = "a closure becomes one by `on_epoch_end` and its like"
)]
pub trait Callback<T: Float = f32>: Send {
    /// Called before the first epoch of a run: the place to forget an earlier run.
    ///
    /// When a run that was paused or killed goes on, it is called only if the run has no state of this callback; otherwise
    /// [`restore`](Callback::restore) is called instead. What it changes in such a run, as the learning rate, is undone: the
    /// run goes on as it was.
    ///
    /// # Errors
    /// The error that ends the run; `fit` returns it.
    fn on_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Called before the first batch of an epoch.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_epoch_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Called before each batch is trained on. If the run is stopped here, the batch is left out.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_batch_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Whether the callback looks into the next step: what its layers compute, and its gradients. `step` is the number of steps
    /// that the optimiser has taken before. By default it never does.
    ///
    /// The answer must depend on `step` and the state of the callback alone, so that a run which goes on gives the same.
    fn examines(&self, _step: u64) -> Examine {
        Examine::Never
    }

    /// Called after the update of a batch, before [`on_batch_end`](Callback::on_batch_end), if this callback or another one
    /// [`examines`](Callback::examines) the step.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_examination(&mut self, _run: &mut Run<'_, T>, _examination: &Examination<T>) -> Result<()> {
        Ok(())
    }

    /// Called after the update of each batch.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_batch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Called after the batches of an epoch and its validation.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_epoch_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Called after the last epoch, also if a callback has stopped the run; not after an error or a pause.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_end(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        Ok(())
    }

    /// Called when all callbacks have had a hook in which one of them has asked for a snapshot
    /// ([`Run::request_snapshot`]), and where the run is paused.
    ///
    /// # Errors
    /// As [`on_begin`](Callback::on_begin).
    fn on_snapshot(&mut self, _snapshot: &Arc<Snapshot<T>>) -> Result<()> {
        Ok(())
    }

    /// The files that must hold what has been written to them so far when the run goes on from the
    /// [`state`](Callback::state). A [`Checkpoint`] brings them to the disk before it is written. The default is none.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The name under which the state is written; the name of the type by default.
    fn name(&self) -> String {
        short_type_name::<Self>()
    }

    /// Whether the run is the same without the callback, as without a log: then one that goes on may leave it out, though it has
    /// a state. By default it is not.
    fn only_watches(&self) -> bool {
        false
    }

    /// The state of the callback, made by [`to_state`](crate::state::to_state). The default is null: it has none.
    fn state(&self) -> Value {
        Value::Null
    }

    /// The tensors of the state by name, such as weights, for which JSON is too slow and too large. The default is none.
    fn tensors(&self) -> Tensors {
        Tensors::new()
    }

    /// Sets the state to what [`state`](Callback::state) and [`tensors`](Callback::tensors) of the same kind of callback have
    /// returned.
    ///
    /// A run with checkpoints calls it at its begin as well, with the state that the callback has after
    /// [`on_begin`](Callback::on_begin): so a state that cannot be restored is an error then, and not after a power cut.
    ///
    /// # Errors
    /// If the state is that of another kind of callback, or the callback cannot go on.
    fn restore(&mut self, _state: &NamedState) -> Result<()> {
        let problem = format!("{} has a state, but cannot restore one", self.name());
        Err(Error::new("restore", problem, "implement Callback::restore as well as Callback::state"))
    }
}

/// The name of a type without its path and its parameters.
pub(crate) fn short_type_name<T: ?Sized>() -> String {
    let path = std::any::type_name::<T>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path).to_owned()
}
