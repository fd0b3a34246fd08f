//! Penalties on weights.

use gradus_autograd::Var;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

/// A penalty on the size of a weight, added to the loss. As in Keras, the sums are over all elements, not means.
///
/// ```
/// use gradus_nn::{Dense, Regularizer};
/// let layer = Dense::new(64).kernel_regularizer(Regularizer::L2(1e-4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Regularizer {
    /// The factor times the sum of magnitudes: draws weights to 0.
    L1(#[serde(serialize_with = "crate::finite::serialize")] f64),
    /// The factor times the sum of squares: keeps weights small.
    L2(#[serde(serialize_with = "crate::finite::serialize")] f64),
    /// Both.
    L1L2 {
        /// The factor of the sum of magnitudes.
        #[serde(serialize_with = "crate::finite::serialize")]
        l1: f64,
        /// The factor of the sum of squares.
        #[serde(serialize_with = "crate::finite::serialize")]
        l2: f64,
    },
}

impl Regularizer {
    /// What is wrong with the factors, and what to do about it. A negative one draws weights away from 0 without end.
    pub(crate) fn check(self) -> Result<(), (String, &'static str)> {
        let factors = match self {
            Regularizer::L1(factor) | Regularizer::L2(factor) => [factor, 0.0],
            Regularizer::L1L2 { l1, l2 } => [l1, l2],
        };
        if factors.iter().all(|factor| factor.is_finite() && *factor >= 0.0) {
            return Ok(());
        }
        Err((format!("{self:?} is no penalty"), "give finite factors of 0 or more"))
    }

    /// The penalty of this weight: a scalar.
    pub fn penalty<T: Float>(self, weight: &Var<T>) -> Var<T> {
        match self {
            Regularizer::L1(factor) => weight.abs().sum(..) * T::of(factor),
            Regularizer::L2(factor) => weight.square().sum(..) * T::of(factor),
            Regularizer::L1L2 { l1, l2 } => Regularizer::L1(l1).penalty(weight) + Regularizer::L2(l2).penalty(weight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_autograd::Tape;
    use gradus_tensor::Tensor;

    #[test]
    fn penalties_and_their_gradients() {
        // By hand: sum |w| = 6, sum w^2 = 14; derivatives sign(w) and 2 w.
        for (regularizer, penalty, gradient) in [
            (Regularizer::L1(0.5), 3.0, [0.5, -0.5, 0.5]),
            (Regularizer::L2(0.5), 7.0, [1.0, -2.0, 3.0]),
            (Regularizer::L1L2 { l1: 0.25, l2: 0.5 }, 8.5, [1.25, -2.25, 3.25]),
        ] {
            let tape = Tape::new();
            let w = tape.var(Tensor::new([1.0, -2.0, 3.0]));
            let loss = regularizer.penalty(&w);
            assert_eq!(loss.value().item(), penalty);
            assert_eq!(tape.backward(&loss).of(&w), Tensor::new(gradient));
        }
    }
}
