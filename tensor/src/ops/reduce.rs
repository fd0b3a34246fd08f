//! Reductions over any axes: `x.sum(0)`, `x.mean([0, 2])`, `x.max(..)`; [`keepdims`] keeps them.

use crate::buffer::Buffer;
use crate::element::{Element, Float, Number};
use crate::kernels::reduce::{Fold, chunks, reduce, same};
use crate::shape::{Axes, Shape, keepdims};
use crate::tensor::Tensor;

macro_rules! fold {
    ($Name:ident, $Bound:ident, $identity:expr, |$a:ident, $b:ident| $merge:expr) => {
        #[derive(Clone, Copy)]
        pub(super) struct $Name;
        impl<T: $Bound> Fold<T> for $Name {
            #[inline(always)]
            fn identity(self) -> T {
                $identity
            }
            #[inline(always)]
            fn merge(self, $a: T, $b: T) -> T {
                $merge
            }
        }
    };
}

fold!(Sum, Number, T::ZERO, |a, b| a.plus(b));
fold!(Product, Number, T::ONE, |a, b| a.times(b));
fold!(Largest, Number, T::LOWEST, |a, b| if a > b || a.is_nan_value() { a } else { b });
fold!(Smallest, Number, T::HIGHEST, |a, b| if a < b || a.is_nan_value() { a } else { b });

#[derive(Clone, Copy)]
struct Any;
impl Fold<bool> for Any {
    #[inline(always)]
    fn identity(self) -> bool {
        false
    }
    #[inline(always)]
    fn merge(self, a: bool, b: bool) -> bool {
        a | b
    }
}

#[derive(Clone, Copy)]
struct All;
impl Fold<bool> for All {
    #[inline(always)]
    fn identity(self) -> bool {
        true
    }
    #[inline(always)]
    fn merge(self, a: bool, b: bool) -> bool {
        a & b
    }
}

/// Folds `x` over `axes`; `lift` makes the result of one element.
#[track_caller]
pub(super) fn fold<T: Element, R: Element, F: Fold<R>>(
    op: &str,
    fold: F,
    lift: impl Fn(T) -> R + Copy + Sync,
    x: &Tensor<T>,
    axes: &Axes,
) -> Tensor<R> {
    let mask = axes.mask(op, x.shape());
    if x.is_contiguous()
        && let Some(first) = first_of_several_runs(x.shape(), &mask)
    {
        return self::fold(op, fold, same::<R>, &self::fold(op, fold, lift, x, &keepdims(first)), axes);
    }
    let kept: Shape = (0..x.ndim()).filter(|&axis| !mask[axis]).map(|axis| x.shape()[axis]).collect();
    let dims: Shape = (0..x.ndim()).map(|axis| if mask[axis] { 1 } else { x.shape()[axis] }).collect();
    let (flat, form) = as_outer_length_inner(x, &mask);
    let [outer, length, inner] = form;
    let shape = if axes.keeps_dims() { dims } else { kept };
    Tensor::written(shape, |out| {
        let elements = flat.as_slice().expect("the reduced form is contiguous");
        match chunks(outer, length, inner) {
            _ if out.is_empty() => {}
            1 => reduce(fold, lift, elements, form, out, &mut []),
            chunks => reduce(fold, lift, elements, form, out, &mut Buffer::unspecified(chunks * outer * inner)),
        }
    })
}

/// The first of several groups of adjacent reduced axes, such as `n` where `[n, channels, height, width]` is reduced over all
/// axes but the channels.
///
/// Folding it alone needs no copy of a contiguous tensor and leaves less to do for the others.
fn first_of_several_runs(shape: &Shape, mask: &[bool]) -> Option<Axes> {
    let reduced = |&axis: &usize| mask[axis] && shape[axis] != 1;
    let kept = |&axis: &usize| !mask[axis] && shape[axis] != 1;
    let start = (0..shape.len()).find(reduced)?;
    let end = (start..shape.len()).find(kept)?;
    (end..shape.len()).any(|axis| reduced(&axis)).then(|| (start as isize..end as isize).collect())
}

/// The elements in row-major order of `[kept axes, reduced axes, kept axes]`, and the sizes of the three.
///
/// One group of adjacent reduced axes needs no copy of a contiguous tensor; the reduced axes of a view may be gathered at the
/// end.
fn as_outer_length_inner<T: Element>(x: &Tensor<T>, mask: &[bool]) -> (Tensor<T>, [usize; 3]) {
    let size = |range: std::ops::Range<usize>| x.shape()[range].iter().product::<usize>();
    let first = mask.iter().position(|&reduced| reduced).unwrap_or(mask.len());
    let end = mask.iter().rposition(|&reduced| reduced).map_or(first, |last| last + 1);
    let one_run = mask[first..end].iter().all(|&reduced| reduced);
    if one_run && (x.is_contiguous() || end != mask.len() && first != 0) {
        return (x.contiguous(), [size(0..first), size(first..end), size(end..mask.len())]);
    }
    let order: Vec<isize> = (0..mask.len())
        .filter(|&axis| !mask[axis])
        .chain((0..mask.len()).filter(|&axis| mask[axis]))
        .map(|axis| axis as isize)
        .collect();
    let moved = x.permute(&order);
    let kept = mask.iter().filter(|&&reduced| !reduced).count();
    let outer = moved.shape()[..kept].iter().product();
    let length = moved.shape()[kept..].iter().product();
    // A transposed matrix reduced along its rows is a contiguous one reduced along its columns.
    let swapped: Vec<isize> = (kept..mask.len()).chain(0..kept).map(|axis| axis as isize).collect();
    let turned = moved.permute(&swapped);
    if turned.is_contiguous() {
        return (turned, [1, length, outer]);
    }
    (moved.contiguous(), [outer, length, 1])
}

impl<T: Number> Tensor<T> {
    /// The sum over `axes`; 0 for no elements. Whole numbers are summed in i64, as in NumPy; a sum beyond i64 wraps around. (NumPy
    /// takes u64 for u8.)
    ///
    /// A mean of whole numbers is that of floats: `x.to::<f64>().mean(..)`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([200_u8; 4]).sum(..), Tensor::scalar(800_i64));
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Tensor<T::Sum> {
        fold("sum", Sum, T::cast::<T::Sum>, self, &axes.into())
    }

    /// The product over `axes`; 1 for no elements. Whole numbers are multiplied in i64, as in NumPy; a product beyond i64 wraps
    /// around.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn prod(&self, axes: impl Into<Axes>) -> Tensor<T::Sum> {
        fold("prod", Product, T::cast::<T::Sum>, self, &axes.into())
    }

    /// The largest element over `axes`; NaN if there is one. For no elements it is the lowest value of the type (minus
    /// infinity for floats).
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 7], [5, 3]]).max(-1), Tensor::from([7, 5]));
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn max(&self, axes: impl Into<Axes>) -> Tensor<T> {
        fold("max", Largest, same::<T>, self, &axes.into())
    }

    /// The smallest element over `axes`; NaN if there is one. For no elements it is the highest value of the type (infinity
    /// for floats).
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn min(&self, axes: impl Into<Axes>) -> Tensor<T> {
        fold("min", Smallest, same::<T>, self, &axes.into())
    }

    /// The sum of this tensor down to a shape that broadcasts to its own: the reverse of broadcasting. Whole numbers are summed in
    /// i64.
    ///
    /// # Panics
    /// If `shape` does not broadcast to this tensor's.
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Tensor<T::Sum> {
        if self.shape() == shape {
            return self.to();
        }
        let leading = self.ndim().saturating_sub(shape.len());
        let repeated = |&axis: &usize| axis < leading || (shape[axis - leading] == 1 && self.shape()[axis] != 1);
        let axes: Axes = (0..self.ndim()).filter(repeated).map(|axis| axis as isize).collect();
        fold("sum_to", Sum, T::cast::<T::Sum>, self, &axes).reshape(shape)
    }
}

impl Tensor<bool> {
    /// Whether any element is true over `axes`; false for no elements.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn any(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        fold("any", Any, same::<bool>, self, &axes.into())
    }

    /// Whether all elements are true over `axes`; true for no elements.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn all(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        fold("all", All, same::<bool>, self, &axes.into())
    }
}

impl<T: Float> Tensor<T> {
    /// ln of the sum of e^x over `axes`, shifted by the maximum so that it never overflows.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// // e^1000 is infinite, the logarithm of the sum is not.
    /// let x = Tensor::new([1000.0, 1000.0]);
    /// assert!((x.logsumexp(..).item() - (1000.0 + 2.0_f32.ln())).abs() < 1e-3);
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl Into<Axes>) -> Tensor<T> {
        let [shift, ln_sum] = self.logsumexp_parts(axes.into());
        ln_sum + shift
    }

    /// A number m near the largest element and the logarithm of the sum of e^(x - m) over `axes`, which add up to
    /// [`logsumexp`](Tensor::logsumexp). Where the largest element is large, only the two parts apart have all digits.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[doc(hidden)]
    #[track_caller]
    pub fn logsumexp_parts(&self, axes: Axes) -> [Tensor<T>; 2] {
        let max = self.max(keepdims(axes.clone()));
        // Subtracting an infinity would give NaN.
        let shift = max.map(|m| if num_traits::Float::is_finite(m) { m } else { T::ZERO });
        let ln_sum = (self - &shift).exp().sum(axes).ln();
        [shift.reshape(ln_sum.shape()), ln_sum]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum straight from the definition: every element added to the slot that its kept indices name.
    fn naive_sum(x: &Tensor<f64>, mask: &[bool]) -> Vec<f64> {
        let mut out =
            Tensor::<f64>::zeros((0..x.ndim()).map(|a| if mask[a] { 1 } else { x.shape()[a] }).collect::<Shape>());
        let (shape, out_shape) = (x.shape().clone(), out.shape().clone());
        for (place, value) in x.iter().enumerate() {
            let (mut rest, mut slot, mut step) = (place, 0, 1);
            for axis in (0..shape.len()).rev() {
                slot += if mask[axis] { 0 } else { rest % shape[axis] * step };
                step *= out_shape[axis];
                rest /= shape[axis];
            }
            out.as_mut_slice()[slot] += value;
        }
        out.to_vec()
    }

    #[test]
    fn sums_over_all_choices_of_axes_and_views() {
        let x = Tensor::<f64>::arange(0.0, 120.0, 1.0).reshape([2, 3, 4, 5]);
        for view in [x.clone(), x.permute([2, 0, 3, 1]), x.flip(1), x.slice(3, crate::step(.., 2)), x.slice(1, 1..1)] {
            for choice in 0..16 {
                let mask: Vec<bool> = (0..4).map(|axis| choice >> axis & 1 == 1).collect();
                let axes: Axes = (0..4).filter(|&a| mask[a as usize]).collect();
                assert_eq!(view.sum(axes).to_vec(), naive_sum(&view, &mask), "{} {mask:?}", view.shape());
            }
        }
    }

    #[test]
    fn long_sums_stay_accurate() {
        // A plain f32 running sum of 10 million 0.1 is off by 8 %.
        let x = Tensor::full([10_000_000], 0.1_f32);
        assert!((x.sum(..).item() - 1e6).abs() < 1.0);
        assert!((x.reshape([5_000_000, 2]).sum(0).get([1]) - 5e5).abs() < 1.0);
        assert_eq!(x.max(..).item(), 0.1);
    }

    #[test]
    fn whole_numbers_are_summed_in_i64() {
        // NumPy 2.4.6: np.full(4, 200, 'u1').sum() = 800, its product 1600000000, its running sums [200 400 600 800].
        let x = Tensor::from([200_u8; 4]);
        assert_eq!((x.sum(..).item(), x.prod(..).item()), (800, 1_600_000_000));
        assert_eq!(x.cumsum(0), Tensor::from([200_i64, 400, 600, 800]));
        // Over several groups of axes, down columns and along rows, of views; 3 * 5 * 127 by hand.
        let x = Tensor::full([3, 400, 5, 7], 127_i8);
        assert_eq!(x.sum([0, 2]), Tensor::full([400, 7], 1905_i64));
        assert_eq!(x.permute([3, 0, 2, 1]).sum([1, 2]), Tensor::full([7, 400], 1905_i64));
        assert_eq!(x.sum_to(&[5, 1].into()), Tensor::full([5, 1], 3 * 400 * 7 * 127_i64));
        assert_eq!(Tensor::full([100_000], i32::MAX).sum(..).item(), 100_000 * i64::from(i32::MAX));
        assert_eq!(Tensor::full([200], i16::MIN).prod(..).item(), 0);
        // What does not fit wraps around; a largest element has the element's type.
        assert_eq!(Tensor::from([i64::MAX, 1]).sum(..).item(), i64::MIN);
        assert_eq!(Tensor::from([1_u8, 200]).max(..).item(), 200_u8);
    }

    #[test]
    fn few_columns_are_folded_as_their_definition_says() {
        // Whole numbers, whose sums are exact in any order.
        for rows in [1, 2, 63, 64, 65, 127, 129, 1000, 4097, 70_000] {
            for columns in [2, 3, 5, 31, 32, 33, 64, 65, 513, 2049] {
                if rows * columns > 600_000 {
                    continue;
                }
                let x: Tensor = (0..rows * columns).map(|i| (i * 31 % 19) as f32).collect();
                let mut expected = vec![0_i64; columns];
                x.iter().enumerate().for_each(|(place, x)| expected[place % columns] += x as i64);
                let x = x.reshape([rows, columns]);
                assert_eq!(x.sum(0).to::<i64>().to_vec(), expected, "{rows} x {columns}");
                assert_eq!(x.to::<u8>().sum(0).to_vec(), expected, "{rows} x {columns}");
            }
        }
    }

    #[test]
    fn nothing_and_nan_follow_numpy() {
        let empty = Tensor::<f32>::zeros([0, 2]);
        assert_eq!(empty.sum(0), Tensor::new([0.0, 0.0]));
        assert_eq!(empty.prod(..).item(), 1.0);
        assert!(empty.mean(..).item().is_nan());
        assert_eq!(empty.sum(1).shape(), &[0]);
        let x = Tensor::new([1.0, f32::NAN, 3.0]);
        assert!(x.max(..).item().is_nan() && x.min(..).item().is_nan());
        assert!(Tensor::new([f32::NEG_INFINITY; 2]).logsumexp(..).item() == f32::NEG_INFINITY);
    }

    #[test]
    fn logsumexp_matches_numpy() {
        // NumPy 2.4.6: np.log(np.exp([[1, 2], [4, 8]]).sum()) = 8.02078...
        let x = Tensor::<f64>::from([[1.0, 2.0], [4.0, 8.0]]);
        let expected = (1_f64.exp() + 2_f64.exp() + 4_f64.exp() + 8_f64.exp()).ln();
        assert!((x.logsumexp(..).item() - expected).abs() < 1e-12);
    }
}
