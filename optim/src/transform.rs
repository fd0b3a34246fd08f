//! What is done to gradients before a rule sees them, and to slots behind it.

use gradus_tensor::{Float, Tensor};

use crate::Rule;

/// Elements that are transformed at a time: they stay in the first cache level until the rule has read them.
const BLOCK: usize = 512;

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
    pub fn own_factor<T: Float>(self, gradient: &Tensor<T>) -> f64 {
        match self {
            Clip::Norm(limit) => shrink_to(limit, norm(gradient)),
            Clip::Value(_) | Clip::GlobalNorm(_) => 1.0,
        }
    }

    /// The largest magnitude of an element.
    pub fn limit(self) -> Option<f64> {
        match self {
            Clip::Value(limit) => Some(limit),
            Clip::Norm(_) | Clip::GlobalNorm(_) => None,
        }
    }
}

fn norm<T: Float>(gradient: &Tensor<T>) -> f64 {
    gradient.norm(..).item().as_f64()
}

/// What brings `norm` down to `limit`; 1 if it is small enough or NaN, which is left for others to find.
fn shrink_to(limit: f64, norm: f64) -> f64 {
    if norm > limit { limit / norm } else { 1.0 }
}

/// What is done to a parameter and its gradient on the way to the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transform {
    /// The gradient is multiplied by this,
    pub factor: f64,
    /// then each element is clamped to this magnitude,
    pub limit: f64,
    /// then this times the parameter is added.
    pub l2: f64,
    /// After that the parameter is multiplied by this.
    pub keep: f64,
}

impl Transform {
    const NONE: Transform = Transform { factor: 1.0, limit: f64::INFINITY, l2: 0.0, keep: 1.0 };

    /// Updates a stretch by `rule`, through the transform. The transformed gradient exists a block at a time, in
    /// cache, so that the gradient itself is read once and not written.
    #[inline(always)]
    pub fn update<R: Rule, T: Float, const N: usize>(
        &self,
        rule: &R,
        step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        mut slots: [&mut [T]; N],
    ) {
        if *self == Transform::NONE {
            rule.update(step, learning_rate, parameter, gradient, &mut slots);
            return slots.into_iter().for_each(settle);
        }
        let (factor, limit) = (T::of(self.factor), T::of(self.limit));
        let (l2, keep) = (T::of(self.l2), T::of(self.keep));
        let mut block = [T::ZERO; BLOCK];
        for (i, (parameter, gradient)) in parameter.chunks_mut(BLOCK).zip(gradient.chunks(BLOCK)).enumerate() {
            let (start, len) = (i * BLOCK, parameter.len());
            let block = &mut block[..len];
            for ((b, &g), p) in block.iter_mut().zip(gradient).zip(parameter.iter_mut()) {
                let g = factor * g;
                // Written so that NaN stays NaN.
                let g = if g > limit { limit } else { g };
                let g = if g < -limit { -limit } else { g };
                *b = g + l2 * *p;
                *p = keep * *p;
            }
            let mut slots = slots.each_mut().map(|slot| &mut slot[start..][..len]);
            rule.update(step, learning_rate, parameter, block, &mut slots);
            slots.into_iter().for_each(settle);
        }
    }
}

/// Makes subnormal numbers 0. An average of gradients that are 0 now, as those by a pixel that is seldom anything else,
/// shrinks from step to step, but never to 0: it stays at the least of them. Processors take a hundred cycles and more to
/// compute with such numbers.
#[inline(always)]
fn settle<T: Float>(slot: &mut [T]) {
    for x in slot {
        *x = if x.abs() < T::min_positive_value() { T::ZERO } else { *x };
    }
}
