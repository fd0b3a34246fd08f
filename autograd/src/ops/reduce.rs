//! Reductions over any axes.

use gradus_tensor::{Axes, Float, Math, Shape, Tensor, keepdims};

use crate::op::Op;
use crate::var::Var;

/// The shape of the input with each reduced axis of length 1. A reduction's gradient takes this shape and is then
/// broadcast.
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

    /// The variance over `axes`: the mean squared distance from the mean (population variance, NumPy's `ddof=0`).
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>) -> Var<T> {
        let (axes, x) = (axes.into(), self.value().clone());
        let kept = kept_shape("var", &x, &axes);
        let scale = T::of(2.0 * kept.size() as f64 / x.size() as f64);
        let y = x.var(axes.clone());
        Op::new("var", y.clone()).input(self, move |g| x.deviations(axes, &y) * (g * scale).reshape(kept)).finish()
    }

    /// The standard deviation over `axes`: the square root of [`var`](Var::var). Its derivative at 0 is taken as 0.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>) -> Var<T> {
        let (axes, x) = (axes.into(), self.value().clone());
        let kept = kept_shape("std", &x, &axes);
        let scale = T::of(kept.size() as f64 / x.size() as f64);
        let y = x.std(axes.clone());
        Op::new("std", y.clone())
            .input(self, move |g| along(x.deviations(axes, &y.square()), g.reshape(&kept), y.reshape(kept), scale))
            .finish()
    }

    /// The Euclidean norm over `axes`: the square root of the sum of squares. Its derivative at 0 is taken as 0.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn norm(&self, axes: impl Into<Axes>) -> Var<T> {
        let (axes, x) = (axes.into(), self.value().clone());
        let kept = kept_shape("norm", &x, &axes);
        let y = x.norm(axes);
        Op::new("norm", y.clone()).input(self, move |g| along(x, g.reshape(&kept), y.reshape(kept), T::ONE)).finish()
    }

    /// The largest element over `axes`. Equal largest elements share the gradient equally.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new([3.0, 1.0, 3.0]));
    /// assert_eq!(tape.backward(&x.max(..)).of(&x), Tensor::new([0.5, 0.0, 0.5]));
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn max(&self, axes: impl Into<Axes>) -> Var<T> {
        let axes = axes.into();
        self.extreme("max", self.value().max(axes.clone()), axes)
    }

    /// The smallest element over `axes`. Equal smallest elements share the gradient equally.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn min(&self, axes: impl Into<Axes>) -> Var<T> {
        let axes = axes.into();
        self.extreme("min", self.value().min(axes.clone()), axes)
    }

    #[track_caller]
    fn extreme(&self, op: &'static str, y: Tensor<T>, axes: Axes) -> Var<T> {
        let x = self.value().clone();
        let kept = kept_shape(op, &x, &axes);
        Op::new(op, y.clone())
            .input(self, move |g| {
                let hit = x.zip_map(
                    y.reshape(&kept),
                    #[inline(always)]
                    |x, y| if x == y { T::ONE } else { T::ZERO },
                );
                let count = hit.sum(keepdims(axes));
                hit * (g.reshape(kept) / count)
            })
            .finish()
    }

    /// The product over `axes`; 1 of nothing. Its derivative is also right where elements are 0.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn prod(&self, axes: impl Into<Axes>) -> Var<T> {
        let (axes, x) = (axes.into(), self.value().clone());
        let kept = kept_shape("prod", &x, &axes);
        Op::new("prod", x.prod(axes.clone()))
            .input(self, move |g| {
                // The derivative is the product of all other elements: y / x where no element is 0; where one is, it
                // is the product without that one at its place and 0 elsewhere.
                let g = g.reshape(kept);
                let zeros = x.map(|x| if x == T::ZERO { T::ONE } else { T::ZERO }).sum(keepdims(axes.clone()));
                let product = x.map(|x| if x == T::ZERO { T::ONE } else { x }).prod(keepdims(axes)) * g;
                let at_zero = product.clone().zip_map(&zeros, |p, zeros| if zeros == T::ONE { p } else { T::ZERO });
                let elsewhere = product.zip_map(zeros, |p, zeros| if zeros == T::ZERO { p } else { T::ZERO });
                x.equal(T::ZERO).where_(at_zero, elsewhere / x)
            })
            .finish()
    }

    /// ln of the sum of e^x over `axes`, without overflow. The derivative is the softmax; 0 where all elements are minus infinity.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl Into<Axes>) -> Var<T> {
        let (axes, x) = (axes.into(), self.value().clone());
        let kept = kept_shape("logsumexp", &x, &axes);
        let [shift, ln_sum] = x.logsumexp_parts(axes);
        Op::new("logsumexp", &ln_sum + &shift)
            .input(self, move |g| {
                // The result itself has no digits left for x - y where the shift is large.
                let share = (x - shift.reshape(&kept)).zip_map(
                    ln_sum.reshape(&kept),
                    #[inline(always)]
                    |x, ln_sum| if ln_sum == T::LOWEST { T::ZERO } else { Math::exp(x - ln_sum) },
                );
                share * g.reshape(kept)
            })
            .finish()
    }
}

/// x g / y times a factor, and 0 where the length y is 0.
fn along<T: Float>(x: Tensor<T>, g: Tensor<T>, y: Tensor<T>, factor: T) -> Tensor<T> {
    let over = |g: Tensor<T>, y: Tensor<T>| g.zip_map(y, |g, y| if y == T::ZERO { T::ZERO } else { g / y }) * factor;
    let slope = over(g.clone(), y.clone());
    if slope.iter().all(|slope| slope == T::ZERO || slope.is_normal()) {
        return x * slope;
    }
    // Lengths so small or large that g / y overflows or loses digits are measured by a power of two near them.
    let unit = y.clone().zip_map(&slope, |y, slope| if slope.is_normal() { T::ONE } else { y.power_of_two() });
    x / &unit * over(g, y / unit)
}
