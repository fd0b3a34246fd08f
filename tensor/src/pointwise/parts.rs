//! What [`pointwise!`](crate::pointwise!) puts a function together from.

pub use super::Saved;

use crate::element::Float;
use crate::formula::Symbol;
use crate::kernels::map::{Loop2, Loop3};
use crate::kernels::{View, map};
use crate::ops::zip_owned_by;
use crate::tensor::Tensor;

/// A function compiled for one element type.
#[derive(Clone, Copy)]
pub struct Kernels<T: Float> {
    /// The function of inputs and parameters.
    pub value: Value<T>,
    /// The gradient of the last input: of the output's gradient, what was saved, and the parameters.
    pub derivative: Derivative<T>,
}

type Value<T> = fn(&[&Tensor<T>], &[T]) -> Tensor<T>;
type Derivative<T> = fn(Tensor<T>, Saved<T>, &[T]) -> Tensor<T>;

/// A formula that records itself, given inputs and parameters.
pub type Recorded = for<'a> fn(&[Symbol<'a>], &[Symbol<'a>]) -> Symbol<'a>;

/// All inputs or parameters, whose number has been checked.
pub fn all<N: Copy, const COUNT: usize>(given: &[N]) -> [N; COUNT] {
    given.try_into().expect("the number of inputs and parameters has been checked")
}

/// `f` of each element of the one input.
pub fn one<T: Float>(inputs: &[&Tensor<T>], f: impl Fn(T) -> T + Sync) -> Tensor<T> {
    inputs[0].map_by(&map::loop1::<{ map::LONG }, _, _>(f))
}

/// `f` of the elements of two inputs of the same shape.
pub fn two<T: Float>(inputs: &[&Tensor<T>], f: impl Fn(T, T) -> T + Sync) -> Tensor<T> {
    zip_owned_by("pointwise", inputs[0].clone(), inputs[1].clone(), &map::loop2::<{ map::LONG }, _, _, _>(f))
}

/// `f` of the gradient and what was saved of one input, in the memory of one of them where nobody else looks.
pub fn gradient_of_one<T: Float>(gradient: Tensor<T>, saved: Saved<T>, f: impl Fn(T, T) -> T + Sync) -> Tensor<T> {
    gradient_of_one_by(gradient, saved, &map::loop2::<{ map::LONG }, _, _, _>(f))
}

// Apart from the above, so that it is compiled once for each type and not for each function.
fn gradient_of_one_by<T: Float>(gradient: Tensor<T>, mut saved: Saved<T>, f: Loop2<'_, T, T, T>) -> Tensor<T> {
    zip_owned_by("gradient", gradient, saved.swap_remove(0), f)
}

/// `f` of the gradient and both inputs, which have the same shape.
pub fn gradient_of_two<T: Float>(gradient: Tensor<T>, saved: Saved<T>, f: impl Fn(T, T, T) -> T + Sync) -> Tensor<T> {
    gradient_of_two_by(&gradient, &saved, &map::loop3::<{ map::LONG }, _, _, _, _>(f))
}

fn gradient_of_two_by<T: Float>(gradient: &Tensor<T>, saved: &Saved<T>, f: Loop3<'_, T, T, T, T>) -> Tensor<T> {
    let (a, b) = (&saved[0], &saved[1]);
    let layout = gradient.broadcast_layout("gradient", a.shape());
    Tensor::written(a.shape().clone(), |out| {
        map::zip3(View { data: &gradient.buffer, layout: &layout }, a.view(), b.view(), out, f);
    })
}
