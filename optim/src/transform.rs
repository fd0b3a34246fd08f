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
    let squares: f64 = gradients.clone().map(|gradient| gradient.norm(..).item().as_f64().powi(2)).sum();
    let mut norm = ScaledNorm { scale: 1.0, root: squares.sqrt() };
    // A norm that has come out too small matters only beside a limit of its size.
    if !norm.root.is_finite() || norm.root.max(limit) < least_norm::<T>() {
        norm = ScaledNorm::of(gradients).unwrap_or(norm);
    }
    // Divided by one after the other, because their product may be greater than any number.
    let share = limit / norm.scale / norm.root;
    if share < 1.0 { share } else { 1.0 }
}

/// The Euclidean norm of all elements, also where their squares are too large or too small for their type.
pub(crate) fn norm<T: Float>(x: &Tensor<T>) -> f64 {
    let norm = x.norm(..).item().as_f64();
    if norm >= least_norm::<T>() && norm.is_finite() {
        return norm;
    }
    ScaledNorm::of(iter::once(x)).map_or(norm, |ScaledNorm { scale, root }| scale * root)
}

/// A norm below this may have lost squares that are below the smallest normal number; 2^20 is the root of more elements
/// than memory holds.
fn least_norm<T: Float>() -> f64 {
    T::min_positive_value().as_f64().sqrt() * f64::from(1 << 20)
}

/// The product of `scale` and `root`: the norm of elements whose squares, or whose norm itself, may be no number of their
/// type.
struct ScaledNorm {
    /// The largest magnitude of an element.
    scale: f64,
    /// The norm of the elements, each divided by the scale.
    root: f64,
}

impl ScaledNorm {
    /// Two passes over the elements, in order; `None` if all are 0 or one is not finite.
    fn of<'a, T: Float>(tensors: impl Iterator<Item = &'a Tensor<T>> + Clone) -> Option<Self> {
        let over = |start, next: &dyn Fn(f64, f64) -> f64| {
            let of_tensor = |state, tensor: &Tensor<T>| tensor.iter().map(Float::as_f64).fold(state, next);
            tensors.clone().fold(start, of_tensor)
        };
        // NaN is greater than nothing, and stays.
        let scale = over(0.0, &|scale, x| if x.abs() <= scale || scale.is_nan() { scale } else { x.abs() });
        if scale == 0.0 || !scale.is_finite() {
            return None;
        }
        Some(ScaledNorm { scale, root: over(0.0, &|sum, x| sum + (x / scale).powi(2)).sqrt() })
    }
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
        let decays = !name.split('/').any(|part| self.excluded.iter().any(|excluded| excluded == part));
        let (l2, weight_decay) = if decays { (self.l2, self.weight_decay) } else { (0.0, 0.0) };
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
