//! Cross-entropy of yes-or-no targets.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor, pointwise};
use serde::{Deserialize, Serialize};

use super::{ALIKE, Loss, at_least, mean_pointwise, same_shape};
use crate::error::{Error, Result};

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    // Probabilities are raised to `least`, and the gradient goes through: it does not end there.
    static BINARY_CROSSENTROPY = binary_crossentropy(t, p; least): {
            let (yes, no) = (at_least(p, least), at_least(N::ONE - p, least));
            -(yes.ln() * t + no.ln() * (N::ONE - t))
        },
        derivative |g| g * (N::ONE - t) / at_least(N::ONE - p, least) - g * t / at_least(p, least);
    // -t ln s(x) - (1 - t) ln(1 - s(x)) with the sigmoid s is softplus(x) - t x.
    static BINARY_CROSSENTROPY_FROM_LOGITS = binary_crossentropy_from_logits(t, x): x.softplus() - x * t,
        derivative |g| g * x.sigmoid() - g * t;
}

/// -t ln p - (1 - t) ln(1 - p), with targets t of 0 or 1 and probabilities p.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis. ln 0 is taken as
/// that of the smallest normal number (Keras: 1e-7), so the loss is finite for any probability. A sigmoid that has
/// rounded to 1 passes no gradient back, though: for outputs that may become that sure, leave the sigmoid out and use
/// [`from_logits`](BinaryCrossentropy::from_logits), which is exact everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinaryCrossentropy {
    from_logits: bool,
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
        BinaryCrossentropy { label_smoothing: checked_smoothing(smoothing), ..self }
    }
}

#[track_caller]
pub(super) fn checked_smoothing(smoothing: f64) -> f64 {
    assert!((0.0..=1.0).contains(&smoothing), "label_smoothing: the smoothing must be in 0 to 1, found {smoothing}");
    smoothing
}

impl Loss for BinaryCrossentropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let targets = smoothed(self.name(), targets, outputs, self.label_smoothing)?;
        if self.from_logits {
            return mean_pointwise(self.name(), &BINARY_CROSSENTROPY_FROM_LOGITS, &targets, outputs, &[]);
        }
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
    same_shape(name, targets, outputs, ALIKE)?;
    if let Some((place, value)) = targets.iter().enumerate().find(|(_, t)| !(T::ZERO..=T::ONE).contains(t)) {
        let problem = format!("targets must be in 0 to 1, found {value} at element {place} of {}", targets.shape());
        return Err(Error::new(name, problem, "give 0 for no and 1 for yes"));
    }
    if smoothing == 0.0 {
        return Ok(targets.clone());
    }
    Ok(targets * T::of(1.0 - smoothing) + T::of(0.5 * smoothing))
}
