//! Callbacks from closures.

use gradus_tensor::Float;

use super::{Callback, Hook, Run};
use crate::error::Result;

/// A callback that calls a closure at one of the hooks, made by [`on_begin`], [`on_epoch_begin`], [`on_batch_begin`],
/// [`on_batch_end`], [`on_epoch_end`] or [`on_end`].
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::{Run, on_epoch_end};
/// use gradus_train::{Fit, Trainer};
/// use std::sync::mpsc;
/// let data = Dataset::new(Tensor::new([[1.0], [2.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let (sender, losses) = mpsc::channel();
/// let watch = on_epoch_end(move |run: &mut Run| {
///     sender.send(run.logs()["loss"]).expect("somebody listens");
///     Ok(())
/// });
/// let fit = Fit { epochs: 2, verbose: false, ..Fit::default() }.callback(watch);
/// let history = Trainer::new(model, MeanSquaredError, Sgd::default()).fit(&data, fit)?;
/// assert_eq!(losses.iter().collect::<Vec<f64>>(), history.get("loss"));
/// # Ok::<(), gradus_train::Error>(())
/// ```
pub struct On<F> {
    hook: Hook,
    call: F,
}

/// Calls `call` before the first epoch of a run. A run that goes on calls it again; what it does to the run is undone then, as
/// [`Callback::on_begin`] says.
///
/// ```
/// use gradus_train::Fit;
/// use gradus_train::callbacks::{Run, on_begin};
/// let say = on_begin(|run: &mut Run| {
///     println!("before the first epoch: step {}", run.step());
///     Ok(())
/// });
/// let fit: Fit = Fit { epochs: 10, ..Fit::default() }.callback(say);
/// assert_eq!(fit.callbacks.len(), 1);
/// ```
pub fn on_begin<T: Float, F: FnMut(&mut Run<'_, T>) -> Result<()> + Send>(call: F) -> On<F> {
    On { hook: Hook::Begin, call }
}

/// Calls `call` before the first batch of each epoch. What it keeps in variables is lost as with [`on_epoch_end`].
///
/// ```
/// use gradus_train::Fit;
/// use gradus_train::callbacks::{Run, on_epoch_begin};
/// // The first layer is not trained before the sixth epoch.
/// let thaw = on_epoch_begin(|run: &mut Run| {
///     if run.epoch == 0 {
///         run.model.freeze("0")?;
///     } else if run.epoch == 5 {
///         run.model.unfreeze("0")?;
///     }
///     Ok(())
/// });
/// let fit: Fit = Fit { epochs: 20, ..Fit::default() }.callback(thaw);
/// ```
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
///
/// ```
/// use gradus_train::Fit;
/// use gradus_train::callbacks::{Run, on_batch_end};
/// let limit = on_batch_end(|run: &mut Run| {
///     if run.step() == 10_000 {
///         run.stop("10,000 steps are enough");
///     }
///     Ok(())
/// });
/// let fit: Fit = Fit { epochs: 1000, ..Fit::default() }.callback(limit);
/// ```
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
///
/// ```
/// use gradus_train::Fit;
/// use gradus_train::callbacks::{Run, on_end};
/// let say = on_end(|run: &mut Run| {
///     println!("when the run is over: step {}", run.step());
///     Ok(())
/// });
/// let fit: Fit = Fit { epochs: 10, ..Fit::default() }.callback(say);
/// assert_eq!(fit.callbacks.len(), 1);
/// ```
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
