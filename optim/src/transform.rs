//! Clipping and decay: the changes to a weight and its gradient before the rule.

use std::borrow::Cow;
use std::iter;

use gradus_tensor::{Float, Real, Tensor};

/// How gradients are kept from being too large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clip {
    /// Each element on its own.
    Value(f64),
    /// Each parameter's gradient by its norm.
    Norm(f64),
    /// All gradients by their common norm.
    GlobalNorm(f64),
}

impl Clip {
    /// The factor that all gradients have in common.
    pub fn common_factor<'a, T: Float>(self, gradients: impl Iterator<Item = &'a Tensor<T>> + Clone) -> f64 {
        match self {
            Clip::GlobalNorm(limit) => shrink_to(limit, gradients),
            Clip::Value(_) | Clip::Norm(_) => 1.0,
        }
    }

    /// The factor of one gradient, beyond the common one.
    fn own_factor<T: Float>(self, gradient: &Tensor<T>) -> f64 {
        match self {
            Clip::Norm(limit) => shrink_to(limit, iter::once(gradient)),
            Clip::Value(_) | Clip::GlobalNorm(_) => 1.0,
        }
    }

    /// The largest magnitude of an element.
    fn limit(self) -> Option<f64> {
        match self {
            Clip::Value(limit) => Some(limit),
            Clip::Norm(_) | Clip::GlobalNorm(_) => None,
        }
    }
}

/// The factor that brings the common norm of all elements down to `limit`; 1 if it is small enough, or NaN, so that NaN
/// stays visible.
fn shrink_to<'a, T: Float>(limit: f64, gradients: impl Iterator<Item = &'a Tensor<T>> + Clone) -> f64 {
    let norm = |unit| {
        let lengths = gradients.clone().map(|gradient| gradient.norm_in(unit));
        let squares: f64 = lengths.clone().map(|length| length.powi(2)).sum();
        // Squares of f64 may overflow or vanish, where their root does not.
        if squares.is_normal() || squares.is_nan() { squares.sqrt() } else { lengths.fold(0.0, f64::hypot) }
    };
    let share = match norm(1.0) {
        f64::INFINITY => limit * Tensor::<T>::NORM_UNIT / norm(Tensor::<T>::NORM_UNIT),
        norm => limit / norm,
    };
    if share < 1.0 { share } else { 1.0 }
}

/// Whether one of these names is a part of the path: `"bias"` of `"1/bias"`.
pub(crate) fn has_part_of(path: &str, names: &[String]) -> bool {
    !names.is_empty() && path.split('/').any(|part| names.iter().any(|name| name == part))
}

/// An optimiser's settings for clipping and decay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transforms {
    pub clip: Option<Clip>,
    pub l2: f64,
    pub weight_decay: f64,
    /// Parameters with one of these names in their path are spared `l2` and `weight_decay`.
    pub excluded: Vec<String>,
}

impl Transforms {
    /// The transform of one parameter in this step.
    pub fn of<T: Float>(&self, name: &str, gradient: &Tensor<T>, common_factor: f64, learning_rate: f64) -> Transform {
        let is_spared = has_part_of(name, &self.excluded);
        let (l2, weight_decay) = if is_spared { (0.0, 0.0) } else { (self.l2, self.weight_decay) };
        Transform {
            factor: common_factor * self.clip.map_or(1.0, |clip| clip.own_factor(gradient)),
            limit: self.clip.and_then(Clip::limit).unwrap_or(f64::INFINITY),
            l2,
            keep: 1.0 - learning_rate * weight_decay,
        }
    }
}

/// The change of a parameter and its gradient before the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transform {
    /// The gradient is multiplied by this factor,
    pub factor: f64,
    /// then each element is clamped to this magnitude,
    pub limit: f64,
    /// then this factor times the parameter is added.
    pub l2: f64,
    /// After that the parameter is multiplied by this factor.
    pub keep: f64,
}

impl Transform {
    /// The transform that changes nothing.
    pub const NONE: Transform = Transform { factor: 1.0, limit: f64::INFINITY, l2: 0.0, keep: 1.0 };

    /// The same transform with a factor that its type can hold, and the gradient that it is then one of. A norm near the
    /// largest number and a small limit have a quotient below the smallest.
    pub fn in_range<T: Float>(self, gradient: &Tensor<T>) -> (Cow<'_, Tensor<T>>, Transform) {
        let least = T::min_positive_value().as_f64() / T::epsilon().as_f64();
        if self.factor >= least || self.factor <= 0.0 {
            return (Cow::Borrowed(gradient), self);
        }
        let root = self.factor.sqrt();
        (Cow::Owned(gradient * T::of(root)), Transform { factor: root, ..self })
    }

    /// The new values of an element `p` of the parameter and of its gradient `g`.
    #[inline(always)]
    pub fn formula<N: Real>(&self, p: N, g: N) -> (N, N) {
        let limit = N::of(self.limit);
        let g = N::of(self.factor) * g;
        // NaN is neither above nor below the limit, and stays.
        let g = N::select(g.greater(limit), limit, g);
        let g = N::select(g.less(-limit), -limit, g);
        (N::of(self.keep) * p, g + N::of(self.l2) * p)
    }
}
