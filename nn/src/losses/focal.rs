//! Focal cross-entropies: what is already right counts less. Lin et al., arXiv:1708.02002.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor, keepdims};
use serde::{Deserialize, Serialize};

use super::binary::{checked_smoothing, crossentropy, floor};
use super::{Loss, binary, categorical, mean_of_sample};
use crate::error::Result;

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
        let p = if self.from_logits { outputs.sigmoid() } else { outputs.clone() };
        // 1 - q = t (1 - p) + (1 - t) p = t + (1 - 2 t) p
        let wrong = &p * &(&t * T::of(-2.0) + T::ONE) + &t;
        let mut losses = crossentropy(&t, outputs, self.from_logits) * power(&wrong, self.gamma);
        if let Some(alpha) = self.alpha {
            losses = losses * &(&t * T::of(2.0 * alpha - 1.0) + T::of(1.0 - alpha));
        }
        Ok(mean_of_sample(losses))
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
            let logs = floor(&p).ln();
            (p, logs)
        };
        let focus = power(&(-&p + T::ONE), self.gamma);
        Ok((focus * logs * &(t * T::of(-self.alpha))).sum(-1))
    }
}

/// x^gamma for x from 0, where the derivative of x^1 and x^2 is exact at 0 too.
fn power<T: Float>(x: &Var<T>, gamma: f64) -> Var<T> {
    if gamma == 0.0 {
        Var::from(x.value().ones_like())
    } else if gamma == 1.0 {
        x.clone()
    } else if gamma == 2.0 {
        x.square()
    } else {
        // A rounding below 0 would be NaN.
        x.relu().pow(T::of(gamma))
    }
}
