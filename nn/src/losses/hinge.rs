//! The hinge family: margins between scores.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor, pointwise};
use serde::{Deserialize, Serialize};

use super::{ALIKE, Loss, ONE_HOT, at_least, mean_pointwise, same_shape};
use crate::error::{Error, Result};

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    static HINGE = hinge(t, p): at_least(N::ONE - p * t, N::ZERO),
        derivative |g| N::select((N::ONE - p * t).greater(N::ZERO), -g * t, N::ZERO);
    static SQUARED_HINGE = squared_hinge(t, p): {
            let margin = at_least(N::ONE - p * t, N::ZERO);
            margin * margin
        },
        derivative |g| {
            let margin = at_least(N::ONE - p * t, N::ZERO);
            -(g * (margin + margin)) * t
        };
}

/// Targets of -1 and 1; 0 and 1 become these, as in Keras.
fn signed<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Tensor<T>> {
    same_shape(name, targets, outputs, ALIKE)?;
    if targets.iter().all(|t| t == T::ZERO || t == T::ONE) {
        return Ok(targets * T::of(2.0) - T::ONE);
    }
    match targets.iter().enumerate().find(|(_, t)| t.magnitude() != T::ONE) {
        None => Ok(targets.clone()),
        Some((place, value)) => {
            let shape = targets.shape();
            let problem = format!("targets must be -1 and 1, or 0 and 1, found {value} at element {place} of {shape}");
            Err(Error::new(name, problem, "give -1 for no and 1 for yes"))
        }
    }
}

/// max(1 - t p, 0) with targets t of -1 or 1 (or 0 or 1) and scores p.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Hinge, Loss};
/// use gradus_tensor::Tensor;
/// // Right with a margin, right but near, and wrong.
/// let (targets, outputs) = (Tensor::new([[1.0], [-1.0], [1.0]]), Var::from(Tensor::new([[2.0], [-0.5], [-1.0]])));
/// assert_eq!(Hinge.per_sample(&targets, &outputs)?.value(), &Tensor::new([0.0, 0.5, 2.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hinge;

impl Loss for Hinge {
    fn name(&self) -> &'static str {
        HINGE.name()
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = signed(self.name(), targets, outputs)?;
        mean_pointwise(self.name(), &HINGE, &t, outputs, &[])
    }
}

/// max(1 - t p, 0)^2 with targets t of -1 or 1 (or 0 or 1) and scores p.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Loss, SquaredHinge};
/// use gradus_tensor::Tensor;
/// // Targets of 0 and 1 are taken as -1 and 1.
/// let (targets, outputs) = (Tensor::new([[1.0], [0.0]]), Var::from(Tensor::new([[-1.0], [-0.5]])));
/// assert_eq!(SquaredHinge.per_sample(&targets, &outputs)?.value(), &Tensor::new([4.0, 0.25]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SquaredHinge;

impl Loss for SquaredHinge {
    fn name(&self) -> &'static str {
        SQUARED_HINGE.name()
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let t = signed(self.name(), targets, outputs)?;
        mean_pointwise(self.name(), &SQUARED_HINGE, &t, outputs, &[])
    }
}

/// max(1 + the highest wrong score - the right score, 0), with one-hot targets.
///
/// Targets and outputs have the same shape `[n, .., classes]`. As in Keras the wrong scores are (1 - t) p, so the right
/// class takes part with 0.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{CategoricalHinge, Loss};
/// use gradus_tensor::Tensor;
/// // The right class has 2.0, the best of the others 1.5: half of the margin of 1 is missing.
/// let (targets, outputs) = (Tensor::new([[0.0, 1.0, 0.0]]), Var::from(Tensor::new([[1.5, 2.0, 0.5]])));
/// assert_eq!(CategoricalHinge.mean(&targets, &outputs, None)?.value().item(), 0.5);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoricalHinge;

impl Loss for CategoricalHinge {
    fn name(&self) -> &'static str {
        "categorical_hinge"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        same_shape(self.name(), targets, outputs, ONE_HOT)?;
        let right = (outputs * targets).sum(-1);
        let wrong = (outputs * &(-targets + T::ONE)).max(-1);
        Ok((wrong - right + T::ONE).relu())
    }
}
