//! Functions along one axis: softmax, log-softmax, running sums.

use crate::element::{Float, Number};
use crate::kernels::rows::{for_each_row, log_softmax_row, softmax_row};
use crate::shape::normalize_axis;
use crate::tensor::Tensor;

/// Applies `row` to every run of elements along `axis`.
#[track_caller]
fn along<T: Number>(op: &str, x: &Tensor<T>, axis: isize, row: impl Fn(&[T], &mut [T]) + Sync) -> Tensor<T> {
    let axis = normalize_axis(op, axis, x.shape()) as isize;
    let moved = x.swap_axes(axis, -1).contiguous();
    let length = moved.shape()[moved.ndim() - 1];
    let elements = moved.as_slice().expect("just made contiguous");
    let out = Tensor::written(moved.shape().clone(), |out| for_each_row(elements, out, length, row));
    out.swap_axes(axis, -1)
}

impl<T: Float> Tensor<T> {
    /// Softmax over `axis`: exp(x_i) / sum_j exp(x_j), shifted by the maximum so that it never overflows.
    ///
    /// A probability that would underflow to 0 is the smallest normal number instead (except for x = -inf), so that
    /// its logarithm is finite and a loss behind it keeps its gradient. Shape: unchanged.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([3.0, 3.0]).softmax(-1), Tensor::new([0.5, 0.5]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor<T> {
        along(
            "softmax",
            self,
            axis,
            #[inline(always)]
            |x, out| softmax_row(x, out),
        )
    }

    /// Log-softmax over `axis`: x_i - ln sum_j exp(x_j), without overflow. Shape: unchanged.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor<T> {
        along(
            "log_softmax",
            self,
            axis,
            #[inline(always)]
            |x, out| log_softmax_row(x, out),
        )
    }
}

impl<T: Number> Tensor<T> {
    /// Running sums along `axis`: element i of the result is x_0 + .. + x_i.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3]).cumsum(0), Tensor::from([1, 3, 6]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor<T> {
        along(
            "cumsum",
            self,
            axis,
            #[inline(always)]
            |x, out| {
                let mut sum = T::ZERO;
                for (out, &x) in out.iter_mut().zip(x) {
                    sum = sum.plus(x);
                    *out = sum;
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_never_underflows() {
        let x = Tensor::new([[1.0, 2.0, 3.0], [0.0, -1000.0, f32::NEG_INFINITY]]);
        let p = x.softmax(1);
        // e / (e + e^2 + e^3) by hand.
        assert!((p.get([0, 0]) - 0.090_030_57).abs() < 1e-7);
        assert_eq!(p.select(0, 1), Tensor::new([1.0, f32::MIN_POSITIVE, 0.0]));
        assert!(x.t().softmax(0).t().allclose(&p, 0.0, 0.0));
        let logs = x.log_softmax(-1);
        assert_eq!(logs.select(0, 1), Tensor::new([0.0, -1000.0, f32::NEG_INFINITY]));
        assert!((logs.get([0, 2]) + 0.407_606).abs() < 1e-6);
    }

    #[test]
    fn nothing_has_no_softmax() {
        assert_eq!(Tensor::<f32>::zeros([0, 3]).softmax(1).shape(), &[0, 3]);
        assert_eq!(Tensor::<f32>::zeros([3, 0]).softmax(1).shape(), &[3, 0]);
    }
}
