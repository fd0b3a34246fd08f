//! Gradients with respect to parameters, in a scope.

use gradus_tensor::Float;

use crate::params::{Grads, Params};
use crate::tape::Tape;
use crate::var::Var;

/// The gradient of a loss with respect to each parameter; see [`value_and_grad`].
#[track_caller]
pub fn grad<T: Float>(params: &Params<T>, loss: impl FnOnce(&[Var<T>]) -> Var<T>) -> Grads<T> {
    value_and_grad(params, loss).1
}

/// A loss and its gradient with respect to each parameter.
///
/// `loss` gets the parameters as vars, in order, and computes a single number from them. The vars do not outlive the
/// call, so when it returns nobody else holds the weights' memory and an optimiser can write them in place.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn value_and_grad<T: Float>(params: &Params<T>, loss: impl FnOnce(&[Var<T>]) -> Var<T>) -> (T, Grads<T>) {
    let (value, (), grads) = value_and_grad_with(params, |vars| (loss(vars), ()));
    (value, grads)
}

/// As [`value_and_grad`], with something else that the computation yields, such as the predictions.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn value_and_grad_with<T: Float, A>(
    params: &Params<T>,
    loss: impl FnOnce(&[Var<T>]) -> (Var<T>, A),
) -> (T, A, Grads<T>) {
    let tape = Tape::new();
    let vars: Vec<Var<T>> = params
        .iter()
        .map(|param| if param.trainable() { tape.var(param.value.clone()) } else { Var::from(&param.value) })
        .collect();
    let (loss, also) = loss(&vars);
    let value = loss.value().clone();
    let mut gradients = tape.backward(&loss);
    let grads = vars.iter().map(|var| gradients.take(var)).collect();
    (value.item(), also, grads)
}
