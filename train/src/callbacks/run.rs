//! A training run as callbacks see it.

use gradus_nn::Model;
use gradus_tensor::Float;

use crate::finding::Finding;
use crate::history::Logs;
use crate::metrics::OutputMetric;
use crate::parts::AnyOptimizer;
use crate::state::{Status, TrainingState};

/// A training run as callbacks see it.
///
/// ```
/// use gradus_train::Result;
/// use gradus_train::callbacks::{Callback, Run};
///
/// /// Stops when the loss of an epoch is good enough.
/// struct GoodEnough {
///     loss: f64,
/// }
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, run: &mut Run) -> Result<()> {
///         let loss = run.logs()["loss"];
///         if loss < self.loss {
///             run.stop(format!("the loss is {loss:.4} after {} of {} epochs", run.epoch + 1, run.epochs));
///         }
///         Ok(())
///     }
/// }
///
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, Trainer};
///
/// let data = Dataset::new(Tensor::new([[0.0], [1.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.5));
/// let fit = Fit { epochs: 1000, verbose: false, ..Fit::default() }.callback(GoodEnough { loss: 0.01 });
/// let history = trainer.fit(&data, fit)?;
/// assert!(history.epochs.len() < 1000 && history.last().unwrap()["loss"] < 0.01);
/// # Ok::<(), gradus_train::Error>(())
/// ```
pub struct Run<'a, T: Float = f32> {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The number of epochs of the run.
    pub epochs: usize,
    /// The number of batches of this epoch that are done.
    pub batch: usize,
    /// The number of batches in an epoch; `None` before the end of the first epoch over a stream.
    pub batches: Option<usize>,
    /// The loss of the batch just done; NaN before the first.
    pub loss: f64,
    /// The model in training.
    pub model: &'a mut Model<T>,
    /// Whether the run evaluates on a validation set, after this epoch or another.
    pub(crate) validates: bool,
    pub(crate) hook: Hook,
    pub(crate) state: &'a mut TrainingState,
    pub(crate) metrics: &'a [OutputMetric<T>],
    pub(crate) optimizer: &'a mut dyn AnyOptimizer<T>,
    pub(crate) snapshot_requested: bool,
}

/// The hook that is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Begin,
    EpochBegin,
    BatchBegin,
    BatchEnd,
    EpochEnd,
    End,
}

impl<T: Float> Run<'_, T> {
    /// The measurements of this epoch so far: means over its batches. At the end of the epoch also those of the
    /// validation, as `val_..`; at the end of the run those of the last epoch.
    pub fn logs(&self) -> Logs {
        match (self.hook, &self.state.epoch) {
            (Hook::BatchBegin | Hook::BatchEnd, Some(epoch)) if epoch.batch > 0 => {
                Logs::measured(&epoch.losses, self.metrics)
            }
            (Hook::EpochEnd | Hook::End, _) => self.state.history.last().cloned().unwrap_or_default(),
            _ => Logs::default(),
        }
    }

    /// What was found wrong so far, by a [`Doctor`](super::Doctor).
    pub fn findings(&self) -> &[Finding] {
        &self.state.history.findings
    }

    /// Notes something that is wrong with the run.
    pub(crate) fn report(&mut self, finding: Finding) {
        self.state.history.findings.push(finding);
    }

    /// The state of the run: its history, the epoch in progress, the generator.
    pub fn state(&self) -> &TrainingState {
        self.state
    }

    /// Whether this is the last epoch: the last one planned, or the run is being stopped.
    pub fn is_last_epoch(&self) -> bool {
        self.stopped().is_some() || self.epoch + 1 == self.epochs
    }

    /// The number of steps that the optimiser has taken, those before this run included.
    pub fn step(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Whether the batch just done has made a step: its gradients do not wait for those of other batches
    /// ([`gradient_accumulation_steps`](gradus_optim::IntoOptimizer::gradient_accumulation_steps)).
    pub fn has_stepped(&self) -> bool {
        self.optimizer.waiting() == 0
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.optimizer.current_learning_rate()
    }

    /// Sets a constant learning rate from the next step on.
    ///
    /// ```
    /// use gradus_train::callbacks::{Run, on_epoch_begin};
    /// let tenth_at_the_end = on_epoch_begin(|run: &mut Run| {
    ///     if run.epoch == run.epochs / 2 {
    ///         run.set_learning_rate(run.learning_rate() / 10.0);
    ///     }
    ///     Ok(())
    /// });
    /// ```
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn set_learning_rate(&mut self, rate: f64) {
        let valid = rate.is_finite() && rate >= 0.0;
        assert!(valid, "set_learning_rate: a number that is not negative is needed, not {rate}");
        self.optimizer.set_learning_rate(rate);
    }

    /// Ends the run. Within an epoch no further batch follows, after an epoch no further epoch; the epoch and the run
    /// have their usual ends (validation, history, the hooks `on_epoch_end` and `on_end`). The first reason given
    /// stands in the history.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.state.history.stopped.get_or_insert(reason.into());
    }

    /// The reason why the run is being stopped, if it is.
    pub fn stopped(&self) -> Option<&str> {
        self.state.history.stopped.as_deref()
    }

    /// Pauses the run: `fit` returns when all callbacks have had this hook, without validation and further hooks.
    /// [`Trainer::state`](crate::Trainer::state) then says where the run is; the next `fit` goes on with it and gives
    /// the same bits as a run without a pause.
    ///
    /// At the beginning of an epoch or a batch the run is paused before the batch, and its hooks are not called again; at the
    /// beginning and the end of a run there is nothing to pause.
    pub fn pause(&mut self, reason: impl Into<String>) {
        if !matches!(self.hook, Hook::Begin | Hook::End) && self.state.status == Status::Running {
            self.state.status = Status::Paused(reason.into());
        }
    }

    /// Whether the run has a validation set, and did not evaluate on it after this epoch.
    pub(crate) fn leaves_out_validation(&self) -> bool {
        self.validates && !self.state.history.last().is_some_and(Logs::have_validation)
    }

    /// Asks for a [`Snapshot`](crate::Snapshot) of this place in the run. When all callbacks have had this hook, so that none
    /// of them is left to change anything, each is given the snapshot by [`Callback::on_snapshot`](super::Callback::on_snapshot).
    /// Asked for in `on_begin`, it also checks that all metrics and callbacks can restore the states that they have.
    pub fn request_snapshot(&mut self) {
        self.snapshot_requested = true;
    }
}
