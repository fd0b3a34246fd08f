//! What an optimiser's rule has to say.

use std::fmt;

use gradus_tensor::Float;

use crate::optimizer::Optimizer;
use crate::schedules::Schedule;

/// How one parameter changes along its gradient: the formula of an optimiser and nothing else.
///
/// The parameters, the step count, the learning rate and what is done to the gradient beforehand are the business of
/// the [`Optimizer`] that drives the rule. A rule says which slots it needs (tensors that it keeps for each parameter,
/// shaped like it) and what to do with a stretch of them.
///
/// ```
/// use gradus_optim::{Optimizer, Rule};
/// use gradus_tensor::Float;
///
/// /// Steps along the gradient's sign alone: p -= lr sign(g).
/// #[derive(Clone, Debug)]
/// struct SignDescent;
///
/// impl Rule for SignDescent {
///     const LEARNING_RATE: f64 = 0.001;
///
///     fn slots(&self) -> &'static [&'static str] {
///         &[]
///     }
///
///     #[inline(always)]
///     fn update<T: Float>(&self, _: u64, learning_rate: f64, parameter: &mut [T], gradient: &[T], _: &mut [&mut [T]]) {
///         let rate = T::of(learning_rate);
///         for (p, &g) in parameter.iter_mut().zip(gradient) {
///             *p -= rate * g.signum();
///         }
///     }
/// }
///
/// let optimizer: Optimizer<SignDescent> = SignDescent.learning_rate(0.01);
/// ```
pub trait Rule: Clone + fmt::Debug + Send + Sync + 'static {
    /// The learning rate unless another is set.
    const LEARNING_RATE: f64;

    /// The decoupled weight decay unless another is set.
    const WEIGHT_DECAY: f64 = 0.0;

    /// The names of the slots, at most [`MAX_SLOTS`](crate::MAX_SLOTS). They go to disk with a checkpoint.
    fn slots(&self) -> &'static [&'static str];

    /// What the slots hold before the first step.
    fn initial_slot(&self) -> f64 {
        0.0
    }

    /// One step of a stretch of a parameter: `gradient` and each of the `slots`, in the order of [`Rule::slots`], are
    /// the same stretch of theirs. `step` counts from 1.
    ///
    /// Each element must depend on the elements at its own place alone, since a parameter may come in any number of
    /// pieces. Mark it `#[inline(always)]` and keep it to a plain loop, and it is compiled for the widest vector
    /// instructions of the machine.
    fn update<T: Float>(
        &self,
        step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        slots: &mut [&mut [T]],
    );

    /// An optimiser with this rule and another learning rate; see [`Optimizer::learning_rate`].
    #[track_caller]
    fn learning_rate<T: Float>(self, schedule: impl Schedule) -> Optimizer<Self, T> {
        Optimizer::from(self).learning_rate(schedule)
    }

    /// An optimiser with this rule that decays weights; see [`Optimizer::weight_decay`].
    #[track_caller]
    fn weight_decay<T: Float>(self, decay: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).weight_decay(decay)
    }

    /// An optimiser with this rule and a penalty on large weights; see [`Optimizer::l2`].
    #[track_caller]
    fn l2<T: Float>(self, factor: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).l2(factor)
    }

    /// An optimiser with this rule that clips each gradient element; see [`Optimizer::clip_value`].
    #[track_caller]
    fn clip_value<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_value(limit)
    }

    /// An optimiser with this rule that clips each gradient's norm; see [`Optimizer::clip_norm`].
    #[track_caller]
    fn clip_norm<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_norm(limit)
    }

    /// An optimiser with this rule that clips the norm of all gradients together; see [`Optimizer::clip_global_norm`].
    #[track_caller]
    fn clip_global_norm<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_global_norm(limit)
    }
}
