//! A training step seen from within.

use gradus_autograd::{Grads, Params};
use gradus_nn::Observations;
use gradus_tensor::{Float, Tensor};

use crate::step::Step;

/// Whether a callback looks into a training step: [`Callback::examines`](crate::Callback::examines).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Examine {
    /// It does not.
    Never,
    /// Only if the loss or a gradient is NaN or infinite.
    IfNotFinite,
    /// Whatever happens.
    Always,
}

/// A training step seen from within: what each layer computed, and the gradients.
///
/// To see the layers, the batch goes through the model once more, with the same weights and the same random draws. The step
/// itself is the one that training takes without any examination, to the last bit. The tensors share their elements with those
/// of the run.
pub struct Examination<T: Float = f32> {
    /// The loss and the outputs of the batch.
    pub step: Step<T>,
    /// The targets of each output.
    pub targets: Vec<Tensor<T>>,
    /// The weights of the samples in the loss, `[n]`, if they have any.
    pub weights: Option<Tensor<T>>,
    /// The inputs that are floats, and the output of each layer, with the gradient of the loss with respect to it.
    pub layers: Observations<T>,
    /// The gradients of the weights, before the optimiser clips them.
    pub grads: Grads<T>,
    /// The weights and states before the step; [`Run::model`](crate::Run::model) has those after it.
    pub params: Params<T>,
    /// Whether the optimiser changed the weights; gradients may wait for those of other batches.
    pub has_stepped: bool,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Why the loss or a gradient is not finite, if one is not: the problem, and one thing to do.
    pub not_finite: Option<(String, String)>,
}

/// Whether all gradients are finite.
pub(crate) fn are_finite<T: Float>(grads: &Grads<T>) -> bool {
    // A sum takes half the time, and only rarely is one of finite numbers not finite.
    grads.iter().flatten().all(|gradient| gradient.sum(..).item().is_finite() || gradient.is_finite().all(..).item())
}
