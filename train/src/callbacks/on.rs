//! Callbacks from closures.

use gradus_tensor::Float;

use super::{Callback, Run};
use crate::error::Result;

/// A callback that calls a closure at one of the hooks, made by [`on_epoch_begin`], [`on_batch_end`] or
/// [`on_epoch_end`].
pub struct On<F> {
    hook: Hook,
    call: F,
}

#[derive(Clone, Copy, PartialEq)]
enum Hook {
    EpochBegin,
    BatchEnd,
    EpochEnd,
}

/// Calls `call` before the first batch of each epoch. What it keeps in variables is lost as with [`on_epoch_end`].
pub fn on_epoch_begin<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::EpochBegin, call }
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

impl<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send> Callback<T> for On<F> {
    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if self.hook == Hook::EpochBegin { (self.call)(run) } else { Ok(()) }
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if self.hook == Hook::BatchEnd { (self.call)(run) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if self.hook == Hook::EpochEnd { (self.call)(run) } else { Ok(()) }
    }
}
