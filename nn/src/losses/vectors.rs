//! Losses that compare whole vectors along the last axis.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Tensor, keepdims, pointwise};
use serde::{Deserialize, Serialize};

use super::probabilities::{DISTRIBUTION, check_probabilities};
use super::{ALIKE, Expects, Loss, probability, same_shape};
use crate::error::Result;

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // The output is raised to `least`, and the gradient goes through: it does not end there.
    static KL_DIVERGENCE = kl_divergence(t, p; least): {
            N::select(t.greater(N::ZERO), t * t.ln(), N::ZERO) - probability(p, least).ln() * t
        },
        derivative |g| -g * t / probability(p, least);
}

/// sum_i t_i ln(t_i / p_i) over the last axis: how much distribution p differs from t. Kullback and Leibler, 1951.
///
/// Targets and outputs have the same shape `[n, .., classes]`. A target of 0 adds nothing; ln 0 of an output is taken
/// as that of the smallest normal number (Keras: 1e-7 on both sides). Outputs that are no probabilities are an error.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{KLDivergence, Loss};
/// use gradus_tensor::Tensor;
/// // 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75) = 0.5 ln(4 / 3)
/// let (targets, outputs) = (Tensor::new([[0.5, 0.5]]), Var::from(Tensor::new([[0.25, 0.75]])));
/// let loss = KLDivergence.mean(&targets, &outputs, None)?.value().item();
/// assert!((loss - 0.5 * (4.0_f32 / 3.0).ln()).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias = "KLDivLoss")]
pub struct KLDivergence;

impl Loss for KLDivergence {
    fn name(&self) -> &'static str {
        KL_DIVERGENCE.name()
    }

    fn expects(&self) -> Expects {
        Expects::Distribution
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        same_shape(self.name(), targets, outputs, ALIKE)?;
        check_probabilities(self.name(), outputs.value(), DISTRIBUTION)?;
        Ok(outputs.pointwise(&KL_DIVERGENCE, &[targets], &[T::min_positive_value()]).sum(-1))
    }
}

/// -sum_i t_i p_i / (|t| |p|) over the last axis: -1 for the same direction, 1 for opposite ones.
///
/// Targets and outputs have the same shape `[n, .., features]`. A vector of zeros has similarity 0 to everything; any other counts by
/// its direction alone. (Keras takes lengths below 1e-7 as 1e-7.)
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{CosineSimilarity, Loss};
/// use gradus_tensor::Tensor;
/// // The same direction, a right angle, and the opposite.
/// let (targets, outputs) =
///     (Tensor::new([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), Var::from(Tensor::new([[5.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])));
/// assert_eq!(CosineSimilarity.per_sample(&targets, &outputs)?.value(), &Tensor::new([-1.0, 0.0, 1.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias = "CosineEmbeddingLoss")]
pub struct CosineSimilarity;

impl Loss for CosineSimilarity {
    fn name(&self) -> &'static str {
        "cosine_similarity"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        same_shape(self.name(), targets, outputs, ALIKE)?;
        let (t, _) = directions(targets);
        let (p, lengths) = directions(outputs.value());
        let cosine = (&t * &p).sum(keepdims(-1));
        let per_sample = -cosine.squeeze(-1);
        // The derivative of t p is t - p (t p) over the length of the outputs.
        let derivative = move |g: Tensor<T>| (t - p * cosine) * -g.unsqueeze(-1) / lengths;
        Ok(Op::new(self.name(), per_sample).input(outputs, derivative).finish())
    }
}

/// The vectors along the last axis divided by their lengths, and the lengths; that of zeros is taken as 1.
fn directions<T: Float>(x: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
    let lengths = x.norm(keepdims(-1)).map(|length| if length == T::ZERO { T::ONE } else { length });
    (x / &lengths, lengths)
}
