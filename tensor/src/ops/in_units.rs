//! Standardisation of groups whose variance overflows or vanishes, though their elements are finite: in units of a power of two
//! near the largest element of each group, which change no digit.
//!
//! This is the formula, one tensor after another; it is seldom needed.

use super::standardize::Moments;
use crate::element::Float;
use crate::shape::{Axes, Shape, keepdims};
use crate::standardization::Standardization;
use crate::tensor::Tensor;

/// A tensor to be standardised, each group in units of its own.
pub(super) struct InUnits<'a, T: Float> {
    how: &'a Standardization,
    shape: Shape,
    moments_shape: Shape,
    axes: Axes,
    /// The elements in these units, in the shape in which the axes of a group stand apart.
    x: Tensor<T>,
    /// The unit of each group: 1 where the variance is of an ordinary size.
    units: Tensor<T>,
}

impl<'a, T: Float> InUnits<'a, T> {
    /// `x` in units, if the variance of a group calls for it. Variances that are large or small, though not beyond the range of the
    /// type, do so for gradients, which are divided by them.
    pub fn of(x: &Tensor<T>, variance: &Tensor<T>, how: &'a Standardization, gradient: bool) -> Option<Self> {
        let margin = if gradient { T::epsilon() * T::epsilon() } else { T::ONE };
        // Beside a larger epsilon, the digits of a smaller variance do not matter.
        let least = if how.epsilon < T::min_positive_value().as_f64() / (T::epsilon() * margin).as_f64() {
            T::min_positive_value() / margin
        } else {
            T::ZERO
        };
        let most = T::max_value() * margin;
        let usual = |variance: T| variance >= least && variance <= most;
        if x.is_empty() || variance.iter().all(usual) {
            return None;
        }
        let (apart, axes) = how.apart(x.shape());
        let axes = keepdims(axes);
        let seen = x.reshape(apart);
        let largest = seen.abs().max(axes.clone());
        let variance_kept = variance.reshape(largest.shape());
        let units =
            largest.zip_map(variance_kept, |x, variance| if usual(variance) { T::ONE } else { x.power_of_two() });
        units.iter().any(|unit| unit != T::ONE).then(|| InUnits {
            how,
            shape: x.shape().clone(),
            moments_shape: variance.shape().clone(),
            axes,
            x: seen / &units,
            units,
        })
    }

    /// Mean, variance, the elements brought to mean 0 and variance 1, and their scale: all in units.
    fn normalized(&self) -> [Tensor<T>; 4] {
        let mean = self.x.mean(self.axes.clone());
        let mean = if self.how.is_centered() { mean } else { mean.zeros_like() };
        let distance = &self.x - &mean;
        let variance = distance.square().mean(self.axes.clone());
        let epsilon = self.units.map(|unit| T::of(self.how.epsilon) / unit / unit);
        let scale = (&variance + epsilon).rsqrt();
        [mean, variance, distance * &scale, scale]
    }

    /// The result of `standardize`.
    pub fn standardize(&self, gamma: &Tensor<T>, beta: &Tensor<T>) -> (Tensor<T>, Moments<T>) {
        let [mean, variance, normal, _] = self.normalized();
        let y = normal.reshape(&self.shape) * gamma + beta;
        let moments = Moments {
            mean: (mean * &self.units).reshape(&self.moments_shape),
            variance: (variance * &self.units * &self.units).reshape(&self.moments_shape),
        };
        (if self.how.relu { y.relu() } else { y }, moments)
    }

    /// The result of `standardize_gradient`.
    pub fn gradient(&self, g: Tensor<T>, gamma: &Tensor<T>, beta: &Tensor<T>) -> [Tensor<T>; 3] {
        let [_, _, normal, scale] = self.normalized();
        let flat = normal.reshape(&self.shape);
        let y = &flat * gamma + beta;
        let g = if self.how.relu { y.greater(T::ZERO).where_(g, T::ZERO) } else { g };
        let weighed = (&g * gamma).reshape(normal.shape());
        let along = (&weighed * &normal).mean(self.axes.clone());
        let mean = weighed.mean(self.axes.clone());
        let through = if self.how.is_centered() { mean } else { mean.zeros_like() };
        let by_x = (weighed - through - normal * along) * scale / &self.units;
        let leading = (0..self.shape.len() as isize - 1).collect::<Axes>();
        [by_x.reshape(&self.shape), (&g * flat).sum(leading.clone()), g.sum(leading)]
    }
}
