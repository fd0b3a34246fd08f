//! What a loss takes the outputs of a network for, and which last activations cannot be meant.

use super::probabilities::{CLASSES, DISTRIBUTION, UNITS};
use crate::activation::Activation;
use crate::error::{Error, Result};

/// What a loss takes outputs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expects {
    /// Any numbers: every activation may be meant.
    Numbers,
    /// Probabilities of classes, of which one is right: the outputs of a softmax. (Sigmoids are rescaled to a sum of 1.)
    ClassProbabilities,
    /// A distribution, or several probabilities to be compared with others: the outputs of a softmax or of sigmoids.
    Distribution,
    /// Probabilities, each of a yes or no of its own: the outputs of sigmoids.
    Probabilities,
    /// Logits of classes, the numbers before a softmax.
    ClassLogits,
    /// Logits, the numbers before sigmoids.
    Logits,
    /// Logits of classes, by a loss that takes nothing else.
    OnlyLogits,
}

impl Expects {
    /// Whether outputs of a network that ends in this activation may be what is expected.
    ///
    /// ```
    /// use gradus_nn::Activation;
    /// use gradus_nn::losses::Expects;
    /// assert!(Expects::ClassProbabilities.admits(Activation::Softmax));
    /// assert!(!Expects::ClassProbabilities.admits(Activation::Linear));
    /// assert!(!Expects::ClassLogits.admits(Activation::Softmax));
    /// ```
    pub fn admits(self, activation: Activation) -> bool {
        let is_probability = matches!(
            activation,
            Activation::Softmax
                | Activation::Sparsemax
                | Activation::Sigmoid
                | Activation::HardSigmoid
                | Activation::SparseSigmoid
        );
        match self {
            Expects::Numbers => true,
            // Sigmoids of classes are rescaled to a sum of 1.
            Expects::ClassProbabilities | Expects::Distribution | Expects::Probabilities => is_probability,
            Expects::ClassLogits | Expects::Logits | Expects::OnlyLogits => !is_probability,
        }
    }

    /// Checks that a network may end in this activation, for the loss of this name.
    pub(crate) fn check(self, loss: &str, activation: Activation) -> Result<()> {
        if self.admits(activation) {
            return Ok(());
        }
        let found = match activation {
            Activation::Linear => "a layer without an activation".to_owned(),
            other => format!("the activation {other:?}"),
        };
        const LOGITS: &str = "leave the activation out, or set from_logits(false)";
        let (expected, hint) = match self {
            Expects::ClassProbabilities => ("probabilities of classes", CLASSES),
            Expects::Distribution => ("probabilities", DISTRIBUTION),
            Expects::Numbers | Expects::Probabilities => ("probabilities", UNITS),
            Expects::ClassLogits => ("logits, the numbers before a softmax, as it is set to from_logits(true)", LOGITS),
            Expects::Logits => ("logits, the numbers before a sigmoid, as it is set to from_logits(true)", LOGITS),
            Expects::OnlyLogits => ("logits, the numbers before a softmax", "leave the activation out"),
        };
        Err(Error::new(loss, format!("takes {expected}, the network ends in {found}"), hint))
    }
}
