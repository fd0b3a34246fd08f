//! A training step seen from within.

use gradus_autograd::{Grads, Params};
use gradus_nn::Observations;
use gradus_tensor::{Float, Tensor};

use crate::step::Step;

/// Whether a callback looks into a training step: [`Callback::examines`](crate::Callback::examines).
///
/// ```
/// use gradus_train::callbacks::{Callback, Run};
/// use gradus_train::{Examination, Examine, Result};
///
/// /// Prints how large the gradients are, every hundredth step.
/// struct Norms;
///
/// impl Callback for Norms {
///     fn examines(&self, step: u64) -> Examine {
///         if step.is_multiple_of(100) { Examine::Always } else { Examine::Never }
///     }
///
///     fn on_examination(&mut self, run: &mut Run<'_>, examination: &Examination) -> Result<()> {
///         println!("step {}: {}", run.step(), examination.grads.global_norm());
///         Ok(())
///     }
/// }
/// assert_eq!(Norms.examines(200), Examine::Always);
/// ```
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
///
/// ```
/// use gradus_train::callbacks::{Callback, Run};
/// use gradus_train::{Examination, Examine, Result};
///
/// /// Ends a run whose layers give numbers beyond 1000.
/// struct Bounded;
///
/// impl Callback for Bounded {
///     fn examines(&self, _step: u64) -> Examine {
///         Examine::Always
///     }
///
///     fn on_examination(&mut self, run: &mut Run<'_>, examination: &Examination) -> Result<()> {
///         if let Some(layer) = examination.layers.iter().find(|layer| layer.value.abs().max(..).item() > 1000.0) {
///             run.stop(format!("layer {} gives large numbers", layer.path));
///         }
///         Ok(())
///     }
/// }
/// assert_eq!(Bounded.examines(0), Examine::Always);
/// ```
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
