//! Focal cross-entropies: what is already right counts less. Lin et al., arXiv:1708.02002.

use gradus_autograd::Var;
use gradus_tensor::{Float, Real, Tensor, keepdims, pointwise};
use serde::{Deserialize, Serialize};

use super::binary::checked_smoothing;
use super::{Loss, at_least, binary, categorical, mean_pointwise};
use crate::error::Result;

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // The factor of a target is slope t + offset; probabilities are raised to `least`, as for binary cross-entropy.
    static BINARY_FOCAL = binary_focal_crossentropy(t, p; gamma, slope, offset, least): {
            let (yes, no) = (at_least(p, least), at_least(N::ONE - p, least));
            let crossentropy = -(yes.ln() * t + no.ln() * (N::ONE - t));
            crossentropy * power(wrong(t, p), gamma) * (t * slope + offset)
        },
        derivative |g| {
            let (yes, no) = (at_least(p, least), at_least(N::ONE - p, least));
            let crossentropy = -(yes.ln() * t + no.ln() * (N::ONE - t));
            let rising = ((N::ONE - t) / no - t / yes) * power(wrong(t, p), gamma);
            let turning = crossentropy * power_slope(wrong(t, p), gamma) * (N::ONE - t - t);
            g * (t * slope + offset) * (rising + turning)
        };
    static BINARY_FOCAL_FROM_LOGITS = binary_focal_crossentropy_from_logits(t, x; gamma, slope, offset): {
            (x.softplus() - x * t) * power(wrong(t, x.sigmoid()), gamma) * (t * slope + offset)
        },
        derivative |g| {
            let p = x.sigmoid();
            let rising = (p - t) * power(wrong(t, p), gamma);
            let turning = (x.softplus() - x * t) * power_slope(wrong(t, p), gamma) * (N::ONE - t - t) * p * (N::ONE - p);
            g * (t * slope + offset) * (rising + turning)
        };
    // The logarithm of a probability that is raised to `least`.
    static LN_AT_LEAST = ln_at_least(p; least): at_least(p, least).ln(),
        derivative |g| g / at_least(p, least);
    // (1 - p)^gamma
    static FOCUS = focus(p; gamma): power(N::ONE - p, gamma),
        derivative |g| -g * power_slope(N::ONE - p, gamma);
}

/// How wrong a probability p is: 1 - p for a target of 1, p for 0, so t + (1 - 2 t) p.
#[inline(always)]
fn wrong<N: Real>(t: N, p: N) -> N {
    p * (t * N::of(-2.0) + N::ONE) + t
}

/// x^gamma for x from 0; a rounding below 0 counts as 0.
#[inline(always)]
fn power<N: Real>(x: N, gamma: N) -> N {
    N::select(gamma.equal(N::of(2.0)), x * x, at_least(x, N::ZERO).pow(gamma))
}

/// The derivative of x^gamma: gamma x^(gamma - 1), taken as 0 where it would be infinite.
#[inline(always)]
fn power_slope<N: Real>(x: N, gamma: N) -> N {
    let slope = gamma * at_least(x, N::ZERO).pow(gamma - N::ONE);
    let finite = N::select(x.less_equal(N::ZERO) & gamma.less(N::ONE), N::ZERO, slope);
    N::select(gamma.equal(N::of(2.0)), x + x, finite)
}

/// (1 - q)^gamma times the binary cross-entropy, where q = p for targets of 1 and 1 - p for 0; with
/// [`alpha`](BinaryFocalCrossentropy::alpha), times alpha for targets of 1 and 1 - alpha for 0.
///
/// Shapes as for [`BinaryCrossentropy`](super::BinaryCrossentropy).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryFocalCrossentropy {
    gamma: f64,
    alpha: Option<f64>,
    from_logits: bool,
    label_smoothing: f64,
}

impl Default for BinaryFocalCrossentropy {
    fn default() -> Self {
        BinaryFocalCrossentropy { gamma: 2.0, alpha: None, from_logits: false, label_smoothing: 0.0 }
    }
}

impl BinaryFocalCrossentropy {
    /// With the power of the focus; 2 otherwise.
    pub fn gamma(self, gamma: f64) -> Self {
        BinaryFocalCrossentropy { gamma, ..self }
    }

    /// With this factor on targets of 1, and 1 - alpha on 0 (Keras's `apply_class_balancing`, where it is 0.25).
    pub fn alpha(self, alpha: f64) -> Self {
        BinaryFocalCrossentropy { alpha: Some(alpha), ..self }
    }

    /// On logits, the numbers before a sigmoid, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        BinaryFocalCrossentropy { from_logits, ..self }
    }

    /// With targets drawn towards 1/2: t (1 - smoothing) + smoothing / 2.
    ///
    /// # Panics
    /// If `smoothing` is not in 0 to 1.
    #[track_caller]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        BinaryFocalCrossentropy { label_smoothing: checked_smoothing(smoothing), ..self }
    }
}

impl Loss for BinaryFocalCrossentropy {
    fn name(&self) -> &'static str {
        "binary_focal_crossentropy"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = binary::smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        let (slope, offset) = self.alpha.map_or((0.0, 1.0), |alpha| (2.0 * alpha - 1.0, 1.0 - alpha));
        let parameters = [T::of(self.gamma), T::of(slope), T::of(offset)];
        if self.from_logits {
            return mean_pointwise(self.name(), &BINARY_FOCAL_FROM_LOGITS, &t, outputs, &parameters);
        }
        let [gamma, slope, offset] = parameters;
        let parameters = [gamma, slope, offset, T::min_positive_value()];
        mean_pointwise(self.name(), &BINARY_FOCAL, &t, outputs, &parameters)
    }
}

/// alpha (1 - p)^gamma times the categorical cross-entropy, summed over the classes.
///
/// Shapes as for [`CategoricalCrossentropy`](super::CategoricalCrossentropy).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalFocalCrossentropy {
    gamma: f64,
    alpha: f64,
    from_logits: bool,
    label_smoothing: f64,
}

impl Default for CategoricalFocalCrossentropy {
    fn default() -> Self {
        CategoricalFocalCrossentropy { gamma: 2.0, alpha: 0.25, from_logits: false, label_smoothing: 0.0 }
    }
}

impl CategoricalFocalCrossentropy {
    /// With the power of the focus; 2 otherwise.
    pub fn gamma(self, gamma: f64) -> Self {
        CategoricalFocalCrossentropy { gamma, ..self }
    }

    /// With this factor on the loss; 0.25 otherwise.
    pub fn alpha(self, alpha: f64) -> Self {
        CategoricalFocalCrossentropy { alpha, ..self }
    }

    /// On logits, the numbers before a softmax, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        CategoricalFocalCrossentropy { from_logits, ..self }
    }

    /// With targets drawn towards the even distribution: t (1 - smoothing) + smoothing / classes.
    ///
    /// # Panics
    /// If `smoothing` is not in 0 to 1.
    #[track_caller]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        CategoricalFocalCrossentropy { label_smoothing: checked_smoothing(smoothing), ..self }
    }
}

impl Loss for CategoricalFocalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_focal_crossentropy"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = categorical::smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        let (p, logs) = if self.from_logits {
            (outputs.softmax(-1), outputs.log_softmax(-1))
        } else {
            let p = outputs / outputs.sum(keepdims(-1));
            let logs = p.pointwise(&LN_AT_LEAST, &[], &[T::min_positive_value()]);
            (p, logs)
        };
        let focus = p.pointwise(&FOCUS, &[], &[T::of(self.gamma)]);
        Ok((focus * logs * &(t * T::of(-self.alpha))).sum(-1))
    }
}
