//! The training step: forward, back, update.

use gradus_autograd::Grads;
use gradus_nn::losses::{Objective, OutputLoss};
use gradus_nn::{Model, Pass};
use gradus_optim::{Optimizer, Rule};
use gradus_tensor::{Columns, Float, Generator, Tensor};

use crate::error::Result;
use crate::parts::{AnyOptimizer, Compiled};

/// The result of a training step: loss and outputs of the model before it was changed.
///
/// ```
/// use gradus_nn::{Dense, Initializer, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::{Generator, Tensor};
/// use gradus_train::train_step;
/// let layer = Dense::new(1).kernel_initializer(Initializer::Ones).use_bias(false);
/// let mut model = Model::build(Sequential::new().add(layer), [1], 42)?;
/// let (mut optimizer, mut generator) = (Sgd::default().learning_rate(0.25), Generator::new(1));
/// let (x, y) = (Tensor::new([[1.0]]), Tensor::new([[3.0]]));
/// let step = train_step(&mut model, &MeanSquaredError, &mut optimizer, &x, &y, None, &mut generator)?;
/// // Of the model as it was before the step.
/// assert_eq!((step.loss, step.output().item()), (4.0, 1.0));
/// assert_eq!(model.params()[0].value.item(), 2.0);
/// # Ok::<(), gradus_train::Error>(())
/// ```
pub struct Step<T: Float = f32> {
    /// The loss: its mean over the batch, and the penalties on weights.
    pub loss: T,
    /// The loss of each output, without penalties on weights.
    pub parts: Vec<OutputLoss<T>>,
    /// The outputs of the model for the batch, in order.
    pub outputs: Vec<Tensor<T>>,
    /// For each output the mask `[n, length]` of the positions that are there; `None` if all are.
    pub masks: Vec<Option<Tensor<bool>>>,
}

impl<T: Float> Step<T> {
    /// The first output, which is the only one of most models.
    pub fn output(&self) -> &Tensor<T> {
        &self.outputs[0]
    }
}

/// One step of training: the outputs and the loss of a batch, the gradients, the update of the weights in place, and
/// the next values of the states.
///
/// Inputs and targets are tensors of any element type, or [`Columns`] for a model of several inputs or outputs.
/// `weights` are the weights of the samples in the loss, `[n]`; layers such as dropout draw from `generator`.
/// [`Trainer::fit`](crate::Trainer::fit) does nothing else to the model.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{Optimizer, Sgd};
/// use gradus_tensor::{Generator, Tensor};
/// use gradus_train::train_step;
///
/// let mut model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
/// let mut optimizer = Optimizer::from(Sgd::default());
/// let (x, y) = (Tensor::new([[1.0], [2.0]]), Tensor::new([[3.0], [6.0]]));
/// let mut generator = Generator::new(1);
/// let mut step = || train_step(&mut model, &MeanSquaredError::default(), &mut optimizer, &x, &y, None, &mut generator);
/// let before = step().unwrap().loss;
/// assert!(step().unwrap().loss < before);
/// ```
///
/// # Errors
/// If inputs, targets or weights have a shape that the model or the loss cannot take, an id is none that its layer knows,
/// the optimiser has taken steps of another model, or the model ends in an activation that cannot be meant with the loss. The
/// model is unchanged then.
pub fn train_step<L: Objective<T>, R: Rule, T: Float>(
    model: &mut Model<T>,
    loss: &L,
    optimizer: &mut Optimizer<R, T>,
    inputs: impl Into<Columns>,
    targets: impl Into<Columns>,
    weights: Option<&Tensor<T>>,
    generator: &mut Generator,
) -> Result<Step<T>> {
    let (inputs, targets) = (inputs.into(), targets.into());
    (T::choose(Compiled).step)(model, loss, optimizer, &inputs, &targets, weights, generator)
}

/// A step, whatever the loss and the rule are.
pub(crate) fn step<T: Float>(
    model: &mut Model<T>,
    loss: &dyn Objective<T>,
    optimizer: &mut dyn AnyOptimizer<T>,
    inputs: &Columns,
    targets: &Columns,
    weights: Option<&Tensor<T>>,
    generator: &mut Generator,
) -> Result<Step<T>> {
    let pass = model.grad(inputs, targets, weights, loss, generator)?;
    Ok(apply(model, optimizer, pass)?.0)
}

/// The second half of [`train_step`]: the update of the weights by the gradients of a pass, which are returned beside the step, and
/// the next values of the states.
pub(crate) fn apply<T: Float>(
    model: &mut Model<T>,
    optimizer: &mut dyn AnyOptimizer<T>,
    pass: Pass<T>,
) -> Result<(Step<T>, Grads<T>)> {
    let Pass { loss, parts, outputs, masks, grads, states } = pass;
    optimizer.try_step(model.params_mut(), &grads)?;
    model.params_mut().update_states(states);
    Ok((Step { loss, parts, outputs, masks }, grads))
}
