//! Reductions over any axes, and functions along one axis.

use gradus_tensor::{Axes, Float, Shape, Tensor, keepdims};

use crate::op::Op;
use crate::var::Var;

/// The shape of the input with the reduced axes of length 1, to which a reduction's gradient is put back before it
/// broadcasts.
#[track_caller]
fn kept_shape<T: Float>(op: &str, x: &Tensor<T>, axes: &Axes) -> Shape {
    let mask = axes.mask(op, x.shape());
    (0..x.ndim()).map(|axis| if mask[axis] { 1 } else { x.shape()[axis] }).collect()
}

impl<T: Float> Var<T> {
    /// The sum over `axes`.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Var<T> {
        let axes = axes.into();
        let (kept, shape) = (kept_shape("sum", self.value(), &axes), self.shape().clone());
        Op::new("sum", self.value().sum(axes)).input(self, move |g| g.reshape(kept).broadcast_to(shape)).finish()
    }

    /// The mean over `axes`.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Var<T> {
        let axes = axes.into();
        let (kept, shape) = (kept_shape("mean", self.value(), &axes), self.shape().clone());
        let count = T::of(shape.size() as f64 / kept.size() as f64);
        Op::new("mean", self.value().mean(axes))
            .input(self, move |g| (g / count).reshape(kept).broadcast_to(shape))
            .finish()
    }

    /// Softmax over `axis`: exp(x_i) / sum_j exp(x_j), without overflow or underflow to 0.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Var<T> {
        let p = self.value().softmax(axis);
        Op::new("softmax", p.clone())
            .input(self, move |g| {
                let mean = (&g * &p).sum(keepdims(axis));
                (g - mean) * p
            })
            .finish()
    }
}
