//! What was found wrong with a training run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that a [`Doctor`](crate::callbacks::Doctor) has found wrong with a training run. It prints as one sentence with one
/// thing to do.
///
/// ```
/// use gradus_train::{Finding, FindingKind};
/// let finding = Finding {
///     kind: FindingKind::DeadUnits,
///     epoch: 0,
///     batch: 73,
///     place: Some("1".to_owned()),
///     problem: "60 of the 64 units of layer 1 (Dense) gave 0 for all 320 samples of 10 batches".to_owned(),
///     hint: "lower the learning rate, or use Activation::LeakyRelu".to_owned(),
/// };
/// assert_eq!(
///     finding.to_string(),
///     "epoch 1, batch 73: 60 of the 64 units of layer 1 (Dense) gave 0 for all 320 samples of 10 batches; lower the learning \
///      rate, or use Activation::LeakyRelu"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing is wrong.
    pub kind: FindingKind,
    /// The epoch in which it was found, counted from 0.
    pub epoch: usize,
    /// The number of batches of this epoch that were done, this one included.
    pub batch: usize,
    /// The path of the layer, or the name of the weight, the input or the output, that it is about.
    pub place: Option<String>,
    /// What was found.
    pub problem: String,
    /// One thing to do.
    pub hint: String,
}

/// The kinds of things that may be wrong with a training run.
///
/// ```
/// use gradus_train::FindingKind;
/// assert_ne!(FindingKind::DeadUnits, FindingKind::SaturatedUnits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FindingKind {
    /// The loss or a gradient became NaN or infinite.
    NotFinite,
    /// Inputs that reach the weights are far from the order of 1, or their columns far from one another.
    UnscaledInputs,
    /// Targets lie where the last activation cannot come.
    UnreachableTargets,
    /// All targets are the same.
    EqualTargets,
    /// ReLU units give 0 for every sample.
    DeadUnits,
    /// Sigmoid or tanh units are at their limits for nearly every sample, while the loss is still high.
    SaturatedUnits,
    /// Gradients become much smaller from the last layer to the first.
    VanishingGradients,
    /// Gradients become much larger from the last layer to the first.
    ExplodingGradients,
    /// A weight is trained, and does not change; or it is frozen, and has never been trained.
    UntrainedLayer,
    /// The steps are so large that the loss does not fall, or rises.
    HighLearningRate,
    /// The steps are so small that the weights hardly change.
    LowLearningRate,
    /// The loss stays at the entropy of the classes: the inputs seem to say nothing of the labels.
    UnrelatedLabels,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { epoch, batch, problem, hint, .. } = self;
        write!(f, "epoch {}, batch {batch}: {problem}; {hint}", epoch + 1)
    }
}
