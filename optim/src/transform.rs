//! Clipping and decay: the changes to a weight and its gradient before the rule.

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
    pub fn common_factor<'a, T: Float>(self, gradients: impl Iterator<Item = &'a Tensor<T>>) -> f64 {
        match self {
            Clip::GlobalNorm(limit) => {
                let squares = gradients.map(|gradient| norm(gradient).powi(2));
                shrink_to(limit, squares.sum::<f64>().sqrt())
            }
            Clip::Value(_) | Clip::Norm(_) => 1.0,
        }
    }

    /// The factor of one gradient, beyond the common one.
    fn own_factor<T: Float>(self, gradient: &Tensor<T>) -> f64 {
        match self {
            Clip::Norm(limit) => shrink_to(limit, norm(gradient)),
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

/// The Euclidean norm of all elements.
pub(crate) fn norm<T: Float>(x: &Tensor<T>) -> f64 {
    x.norm(..).item().as_f64()
}

/// The factor that brings `norm` down to `limit`; 1 if it is small enough, or NaN, so that NaN stays visible.
fn shrink_to(limit: f64, norm: f64) -> f64 {
    if norm > limit { limit / norm } else { 1.0 }
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
