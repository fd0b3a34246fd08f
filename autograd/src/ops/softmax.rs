//! Functions along one axis: softmax, log-softmax, running sums.

use gradus_tensor::Float;

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// Softmax over `axis`: exp(x_i) / sum_j exp(x_j), without overflow or underflow to 0.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Var::from(Tensor::new([3.0, 3.0])).softmax(-1).value(), &Tensor::new([0.5, 0.5]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Var<T> {
        let p = self.value().softmax(axis);
        Op::new("softmax", p.clone()).input(self, move |g| p.softmax_gradient(g, axis)).finish()
    }

    /// Log-softmax over `axis`: x_i - ln sum_j exp(x_j), without overflow.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Var<T> {
        let y = self.value().log_softmax(axis);
        Op::new("log_softmax", y.clone()).input(self, move |g| y.log_softmax_gradient(g, axis)).finish()
    }

    /// Running sums along `axis`: element i of the result is x_0 + .. + x_i.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Var<T> {
        Op::new("cumsum", self.value().cumsum(axis)).input(self, move |g| g.flip(axis).cumsum(axis).flip(axis)).finish()
    }
}
