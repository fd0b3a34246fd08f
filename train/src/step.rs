//! The training step: forward, back, update.

use gradus_nn::{Loss, Model};
use gradus_optim::{Optimizer, Rule};
use gradus_tensor::{Float, Generator, Tensor};

use crate::error::Result;

/// What a training step yields: how the model did before it was changed.
pub struct Step<T: Float = f32> {
    /// The loss: its mean over the batch, and the penalties on weights.
    pub loss: T,
    /// The model's outputs for the batch.
    pub outputs: Tensor<T>,
}

/// One step of training: the outputs and the loss of a batch, the gradients, the update of the weights in place, and the
/// next values of the states.
///
/// `weights` are the samples' weights in the loss, `[n]`; `generator` is what layers such as dropout draw from.
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
/// If inputs, targets or weights have a shape that the model or the loss cannot take.
pub fn train_step<L: Loss, R: Rule, T: Float>(
    model: &mut Model<T>,
    loss: &L,
    optimizer: &mut Optimizer<R, T>,
    inputs: &Tensor<T>,
    targets: &Tensor<T>,
    weights: Option<&Tensor<T>>,
    generator: &mut Generator,
) -> Result<Step<T>> {
    let mut pass = model.grad(inputs, targets, weights, loss, generator)?;
    optimizer.step(model.params_mut(), &pass.grads);
    model.params_mut().update_states(pass.states);
    Ok(Step { loss: pass.loss, outputs: pass.outputs.swap_remove(0) })
}
