//! Functions along one axis: softmax, log-softmax, running sums.

use crate::element::{Float, Number};
use crate::formula::{Arithmetic, Scalar};
use crate::kernels::rows::for_each_row;
use crate::kernels::softmax::{LineFunction, LogSoftmax, LogSoftmaxGradient, Softmax, SoftmaxGradient, along_lines};
use crate::shape::{Shape, normalize_axis};
use crate::tensor::Tensor;

/// Applies `row` to the elements of every line along `axis`.
#[track_caller]
fn along<T: Number, R: Number>(op: &str, x: &Tensor<T>, axis: isize, row: impl Fn(&[T], &mut [R]) + Sync) -> Tensor<R> {
    let axis = normalize_axis(op, axis, x.shape()) as isize;
    let moved = x.swap_axes(axis, -1).contiguous();
    let length = moved.shape()[moved.ndim() - 1];
    let elements = moved.as_slice().expect("just made contiguous");
    let out = Tensor::written(moved.shape().clone(), |out| for_each_row(elements, out, length, row));
    out.swap_axes(axis, -1)
}

/// The shape as `[outer, length, inner]` with `axis` in the middle.
#[track_caller]
fn form(op: &str, axis: isize, shape: &Shape) -> [usize; 3] {
    let axis = normalize_axis(op, axis, shape);
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// Applies `function` to every line of elements along `axis`.
#[track_caller]
fn lines<T: Float>(op: &str, x: &Tensor<T>, axis: isize, function: impl LineFunction) -> Tensor<T> {
    let form = form(op, axis, x.shape());
    let x = x.contiguous();
    let elements = x.as_slice().expect("just made contiguous");
    Tensor::written(x.shape().clone(), |out| along_lines(function, elements, form, out))
}

/// Applies `function` to `x` and the gradient `g`, in the memory of `g` if no other tensor shares it.
#[track_caller]
fn gradient<T: Float>(
    op: &str,
    x: &Tensor<T>,
    mut g: Tensor<T>,
    axis: isize,
    function: impl LineFunction,
) -> Tensor<T> {
    assert!(x.shape() == g.shape(), "{op}: the gradient must have the result's shape: {} and {}", g.shape(), x.shape());
    let form = form(op, axis, x.shape());
    let x = x.contiguous();
    along_lines(function, x.as_slice().expect("just made contiguous"), form, g.as_mut_slice());
    g
}

impl<T: Float> Tensor<T> {
    /// Softmax over `axis`: exp(x_i) / sum_j exp(x_j), shifted by the maximum so that it never overflows.
    ///
    /// A probability that would underflow to 0 is the smallest normal number instead (except for x = -inf), so that its logarithm
    /// is finite and a loss after it keeps its gradient. The shape is unchanged.
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
        lines("softmax", self, axis, Softmax)
    }

    /// Log-softmax over `axis`: x_i - ln sum_j exp(x_j), without overflow. The shape is unchanged.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor<T> {
        lines("log_softmax", self, axis, LogSoftmax)
    }

    /// The gradient with respect to the input of a softmax whose result p this is: p_i (g_i - sum_j g_j p_j), where g is the gradient
    /// with respect to p. It is written to the memory of `g` if no other tensor shares it.
    ///
    /// # Panics
    /// If the axis is out of range or the shapes differ.
    #[track_caller]
    pub fn softmax_gradient(&self, g: Tensor<T>, axis: isize) -> Tensor<T> {
        gradient("softmax_gradient", self, g, axis, SoftmaxGradient)
    }

    /// The gradient with respect to the input of a log-softmax whose result y this is: g_i - e^(y_i) sum_j g_j, where g is the gradient
    /// with respect to y. It is written to the memory of `g` if no other tensor shares it.
    ///
    /// # Panics
    /// If the axis is out of range or the shapes differ.
    #[track_caller]
    pub fn log_softmax_gradient(&self, g: Tensor<T>, axis: isize) -> Tensor<T> {
        gradient("log_softmax_gradient", self, g, axis, LogSoftmaxGradient)
    }
}

impl<T: Number> Tensor<T> {
    /// Running sums along `axis`: element i of the result is x_0 + .. + x_i. Whole numbers are summed in i64, as in NumPy.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3]).cumsum(0), Tensor::from([1_i64, 3, 6]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor<T::Sum> {
        along(
            "cumsum",
            self,
            axis,
            #[inline(always)]
            |x, out| {
                let mut sum = T::Sum::ZERO;
                for (out, &x) in out.iter_mut().zip(x) {
                    sum = sum.plus(x.cast());
                    *out = sum;
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generator, keepdims};

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

    /// Softmax, its logarithm and their gradients of every line, from their definitions.
    fn naive(x: &Tensor<f64>, g: &Tensor<f64>) -> [Tensor<f64>; 4] {
        let e = (x - x.max(keepdims(1))).exp();
        let sum = e.sum(keepdims(1));
        let (p, y) = (&e / &sum, e.ln() - sum.ln());
        let through_p = &p * (g - (g * &p).sum(keepdims(1)));
        [y, g - &p * g.sum(keepdims(1)), p, through_p]
    }

    #[test]
    fn lines_of_any_length_along_any_axis() {
        let mut generator = Generator::new(1);
        for [outer, length, inner] in [
            [70, 1, 1],
            [200, 2, 1],
            [131, 10, 1],
            [3, 32, 1],
            [3, 33, 1],
            [2, 1001, 1],
            [2, 3, 5],
            [3, 7, 513],
            [1, 40, 1100],
        ] {
            let x: Tensor<f64> = generator.normal([outer, length, inner], 0.0, 10.0);
            let g: Tensor<f64> = generator.normal([outer, length, inner], 0.0, 1.0);
            let [y, through_y, p, through_p] = naive(&x, &g);
            let close = |found: Tensor<f64>, exact: &Tensor<f64>| assert!(found.allclose(exact, 1e-13, 1e-13));
            close(x.softmax(1), &p);
            close(x.log_softmax(1), &y);
            close(p.softmax_gradient(g.clone(), 1), &through_p);
            close(y.log_softmax_gradient(g.clone(), 1), &through_y);
            let single = x.to::<f32>();
            let close = |found: Tensor<f32>, exact: &Tensor<f64>| assert!(found.allclose(&exact.to(), 1e-5, 1e-5));
            close(single.softmax(1), &p);
            close(single.log_softmax(1), &y);
            close(single.swap_axes(1, 2).softmax(2).swap_axes(1, 2), &p);
            close(p.to::<f32>().softmax_gradient(g.to(), 1), &through_p);
            close(y.to::<f32>().log_softmax_gradient(g.to(), 1), &through_y);
        }
    }

    #[test]
    fn a_line_with_nan_or_without_a_maximum_has_no_softmax() {
        for (length, bad) in [(10, f32::NAN), (10, f32::INFINITY), (70, f32::NAN), (70, f32::INFINITY)] {
            let mut x: Tensor = Tensor::zeros([3, length]);
            x.as_mut_slice()[length + 4] = bad;
            x.as_mut_slice()[length + 5] = f32::NEG_INFINITY;
            for x in [x.clone(), x.t().contiguous().t()] {
                assert!(x.softmax(1).select(0, 1).is_nan().all(..).item());
                assert!(x.log_softmax(1).select(0, 1).slice(0, ..4).is_nan().all(..).item());
                assert!(!x.softmax(1).select(0, 0).is_nan().any(..).item());
                assert!(x.t().softmax(0).select(1, 1).is_nan().all(..).item());
            }
        }
    }

    /// Shifts lines along rows, short and long, and down columns, by `shift`, and compares with lines that are not shifted.
    fn a_shift_changes_nothing<T: Float>(shift: f64) {
        // Whole numbers, so that no digit is lost in the shift.
        for length in [2, 10, 33, 1000] {
            let x: Tensor<T> = (0..3 * length).map(|i| T::of((i * 7 % 11) as f64 - 5.0)).collect();
            let x = x.reshape([3, length]);
            let shifted = &x + T::of(shift);
            let close = |found: Tensor<T>, expected: Tensor<T>| {
                let tolerance = 8.0 * T::epsilon().as_f64();
                assert!(
                    found.allclose(&expected, tolerance, tolerance),
                    "{length}, {shift:e}: {found:?}\n{expected:?}"
                );
            };
            close(shifted.softmax(1), x.softmax(1));
            close(shifted.log_softmax(1), x.log_softmax(1));
            close(shifted.t().softmax(0), x.softmax(1).t());
            close(shifted.t().contiguous().log_softmax(0), x.log_softmax(1).t());
            let logsumexp = x.logsumexp(1) + T::of(shift);
            close(shifted.logsumexp(1), logsumexp.clone());
            close(shifted.t().contiguous().logsumexp(0), logsumexp);
        }
    }

    #[test]
    fn functions_of_differences_do_not_change_under_a_shift() {
        for shift in [1e4, -1e6, 8e6, -8e6] {
            a_shift_changes_nothing::<f32>(shift);
        }
        for shift in [1e9, -1e12, 4e15] {
            a_shift_changes_nothing::<f64>(shift);
        }
        // By hand: ln 1/10, and all for the one that leads.
        assert!((Tensor::full([10], 3e7_f32).log_softmax(0) + 10_f32.ln()).abs().max(..).item() < 1e-6);
        assert_eq!(Tensor::new([3e38, -3e38]).log_softmax(0), Tensor::new([0.0, f32::NEG_INFINITY]));
        assert_eq!(Tensor::new([3e38, -3e38]).softmax(0), Tensor::new([1.0, f32::MIN_POSITIVE]));
        assert_eq!(Tensor::new([3e38, -3e38]).logsumexp(0), Tensor::new(3e38));
    }

    #[test]
    fn nothing_has_no_softmax() {
        assert_eq!(Tensor::<f32>::zeros([0, 3]).softmax(1).shape(), &[0, 3]);
        assert_eq!(Tensor::<f32>::zeros([3, 0]).softmax(1).shape(), &[3, 0]);
    }
}
