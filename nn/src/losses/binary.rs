//! Cross-entropy of yes-or-no targets.

use gradus_autograd::Var;
use gradus_tensor::{Float, Real, Tensor, pointwise};
use serde::{Deserialize, Serialize};

use super::probabilities::{UNITS, check_probabilities};
use super::{Expects, Loss, Scored, YES_OR_NO, mean_pointwise, options, probability, same_shape, sigmoids};
use crate::activation::Activation;
use crate::error::{Error, Result};

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // Probabilities are brought into `least` to 1, and the gradient goes through: it does not end there.
    static BINARY_CROSSENTROPY = binary_crossentropy(t, p; least): of_probability(t, p, least),
        derivative |g| g * (N::ONE - t) / probability(N::ONE - p, least) - g * t / probability(p, least);
    static BINARY_CROSSENTROPY_FROM_LOGITS = binary_crossentropy_from_logits(t, x): of_logit(t, x),
        derivative |g| {
            let (yes, no) = sigmoids(x);
            g * ((N::ONE - t) * yes - t * no)
        };
}

/// -t ln p - (1 - t) ln(1 - p)
#[inline(always)]
pub(super) fn of_probability<N: Real>(t: N, p: N, least: N) -> N {
    let (yes, no) = (probability(p, least), probability(N::ONE - p, least));
    // So that a loss of 0 is not -0.
    -no.ln() * (N::ONE - t) - yes.ln() * t
}

/// -t ln s(x) - (1 - t) ln s(-x) with the sigmoid s: softplus(-|x|) + |x| times the share of the target that is on the
/// other side of 0. Where that is 0, so is the product, at an infinite x too.
#[inline(always)]
pub(super) fn of_logit<N: Real>(t: N, x: N) -> N {
    let size = x.magnitude();
    let other = N::select(x.greater(N::ZERO), N::ONE - t, t);
    (-size).softplus() + N::select(other.equal(N::ZERO), N::ZERO, size * other)
}

/// -t ln p - (1 - t) ln(1 - p), with targets t of 0 or 1 and probabilities p.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis. ln 0 is taken as
/// that of the smallest normal number (Keras: 1e-7), so the loss is finite for any probability, one that rounding has put a
/// little below 0 or above 1 included; outputs further away are an error. So are several labels at once behind a softmax, whose
/// outputs cannot all be 1. A sigmoid that has rounded to 1 passes no gradient
/// back, though: for outputs that may become that sure, leave the sigmoid out and use
/// [`from_logits`](BinaryCrossentropy::from_logits), which is exact everywhere.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{BinaryCrossentropy, Loss};
/// use gradus_tensor::Tensor;
/// // A yes that was given 0.25: -ln 0.25. As a logit, 0 is a probability of 0.5.
/// let yes = Tensor::new([[1.0]]);
/// let loss = BinaryCrossentropy::default().mean(&yes, &Var::from(Tensor::new([[0.25]])), None)?;
/// assert!((loss.value().item() - 4.0_f32.ln()).abs() < 1e-6);
/// let on_logits = BinaryCrossentropy::default().from_logits(true);
/// let loss = on_logits.mean(&yes, &Var::from(Tensor::new([[0.0]])), None)?;
/// assert!((loss.value().item() - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias("BCELoss", "BCEWithLogitsLoss"))]
pub struct BinaryCrossentropy {
    from_logits: bool,
    #[serde(deserialize_with = "options::read_smoothing")]
    label_smoothing: f64,
}

impl BinaryCrossentropy {
    /// On logits, the numbers before a sigmoid, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        BinaryCrossentropy { from_logits, ..self }
    }

    /// With targets drawn towards 1/2: t (1 - smoothing) + smoothing / 2.
    ///
    /// # Panics
    /// If `smoothing` is not in 0 to 1.
    #[track_caller]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        BinaryCrossentropy { label_smoothing: options::SMOOTHING.given(smoothing), ..self }
    }
}

impl Loss for BinaryCrossentropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn expects(&self) -> Expects {
        if self.from_logits { Expects::Logits } else { Expects::Probabilities }
    }

    fn check_targets<T: Float>(&self, scored: &Scored<'_, T>, activation: Activation) -> Result<()> {
        check_labels(self.name(), scored, activation)
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let targets = smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        if self.from_logits {
            return mean_pointwise(self.name(), &BINARY_CROSSENTROPY_FROM_LOGITS, &targets, outputs, &[]);
        }
        check_probabilities(self.name(), outputs.value(), UNITS)?;
        mean_pointwise(self.name(), &BINARY_CROSSENTROPY, &targets, outputs, &[T::min_positive_value()])
    }
}

/// The targets drawn towards 1/2, once they are found to suit the outputs.
pub(super) fn smoothed<T: Float>(
    name: &str,
    targets: &Tensor<T>,
    outputs: &Var<T>,
    smoothing: f64,
) -> Result<Tensor<T>> {
    same_shape(name, targets, outputs, YES_OR_NO)?;
    if let Some((place, value)) = targets.iter().enumerate().find(|(_, t)| !(T::ZERO..=T::ONE).contains(t)) {
        let problem = format!("targets must be in 0 to 1, found {value} at element {place} of {}", targets.shape());
        let is_class = value > T::ONE && value.as_f64().fract() == 0.0;
        return Err(Error::new(name, problem, if is_class { CLASSES } else { "give 0 for no and 1 for yes" }));
    }
    if smoothing == 0.0 {
        return Ok(targets.clone());
    }
    Ok(targets * T::of(1.0 - smoothing) + T::of(0.5 * smoothing))
}

/// Checks that outputs which sum to 1 are not meant for several labels at once, or for a single one.
pub(super) fn check_labels<T: Float>(name: &str, scored: &Scored<'_, T>, activation: Activation) -> Result<()> {
    let (targets, shape) = (scored.targets, scored.outputs.shape());
    let sums_to_one = matches!(activation, Activation::Softmax | Activation::Sparsemax);
    // Of other shapes the loss says what is wrong.
    if !sums_to_one || targets.shape() != shape || shape.is_empty() {
        return Ok(());
    }
    if shape.last() == Some(&1) {
        let problem = format!("the network ends in {activation:?} of a single unit, which is always 1");
        return Err(Error::new(name, problem, "use Activation::Sigmoid for a yes or no"));
    }
    let Some((row, sum)) = targets.sum(-1).iter().enumerate().find(|(_, sum)| *sum > T::of(ONE_LABEL)) else {
        return Ok(());
    };
    let problem = format!(
        "outputs of {activation:?} sum to 1, the targets have several labels at once: a sum of {sum} in row {row} of {shape}"
    );
    Err(Error::new(name, problem, "end the network in Activation::Sigmoid"))
}

/// The largest sum of a row of targets that counts as one label; smoothed and mixed targets sum to 1, too.
pub(super) const ONE_LABEL: f64 = 1.01;

/// What to do about targets that may be indices of classes.
const CLASSES: &str = "give 0 for no and 1 for yes; for several classes use SparseCategoricalCrossentropy and a unit with softmax for each";
