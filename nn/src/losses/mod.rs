//! Losses: how far outputs are from targets, with Keras's semantics.
//!
//! | targets | outputs | loss |
//! |---|---|---|
//! | numbers | numbers | [`MeanSquaredError`], [`MeanAbsoluteError`], [`Huber`], [`LogCosh`], ... |
//! | 0 or 1, `[n, k]` | probabilities or logits `[n, k]` | [`BinaryCrossentropy`], [`BinaryFocalCrossentropy`] |
//! | 0 or 1, places of a picture | probabilities | [`Dice`], [`Tversky`] |
//! | one-hot `[n, classes]` | probabilities or logits `[n, classes]` | [`CategoricalCrossentropy`], [`CategoricalFocalCrossentropy`] |
//! | class indices `[n]` | probabilities or logits `[n, classes]` | [`SparseCategoricalCrossentropy`] |
//! | a distribution `[n, classes]` | a distribution | [`KLDivergence`] |
//! | counts | rates | [`Poisson`] |
//! | -1 or 1 | scores | [`Hinge`], [`SquaredHinge`]; one-hot: [`CategoricalHinge`] |
//! | strings of labels `[n, length]` | logits of frames `[n, frames, classes]` | [`Ctc`] |
//! | vectors | vectors | [`CosineSimilarity`] |
//! | nothing, `[n]` | vectors of three samples, `[n, 3, features]` | [`TripletMargin`] |

mod binary;
mod categorical;
mod ctc;
mod elementwise;
mod expects;
mod focal;
mod hinge;
mod objective;
mod options;
mod overlap;
mod probabilities;
mod sparse;
mod targets;
mod terms;
mod triplet;
mod vectors;
mod weights;

pub use binary::BinaryCrossentropy;
pub use categorical::CategoricalCrossentropy;
pub use ctc::Ctc;
pub use elementwise::{
    Huber, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError,
    Poisson,
};
pub use expects::Expects;
pub use focal::{BinaryFocalCrossentropy, CategoricalFocalCrossentropy};
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge};
pub use objective::{ImpossibleSample, Losses, Objective, OutputLoss, Scored, Total};
pub use overlap::{Dice, Tversky};
pub use sparse::SparseCategoricalCrossentropy;
#[doc(hidden)]
pub use targets::{class_index, is_ignored};
pub use terms::{Term, Terms};
pub use triplet::TripletMargin;
pub use vectors::{CosineSimilarity, KLDivergence};
pub use weights::{class_weights, class_weights_ignoring};

use std::fmt;

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Pointwise, Real, Shape, Tensor};

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::mask::Positions;

/// How far outputs are from targets, sample by sample.
///
/// Losses do not broadcast: targets and outputs must have the shapes that the loss states, and the error says what to
/// do where they have not.
///
/// A loss of your own says how far each sample is off. The gradient follows from the ops on vars:
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::Loss;
/// use gradus_nn::{Error, Result};
/// use gradus_tensor::{Float, Tensor};
///
/// /// max(q (t - p), (q - 1) (t - p)), by which outputs become the quantile q of the targets. Koenker and Bassett, 1978.
/// ///
/// /// Targets and outputs are `[n, 1]`.
/// #[derive(Clone, Debug)]
/// struct Quantile {
///     q: f64,
/// }
///
/// impl Loss for Quantile {
///     fn name(&self) -> &'static str {
///         "quantile"
///     }
///
///     fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
///         if targets.shape() != outputs.shape() {
///             let problem = format!("targets are {}, outputs {}", targets.shape(), outputs.shape());
///             return Err(Error::new(self.name(), problem, "give one target for each output"));
///         }
///         let short = -(outputs - targets);
///         Ok((&short * T::of(self.q)).maximum(&short * T::of(self.q - 1.0)).mean(-1))
///     }
/// }
///
/// // Too little by 4 costs 0.75 x 4, too much by 4 only 0.25 x 4.
/// let (targets, outputs) = (Tensor::new([[5.0], [5.0]]), Var::from(Tensor::new([[1.0], [9.0]])));
/// assert_eq!(Quantile { q: 0.75 }.per_sample(&targets, &outputs)?.value(), &Tensor::new([3.0, 1.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no loss",
    label = "give a loss, such as `MeanSquaredError` or `CategoricalCrossentropy::default()`",
    note = "a metric may have the name of a loss; losses are in `gradus::nn`, or in `gradus_nn`"
)]
pub trait Loss: Clone + fmt::Debug + Send + Sync + 'static {
    /// The name as in Keras: `"categorical_crossentropy"`.
    fn name(&self) -> &'static str;

    /// The class whose targets have no loss, if there is one: the [`mean`](Loss::mean) is then over the others.
    fn ignored_class(&self) -> Option<i64> {
        None
    }

    /// What the loss takes outputs for: [`Expects::Numbers`] unless it says otherwise. A network whose last activation
    /// cannot give these is refused.
    fn expects(&self) -> Expects {
        Expects::Numbers
    }

    /// Checks that the outputs can come near to the targets, as they come out of this activation, which
    /// [`expects`](Loss::expects) admits. A model asks for it in each batch, where it knows the activation. By default they can.
    ///
    /// # Errors
    /// If they cannot, as the outputs of a softmax to several labels at once.
    fn check_targets<T: Float>(&self, _scored: &Scored<'_, T>, _activation: Activation) -> Result<()> {
        Ok(())
    }

    /// The loss of each sample: `[n]`, or `[n, ..]` where a sample has several.
    ///
    /// # Errors
    /// If the shapes do not fit each other.
    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>>;

    /// The mean over the samples, each times its weight where weights `[n]` are given: Keras's `sum_over_batch_size`.
    ///
    /// # Errors
    /// If the shapes do not fit each other, or there are no samples.
    fn mean<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>, weights: Option<&Tensor<T>>) -> Result<Var<T>> {
        let losses = self.weighted(targets, outputs, weights)?;
        match self.ignored_class() {
            None => Ok(losses.mean(..)),
            Some(_) => Ok(losses.sum(..) / T::of(self.counted(targets).max(1) as f64)),
        }
    }

    /// The [`mean`](Loss::mean) over the positions that are there, and over how many it is taken ([`counted`](Loss::counted)).
    /// The mask is `[n, length]`, outputs and targets are `[n, length, ..]`; a sample's weight is that of each of its positions.
    /// Without any position the loss is 0.
    ///
    /// A loss of whole sequences, whose targets are not one for each position, reads the mask itself.
    ///
    /// # Errors
    /// As [`mean`](Loss::mean), or if there is not a target for each position.
    fn masked_mean<T: Float>(
        &self,
        targets: &Tensor<T>,
        outputs: &Var<T>,
        mask: &Tensor<bool>,
        weights: Option<&Tensor<T>>,
    ) -> Result<(Var<T>, usize)> {
        let positions = Positions::of(mask);
        let targets = positions.of_targets(self.name(), targets)?;
        let weights = weights.map(|weights| positions.of_weights(self.name(), weights)).transpose()?;
        let outputs = positions.of_outputs(outputs);
        if positions.is_empty() {
            return Ok((outputs.sum(..), 0));
        }
        Ok((self.mean(&targets, &outputs, weights.as_ref())?, self.counted(&targets)))
    }

    /// How much of a batch the [`mean`](Loss::mean) is taken over: the number of samples, or that of the targets that
    /// count, where a class is ignored. The mean over several batches is that of their means, each times this number.
    fn counted<T: Float>(&self, targets: &Tensor<T>) -> usize {
        match self.ignored_class() {
            None => targets.shape().first().copied().unwrap_or(1),
            ignored => targets.iter().filter(|&target| !is_ignored(target, ignored)).count(),
        }
    }

    /// The first sample whose loss is infinite whatever its outputs are, if there is one. Training asks for it where a loss became
    /// infinite, to say why.
    fn impossible_sample<T: Float>(&self, _scored: &Scored<'_, T>) -> Option<ImpossibleSample> {
        None
    }

    /// The loss of each sample times its weight.
    ///
    /// # Errors
    /// As [`mean`](Loss::mean).
    fn weighted<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>, weights: Option<&Tensor<T>>) -> Result<Var<T>> {
        let losses = self.per_sample(targets, outputs)?;
        not_empty(self.name(), losses.value(), targets)?;
        times_weights(self.name(), losses, weights)
    }
}

/// The losses of each sample times its weight, where there are weights.
fn times_weights<T: Float>(name: &str, losses: Var<T>, weights: Option<&Tensor<T>>) -> Result<Var<T>> {
    let Some(weights) = weights else {
        return Ok(losses);
    };
    let samples = losses.shape().first().copied().unwrap_or(1);
    if *weights.shape() != [samples] {
        let problem = format!("sample weights must have the shape [{samples}], found {}", weights.shape());
        return Err(Error::new(name, problem, "give one weight for each sample"));
    }
    if let Some((sample, weight)) = weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && *w >= T::ZERO)) {
        let problem = format!("the weight of sample {sample} is {weight}");
        return Err(Error::new(name, problem, "give finite weights that are not negative"));
    }
    let column: Shape = (0..losses.ndim()).map(|axis| if axis == 0 { samples } else { 1 }).collect();
    Ok(losses * &weights.reshape(column))
}

/// Checks that targets and outputs have the same shape.
fn same_shape<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Var<T>, hint: &str) -> Result<()> {
    if targets.shape() == outputs.shape() {
        return Ok(());
    }
    let problem = format!("targets {} and outputs {} must have the same shape", targets.shape(), outputs.shape());
    let (found, expected) = (&outputs.shape()[..], &targets.shape()[..]);
    let between = found.len() > expected.len()
        && expected.len() > 1
        && (found.first(), found.last()) == (expected.first(), expected.last());
    if found.split_last() == Some((&1, expected)) {
        let hint = format!("give the targets the shape {} by unsqueeze(-1); losses do not broadcast", outputs.shape());
        return Err(Error::new(name, problem, hint));
    }
    Err(Error::new(name, problem, if between { FURTHER_AXES } else { hint }))
}

/// What to do about outputs with more axes than the targets: a dense layer keeps all but the last axis of its input.
const FURTHER_AXES: &str = "put a Flatten or a GlobalAveragePooling before the last dense layer, so that a sample has one \
                            vector of outputs";

/// What to do about targets and outputs that should be alike.
const ALIKE: &str = "reshape the targets, or change the units of the last layer; losses do not broadcast";

/// What to do about targets that should be a yes or a no for each unit.
const YES_OR_NO: &str =
    "give a 0 or 1 for each unit; for class indices use SparseCategoricalCrossentropy behind a softmax";

/// What to do about targets that should be one-hot.
const ONE_HOT: &str =
    "make the targets one-hot by to_categorical, or use SparseCategoricalCrossentropy for class indices";

/// The mean over the last axis of a function of targets and outputs; a sample that is one number is its own mean.
///
/// # Errors
/// If the shapes differ.
fn mean_pointwise<T: Float>(
    name: &str,
    function: &'static Pointwise,
    targets: &Tensor<T>,
    outputs: &Var<T>,
    parameters: &[T],
) -> Result<Var<T>> {
    same_shape(name, targets, outputs, ALIKE)?;
    let losses = outputs.pointwise(function, &[targets], parameters);
    Ok(if losses.ndim() > 1 { losses.mean(-1) } else { losses })
}

/// The mean of a function over all numbers, as one op: [`mean_pointwise`] and the mean over the samples, which all have as many
/// numbers.
fn mean_of_all<T: Float>(
    name: &str,
    function: &'static Pointwise,
    targets: &Tensor<T>,
    outputs: &Var<T>,
    parameters: &[T],
) -> Result<Var<T>> {
    same_shape(name, targets, outputs, ALIKE)?;
    let inputs = [targets, outputs.value()];
    let losses = function.of(&inputs, parameters);
    not_empty(name, &losses, targets)?;
    let (saved, parameters) = (function.saved(&inputs, &losses), parameters.to_vec());
    let count = T::of(losses.size() as f64);
    // The gradient by each number's loss is the same, so it is a scalar that is broadcast.
    let derivative = move |g: Tensor<T>| function.gradient(g / count, saved, &parameters);
    Ok(Op::new(function.name(), losses.mean(..)).input(outputs, derivative).finish())
}

/// Checks that there is a loss at all.
fn not_empty<T: Float>(name: &str, losses: &Tensor<T>, targets: &Tensor<T>) -> Result<()> {
    if losses.is_empty() {
        let problem = format!("there are no samples: targets {}", targets.shape());
        return Err(Error::new(name, problem, "give at least one"));
    }
    Ok(())
}

/// x, or `least` where it is below; NaN stays.
#[inline(always)]
fn at_least<N: Real>(x: N, least: N) -> N {
    N::select(x.less(least), least, x)
}

/// The probability p brought into `least` to 1; NaN stays.
#[inline(always)]
fn probability<N: Real>(p: N, least: N) -> N {
    N::select(p.greater(N::ONE), N::ONE, at_least(p, least))
}

/// The sigmoids of x and of -x, without cancellation: the second is 1 minus the first.
#[inline(always)]
fn sigmoids<N: Real>(x: N) -> (N, N) {
    let e = (-x.magnitude()).exp();
    let near = N::ONE / (N::ONE + e);
    let far = e * near;
    let is_yes = x.greater(N::ZERO);
    (N::select(is_yes, near, far), N::select(is_yes, far, near))
}

#[cfg(test)]
mod tests {
    use gradus_autograd::gradcheck;

    use super::*;

    /// Values computed by `tests/reference/pointwise.py` with mpmath in 60 digits.
    const KNOWN: &str = include_str!("../../tests/reference/pointwise.txt");

    /// Every function that a loss computes element by element.
    fn functions() -> Vec<&'static Pointwise> {
        let families = [
            elementwise::FUNCTIONS,
            binary::FUNCTIONS,
            categorical::FUNCTIONS,
            focal::FUNCTIONS,
            hinge::FUNCTIONS,
            vectors::FUNCTIONS,
        ];
        families.concat()
    }

    #[test]
    fn every_function_has_its_known_values() {
        functions().into_iter().for_each(|function| function.check_values(KNOWN));
    }

    #[test]
    fn every_expression_says_what_is_compiled() {
        functions().into_iter().for_each(Pointwise::check_expressions);
    }

    #[test]
    fn every_derivative_agrees_with_differences() {
        for function in functions() {
            let (targets, outputs) = (Tensor::from([0.0, 1.0, 1.0, 0.0]), Tensor::from([0.3, 0.8, 0.15, 0.6]));
            // What a function calls `l` is a logarithm of a probability.
            let is_log = function.inputs().last() == Some(&"l");
            let outputs = if is_log { outputs.ln() } else { outputs };
            let data = [&targets];
            let data = &data[..function.inputs().len() - 1];
            for gamma in [2.0, 0.5, 1.0, 2.5] {
                let option = |name: &&str| match *name {
                    "gamma" => gamma,
                    "least" => 1e-9,
                    _ => 0.4,
                };
                let parameters: Vec<f64> = function.parameters().iter().map(option).collect();
                gradcheck(std::slice::from_ref(&outputs), |x| x[0].pointwise(function, data, &parameters))
                    .unwrap_or_else(|error| panic!("{}: {error}", function.name()));
            }
        }
    }
}
