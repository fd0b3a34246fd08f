//! The state of a training run: plain data that can be written down, read, and gone on from.

use std::collections::BTreeMap;
use std::fmt::Display;

use gradus_datasets::Order;
use gradus_tensor::{AnyTensor, Generator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
/// JSON, of which the states of metrics and callbacks consist: serde_json's type, so that they need not depend on it.
pub use serde_json::Value;

use crate::error::{Error, Result};
use crate::history::History;
use crate::metrics::LossMeans;

/// The state of a training run: all that the rest of the run depends on, besides the data, the weights and the state of
/// the optimiser.
///
/// [`Trainer::state`](crate::Trainer::state) returns it and [`Trainer::restore`](crate::Trainer::restore) takes it. A
/// run that is paused after any batch, written to a file with its weights and its optimiser's state, and restored in
/// another program gives the same bits as a run without a pause.
///
/// ```
/// # use gradus_datasets::Dataset;
/// # use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// # use gradus_optim::{Optimizer, Sgd};
/// # use gradus_tensor::Tensor;
/// use gradus_train::callbacks::{Run, on_batch_end};
/// use gradus_train::{Fit, Trainer, TrainingState};
/// # let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// # let data = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
/// # let model = || Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
/// # let fit = || Fit { epochs: 2, verbose: false, ..Fit::default() };
///
/// let mut trainer = Trainer::new(model(), MeanSquaredError, Sgd::default());
/// let pause = on_batch_end(|run: &mut Run| {
///     if run.epoch == 1 && run.batch == 1 {
///         run.pause("the computer is needed for something else");
///     }
///     Ok(())
/// });
/// trainer.fit(&data, fit().callback(pause)).unwrap();
/// let written = serde_json::to_string(trainer.state()).unwrap();
/// let (params, optimizer_state) = (trainer.model().params().clone(), trainer.optimizer().state());
///
/// // Later, in another program:
/// let (mut model, mut optimizer) = (model(), Optimizer::from(Sgd::default()));
/// *model.params_mut() = params;
/// optimizer.restore(model.params(), optimizer_state).unwrap();
/// let mut trainer = Trainer::new(model, MeanSquaredError, optimizer);
/// let state: TrainingState = serde_json::from_str(&written).unwrap();
/// trainer.restore(state);
/// let history = trainer.fit(&data, fit()).unwrap(); // The last batch of the second epoch.
/// assert_eq!(history.epochs, [0, 1]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// Whether there is a run to go on with.
    pub status: Status,
    /// The epochs that are done, what was measured in them, and the reason to stop if there is one.
    pub history: History,
    /// The number of the first epoch, counted from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub initial_epoch: usize,
    /// The epoch in progress; `None` between epochs.
    pub epoch: Option<EpochState>,
    /// Between epochs of `steps_per_epoch` batches, where the next one goes on in the data; `None` if it begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataState>,
    /// The generator that orders, seeds of augmentations and random layers draw from.
    pub generator: Generator,
    /// The states of the callbacks that have one, when a run was paused or has failed.
    pub callbacks: Vec<NamedState>,
    /// The number of samples that the run is trained on; `None` in the first epoch over a stream.
    #[serde(default)]
    pub samples: Option<usize>,
}

/// Where a run is in its data.
///
/// ```
/// use gradus_datasets::Order;
/// use gradus_train::state::DataState;
/// let begin = DataState { order: Order::shuffled(100, 42), augmentation_seed: None, batches: 0 };
/// assert_eq!(begin.clone(), begin);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataState {
    /// The order of the samples, and how many of them have been used.
    pub order: Order,
    /// The seed of the augmentation, if the data have one.
    pub augmentation_seed: Option<u64>,
    /// The number of batches that were taken in this order.
    pub batches: usize,
}

/// The state of an epoch in progress.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::{Run, on_batch_end};
/// use gradus_train::{Fit, Trainer};
/// let data = Dataset::new(Tensor::<f32>::zeros([64, 1]), Tensor::<f32>::zeros([64, 1]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
/// let pause = on_batch_end(|run: &mut Run| {
///     run.pause("after the first batch");
///     Ok(())
/// });
/// trainer.fit(&data, Fit { verbose: false, ..Fit::default() }.callback(pause))?;
/// assert_eq!(trainer.state().epoch.as_ref().unwrap().batch, 1);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochState {
    /// The number of batches that are done.
    pub batch: usize,
    /// The order of the samples in this epoch, and how many of them have been used.
    pub order: Order,
    /// The seed of the augmentation in this epoch, if the data have one.
    pub augmentation_seed: Option<u64>,
    /// The number of batches that were taken in this order, where it is not the order of this epoch alone: with
    /// `steps_per_epoch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<usize>,
    /// Whether the hook before the next batch has been called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch_begun: bool,
    /// The losses of the samples so far.
    pub losses: LossMeans,
    /// The loss of the last batch; NaN before the first.
    #[serde(with = "crate::number")]
    pub last_loss: f64,
    /// The states of the metrics, when a run was paused or has failed.
    pub metrics: Vec<NamedState>,
}

/// Whether there is a run to go on with, and why it is not going on now.
///
/// ```
/// use gradus_train::TrainingState;
/// use gradus_train::state::Status;
/// assert_eq!(TrainingState::new(42).status, Status::Ended); // No run has begun.
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// No run has begun, or the last one has ended: the next `fit` begins a run.
    Ended,
    /// The run is going on; callbacks see this.
    Running,
    /// The run was paused, for this reason: the next `fit` goes on with it.
    Paused(String),
    /// This error ended the run: the next `fit` begins a run, unless the state is restored.
    Failed(String),
}

/// The state of a metric or a callback, with its name: what its `restore` is given.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Accuracy, Metric};
/// use gradus_train::state::NamedState;
/// let mut accuracy = Accuracy::default();
/// accuracy.update(&Tensor::new([1.0, 0.0]), &Tensor::new([0.9, 0.9]), None)?;
/// let (name, state) = ("accuracy".to_owned(), Metric::<f32>::state(&accuracy));
/// let state = NamedState { name, state, tensors: Default::default(), only_watches: false };
/// // Later, in another program:
/// let mut again = Accuracy::default();
/// Metric::<f32>::restore(&mut again, &state)?;
/// assert_eq!(again.result(), 0.5);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedState {
    /// The name of the metric or the callback.
    pub name: String,
    /// What its `state` returned; [`from_state`] reads it.
    pub state: Value,
    /// What its `tensors` returned.
    #[serde(default, skip_serializing_if = "Tensors::is_empty")]
    pub tensors: Tensors,
    /// Whether the run may go on without it: [`Callback::only_watches`](crate::Callback::only_watches).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_watches: bool,
}

/// Whether a number is one that files leave out.
pub(crate) fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// Tensors by name, of any element type.
pub type Tensors = BTreeMap<String, AnyTensor>;

impl TrainingState {
    /// As a state to go on with: what has been under way is paused.
    pub(crate) fn paused(mut self) -> Self {
        self.status = match self.status {
            Status::Ended => Status::Ended,
            Status::Running => Status::Paused("the program ended".to_owned()),
            Status::Paused(reason) | Status::Failed(reason) => Status::Paused(reason),
        };
        self
    }

    /// The state before the first run: the seed is that of the orders and of random layers.
    pub fn new(seed: u64) -> Self {
        TrainingState {
            status: Status::Ended,
            history: History::default(),
            initial_epoch: 0,
            epoch: None,
            data: None,
            generator: Generator::new(seed),
            callbacks: Vec::new(),
            samples: None,
        }
    }

    /// The number of the epoch in progress, or of the next one: counted from 0.
    pub fn epoch(&self) -> usize {
        self.initial_epoch + self.history.epochs.len()
    }

    /// The number of batches of this epoch that are done.
    pub fn batch(&self) -> usize {
        self.epoch.as_ref().map_or(0, |epoch| epoch.batch)
    }

    /// Sets the states of metrics, which matter in the midst of an epoch, and of callbacks.
    pub(crate) fn set_states(&mut self, metrics: Vec<NamedState>, callbacks: Vec<NamedState>) {
        if let Some(epoch) = &mut self.epoch {
            epoch.metrics = metrics;
        }
        self.callbacks = callbacks;
    }

    /// Checks what the loop relies on, of a state that was read.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (History { epochs, logs, .. }, first) = (&self.history, self.initial_epoch);
        // So many epochs can be counted without an overflow.
        if first > i32::MAX as usize {
            return Err(format!("the first epoch has the number {first}"));
        }
        if !epochs.iter().copied().eq(first..first + epochs.len()) || logs.len() != epochs.len() {
            let (epochs, logs) = (epochs.len(), logs.len());
            return Err(format!(
                "the history of {epochs} epochs with {logs} measurements is not numbered from {first}"
            ));
        }
        Ok(())
    }

    /// The order of the data in progress, and the number of batches that were taken in it.
    pub(crate) fn order(&self) -> Option<(&Order, usize)> {
        let of_epoch = self.epoch.as_ref().map(|epoch| (&epoch.order, epoch.batches.unwrap_or(epoch.batch)));
        of_epoch.or(self.data.as_ref().map(|data| (&data.order, data.batches)))
    }

    /// Whether the next `fit` goes on with a run.
    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.status, Status::Paused(_))
    }
}

/// What [`Metric::state`](crate::Metric::state) and [`Callback::state`](crate::Callback::state) return: any plain data.
///
/// ```
/// use gradus_train::state::to_state;
/// assert_eq!(to_state(&(3, [0.5, 1.0])).to_string(), "[3,[0.5,1.0]]");
/// ```
///
/// # Panics
/// If the data are none that JSON has, such as a map whose keys are no strings.
#[track_caller]
pub fn to_state(data: &impl Serialize) -> Value {
    match serde_json::to_value(data) {
        Ok(state) => state,
        Err(error) => panic!("to_state: the data cannot be written as JSON: {error}"),
    }
}

/// The data from which [`to_state`] made a state: for `restore` of a metric or a callback.
///
/// ```
/// use gradus_train::state::{NamedState, from_state, to_state};
/// let (name, tensors) = ("Counter".to_owned(), Default::default());
/// let state = NamedState { name, state: to_state(&12), tensors, only_watches: false };
/// assert_eq!(from_state::<usize>(&state)?, 12);
/// assert!(from_state::<String>(&state).is_err());
/// # Ok::<(), gradus_train::Error>(())
/// ```
///
/// # Errors
/// If the state is one of other data.
pub fn from_state<D: DeserializeOwned>(state: &NamedState) -> Result<D> {
    D::deserialize(&state.state).map_err(|error| no_state_of(&state.name, &error))
}

/// The error of a state that is none of the metric or the callback of this name.
pub(crate) fn no_state_of(name: &str, error: &impl Display) -> Error {
    let problem = format!("the state is not one of {name}: {error}");
    Error::new("restore", problem, "restore the state that was written by the same program")
}
