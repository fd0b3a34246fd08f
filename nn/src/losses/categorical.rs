//! Cross-entropy between one-hot targets and class probabilities.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Math, Tensor, keepdims, pointwise, simd};
use serde::{Deserialize, Serialize};

use super::binary::ONE_LABEL;
use super::probabilities::{rows, sum_of_classes};
use super::{Expects, Loss, ONE_HOT, at_least, options, same_shape};
use crate::error::{Error, Result};

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // 0 times ln 0 is 0.
    static TIMES_LOGARITHM = times_logarithm(t, log): N::select(t.equal(N::ZERO), N::ZERO, -(t * log)),
        derivative |g| -(g * t);
}

/// -sum_i t_i ln p_i over the last axis, with one-hot targets t and probabilities p, rescaled to a sum of 1.
///
/// Targets and outputs have the same shape `[n, .., classes]`. ln 0 is taken as that of the smallest normal number,
/// which is also the least that softmax yields: so behind a softmax the loss stays finite and the gradient keeps its
/// value when a probability underflows. (Keras takes ln 1e-7, where the gradient ends.) Outputs that are no probabilities, or
/// zeros alone, are an error. Targets may be any distribution over the classes; a row whose targets are all 0 has no loss, and
/// one that sums to more than 1, as several labels at once do, is an error.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{CategoricalCrossentropy, Loss};
/// use gradus_tensor::Tensor;
/// let targets = Tensor::new([[0.0, 1.0, 0.0]]);
/// let outputs = Var::from(Tensor::new([[0.2, 0.5, 0.3]]));
/// let loss = CategoricalCrossentropy::default().mean(&targets, &outputs, None).unwrap();
/// assert_eq!(loss.value().item(), 2.0_f32.ln());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias = "CrossEntropyLoss")]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    #[serde(deserialize_with = "options::read_smoothing")]
    label_smoothing: f64,
}

impl CategoricalCrossentropy {
    /// On logits, the numbers before a softmax, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        CategoricalCrossentropy { from_logits, ..self }
    }

    /// With targets drawn towards the even distribution: t (1 - smoothing) + smoothing / classes.
    ///
    /// # Panics
    /// If `smoothing` is not in 0 to 1.
    #[track_caller]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        CategoricalCrossentropy { label_smoothing: options::SMOOTHING.given(smoothing), ..self }
    }
}

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn expects(&self) -> Expects {
        if self.from_logits { Expects::ClassLogits } else { Expects::ClassProbabilities }
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let targets = smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        if self.from_logits { Ok(of_logits(targets, outputs)) } else { of_probabilities(self.name(), targets, outputs) }
    }
}

/// What to do about rows of targets with more than one class.
const SEVERAL_LABELS: &str = "for several labels at once use BinaryCrossentropy behind Activation::Sigmoid; divide counts and weights by \
                              the sum of their row";

/// The targets drawn towards the even distribution, once they are found to suit the outputs.
pub(super) fn smoothed<T: Float>(
    name: &str,
    targets: &Tensor<T>,
    outputs: &Var<T>,
    smoothing: f64,
) -> Result<Tensor<T>> {
    same_shape(name, targets, outputs, ONE_HOT)?;
    if targets.ndim() < 2 || targets.shape()[targets.ndim() - 1] < 2 {
        let problem = format!("outputs must have an axis of two classes or more, found {}", outputs.shape());
        return Err(Error::new(name, problem, "for a single yes or no use BinaryCrossentropy"));
    }
    if let Some((row, sum)) = targets.sum(-1).iter().enumerate().find(|(_, sum)| *sum > T::of(ONE_LABEL)) {
        let problem = format!(
            "targets must have one class in each row, found a sum of {sum} in row {row} of {}",
            targets.shape()
        );
        return Err(Error::new(name, problem, SEVERAL_LABELS));
    }
    if smoothing == 0.0 {
        return Ok(targets.clone());
    }
    let classes = targets.shape()[targets.ndim() - 1];
    Ok(targets * T::of(1.0 - smoothing) + T::of(smoothing / classes as f64))
}

/// sum t (logsumexp x - x), with the gradient softmax(x) sum t - t.
fn of_logits<T: Float>(targets: Tensor<T>, outputs: &Var<T>) -> Var<T> {
    let logs = outputs.value().log_softmax(-1);
    let losses = TIMES_LOGARITHM.of(&[&targets, &logs], &[]).sum(-1);
    Op::new("categorical_crossentropy", losses)
        .input(outputs, move |g| (logs.exp() * targets.sum(keepdims(-1)) - targets) * g.unsqueeze(-1))
        .finish()
}

/// sum t (ln sum p - ln p), with the gradient sum t / sum p - t / p.
///
/// One pass over the rows each way: one-hot targets ask for one logarithm per row. A row without a target has no loss,
/// whatever its outputs are.
fn of_probabilities<T: Float>(name: &str, targets: Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
    let smallest = T::min_positive_value();
    let classes = outputs.shape()[outputs.ndim() - 1];
    let (targets, p) = (targets.contiguous(), outputs.value().contiguous());
    let mut losses = Tensor::zeros(&outputs.shape()[..outputs.ndim() - 1]);
    // What each row's gradient has in common: sum t / sum p.
    let mut shares = losses.clone();
    let out = losses.as_mut_slice().iter_mut().zip(shares.as_mut_slice()).enumerate();
    let samples = rows(&targets, &p, classes);
    simd::vectorize(
        #[inline(always)]
        || {
            for ((row, (loss, share)), (t, p)) in out.zip(samples) {
                if t.iter().all(|&t| t == T::ZERO) {
                    continue;
                }
                let sum = sum_of_classes(name, p, row, outputs.shape())?;
                let ln_sum = Math::ln(sum);
                for (&t, &p) in t.iter().zip(p).filter(|(t, _)| **t != T::ZERO) {
                    *loss += t * (ln_sum - Math::ln(at_least(p, smallest)));
                }
                *share = t.iter().copied().sum::<T>() / sum;
            }
            Ok(())
        },
    )?;
    let derivative = move |g: Tensor<T>| {
        let mut gradient = p.zeros_like();
        let rows = rows(&targets, &p, classes).zip(shares.iter()).zip(g.iter());
        let out = gradient.as_mut_slice().chunks_exact_mut(classes);
        simd::vectorize(
            #[inline(always)]
            || {
                for (out, (((t, p), share), g)) in out.zip(rows) {
                    for ((out, &t), &p) in out.iter_mut().zip(t).zip(p) {
                        *out = g * (share - t / at_least(p, smallest));
                    }
                }
            },
        );
        gradient
    };
    Ok(Op::new("categorical_crossentropy", losses).input(outputs, derivative).finish())
}
