//! Data on their way into the model: checked before the first batch, converted batch by batch.

use gradus_datasets::Batch;
use gradus_nn::losses::{self, Objective};
use gradus_nn::{Model, PartialShape};
use gradus_tensor::{AnyTensor, Columns, Float, Tensor};

use crate::error::{Error, Result, of_one_sample};
use crate::metrics::OutputMetric;
use crate::trainer::names;

/// Checks that the model takes these inputs, all that were read, that there are targets for its outputs, and that the metrics
/// suit both and the loss.
pub(crate) fn check_data<T: Float>(
    op: &str,
    model: &Model<T>,
    metrics: &[OutputMetric<T>],
    loss: &dyn Objective<T>,
    data: &Batch<Columns>,
) -> Result<()> {
    model.check_inputs(op, &data.inputs)?;
    let targets = model.match_targets(op, data.targets.rows(0..1))?;
    metrics.iter().try_for_each(|metric| metric.check(op, data.len(), &targets, model.outputs(), loss))
}

/// The weights of the classes of a model's only output.
#[derive(Clone, Copy)]
pub(crate) struct ClassWeights<'a> {
    pub weights: &'a [f64],
    /// The class whose targets have no loss.
    pub ignored: Option<i64>,
}

impl<'a> ClassWeights<'a> {
    /// These weights, once it is found that each class of the output has one, and each target that was read a class.
    pub fn new<T: Float>(
        weights: &'a [f64],
        model: &Model<T>,
        loss: &dyn Objective<T>,
        data: &Batch<Columns>,
    ) -> Result<Self> {
        let [output] = model.outputs() else {
            let outputs = model.outputs();
            let problem = format!("class_weights are those of one output, the model has {}", outputs.len());
            let hint = format!("give the data set weights by with_weights; the outputs are {}", names(outputs));
            return Err(Error::new("fit", problem, hint));
        };
        let checked = ClassWeights { weights, ignored: loss.ignored_class(&output.name) };
        // A single output is one of two classes.
        let classes = match output.shape.fixed().as_deref() {
            Some([] | [1]) => 2,
            Some([classes]) => *classes,
            _ => weights.len(),
        };
        if classes != weights.len() {
            let (count, shape) = (weights.len(), &output.shape);
            let problem = format!("there are {count} class_weights, the output of shape {shape} has {classes} classes");
            let hint = "give one weight for each class, or leave class_weights out where targets are no classes";
            return Err(Error::new("fit", problem, hint));
        }
        checked.of(&model.match_targets("fit", &data.targets)?[0])?;
        Ok(checked)
    }

    /// The weight of each sample of these targets.
    fn of<T: Float>(&self, targets: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(losses::class_weights_ignoring(targets, self.weights, self.ignored)?)
    }
}

/// Checks that a validation set has samples like those to train on: not only after the first epoch. Lengths that the
/// model leaves free may differ.
pub(crate) fn check_alike<T: Float>(
    model: &Model<T>,
    data: &Batch<Columns>,
    validation: &Batch<Columns>,
) -> Result<()> {
    let free = |shape: &PartialShape| shape.fixed().is_none();
    if model.inputs().iter().any(|input| free(&input.shape)) || model.outputs().iter().any(|output| free(&output.shape))
    {
        return Ok(());
    }
    let shapes = |data: &Batch<Columns>| (shapes(&data.inputs), shapes(&data.targets));
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

/// The shapes of the samples in each column, with the names of the columns that have one.
fn shapes(columns: &Columns) -> String {
    let shape = |(name, column): (Option<&str>, &AnyTensor)| {
        let shape = column.shape().without_axis(0);
        name.map_or(shape.to_string(), |name| format!("{name} {shape}"))
    };
    columns.names().zip(columns.iter()).map(shape).collect::<Vec<_>>().join(", ")
}

/// A batch as the model takes it.
pub(crate) struct Prepared<T: Float> {
    pub inputs: Columns,
    /// The targets of each output, in the order of the outputs.
    pub targets: Vec<Tensor<T>>,
    /// The weights of the samples.
    pub weights: Option<Tensor<T>>,
    /// The number of samples.
    pub samples: usize,
}

impl<T: Float> Prepared<T> {
    /// Converts a batch of a data set. An error names the sample, of which `sample_at` says where in the data it is.
    pub fn new(
        op: &str,
        model: &Model<T>,
        batch: Batch<Columns>,
        class_weights: Option<ClassWeights<'_>>,
        sample_at: impl Fn(usize) -> usize,
    ) -> Result<Self> {
        let samples = batch.len();
        let targets = model.match_targets(op, batch.targets)?;
        let mut weights = batch.weights.map(|weights| weights.to::<T>());
        if let Some(class_weights) = class_weights {
            let of_row = |row| class_weights.of(&targets[0].slice(0, row..row + 1)).err();
            let by_class =
                class_weights.of(&targets[0]).map_err(|error| match of_one_sample((0..samples).map(of_row)) {
                    Some((row, error)) => error.within(&format!("{op}: sample {}", sample_at(row))),
                    None => error,
                })?;
            weights = Some(weights.map_or(by_class.clone(), |weights| weights * &by_class));
        }
        Ok(Prepared { inputs: batch.inputs, targets, weights, samples })
    }

    /// The targets as the model takes them.
    pub fn target_columns(&self) -> Columns {
        self.targets.iter().map(AnyTensor::from).collect()
    }

    /// The error that this batch has given, with the sample of the data set that causes it. Where all samples give an
    /// error, as by their shape, it is the error alone. `sample_at` says which sample of the data set a row is.
    pub fn located(
        &self,
        op: &str,
        error: gradus_nn::Error,
        model: &Model<T>,
        loss: &dyn Objective<T>,
        sample_at: impl Fn(usize) -> usize,
    ) -> Error {
        let error_of = |row: usize| {
            let rows = row..row + 1;
            let weights = self.weights.as_ref().map(|weights| weights.slice(0, rows.clone()));
            let targets = self.target_columns().rows(rows.clone());
            model.evaluate(self.inputs.rows(rows), targets, weights.as_ref(), loss).err()
        };
        match of_one_sample((0..self.samples).map(error_of)) {
            Some((row, error)) => Error::at(format!("{op}: sample {}", sample_at(row)), error),
            None => error.into(),
        }
    }
}
