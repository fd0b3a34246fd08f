//! Focal cross-entropies: what is already right counts less. Lin et al., arXiv:1708.02002.

use gradus_autograd::Var;
use gradus_tensor::{Float, Real, Tensor, keepdims, pointwise};
use serde::{Deserialize, Serialize};

use super::binary::{of_logit, of_probability};
use super::probabilities::{UNITS, check_classes, check_probabilities};
use super::{Expects, Loss, Scored, at_least, binary, categorical, mean_pointwise, options, probability, sigmoids};
use crate::activation::Activation;
use crate::error::Result;

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // The factor of a target is slope t + offset; probabilities are raised to `least`, as for binary cross-entropy.
    static BINARY_FOCAL = binary_focal_crossentropy(t, p; gamma, slope, offset, least): {
            of_probability(t, p, least) * power(wrong(t, p, N::ONE - p), gamma) * (t * slope + offset)
        },
        derivative |g| {
            let (yes, no) = (probability(p, least), probability(N::ONE - p, least));
            let wrong = wrong(t, p, N::ONE - p);
            let rising = ((N::ONE - t) / no - t / yes) * power(wrong, gamma);
            let turning = of_probability(t, p, least) * power_slope(wrong, gamma) * (N::ONE - t - t);
            g * (t * slope + offset) * (rising + turning)
        };
    static BINARY_FOCAL_FROM_LOGITS = binary_focal_crossentropy_from_logits(t, x; gamma, slope, offset): {
            let (yes, no) = sigmoids(x);
            of_logit(t, x) * power(wrong(t, yes, no), gamma) * (t * slope + offset)
        },
        derivative |g| {
            let (yes, no) = sigmoids(x);
            let wrong = wrong(t, yes, no);
            let rising = ((N::ONE - t) * yes - t * no) * power(wrong, gamma);
            // Far out the loss grows as x, and the slope of the sigmoid falls as e^-x.
            let slope_of_yes = yes * no;
            let falling = N::select(slope_of_yes.equal(N::ZERO), N::ZERO, of_logit(t, x) * slope_of_yes);
            let turning = falling * power_slope(wrong, gamma) * (N::ONE - t - t);
            g * (t * slope + offset) * (rising + turning)
        };
    // The logarithm of a probability that is brought into `least` to 1.
    static LN_AT_LEAST = ln_at_least(p; least): probability(p, least).ln(),
        derivative |g| g / probability(p, least);
    // -factor t (1 - e^l)^gamma l, where l is the logarithm of a probability. 0 times ln 0 is 0.
    static CATEGORICAL_FOCAL = categorical_focal_crossentropy(t, l; gamma, factor): {
            // So that a loss of 0 is not -0.
            let loss = N::ZERO - t * factor * power(-l.expm1(), gamma) * l;
            N::select(t.equal(N::ZERO), N::ZERO, loss)
        },
        derivative |g| {
            let (p, others) = (l.exp(), -l.expm1());
            // p ln p
            let entropy = N::select(p.equal(N::ZERO), N::ZERO, p * l);
            let slope = -(t * factor) * (power(others, gamma) - power_slope(others, gamma) * entropy);
            N::select(t.equal(N::ZERO), N::ZERO, g * slope)
        };
}

/// How wrong the probabilities of a yes and of a no are: that of the no for a target of 1, that of the yes for 0.
#[inline(always)]
fn wrong<N: Real>(t: N, yes: N, no: N) -> N {
    t * no + (N::ONE - t) * yes
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
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{BinaryFocalCrossentropy, Loss};
/// use gradus_tensor::Tensor;
/// // At p = 0.75 the cross-entropy of a yes counts (1 - 0.75)^2 = 1/16.
/// let (targets, outputs) = (Tensor::new([[1.0]]), Var::from(Tensor::new([[0.75]])));
/// let loss = BinaryFocalCrossentropy::default().mean(&targets, &outputs, None)?;
/// assert!((loss.value().item() + 0.75_f32.ln() / 16.0).abs() < 1e-7);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryFocalCrossentropy {
    #[serde(deserialize_with = "options::read_gamma")]
    gamma: f64,
    #[serde(default, deserialize_with = "options::read_share")]
    alpha: Option<f64>,
    from_logits: bool,
    #[serde(deserialize_with = "options::read_smoothing")]
    label_smoothing: f64,
}

impl Default for BinaryFocalCrossentropy {
    fn default() -> Self {
        BinaryFocalCrossentropy { gamma: 2.0, alpha: None, from_logits: false, label_smoothing: 0.0 }
    }
}

impl BinaryFocalCrossentropy {
    /// With the power of the focus; 2 otherwise.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn gamma(self, gamma: f64) -> Self {
        BinaryFocalCrossentropy { gamma: options::GAMMA.given(gamma), ..self }
    }

    /// With this factor on targets of 1, and 1 - alpha on 0 (Keras's `apply_class_balancing`, where it is 0.25).
    ///
    /// # Panics
    /// If it is not in 0 to 1.
    #[track_caller]
    pub fn alpha(self, alpha: f64) -> Self {
        BinaryFocalCrossentropy { alpha: Some(options::SHARE.given(alpha)), ..self }
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
        BinaryFocalCrossentropy { label_smoothing: options::SMOOTHING.given(smoothing), ..self }
    }
}

impl Loss for BinaryFocalCrossentropy {
    fn name(&self) -> &'static str {
        "binary_focal_crossentropy"
    }

    fn expects(&self) -> Expects {
        if self.from_logits { Expects::Logits } else { Expects::Probabilities }
    }

    fn check_targets<T: Float>(&self, scored: &Scored<'_, T>, activation: Activation) -> Result<()> {
        binary::check_labels(self.name(), scored, activation)
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = binary::smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        let (slope, offset) = self.alpha.map_or((0.0, 1.0), |alpha| (2.0 * alpha - 1.0, 1.0 - alpha));
        let parameters = [T::of(self.gamma), T::of(slope), T::of(offset)];
        if self.from_logits {
            return mean_pointwise(self.name(), &BINARY_FOCAL_FROM_LOGITS, &t, outputs, &parameters);
        }
        check_probabilities(self.name(), outputs.value(), UNITS)?;
        let [gamma, slope, offset] = parameters;
        let parameters = [gamma, slope, offset, T::min_positive_value()];
        mean_pointwise(self.name(), &BINARY_FOCAL, &t, outputs, &parameters)
    }
}

/// alpha (1 - p)^gamma times the categorical cross-entropy, summed over the classes.
///
/// Shapes as for [`CategoricalCrossentropy`](super::CategoricalCrossentropy).
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{CategoricalFocalCrossentropy, Loss};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[0.0, 1.0]]), Var::from(Tensor::new([[0.5, 0.5]])));
/// let loss = CategoricalFocalCrossentropy::default().alpha(1.0).gamma(1.0).mean(&targets, &outputs, None)?;
/// assert!((loss.value().item() - 0.5 * 2.0_f32.ln()).abs() < 1e-6); // (1 - 0.5) ln 2
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalFocalCrossentropy {
    #[serde(deserialize_with = "options::read_gamma")]
    gamma: f64,
    #[serde(deserialize_with = "options::read_factor")]
    alpha: f64,
    from_logits: bool,
    #[serde(deserialize_with = "options::read_smoothing")]
    label_smoothing: f64,
}

impl Default for CategoricalFocalCrossentropy {
    fn default() -> Self {
        CategoricalFocalCrossentropy { gamma: 2.0, alpha: 0.25, from_logits: false, label_smoothing: 0.0 }
    }
}

impl CategoricalFocalCrossentropy {
    /// With the power of the focus; 2 otherwise.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn gamma(self, gamma: f64) -> Self {
        CategoricalFocalCrossentropy { gamma: options::GAMMA.given(gamma), ..self }
    }

    /// With this factor on the loss; 0.25 otherwise.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn alpha(self, alpha: f64) -> Self {
        CategoricalFocalCrossentropy { alpha: options::FACTOR.given(alpha), ..self }
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
        CategoricalFocalCrossentropy { label_smoothing: options::SMOOTHING.given(smoothing), ..self }
    }
}

impl Loss for CategoricalFocalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_focal_crossentropy"
    }

    fn expects(&self) -> Expects {
        if self.from_logits { Expects::ClassLogits } else { Expects::ClassProbabilities }
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = categorical::smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        let logs = if self.from_logits {
            outputs.log_softmax(-1)
        } else {
            check_classes(self.name(), &t, outputs.value())?;
            let p = outputs / outputs.sum(keepdims(-1));
            p.pointwise(&LN_AT_LEAST, &[], &[T::min_positive_value()])
        };
        Ok(logs.pointwise(&CATEGORICAL_FOCAL, &[&t], &[T::of(self.gamma), T::of(self.alpha)]).sum(-1))
    }
}
