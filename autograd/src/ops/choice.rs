//! Choices between values: the larger, the smaller, the masked.

use gradus_tensor::{Float, Tensor};

use crate::op::Op;
use crate::var::Var;

/// The share of the gradient that a chosen element passes on: all if it won, half if both are equal. NaN, which is
/// neither, passes all.
fn share<T: Float>(a: Tensor<T>, b: Tensor<T>, worse: impl Fn(T, T) -> bool + Sync) -> Tensor<T> {
    a.zip_map(
        b,
        #[inline(always)]
        |a, b| {
            let unequal = if worse(a, b) { T::ZERO } else { T::ONE };
            if a == b { T::of(0.5) } else { unequal }
        },
    )
}

impl<T: Float> Var<T> {
    /// The larger of the two, elementwise. Where they are equal, each gets half of the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn maximum(&self, other: impl Into<Var<T>>) -> Var<T> {
        let other = other.into();
        let (a, b) = (self.value().clone(), other.value().clone());
        let (x, y) = (a.clone(), b.clone());
        Op::new("maximum", a.maximum(&b))
            .input(self, move |g| share(x, y, |x, y| x < y) * g)
            .input(&other, move |g| share(b, a, |b, a| b < a) * g)
            .finish()
    }

    /// The smaller of the two, elementwise. Where they are equal, each gets half of the gradient.
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn minimum(&self, other: impl Into<Var<T>>) -> Var<T> {
        let other = other.into();
        let (a, b) = (self.value().clone(), other.value().clone());
        let (x, y) = (a.clone(), b.clone());
        Op::new("minimum", a.minimum(&b))
            .input(self, move |g| share(x, y, |x, y| x > y) * g)
            .input(&other, move |g| share(b, a, |b, a| b > a) * g)
            .finish()
    }

    /// `a` where `mask` holds, else `b`; all three broadcast together. NumPy's `where`.
    ///
    /// ```
    /// use gradus_autograd::{Tape, Var};
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new([-1.0, 2.0]));
    /// let y = Var::where_(&x.value().greater(0.0), &x, 0.0);
    /// assert_eq!(y.value(), &Tensor::new([0.0, 2.0]));
    /// assert_eq!(tape.backward(&y.sum(..)).of(&x), Tensor::new([0.0, 1.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn where_(mask: &Tensor<bool>, a: impl Into<Var<T>>, b: impl Into<Var<T>>) -> Var<T> {
        let (a, b) = (a.into(), b.into());
        let (held, failed) = (mask.clone(), mask.clone());
        Op::new("where", mask.where_(a.value(), b.value()))
            .input(&a, move |g| held.where_(g, T::ZERO))
            .input(&b, move |g| failed.where_(T::ZERO, g))
            .finish()
    }
    /// Each element is 0 with probability `rate`, else x / (1 - rate); the seed decides which. See
    /// [`Tensor::dropout`](gradus_tensor::Tensor::dropout).
    ///
    /// # Panics
    /// Unless 0 <= `rate` < 1.
    #[track_caller]
    pub fn dropout(&self, rate: f64, seed: u64) -> Var<T> {
        Op::new("dropout", self.value().dropout(rate, seed)).input(self, move |g| g.dropout(rate, seed)).finish()
    }
}
