//! Metrics: what is measured besides the loss.
//!
//! | question | metrics |
//! |---|---|
//! | how often is it right? | [`Accuracy`] finds out what kind by the shapes; [`BinaryAccuracy`], [`CategoricalAccuracy`], [`SparseCategoricalAccuracy`], [`TopKAccuracy`] |
//! | which errors? | [`Precision`], [`Recall`], [`F1`], [`Auc`], [`ConfusionMatrix`] |
//! | how far off? | [`MeanAbsoluteError`], [`MeanSquaredError`], [`RootMeanSquaredError`], [`R2`] |

mod accuracy;
mod auc;
mod classes;
mod confusion;
mod precision;
mod regression;

pub use accuracy::{Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKAccuracy};
pub use auc::Auc;
pub use confusion::ConfusionMatrix;
pub use precision::{ClassAverage, F1, Precision, Recall};
pub use regression::{MeanAbsoluteError, MeanSquaredError, R2, RootMeanSquaredError};

use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// Something measured over batches: updated with each, asked at the end.
pub trait Metric<T: Float = f32>: Send + Sync {
    /// The name in logs and history: `"accuracy"`.
    fn name(&self) -> String;

    /// Takes in the targets and outputs of a batch, and its samples' weights `[n]` if there are any.
    ///
    /// # Errors
    /// If the shapes do not fit each other or the metric.
    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()>;

    /// The measure of all batches since the last reset.
    fn result(&self) -> f64;

    /// Forgets all batches.
    fn reset(&mut self);

    /// What has been added up since the last reset, made by [`to_state`](crate::state::to_state).
    ///
    /// Null, the default, is that of a metric that cannot be written down; a run that measures it can be paused between
    /// epochs only.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from what [`state`](Metric::state) of such a metric returned, in this program or another.
    ///
    /// # Errors
    /// If the state is not one of such a metric.
    fn restore(&mut self, _state: &Value) -> Result<()> {
        let problem = format!("the metric {:?} cannot go on in the midst of an epoch", self.name());
        let hint = "implement Metric::state and Metric::restore, or pause the run between epochs";
        Err(Error::new("restore", problem, hint))
    }
}

/// A weighted mean that numbers are added to: sum of value x weight / sum of weights.
///
/// ```
/// use gradus_train::metrics::Mean;
/// let mut mean = Mean::default();
/// mean.add(2.0, 3.0);
/// mean.add(6.0, 1.0);
/// assert_eq!(mean.result(), 3.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The sum of the values, each times its weight.
    #[serde(with = "crate::number")]
    total: f64,
    /// The sum of the weights.
    #[serde(with = "crate::number")]
    weight: f64,
}

impl Mean {
    /// Adds a value of this weight.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.total += value * weight;
        self.weight += weight;
    }

    /// The mean; 0 if nothing was added, as in Keras.
    pub fn result(&self) -> f64 {
        ratio(self.total, self.weight)
    }
}

/// `part / whole`, and 0 where there is no whole.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The weight of each of `rows` rows: that of the sample it belongs to, or 1. Every sample of the outputs has as many rows.
fn row_weights<T: Float>(
    name: &str,
    weights: Option<&Tensor<T>>,
    outputs: &Tensor<T>,
    rows: usize,
) -> Result<impl Fn(usize) -> f64> {
    let samples = outputs.shape().first().copied().unwrap_or(1);
    if let Some(weights) = weights
        && *weights.shape() != [samples]
    {
        let problem = format!("sample weights must have the shape [{samples}], found {}", weights.shape());
        return Err(Error::new(name, problem, "give one weight for each sample"));
    }
    let weights = weights.map(Tensor::to_vec);
    let rows_per_sample = (rows / samples.max(1)).max(1);
    Ok(move |row: usize| weights.as_ref().map_or(1.0, |weights| weights[row / rows_per_sample].as_f64()))
}

/// Checks that targets and outputs have the same shape, but for a last axis of 1 besides the samples' that
/// either may lack.
fn same_size<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Tensor<T>) -> Result<()> {
    let column = |x: &Tensor<T>| {
        let shape = x.shape().clone();
        if shape.len() > 1 && shape.last() == Some(&1) { shape.without_axis(shape.len() - 1) } else { shape }
    };
    if column(targets) == column(outputs) {
        return Ok(());
    }
    let problem = format!("targets {} and outputs {} must have the same shape", targets.shape(), outputs.shape());
    Err(Error::new(name, problem, "use a metric that suits the targets, or reshape them"))
}
