//! Metrics: measurements besides the loss.
//!
//! | measured | metrics |
//! |---|---|
//! | the share of right predictions | [`Accuracy`], which finds out its kind by the shapes; [`BinaryAccuracy`], [`CategoricalAccuracy`], [`SparseCategoricalAccuracy`], [`TopKAccuracy`] |
//! | kinds of errors | [`Precision`], [`Recall`], [`F1`], [`FBeta`], [`ConfusionMatrix`] |
//! | agreement beyond chance | [`CohenKappa`], [`MatthewsCorrelation`] |
//! | pictures divided into classes | [`MeanIoU`] |
//! | scores without a threshold | [`Auc`] under the ROC curve or under precision over recall, [`SensitivityAtSpecificity`], [`SpecificityAtSensitivity`], [`PrecisionAtRecall`], [`RecallAtPrecision`] |
//! | wrong labels in strings that CTC reads | [`LabelErrorRate`] |
//! | doubt between classes | [`Perplexity`] |
//! | distances from the targets | [`MeanAbsoluteError`], [`MeanSquaredError`], [`RootMeanSquaredError`], [`R2`] |
//!
//! Texts are compared by functions and sums, as they come out of a model behind its outputs: [`Bleu`], [`Chrf`], [`edit_distance`],
//! [`ErrorRate`], [`word_error_rate`], [`character_error_rate`].
//!
//! Two metrics of one kind, such as [`Precision`] at two thresholds, need names of their own: [`Named`]. Metrics of classes
//! have `ignore_class` for samples without a label. Where an output is NaN, a result is NaN.

mod accuracy;
mod agreement;
mod classes;
mod confusion;
mod counts;
mod label_error_rate;
mod mean;
mod named;
mod of_output;
mod perplexity;
mod precision;
mod ranking;
mod regression;
mod text;

pub use accuracy::{Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKAccuracy};
pub use agreement::{CohenKappa, KappaWeights, MatthewsCorrelation, MeanIoU};
pub use confusion::ConfusionMatrix;
pub use counts::ClassAverage;
pub use label_error_rate::LabelErrorRate;
pub use mean::{LossMeans, Mean};
pub use named::Named;
pub(crate) use of_output::{OutputMetric, Scored};
pub use perplexity::Perplexity;
pub use precision::{F1, FBeta, Precision, Recall};
pub use ranking::{
    Auc, Curve, PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity,
};
pub use regression::{MeanAbsoluteError, MeanSquaredError, R2, RootMeanSquaredError};
pub use text::{Bleu, Chrf, ErrorRate, bleu, character_error_rate, chrf, edit_distance, word_error_rate};

use gradus_nn::Positions;
use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::state::{NamedState, Tensors};

/// A measurement over batches: updated with each batch, and asked for its result at the end.
///
/// By [`state`](Metric::state) and [`restore`](Metric::restore) a run that is paused or killed within an epoch goes on later. With
/// sums that serde knows they are a line each:
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::Metric;
/// use gradus_train::state::{NamedState, from_state, to_state};
/// use gradus_train::Result;
///
/// /// The largest output.
/// #[derive(Default)]
/// struct Largest(f32);
///
/// impl Metric for Largest {
///     fn name(&self) -> String {
///         "largest".to_owned()
///     }
///     fn update(&mut self, _targets: &Tensor, outputs: &Tensor, _weights: Option<&Tensor>) -> Result<()> {
///         self.0 = outputs.iter().fold(self.0, f32::max);
///         Ok(())
///     }
///     fn result(&self) -> f64 {
///         self.0.into()
///     }
///     fn reset(&mut self) {
///         self.0 = 0.0;
///     }
///     fn state(&self) -> serde_json::Value {
///         to_state(&self.0)
///     }
///     fn restore(&mut self, state: &NamedState) -> Result<()> {
///         self.0 = from_state(state)?;
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no metric of numbers of type `{T}`",
    label = "give a metric, such as `Accuracy::default()`",
    note = "a loss may have the name of a metric: `metrics::MeanAbsoluteError::default()` is the metric, `MeanAbsoluteError` alone the \
            loss"
)]
pub trait Metric<T: Float = f32>: Send + Sync {
    /// The name in logs and history: `"accuracy"`.
    fn name(&self) -> String;

    /// Checks that the metric suits targets and outputs of these shapes, batch axis first: `fit` and `evaluate` do so before
    /// the first batch. By default it suits all.
    ///
    /// # Errors
    /// If the shapes do not fit each other or the metric.
    fn check(&self, _targets: &Shape, _outputs: &Shape) -> Result<()> {
        Ok(())
    }

    /// Whether the metric compares outputs of this shape with 1/2, as probabilities: then a loss that takes them for logits
    /// does not suit it. By default it does not.
    fn expects_probabilities(&self, _outputs: &Shape) -> bool {
        false
    }

    /// Adds the targets and outputs of a batch, and the weights of its samples `[n]` if there are any.
    ///
    /// # Errors
    /// If the shapes do not fit each other or the metric, or a target is none that the metric knows.
    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()>;

    /// As [`update`](Metric::update), of outputs `[n, length, ..]` of which the mask `[n, length]` says which positions are there:
    /// by default each of these counts as a sample, with the weight of its sequence.
    ///
    /// # Errors
    /// As `update`, or if there is not a target for each position.
    fn update_masked(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        mask: &Tensor<bool>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let positions = Positions::of(mask);
        let targets = positions.of_targets(&self.name(), targets)?;
        let weights = weights.map(|weights| positions.of_weights(&self.name(), weights)).transpose()?;
        if positions.is_empty() {
            return Ok(());
        }
        self.update(&targets, &positions.take(outputs), weights.as_ref())
    }

    /// The result over all batches since the last reset.
    fn result(&self) -> f64;

    /// Forgets all batches.
    fn reset(&mut self);

    /// The sums since the last reset, made by [`to_state`](crate::state::to_state).
    fn state(&self) -> Value;

    /// The tensors of the state by name, for what grows with the number of samples. The default is none.
    fn tensors(&self) -> Tensors {
        Tensors::new()
    }

    /// Sets the sums to what [`state`](Metric::state) and [`tensors`](Metric::tensors) of the same kind of metric have returned.
    ///
    /// # Errors
    /// If the state is that of another kind of metric.
    fn restore(&mut self, state: &NamedState) -> Result<()>;
}

/// Implements [`Metric`] for a struct by a field that keeps what the batches had, and a result that is made of it.
macro_rules! of_kept {
    ($Name:ident, $kept:ident, $name:literal, |$metric:ident| $result:expr) => {
        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
                self.$kept.check($name, targets, outputs)
            }

            fn expects_probabilities(&self, outputs: &Shape) -> bool {
                self.$kept.expects_probabilities(outputs)
            }

            fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
                self.$kept.update($name, targets, outputs, weights)
            }

            fn result(&self) -> f64 {
                let $metric = self;
                $result
            }

            fn reset(&mut self) {
                self.$kept.reset();
            }

            fn state(&self) -> Value {
                self.$kept.state()
            }

            fn tensors(&self) -> Tensors {
                self.$kept.tensors()
            }

            fn restore(&mut self, state: &NamedState) -> Result<()> {
                self.$kept.restore(state)
            }
        }
    };
}
use of_kept;

/// Gives metrics what does not depend on the type of the numbers as methods of their own, so that nobody need say which `Metric<T>`
/// of them is meant.
macro_rules! of_any_float {
    ($($Name:ty),+ $(,)?) => {$(
        impl $Name {
            /// The result over all batches since the last reset: [`Metric::result`].
            pub fn result(&self) -> f64 {
                Metric::<f32>::result(self)
            }

            /// Forgets all batches: [`Metric::reset`].
            pub fn reset(&mut self) {
                Metric::<f32>::reset(self);
            }
        }
    )+};
}

of_any_float! {
    Accuracy, Auc, BinaryAccuracy, CategoricalAccuracy, CohenKappa, F1, FBeta, LabelErrorRate, MatthewsCorrelation,
    MeanAbsoluteError, MeanIoU, MeanSquaredError, Perplexity, Precision, PrecisionAtRecall, R2, Recall, RecallAtPrecision,
    RootMeanSquaredError, SensitivityAtSpecificity, SparseCategoricalAccuracy, SpecificityAtSensitivity, TopKAccuracy,
}

/// `part / whole`, and 0 where `whole` is 0. NaN stays.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 && !part.is_nan() { 0.0 } else { part / whole }
}

/// The weight of each of `rows` rows: that of its sample, or 1 without weights. All samples have the same number of
/// rows.
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

/// Checks that targets and outputs have the same shape; `[n]` and `[n, 1]` count as the same.
fn same_size(name: &str, targets: &Shape, outputs: &Shape) -> Result<()> {
    let column = |shape: &Shape| {
        if shape.len() > 1 && shape.last() == Some(&1) { shape.without_axis(shape.len() - 1) } else { shape.clone() }
    };
    if column(targets) == column(outputs) {
        return Ok(());
    }
    let problem = format!("targets {targets} and outputs {outputs} must have the same shape");
    let hint = "use a metric that suits the targets, or reshape them";
    Err(Error::new(name, problem, if has_axes_left(targets, outputs) { FLATTEN } else { hint }))
}

/// What to do about outputs of which each sample has a row of its own for each line of a picture.
const FLATTEN: &str =
    "put a Flatten or a global pooling before the last layer, whose outputs have more axes than the targets";

/// Whether outputs have axes for which neither one-hot targets nor class indices have a counterpart.
fn has_axes_left(targets: &Shape, outputs: &Shape) -> bool {
    let (column, one_hot) = (targets.last() == Some(&1), targets.last() == outputs.last());
    let rows = if targets.len() > 1 && (column || one_hot) { targets.len() - 1 } else { targets.len() };
    outputs.len() > 2 && outputs.len() > rows + 1
}
