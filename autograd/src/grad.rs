//! Gradients with respect to parameters, computed in a scope.

use std::convert::Infallible;
use std::ops::{Index, IndexMut};

use gradus_tensor::{Float, Tensor};

use crate::params::Params;
use crate::tape::{Done, Fault, Tape};
use crate::var::Var;

/// The gradient of a loss with respect to each parameter; see [`value_and_grad`].
///
/// ```
/// use gradus_autograd::{Params, grad};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// params.add("a", Tensor::new([2.0]));
/// params.add("b", Tensor::new([5.0]));
/// let grads = grad(&params, |weights| (&weights[0] * &weights[1]).sum(..));
/// assert_eq!((&grads[0], &grads[1]), (&Some(Tensor::new([5.0])), &Some(Tensor::new([2.0]))));
/// ```
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn grad<T: Float>(params: &Params<T>, loss: impl FnOnce(&[Var<T>]) -> Var<T>) -> Grads<T> {
    value_and_grad(params, loss).1
}

/// A loss and its gradient with respect to each parameter.
///
/// `loss` gets the parameters as vars, in order, and computes a single number from them. The vars do not outlive the
/// call, so when it returns nobody else holds the weights' memory and an optimiser can write them in place.
///
/// ```
/// use gradus_autograd::{Params, Var, value_and_grad};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// params.add("slope", Tensor::new([1.0]));
/// // The mean squared error of y = slope x at two points, and its derivative: the mean of 2 (slope x - y) x.
/// let (x, y) = (Var::from(Tensor::new([1.0, 2.0])), Var::from(Tensor::new([3.0, 4.0])));
/// let (loss, grads) = value_and_grad(&params, |weights| (&weights[0] * &x - &y).square().mean(..));
/// assert_eq!(loss, 4.0);
/// assert_eq!(grads[0], Some(Tensor::new([-6.0])));
/// ```
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn value_and_grad<T: Float>(params: &Params<T>, loss: impl FnOnce(&[Var<T>]) -> Var<T>) -> (T, Grads<T>) {
    let Ok((value, (), grads)) = try_value_and_grad(params, |vars| Ok::<_, Infallible>((loss(vars), ())));
    (value, grads)
}

/// As [`value_and_grad`], for a computation that may fail, and that yields something else beside the loss, such as
/// predictions.
///
/// ```
/// use gradus_autograd::{Params, Var, try_value_and_grad};
/// use gradus_tensor::{ShapeError, Tensor};
///
/// let mut params = Params::new();
/// params.add("w", Tensor::new([2.0, 3.0]));
/// let distance = |target: Tensor| {
///     try_value_and_grad(&params, |weights| {
///         let target = target.try_broadcast_to([2])?;
///         let output = weights[0].square();
///         let loss = (&output - Var::from(target)).square().sum(..);
///         Ok::<_, ShapeError>((loss, output.into_value()))
///     })
/// };
/// let (loss, output, grads) = distance(Tensor::new([5.0])).unwrap();
/// assert_eq!((loss, output), (17.0, Tensor::new([4.0, 9.0])));
/// assert_eq!(grads[0], Some(Tensor::new([-8.0, 48.0])));
/// assert!(distance(Tensor::new([1.0, 2.0, 3.0])).is_err());
/// ```
///
/// # Errors
/// That of `loss`. `done` is not called then.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn try_value_and_grad<T: Float, A, E>(
    params: &Params<T>,
    loss: impl FnOnce(&[Var<T>]) -> Result<(Var<T>, A), E>,
) -> Result<(T, A, Grads<T>), E> {
    let (value, also, grads, _) = differentiate(Tape::new(), params, loss, None)?;
    Ok((value, also, grads))
}

/// As [`try_value_and_grad`], but each gradient is handed to `done` as soon as it is complete, with the index of its parameter.
///
/// The backward sweep goes from the last layer to the first. A program that trains on several machines sends the gradients of the last
/// layers while the sweep goes on. `done` runs within the sweep, at most once for each parameter; parameters without a gradient are left
/// out.
///
/// ```
/// use gradus_autograd::{Params, Var, grads_as_they_come};
/// use gradus_tensor::Tensor;
///
/// let mut params = Params::new();
/// params.add("first", Tensor::new([2.0]));
/// params.add("second", Tensor::new([5.0]));
/// // w^2 v, whose slopes are 2 w v and w^2.
/// let loss = |weights: &[Var]| Ok::<_, ()>(((weights[0].square() * &weights[1]).sum(..), ()));
/// let mut found = Vec::new();
/// let (value, ()) = grads_as_they_come(&params, loss, |index, gradient| found.push((index, gradient.item()))).unwrap();
/// assert_eq!(value, 20.0);
/// assert_eq!(found, [(1, 4.0), (0, 20.0)]);
/// ```
///
/// # Errors
/// That of `loss`. `done` is not called then.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn grads_as_they_come<T: Float, A, E>(
    params: &Params<T>,
    loss: impl FnOnce(&[Var<T>]) -> Result<(Var<T>, A), E>,
    mut done: impl FnMut(usize, Tensor<T>),
) -> Result<(T, A), E> {
    let (value, also, ..) = differentiate(Tape::new(), params, loss, Some(&mut done))?;
    Ok((value, also))
}

/// As [`try_value_and_grad`], on a [checked tape](Tape::checked): with the ops that computed something that is not finite.
///
/// ```
/// use gradus_autograd::{Params, checked_value_and_grad};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// params.add("x", Tensor::new([-1.0]));
/// let (loss, (), _, faults) = checked_value_and_grad(&params, |vars| Ok::<_, ()>((vars[0].sqrt().sum(..), ()))).unwrap();
/// assert!(loss.is_nan());
/// assert_eq!(faults[0].op, "sqrt");
/// ```
///
/// # Errors
/// That of `loss`. `done` is not called then.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn checked_value_and_grad<T: Float, A, E>(
    params: &Params<T>,
    loss: impl FnOnce(&[Var<T>]) -> Result<(Var<T>, A), E>,
) -> Result<(T, A, Grads<T>, Vec<Fault>), E> {
    differentiate(Tape::checked(), params, loss, None)
}

#[track_caller]
fn differentiate<T: Float, A, E>(
    tape: Tape<T>,
    params: &Params<T>,
    loss: impl FnOnce(&[Var<T>]) -> Result<(Var<T>, A), E>,
    done: Option<&mut Done<'_, T>>,
) -> Result<(T, A, Grads<T>, Vec<Fault>), E> {
    let vars: Vec<Var<T>> = params
        .iter()
        .map(|param| if param.trainable() { tape.var(param.value.clone()) } else { Var::from(&param.value) })
        .collect();
    let (loss, also) = loss(&vars)?;
    let value = loss.value().clone();
    let mut gradients = match done {
        None => tape.backward(&loss),
        Some(done) => {
            // The variables are the first on the tape, in order.
            let trained = params.iter().enumerate().filter(|(_, param)| param.trainable());
            let indices: Vec<usize> = trained.map(|(index, _)| index).collect();
            let mut of_leaf = |leaf: usize, gradient| {
                if let Some(&index) = indices.get(leaf) {
                    done(index, gradient);
                }
            };
            tape.backward_with(&loss, Some(&mut of_leaf))
        }
    };
    let grads = vars.iter().map(|var| gradients.take(var)).collect();
    Ok((value.item(), also, grads, gradients.into_faults()))
}

/// The gradient of each parameter, parallel to [`Params`].
///
/// The entry of a weight is its gradient, or `None` if it is frozen or the loss does not depend on it. The entry of a
/// state is `None`.
#[derive(Clone, Debug, Default)]
pub struct Grads<T: Float = f32> {
    list: Vec<Option<Tensor<T>>>,
}

impl<T: Float> Grads<T> {
    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Option<Tensor<T>>> {
        self.list.iter()
    }

    /// The entries in order, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Option<Tensor<T>>> {
        self.list.iter_mut()
    }

    /// The number of entries: that of the parameters.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The Euclidean norm of all gradients together: the root of the sum of the squares of all elements. TensorFlow's
    /// `global_norm`.
    ///
    /// ```
    /// use gradus_autograd::Grads;
    /// use gradus_tensor::Tensor;
    /// let mut grads: Grads = [Some(Tensor::new([3.0, 0.0])), None, Some(Tensor::new(4.0))].into_iter().collect();
    /// assert_eq!(grads.global_norm(), 5.0);
    /// grads.scale(0.2);
    /// assert!((grads.global_norm() - 1.0).abs() < 1e-6);
    /// ```
    pub fn global_norm(&self) -> f64 {
        self.list.iter().flatten().map(Tensor::norm_f64).fold(0.0, f64::hypot)
    }

    /// Multiplies all gradients by this factor, in place.
    pub fn scale(&mut self, factor: f64) {
        self.list.iter_mut().flatten().for_each(|gradient| *gradient *= T::of(factor));
    }
}

impl<T: Float> Index<usize> for Grads<T> {
    type Output = Option<Tensor<T>>;
    fn index(&self, index: usize) -> &Self::Output {
        &self.list[index]
    }
}

impl<T: Float> IndexMut<usize> for Grads<T> {
    fn index_mut(&mut self, index: usize) -> &mut Self::Output {
        &mut self.list[index]
    }
}

impl<T: Float> FromIterator<Option<Tensor<T>>> for Grads<T> {
    fn from_iter<I: IntoIterator<Item = Option<Tensor<T>>>>(entries: I) -> Self {
        Grads { list: entries.into_iter().collect() }
    }
}

/// The new values of states, such as moving averages, that the layers of a model computed in a training pass. They are
/// applied by [`Params::update_states`].
///
/// Each is a pair of a state's index among the parameters and its next value; a state without one stays as it is. Workers
/// that average their gradients average these, too.
///
/// ```
/// use gradus_autograd::{Params, StateUpdates};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// let mean = params.add_state("0/moving_mean", Tensor::new([0.0]));
/// // The mean of what two workers found.
/// let of_workers = [Tensor::new([1.0]), Tensor::new([2.0])];
/// let updates: StateUpdates = [(mean, (&of_workers[0] + &of_workers[1]) * 0.5)].into_iter().collect();
/// params.update_states(updates);
/// assert_eq!(params[mean].value, Tensor::new([1.5]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateUpdates<T: Float = f32> {
    list: Vec<(usize, Tensor<T>)>,
}

impl<T: Float> StateUpdates<T> {
    /// The pairs, in the order in which they were computed.
    pub fn iter(&self) -> std::slice::Iter<'_, (usize, Tensor<T>)> {
        self.list.iter()
    }

    /// The pairs, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, (usize, Tensor<T>)> {
        self.list.iter_mut()
    }

    /// The number of states that get a new value.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether all states stay as they are.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<T: Float> FromIterator<(usize, Tensor<T>)> for StateUpdates<T> {
    fn from_iter<I: IntoIterator<Item = (usize, Tensor<T>)>>(updates: I) -> Self {
        StateUpdates { list: updates.into_iter().collect() }
    }
}

impl<T: Float> IntoIterator for StateUpdates<T> {
    type Item = (usize, Tensor<T>);
    type IntoIter = std::vec::IntoIter<(usize, Tensor<T>)>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
