//! Callbacks from closures.

use gradus_tensor::Float;

use super::{Callback, Hook, Run};
use crate::error::Result;

/// A callback that calls a closure at one of the hooks, made by [`on_begin`], [`on_epoch_begin`], [`on_batch_begin`],
/// [`on_batch_end`], [`on_epoch_end`] or [`on_end`].
pub struct On<F> {
    hook: Hook,
    call: F,
}

/// Calls `call` before the first epoch of a run. A run that goes on calls it again; what it does to the run is undone then, as
/// [`Callback::on_begin`] says.
pub fn on_begin<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::Begin, call }
}

/// Calls `call` before the first batch of each epoch. What it keeps in variables is lost as with [`on_epoch_end`].
pub fn on_epoch_begin<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::EpochBegin, call }
}

/// Calls `call` before each batch. What it keeps in variables is lost as with [`on_epoch_end`].
///
/// ```
/// use gradus_train::callbacks::{Run, on_batch_begin};
/// let warm_up = on_batch_begin(|run: &mut Run| {
///     if run.step() < 100 {
///         run.set_learning_rate(1e-5 * (run.step() + 1) as f64);
///     }
///     Ok(())
/// });
/// ```
pub fn on_batch_begin<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::BatchBegin, call }
}

/// Calls `call` after each batch. What it keeps in variables is lost as with [`on_epoch_end`].
pub fn on_batch_end<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::BatchEnd, call }
}

/// Calls `call` after each epoch.
///
/// What the closure keeps in variables of its own, such as a count, is lost when the program ends: a run that is resumed begins
/// with them anew. A [`Callback`] with a `state` goes on with them.
///
/// ```
/// use gradus_train::callbacks::{Run, on_epoch_end};
/// let report = on_epoch_end(|run: &mut Run| {
///     println!("{}", run.logs());
///     Ok(())
/// });
/// ```
pub fn on_epoch_end<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::EpochEnd, call }
}

/// Calls `call` after the last epoch of a run.
pub fn on_end<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::End, call }
}

impl<F> On<F> {
    /// Calls the closure if it is one for this hook.
    fn at<T: Float>(&mut self, hook: Hook, run: &mut Run<'_, T>) -> Result<()>
    where
        F: FnMut(&mut Run<'_, T>) -> Result<()>,
    {
        if self.hook == hook { (self.call)(run) } else { Ok(()) }
    }
}

impl<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send> Callback<T> for On<F> {
    fn on_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::Begin, run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::EpochBegin, run)
    }

    fn on_batch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::BatchBegin, run)
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::BatchEnd, run)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::EpochEnd, run)
    }

    fn on_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.at(Hook::End, run)
    }
}
