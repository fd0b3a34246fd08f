//! Mean, variance, standard deviation and norm.
//!
//! Sums of numbers and of their squares may overflow, or vanish, where the result does not. Then, and only then, the numbers are
//! divided by a power of two near the largest of them, which changes none of their digits, and the result is multiplied by it.

use super::reduce::{Sum, fold};
use crate::element::Float;
use crate::kernels::reduce::same;
use crate::shape::{Axes, keepdims};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The mean over `axes`; NaN for no elements.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([[1.0, 2.0], [3.0, 6.0]]);
    /// assert_eq!(x.mean(0), Tensor::new([2.0, 4.0]));
    /// assert_eq!(x.mean(..).item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Tensor<T> {
        let axes = axes.into();
        let mean = plain_mean(self, &axes);
        match scaled(self, &axes, &mean, |mean| !num_traits::Float::is_finite(mean)) {
            None => mean,
            Some((x, scale)) => plain_mean(&x, &axes) * scale,
        }
    }

    /// The variance over `axes`: the mean squared distance from the mean (population variance, NumPy's `ddof=0`).
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>) -> Tensor<T> {
        let (variance, scale) = scaled_variance(self, &axes.into());
        match scale {
            None => variance,
            // In this order: the square of the scale may overflow.
            Some(scale) => variance * &scale * scale,
        }
    }

    /// The standard deviation over `axes`: the square root of [`var`](Tensor::var).
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([2.0, 6.0]).std(..).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>) -> Tensor<T> {
        let (variance, scale) = scaled_variance(self, &axes.into());
        match scale {
            None => variance.sqrt(),
            Some(scale) => variance.sqrt() * scale,
        }
    }

    /// The Euclidean norm over `axes`: the square root of the sum of squares.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([3e20, 4e20]).norm(..), Tensor::new(5e20));
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn norm(&self, axes: impl Into<Axes>) -> Tensor<T> {
        let axes = axes.into();
        let squares = self.square().sum(axes.clone());
        // Below that, squares have lost digits.
        let least = T::min_positive_value() * T::of(self.size() as f64 / squares.size().max(1) as f64);
        match scaled(self, &axes, &squares, |squares| !holds_digits(squares, least)) {
            None => squares.sqrt(),
            Some((x, scale)) => x.square().sum(axes).sqrt() * scale,
        }
    }

    /// A factor, 2^-32, by which the norm of any finite elements can be held by their type: memory holds fewer than 2^64.
    #[doc(hidden)]
    pub const NORM_UNIT: f64 = 1.0 / (1_u64 << 32) as f64;

    /// The Euclidean norm of all elements times `unit`.
    #[doc(hidden)]
    pub fn norm_in(&self, unit: f64) -> f64 {
        if unit == 1.0 { self.norm(..).item().as_f64() } else { (self * T::of(unit)).norm(..).item().as_f64() }
    }

    /// The Euclidean norm of all elements, also where it is more than their type can hold.
    #[doc(hidden)]
    pub fn norm_f64(&self) -> f64 {
        match self.norm_in(1.0) {
            f64::INFINITY => self.norm_in(Self::NORM_UNIT) / Self::NORM_UNIT,
            norm => norm,
        }
    }

    /// The distance of each element from the mean over `axes`, where the elements have this variance.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[doc(hidden)]
    #[track_caller]
    pub fn deviations(&self, axes: impl Into<Axes>, variance: &Tensor<T>) -> Tensor<T> {
        let axes = keepdims(axes);
        let deviations = self - self.mean(axes.clone());
        let rest = plain_mean(&deviations, &axes);
        if rest.iter().zip(variance.iter()).any(|(rest, variance)| rest * rest > T::epsilon() * variance) {
            deviations - rest
        } else {
            deviations
        }
    }
}

#[track_caller]
fn plain_mean<T: Float>(x: &Tensor<T>, axes: &Axes) -> Tensor<T> {
    let sum = fold("mean", Sum, same::<T>, x, axes);
    let count = x.size() as f64 / sum.size() as f64;
    if sum.is_empty() { sum } else { sum / T::of(count) }
}

#[track_caller]
fn plain_variance<T: Float>(x: &Tensor<T>, axes: &Axes) -> Tensor<T> {
    let deviations = x - plain_mean(x, &keepdims(axes.clone()));
    let rest = plain_mean(&deviations, axes);
    // The mean of the deviations is 0, but for the rounding of the mean, which matters where the mean is much larger than them.
    deviations
        .square()
        .mean(axes.clone())
        .zip_map(rest, |square, rest| if rest * rest > T::epsilon() * square { square - rest * rest } else { square })
}

/// The variance, or that of the elements divided by the scale.
#[track_caller]
fn scaled_variance<T: Float>(x: &Tensor<T>, axes: &Axes) -> (Tensor<T>, Option<Tensor<T>>) {
    let variance = plain_variance(x, axes);
    match scaled(x, axes, &variance, |variance| !holds_digits(variance, T::min_positive_value())) {
        None => (variance, None),
        Some((x, scale)) => (plain_variance(&x, axes), Some(scale)),
    }
}

/// Whether a sum of squares has neither overflowed nor lost digits, which it has below `least`.
fn holds_digits<T: Float>(squares: T, least: T) -> bool {
    squares >= least && squares < T::HIGHEST
}

/// The elements divided by scales, and the scales in the shape of `result`, if a number of `result` is `bad` and has finite
/// elements: for each such number a power of two near the largest element, else 1, so that other results keep their bits.
#[track_caller]
fn scaled<T: Float>(
    x: &Tensor<T>,
    axes: &Axes,
    result: &Tensor<T>,
    bad: impl Fn(T) -> bool + Sync,
) -> Option<(Tensor<T>, Tensor<T>)> {
    if !result.iter().any(&bad) {
        return None;
    }
    let largest = x.abs().max(keepdims(axes.clone()));
    let result_kept = result.reshape(largest.shape());
    let scale = largest.zip_map(result_kept, |x, result| if bad(result) { x.power_of_two() } else { T::ONE });
    scale.iter().any(|scale| scale != T::ONE).then(|| (x / &scale, scale.reshape(result.shape())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_match_numpy() {
        // numpy 2: np.var([[1, 2], [4, 8]], axis=0) = [2.25, 9], np.std(..) = 2.680951....
        let x = Tensor::<f64>::from([[1.0, 2.0], [4.0, 8.0]]);
        assert_eq!(x.var(0), Tensor::from([2.25, 9.0]));
        assert!((x.std(..).item() - 2.680_951_323_690_902).abs() < 1e-14);
    }

    /// Checks mean, variance, deviation and norm of 3 and 5 times a factor, and of other rows beside them.
    fn check<T: Float>(factor: f64) {
        let x = |numbers: [f64; 2]| numbers.map(|x| x * factor).map(T::of);
        // By hand: the mean of 3 and 5 is 4, their deviation 1, their norm sqrt(34).
        let rows = [x([3.0, 5.0]), [T::of(3.0), T::of(5.0)], [T::ZERO; 2], x([-5.0, 5.0])].concat();
        let rows = Tensor::from(rows).reshape([4, 2]);
        let close = |what: &str, found: Tensor<T>, expected: [f64; 4]| {
            for (found, expected) in found.iter().zip(expected) {
                let error = (found.as_f64() - expected).abs();
                let smallest = T::min_positive_value().as_f64() * T::epsilon().as_f64();
                let near = error <= 4.0 * T::epsilon().as_f64() * expected.abs() + smallest;
                let beyond = expected > T::max_value().as_f64() && found == T::HIGHEST;
                assert!(near || beyond, "{what} of {factor:e} times 3 and 5: {found:?}, not {expected:e}");
            }
        };
        for x in [rows.clone(), rows.t().contiguous().t()] {
            close("mean", x.mean(1), [4.0 * factor, 4.0, 0.0, 0.0]);
            close("std", x.std(1), [factor, 1.0, 0.0, 5.0 * factor]);
            close("var", x.var(1), [factor * factor, 1.0, 0.0, 25.0 * factor * factor]);
            close("norm", x.norm(keepdims(1)), [34_f64.sqrt() * factor, 34_f64.sqrt(), 0.0, 50_f64.sqrt() * factor]);
        }
        // The rows beside them have the bits that they have alone.
        let usual = rows.slice(0, 1..2);
        assert_eq!(rows.norm(1).get([1]), usual.norm(..).item());
    }

    #[test]
    fn sums_of_squares_neither_overflow_nor_vanish() {
        for factor in [1e38 / 2.0, 3e25, 1e19, 1e-17, 1e-22, 1e-30, 1e-38, 1e-42] {
            check::<f32>(factor);
        }
        for factor in [3e307, 1e200, 1e154, 1e-155, 1e-200, 1e-307] {
            check::<f64>(factor);
        }
        // The sum overflows, though each element or square does not. The deviation of (1, -1, -1) is sqrt(8/9).
        let near = |found: Tensor, expected: f64| {
            assert!((f64::from(found.item()) / expected - 1.0).abs() < 1e-6, "{found}, not {expected:e}");
        };
        near(Tensor::full([1000], 1e19).norm(..), 1000_f64.sqrt() * 1e19);
        near(Tensor::full([1000], 3e38).mean(..), 3e38);
        let x = Tensor::full([500], 1.5e19);
        near(Tensor::concat(&[x.clone(), -x], 0).var(..), 2.25e38);
        near(Tensor::new([f32::MAX, -f32::MAX, -f32::MAX]).std(..), f64::from(f32::MAX) * (8_f64 / 9.0).sqrt());
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let x = Tensor::new([[1.0, f32::INFINITY], [f32::NAN, 3e20], [3e20, 4e20]]);
        let norm = x.norm(1).to_vec();
        assert!(norm[0] == f32::INFINITY && norm[1].is_nan() && norm[2] == 5e20);
        assert!(x.mean(1).get([0]) == f32::INFINITY && x.mean(1).get([1]).is_nan());
        assert!(x.var(1).get([0]).is_nan() && x.std(1).get([1]).is_nan());
        assert!(Tensor::<f32>::zeros([0]).mean(..).item().is_nan() && Tensor::<f32>::zeros([0]).norm(..).item() == 0.0);
    }

    #[test]
    fn a_mean_far_from_zero_does_not_change_the_variance() {
        // By hand: 0 and 1 around any mean have the variance 1/4. In f32, 1e7 + 1/2 is rounded.
        let x: Tensor = (0..1000).map(|i| 1e7 + (i % 2) as f32).collect();
        assert_eq!((x.var(..).item(), x.std(..).item()), (0.25, 0.5));
        assert_eq!(x.reshape([500, 2]).var(1), Tensor::full([500], 0.25));
        assert_eq!(x.reshape([2, 500]).t().var(0), Tensor::full([2], 0.25));
        assert_eq!(x.deviations(.., &x.var(..)).slice(0, ..2), Tensor::new([-0.5, 0.5]));
        let x: Tensor<f64> = (0..1000).map(|i| 4e15 + (i % 2) as f64).collect();
        assert_eq!(x.var(..).item(), 0.25);
    }
}
