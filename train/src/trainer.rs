//! The trainer: a model, a loss, an optimiser and metrics.

use gradus_datasets::{Batch, Dataset};
use gradus_nn::{Loss, Model, losses};
use gradus_optim::{Optimizer, Rule};
use gradus_tensor::{Element, Float, Tensor};

use crate::error::{Error, Result};
use crate::fit::Fit;
use crate::history::{History, Logs};
use crate::metrics::{Mean, Metric};
use crate::state::{Status, TrainingState};
use crate::training_loop::TrainingLoop;

/// A model with what it takes to train it: Keras's `compile`, `fit`, `evaluate` and `predict`.
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
pub struct Trainer<L: Loss, R: Rule, T: Float = f32> {
    pub(crate) model: Model<T>,
    pub(crate) loss: L,
    pub(crate) optimizer: Optimizer<R, T>,
    pub(crate) metrics: Vec<Box<dyn Metric<T>>>,
    pub(crate) state: TrainingState,
}

impl<L: Loss, R: Rule, T: Float> Trainer<L, R, T> {
    /// A trainer of this model by this loss and this optimiser: a rule such as `Adam::default()`, or one with options.
    pub fn new(model: Model<T>, loss: L, optimizer: impl Into<Optimizer<R, T>>) -> Self {
        Trainer { model, loss, optimizer: optimizer.into(), metrics: Vec::new(), state: TrainingState::new(0) }
    }

    /// With one more metric.
    pub fn metric(mut self, metric: impl Metric<T> + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// With another seed for the order of the data and for random layers; it is 0 otherwise.
    pub fn seed(self, seed: u64) -> Self {
        Trainer { state: TrainingState::new(seed), ..self }
    }

    /// The model.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The model, to be changed.
    pub fn model_mut(&mut self) -> &mut Model<T> {
        &mut self.model
    }

    /// The model, out of the trainer.
    pub fn into_model(self) -> Model<T> {
        self.model
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &Optimizer<R, T> {
        &self.optimizer
    }

    /// Where the training is: the run that was paused or ended by an error, or the last one.
    pub fn state(&self) -> &TrainingState {
        &self.state
    }

    /// Takes up the training at this state: the next [`fit`](Trainer::fit) goes on with its run if that was paused or ended
    /// by an error, and begins a new one if it had ended. Weights and the optimiser's state are restored by themselves
    /// (see [`TrainingState`] for an example).
    pub fn restore(&mut self, state: TrainingState) {
        self.state = state;
        self.state.status = match std::mem::replace(&mut self.state.status, Status::Ended) {
            Status::Ended => Status::Ended,
            Status::Running => Status::Paused("the program ended".to_owned()),
            Status::Paused(reason) | Status::Failed(reason) => Status::Paused(reason),
        };
    }

    /// Trains on `data`, from wherever the model is now, and returns what was measured. Data with an augmentation
    /// ([`Dataset::augment`]) are changed anew in each epoch; what is held back for validation is not changed.
    ///
    /// A run that a callback has paused ([`Run::pause`](crate::Run::pause)) and one that was restored
    /// ([`Trainer::restore`]) go on; otherwise a new run begins.
    ///
    /// # Errors
    /// If the data do not suit the model or the loss, a setting is out of range, the loss becomes NaN, or a callback
    /// fails.
    pub fn fit<X: Element, Y: Element>(&mut self, data: &Dataset<X, Y>, fit: Fit<T>) -> Result<History> {
        if fit.validation_split == 0.0 {
            return self.run(data, None, fit);
        }
        let (train, validation) = data.validation_split(fit.validation_split)?;
        self.run(&train, Some(&validation), fit)
    }

    /// As [`fit`](Trainer::fit), evaluating on `validation` after each epoch.
    ///
    /// # Errors
    /// As `fit`; and if a validation split is asked for as well.
    pub fn fit_validated<X: Element, Y: Element>(
        &mut self,
        data: &Dataset<X, Y>,
        validation: &Dataset<X, Y>,
        fit: Fit<T>,
    ) -> Result<History> {
        if fit.validation_split != 0.0 {
            let problem = format!("a validation set is given, and a validation_split of {}", fit.validation_split);
            return Err(Error::new("fit_validated", problem, "leave one of them out"));
        }
        self.run(data, Some(validation), fit)
    }

    /// Checks the settings and the data, then runs the loop.
    fn run<X: Element, Y: Element>(
        &mut self,
        data: &Dataset<X, Y>,
        validation: Option<&Dataset<X, Y>>,
        mut fit: Fit<T>,
    ) -> Result<History> {
        if fit.batch_size == 0 {
            return Err(Error::new("fit", "the batch_size is 0, it must be at least 1", "32 is a good start"));
        }
        if data.len() == 0 {
            return Err(Error::new("fit", "the data set is empty", "give at least one sample"));
        }
        self.check_inputs("fit", data)?;
        if let Some(validation) = validation {
            check_alike(data, validation)?;
        }
        let callbacks = fit.all_callbacks();
        TrainingLoop { trainer: self, data, validation, fit: &fit, callbacks }.run()
    }

    /// The loss and the metrics on `data`, without training.
    ///
    /// # Errors
    /// If the data do not suit the model, the loss or a metric, or there are none.
    pub fn evaluate<X: Element, Y: Element>(&mut self, data: &Dataset<X, Y>) -> Result<Logs> {
        self.check_inputs("evaluate", data)?;
        self.evaluate_in(data, 256)
    }

    /// Checks that the model takes the inputs of a data set, before anything is done with them.
    fn check_inputs<X: Element, Y: Element>(&self, op: &str, data: &Dataset<X, Y>) -> Result<()> {
        let (expected, found) = (self.model.input_shape(), data.input_shape());
        if expected.admits(&found) {
            return Ok(());
        }
        let problem = format!("the model takes samples of shape {expected}, the data set's are of shape {found}");
        Err(Error::new(op, problem, "reshape the inputs by map_inputs, or build the model for their shape"))
    }

    pub(crate) fn evaluate_in<X: Element, Y: Element>(
        &mut self,
        data: &Dataset<X, Y>,
        batch_size: usize,
    ) -> Result<Logs> {
        if data.len() == 0 {
            return Err(Error::new("evaluate", "the data set is empty", "give at least one sample"));
        }
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let mut loss = Mean::default();
        for batch in data.batches(batch_size) {
            let (inputs, targets, weights) = converted(batch, None)?;
            let evaluation = self.model.evaluate(&inputs, &targets, weights.as_ref(), &self.loss)?;
            loss.add(evaluation.loss.as_f64(), inputs.shape()[0] as f64);
            for metric in &mut self.metrics {
                metric.update(&targets, evaluation.output(), weights.as_ref())?;
            }
        }
        Ok(Logs::measured(&loss, &self.metrics))
    }

    /// The model's outputs for inputs `[n, ..]`.
    ///
    /// # Errors
    /// If the inputs have another shape than the model takes.
    pub fn predict(&self, inputs: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(self.model.predict(inputs)?)
    }
}

/// Checks that a validation set has samples like those to train on: not only after the first epoch.
fn check_alike<X: Element, Y: Element>(data: &Dataset<X, Y>, validation: &Dataset<X, Y>) -> Result<()> {
    let shapes = |data: &Dataset<X, Y>| (data.input_shape(), data.target_shape());
    let (expected, found) = (shapes(data), shapes(validation));
    if found == expected {
        return Ok(());
    }
    let problem = format!(
        "the training set has samples of shape {} with targets {}, the validation set {} with {}",
        expected.0, expected.1, found.0, found.1
    );
    Err(Error::new("fit_validated", problem, "prepare both in the same way"))
}

/// A batch in the model's element type: inputs, targets, and the weights of its samples.
#[allow(clippy::type_complexity)] // Three tensors.
pub(crate) fn converted<X: Element, Y: Element, T: Float>(
    batch: Batch<X, Y>,
    class_weights: Option<&[f64]>,
) -> Result<(Tensor<T>, Tensor<T>, Option<Tensor<T>>)> {
    let (inputs, targets) = (batch.inputs.to::<T>(), batch.targets.to::<T>());
    let mut weights = batch.weights.map(|weights| weights.to::<T>());
    if let Some(class_weights) = class_weights {
        let by_class = losses::class_weights(&targets, class_weights)?;
        weights = Some(weights.map_or(by_class.clone(), |weights| weights * &by_class));
    }
    Ok((inputs, targets, weights))
}
