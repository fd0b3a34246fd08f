//! The trainer: a model, a loss, an optimiser and metrics.

use std::collections::VecDeque;

use gradus_datasets::{DataSource, Pass};
use gradus_nn::losses::Objective;
use gradus_nn::{Model, OutputInfo};
use gradus_optim::{Optimizer, Rule};
use gradus_tensor::{Columns, Float, Tensor};

use crate::error::{Error, Result};
use crate::fit::Fit;
use crate::history::{History, Logs};
use crate::metrics::{Metric, OutputMetric};
use crate::parts::{Compiled, Parts};
use crate::ranks::{Outcome, Ranks};
use crate::state::TrainingState;

/// A model with its loss, optimiser and metrics: Keras's `compile`, `fit`, `evaluate` and `predict`.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, Trainer};
///
/// let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// let line = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
/// let mut trainer = Trainer::new(model, MeanSquaredError::default(), Sgd::default());
/// let history = trainer.fit(&line, Fit { epochs: 3, verbose: false, ..Fit::default() }).unwrap();
/// assert!(history.get("loss")[2] < history.get("loss")[0]);
/// ```
///
/// A model of several outputs has a loss and metrics for each, by name:
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::losses::{BinaryCrossentropy, Losses, MeanSquaredError};
/// use gradus_nn::{Activation, Dense, Graph, Model};
/// use gradus_optim::Adam;
/// use gradus_tensor::{Columns, Tensor};
/// use gradus_train::metrics::Accuracy;
/// use gradus_train::{Fit, Trainer};
///
/// let mut graph = Graph::builder();
/// let x = graph.input();
/// let urgent = graph.add_named("urgent", Dense::new(1).activation(Activation::Sigmoid), [x]);
/// let hours = graph.add_named("hours", Dense::new(1), [x]);
/// let model = Model::build(graph.outputs([urgent, hours]), [3], 0).unwrap();
///
/// let urgent = BinaryCrossentropy::default();
/// let losses = Losses::new().add("urgent", urgent).add("hours", MeanSquaredError).weighted(0.2);
/// let mut trainer = Trainer::new(model, losses, Adam::default()).metric_for("urgent", Accuracy::default());
/// let (urgent, hours) = (Tensor::from([[true], [false]]), Tensor::new([[2.5], [8.0]]));
/// let targets = Columns::new().with("urgent", urgent).with("hours", hours);
/// let tickets = Dataset::new(Tensor::new([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]), targets).unwrap();
/// let history = trainer.fit(&tickets, Fit { verbose: false, ..Fit::default() }).unwrap();
/// let names: Vec<&str> = history.logs[0].iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["loss", "urgent_loss", "hours_loss", "urgent_accuracy"]);
/// ```
pub struct Trainer<L: Objective<T>, R: Rule, T: Float = f32> {
    pub(crate) model: Model<T>,
    pub(crate) loss: L,
    pub(crate) optimizer: Optimizer<R, T>,
    pub(crate) metrics: Vec<OutputMetric<T>>,
    pub(crate) state: TrainingState,
    pub(crate) ranks: Option<Ranks>,
}

impl<L: Objective<T>, R: Rule, T: Float> Trainer<L, R, T> {
    /// A trainer of this model. The loss is a [`Loss`](gradus_nn::Loss), or [`Losses`](gradus_nn::Losses) for several
    /// outputs; the optimiser a rule such as `Adam::default()`, or one with options.
    ///
    /// The names of the loss and of the metrics are noted in the model ([`Model::info`]), whose file says them.
    pub fn new(mut model: Model<T>, loss: L, optimizer: impl Into<Optimizer<R, T>>) -> Self {
        let named = |output: &OutputInfo| Some((output.name.clone(), loss.name_of(&output.name)?));
        model.info_mut().losses = model.outputs().iter().filter_map(named).collect();
        model.info_mut().metrics.clear();
        let (metrics, state, ranks) = (Vec::new(), TrainingState::new(0), None);
        Trainer { model, loss, optimizer: optimizer.into(), metrics, state, ranks }
    }

    /// Adds a metric of the output. For a model of several outputs, [`metric_for`](Trainer::metric_for) says which
    /// output.
    ///
    /// # Panics
    /// If the model has several outputs.
    #[track_caller]
    pub fn metric(self, metric: impl Metric<T> + 'static) -> Self {
        let outputs = self.model.outputs();
        if outputs.len() != 1 {
            let (name, count, names) = (metric.name(), outputs.len(), names(outputs));
            panic!("metric: {name:?} of which output? the model has {count}: {names}; say it by metric_for");
        }
        self.push(OutputMetric::new(metric, 0, None))
    }

    /// Adds a metric of the output of this name. In logs the name of the metric follows that of the output,
    /// `"class_accuracy"`, if the model has several outputs.
    ///
    /// # Panics
    /// If the model has no output of this name.
    #[track_caller]
    pub fn metric_for(self, output: &str, metric: impl Metric<T> + 'static) -> Self {
        let outputs = self.model.outputs();
        let Some(place) = outputs.iter().position(|info| info.name == output) else {
            panic!("metric_for: the model has no output {output:?}, only {}", names(outputs));
        };
        let prefix = (outputs.len() > 1).then_some(output);
        self.push(OutputMetric::new(metric, place, prefix))
    }

    fn push(mut self, metric: OutputMetric<T>) -> Self {
        self.model.info_mut().metrics.push(metric.name.clone());
        self.metrics.push(metric);
        self
    }

    /// Sets the seed of the order of the data and of random layers, 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Trainer { state: TrainingState::new(seed), ..self }
    }

    /// Trains together with other ranks: processes or threads that run the same program with the same data. Each batch is shared
    /// among them; weights, measurements and decisions of callbacks are the same at all ranks. [`Ranks`] has an example.
    ///
    /// At the begin of a run the first rank gives the others its weights, and its state if the run is [resumed](Trainer::resume). It
    /// alone shows progress, and has the callbacks that [only watch](crate::Callback::only_watches): checkpoints and logs, and the
    /// doctor, which looks at the samples of that rank. The outputs of the model are sent to all ranks if there are metrics, and only
    /// then. Evaluation and [`predict_batches`](Trainer::predict_batches) are shared as well; all ranks call them.
    #[must_use]
    pub fn distributed(self, ranks: impl Into<Option<Ranks>>) -> Self {
        Trainer { ranks: ranks.into(), ..self }
    }

    /// The ranks that train together, if there are several.
    pub fn ranks(&self) -> Option<&Ranks> {
        self.ranks.as_ref()
    }

    /// The model.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The model, to be changed.
    pub fn model_mut(&mut self) -> &mut Model<T> {
        &mut self.model
    }

    /// The model; the trainer ends.
    pub fn into_model(self) -> Model<T> {
        self.model
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &Optimizer<R, T> {
        &self.optimizer
    }

    /// The state of the training: of the run that was paused or ended by an error, or of the last run.
    pub fn state(&self) -> &TrainingState {
        &self.state
    }

    /// Sets the state of the training. If its run was paused or ended by an error, the next [`fit`](Trainer::fit) goes
    /// on with it; otherwise the next `fit` begins a new run. The weights and the optimiser's state are restored
    /// separately (see [`TrainingState`] for an example).
    pub fn restore(&mut self, state: TrainingState) {
        self.state = state.paused();
    }

    pub(crate) fn parts(&mut self) -> Parts<'_, T> {
        let Trainer { model, loss, optimizer, metrics, state, ranks } = self;
        Parts { model, loss, optimizer, metrics, state, ranks: ranks.as_ref() }
    }

    /// Trains the model on `data` from its present weights, and returns the measurements. The data are a
    /// [`Dataset`](gradus_datasets::Dataset), or any other [`DataSource`]. Inputs and targets of several
    /// columns are matched to the inputs and outputs of the model by name, or by order if they have no names. Data with
    /// an augmentation ([`Dataset::augment`](gradus_datasets::Dataset::augment)) are changed anew in each epoch; data for
    /// validation are not changed.
    ///
    /// A new run begins, unless a run was paused ([`Run::pause`](crate::Run::pause)) or restored
    /// ([`Trainer::restore`]): then that run goes on.
    ///
    /// # Errors
    /// If the data cannot be read, or do not fit the model or the loss, the model ends in an activation that cannot be meant
    /// with the loss ([`Model::check_loss`]), two metrics have one name, a setting is out of range, the optimiser has taken
    /// steps of another model, the loss becomes NaN or infinite, or a callback fails.
    pub fn fit(&mut self, data: &dyn DataSource, fit: Fit<T>) -> Result<History> {
        if fit.validation_split == 0.0 {
            return (T::choose(Compiled).run)(self.parts(), data, None, fit);
        }
        let (train, validation) = data.divided(fit.validation_split)?;
        (T::choose(Compiled).run)(self.parts(), &*train, Some(&*validation), fit)
    }

    /// As [`fit`](Trainer::fit), with an evaluation on `validation` after each epoch. The two may be data of different kinds.
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_nn::{Dense, Initializer, Model, Sequential, losses::MeanSquaredError};
    /// use gradus_optim::{IntoOptimizer, Sgd};
    /// use gradus_tensor::Tensor;
    /// use gradus_train::{Fit, Trainer};
    /// let layer = Dense::new(1).kernel_initializer(Initializer::Ones).use_bias(false);
    /// let model = Model::build(Sequential::new().add(layer), [1], 42)?;
    /// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.25));
    /// let data = |x: f32| Dataset::new(Tensor::new([[x]]), Tensor::new([[3.0 * x]]));
    /// let history = trainer.fit_validated(&data(1.0)?, &data(2.0)?, Fit { verbose: false, ..Fit::default() })?;
    /// // The kernel has gone from 1 to 2, where 3 is right: (2 x 2 - 3 x 2)^2.
    /// assert_eq!((history.get("loss"), history.get("val_loss")), (vec![4.0], vec![4.0]));
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// As `fit`; and if a validation split is asked for as well.
    pub fn fit_validated(
        &mut self,
        data: &dyn DataSource,
        validation: &dyn DataSource,
        fit: Fit<T>,
    ) -> Result<History> {
        if fit.validation_split != 0.0 {
            let problem = format!("a validation set is given, and a validation_split of {}", fit.validation_split);
            return Err(Error::new("fit_validated", problem, "leave one of them out"));
        }
        (T::choose(Compiled).run)(self.parts(), data, Some(validation), fit)
    }

    /// The loss and the metrics on `data`, without training.
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_nn::{Dense, Initializer, Model, Sequential, losses::MeanSquaredError};
    /// use gradus_optim::Sgd;
    /// use gradus_tensor::Tensor;
    /// use gradus_train::{Trainer, metrics};
    /// let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Ones));
    /// let model = Model::build(network, [1], 42)?;
    /// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default())
    ///     .metric(metrics::MeanAbsoluteError::default());
    /// let scores = trainer.evaluate(&Dataset::new(Tensor::new([[1.0], [5.0]]), Tensor::new([[1.0], [1.0]]))?)?;
    /// assert_eq!((scores["loss"], scores["mean_absolute_error"]), (8.0, 2.0));
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the data cannot be read, or do not fit the model, the loss or a metric, two metrics have one name, or the model ends
    /// in an activation that cannot be meant with the loss.
    pub fn evaluate(&mut self, data: &dyn DataSource) -> Result<Logs> {
        (T::choose(Compiled).evaluate)(self.parts(), data)
    }

    /// The output of the model for inputs `[n, ..]`: a tensor of any element type, or
    /// [`Columns`](gradus_tensor::Columns) for several inputs.
    ///
    /// # Errors
    /// If the inputs have another shape than the model takes, an id is none that its layer knows, or the model has
    /// several outputs.
    pub fn predict(&self, inputs: impl Into<Columns>) -> Result<Tensor<T>> {
        Ok(self.model.predict(inputs)?)
    }

    /// The outputs of the model for data that need not fit into memory: `[n, ..]` for each batch, in the order of the data. Several
    /// [ranks](Trainer::distributed) take the batches in turn, and each gets all outputs; an error ends them.
    ///
    /// ```
    /// # use gradus_datasets::IndexedDataset;
    /// # use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
    /// # use gradus_optim::Sgd;
    /// # use gradus_tensor::Tensor;
    /// # use gradus_train::Trainer;
    /// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
    /// let trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
    /// let data = IndexedDataset::from_fn(10, |i| Ok((Tensor::new([i as f32]), Tensor::new([0.0])))).unwrap();
    /// let sizes: Vec<usize> = trainer.predict_batches(&data, 4).unwrap().map(|outputs| outputs.unwrap().size()).collect();
    /// assert_eq!(sizes, [4, 4, 2]);
    /// ```
    ///
    /// # Errors
    /// If the data cannot be read, or as of [`predict`](Trainer::predict). A later error comes in place of its batch.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn predict_batches<'a>(
        &'a self,
        data: &dyn DataSource,
        batch_size: usize,
    ) -> Result<impl Iterator<Item = Result<Tensor<T>>> + use<'a, L, R, T>> {
        let links = self.ranks.as_ref().map(Ranks::links).transpose()?;
        let (rank, size) = links.as_ref().map_or((0, 1), |links| (links.rank(), links.size()));
        let batches = data.batches_of(&Pass::new(batch_size, data.order(None)))?;
        let mut own = batches.skip(rank).step_by(size);
        let (mut made, mut has_ended) = (VecDeque::new(), false);
        Ok(std::iter::from_fn(move || {
            if made.is_empty() && !has_ended {
                let next = own.next().map(|batch| self.predict(batch?.inputs));
                let Some(links) = &links else { return next };
                let outcome = |output| ("outputs".to_owned(), Outcome { outputs: vec![output], ..Outcome::default() });
                let found = links.in_turn(next.map(|output| output.map(outcome)).transpose());
                has_ended = found.as_ref().map_or(true, |found| found.len() < size);
                match found {
                    Ok(found) => made.extend(found.into_iter().flat_map(|(_, outcome)| outcome.outputs).map(Ok)),
                    Err(error) => {
                        links.leave(&error);
                        made.push_back(Err(error));
                    }
                }
            }
            made.pop_front()
        }))
    }

    /// All outputs of the model, in order; otherwise as [`predict`](Trainer::predict).
    ///
    /// # Errors
    /// If the inputs have another shape than the model takes, or an id is none that its layer knows.
    pub fn predict_all(&self, inputs: impl Into<Columns>) -> Result<Vec<Tensor<T>>> {
        Ok(self.model.predict_all(inputs)?)
    }
}

/// The names of outputs, for a message.
pub(crate) fn names(outputs: &[OutputInfo]) -> String {
    outputs.iter().map(|output| &*output.name).collect::<Vec<_>>().join(", ")
}
