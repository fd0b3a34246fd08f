//! The mean and the divisor by which inputs are brought to mean 0 and standard deviation 1.

use super::elements;
use crate::element::Float;
use crate::shape::{Axes, Shape};
use crate::simd::vectorize;
use crate::tensor::Tensor;

/// The numbers that are added side by side, so that few columns fill a vector too.
const WIDTH: usize = 256;

impl<T: Float> Tensor<T> {
    /// The mean over `axes`, and the standard deviation to divide by: `(x - mean) / divisor` has mean 0 and standard
    /// deviation 1. Both are computed in f64, and the variance is divided by n.
    ///
    /// A deviation of no more than |mean| times T's epsilon is within rounding of the mean, and so is none. The divisor is
    /// then 1, or |mean| if that is greater and the numbers are not all equal. So a constant becomes exactly 0, and numbers
    /// that are equal but for rounding become 0 but for rounding.
    ///
    /// Shapes: both have the axes that are left, as in [`mean`](Tensor::mean). Both are NaN where a number is not finite, and
    /// where there are none.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (mean, divisor) = Tensor::new([[1.0, 14.62], [5.0, 14.62]]).mean_and_divisor(0);
    /// assert_eq!(mean.to::<f32>(), Tensor::new([3.0, 14.62]));
    /// assert_eq!(divisor.to::<f32>(), Tensor::new([2.0, 1.0]));
    /// ```
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn mean_and_divisor(&self, axes: impl Into<Axes>) -> (Tensor<f64>, Tensor<f64>) {
        let axes = axes.into();
        let mask = axes.mask("mean_and_divisor", self.shape());
        let places = |reduced| (0..self.ndim()).filter(|&axis| mask[axis] == reduced).collect::<Vec<usize>>();
        let (reduced, kept) = (places(true), places(false));
        let order: Vec<isize> = reduced.iter().chain(&kept).map(|&axis| axis as isize).collect();
        let mut shape: Shape = kept.iter().map(|&axis| self.shape()[axis]).collect();
        let columns = shape.size();
        if axes.keeps_dims() {
            shape = self.shape().clone();
            reduced.iter().for_each(|&axis| shape[axis] = 1);
        }
        let rows = self.permute(order).contiguous();
        let [mean, divisor] = if rows.is_empty() {
            [vec![f64::NAN; columns], vec![f64::NAN; columns]]
        } else {
            Columns { numbers: elements(&rows), columns }.mean_and_divisor()
        };
        (Tensor::from(mean).reshape(&shape), Tensor::from(divisor).reshape(&shape))
    }
}

/// A matrix in row-major order, of one row and one column at least.
#[derive(Clone, Copy)]
struct Columns<'a, T> {
    numbers: &'a [T],
    columns: usize,
}

impl<T: Float> Columns<'_, T> {
    fn mean_and_divisor(self) -> [Vec<f64>; 2] {
        let count = (self.numbers.len() / self.columns) as f64;
        // Distances from the first row are exactly 0 where a column is constant.
        let origin: Vec<f64> = self.numbers[..self.columns].iter().map(|x| x.as_f64()).collect();
        let mut mean = self.sums(&origin, |distance| distance);
        mean.iter_mut().zip(&origin).for_each(|(sum, origin)| *sum = origin + *sum / count);
        let mut divisor = self.sums(&mean, |distance| distance * distance);
        for (column, (mean, divisor)) in mean.iter_mut().zip(&mut divisor).enumerate() {
            // Squares that f64 cannot hold.
            let deviation = if (1e-280..f64::INFINITY).contains(divisor) {
                (*divisor / count).sqrt()
            } else {
                let (exact, deviation) = self.extreme(column);
                *mean = exact;
                deviation
            };
            let none = deviation <= mean.abs() * T::epsilon().as_f64() || T::of(deviation) == T::ZERO;
            *divisor = match none {
                true if deviation == 0.0 => 1.0,
                true => mean.abs().max(1.0),
                false => deviation,
            };
        }
        [mean, divisor]
    }

    /// The sum of `term` of the distance from `origin` down each column.
    fn sums(self, origin: &[f64], term: impl Fn(f64) -> f64) -> Vec<f64> {
        let repeat = (WIDTH / self.columns).max(1);
        let origin = origin.repeat(repeat);
        let mut sums = vec![0.0; origin.len()];
        vectorize(
            #[inline(always)]
            || {
                for rows in self.numbers.chunks(origin.len()) {
                    let sums = sums.iter_mut().zip(rows).zip(&origin);
                    sums.for_each(|((sum, x), origin)| *sum += term(x.as_f64() - origin));
                }
            },
        );
        let (total, more) = sums.split_at_mut(self.columns);
        for row in more.chunks(self.columns) {
            total.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
        }
        sums.truncate(self.columns);
        sums
    }

    /// The mean and the standard deviation of a column whose squares are too large or too small for f64: they are taken of
    /// the distances in units of the largest one. Both are NaN if a number is not finite.
    #[cold]
    fn extreme(self, column: usize) -> (f64, f64) {
        let column = || self.numbers[column..].iter().step_by(self.columns).map(|x| x.as_f64());
        let count = column().count() as f64;
        // Distances of quarters do not overflow; a power of two rounds nothing here.
        let largest = column().fold(0.0, |largest, x| if x.abs() <= largest { largest } else { x.abs() });
        if !largest.is_finite() {
            return (f64::NAN, f64::NAN);
        }
        let unit = if largest > 1e100 { 0.25 } else { 1.0 };
        let origin = column().next().unwrap_or_default() * unit;
        let mean = origin + column().map(|x| (x * unit - origin) / count).sum::<f64>();
        let distance = || column().map(|x| (x * unit - mean).abs());
        let largest = distance().fold(0.0, f64::max);
        let squares = distance().map(|distance| if largest > 0.0 { (distance / largest).powi(2) } else { 0.0 });
        (mean / unit, (squares.sum::<f64>() / count).sqrt() * largest / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::keepdims;

    /// The mean and the divisor of one column.
    fn of<T: Float>(numbers: Vec<T>) -> [f64; 2] {
        let (mean, divisor) = Tensor::from(numbers).mean_and_divisor(0);
        [mean.item(), divisor.item()]
    }

    #[test]
    fn a_constant_has_no_deviation() {
        for constant in [14.62_f64, -0.1, 1e300, f64::MAX, 1e-300, 5e-324, 0.0, 1.0 / 3.0] {
            assert_eq!(of(vec![constant; 1000]), [constant, 1.0], "{constant}");
        }
        for constant in [14.62_f32, -0.1, 1e30, f32::MAX, 1e-38, 1e-45, 0.0, 1.0 / 3.0] {
            assert_eq!(of(vec![constant; 1000]), [constant.into(), 1.0], "{constant}");
            assert_eq!(of(vec![constant; 1]), [constant.into(), 1.0], "{constant}");
        }
    }

    #[test]
    fn rounding_is_no_deviation() {
        // 0.1 + 0.2 is the number after 0.3.
        assert_eq!(of(vec![0.3, 0.1 + 0.2])[1], 1.0);
        assert_eq!(of(vec![-0.3, -0.1 - 0.2])[1], 1.0);
        for constant in [14.62_f32, 1.0, 1e30, 1.5e-30] {
            let [mean, divisor] = of(vec![constant, constant.next_up(), constant, constant.next_down()]);
            assert!(divisor == mean.abs().max(1.0), "{constant}: {divisor}");
        }
        for constant in [14.62_f64, 1.0, 1e200, 1e-200] {
            let [mean, divisor] = of(vec![constant, constant.next_up(), constant, constant.next_down()]);
            assert!(divisor == mean.abs().max(1.0), "{constant}: {divisor}");
        }
        // By hand: whole numbers that differ in their last digit differ in truth.
        assert_eq!(of(vec![1_000_000.0_f32, 1_000_001.0]), [1_000_000.5, 0.5]);
        assert_eq!(of(vec![1_700_000_000.25_f64, 1_700_000_000.75]), [1_700_000_000.5, 0.25]);
    }

    #[test]
    fn numbers_of_any_size_have_a_deviation() {
        // By hand: mean 2 and deviation 1, times a power of two; and the largest numbers there are.
        for factor in [1.0, 2.0_f64.powi(1000), 2.0_f64.powi(-1000), 2.0_f64.powi(-1000) * 2.0_f64.powi(-70)] {
            assert_eq!(of(vec![factor, 3.0 * factor]), [2.0 * factor, factor]);
        }
        assert_eq!(of(vec![f64::MAX, -f64::MAX]), [0.0, f64::MAX]);
        assert_eq!(of(vec![f32::MAX, -f32::MAX]), [0.0, f32::MAX.into()]);
        assert!(of(vec![0.0, f64::MAX, f64::MAX]).iter().all(|statistic| statistic.is_finite()));
        // The deviation of one number in a million rows, 1.4e-48, is 0 in f32.
        let mut rare = vec![0.0; 1_000_000];
        rare[7] = f32::from_bits(1);
        assert_eq!(of(rare)[1], 1.0);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (mean, divisor) = Tensor::from([[bad, 1.0], [1.0, 3.0], [bad, 2.0]]).mean_and_divisor(0);
            assert!(mean.get([0]).is_nan() && divisor.get([0]).is_nan());
            assert_eq!(mean.get([1]), 2.0);
        }
        let (mean, divisor) = Tensor::<f32>::zeros([0, 2]).mean_and_divisor(0);
        assert!(mean.iter().chain(divisor.iter()).all(f64::is_nan) && mean.shape() == &[2]);
    }

    #[test]
    fn axes_are_those_of_other_reductions() {
        let x = Tensor::<f64>::from((0..7 * 3 * 5 * 2).map(|i| f64::from(i * i % 37)).collect::<Vec<_>>());
        let x = x.reshape([7, 3, 5, 2]);
        let every: [Axes; 6] =
            [0.into(), [0, 1, 2].into(), [1, 3].into(), (..).into(), keepdims([0, 2]), [-1, 1].into()];
        for axes in every {
            let (mean, divisor) = x.mean_and_divisor(axes.clone());
            assert!(mean.allclose(&x.mean(axes.clone()), 1e-14, 0.0), "{axes:?}");
            assert!(divisor.allclose(&x.std(axes.clone()), 1e-14, 0.0), "{axes:?}");
        }
    }
}
