//! Labels that have nothing to do with the inputs.

use gradus_nn::Model;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::Diagnosis;
use crate::examination::Examination;
use crate::finding::FindingKind;

/// How often the classes were seen, and the losses.
///
/// Who knows nothing of the inputs says the frequency of each class, and has the entropy of these frequencies as loss (Shannon).
/// A network whose labels were shuffled apart from the inputs does not come below it with samples that it sees for the first
/// time: in the second half of the first epoch. In the second epoch it knows some by heart (of 2000 digits the loss is 0.97 of
/// the entropy, of 8000 it is 0.99). A network that learns slowly may be as high in the first epoch, and seldom is in the
/// second.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Labels {
    /// For each class how many samples are of it; for each output of yes or no how many are yes.
    counts: Vec<f64>,
    samples: f64,
    is_binary: bool,
    /// The losses of the batches of this epoch that were looked into.
    losses: f64,
    batches: usize,
    epochs: usize,
    /// Whether the loss was below the entropy, or nothing can be said.
    is_settled: bool,
}

/// As many steps are needed in an epoch to say something.
const ENOUGH_STEPS: usize = 100;
/// And as many of them that were looked into.
const ENOUGH_BATCHES: usize = 6;
/// The share of the entropy below which the loss of the first epoch, of its second half, shows that something was learnt.
const BELOW_FIRST: f64 = 0.99;
/// And that of a later epoch.
const BELOW_LATER: f64 = 0.95;
/// How far a kernel must have gone for the network to have learnt if it could.
const FAR: f64 = 0.02;

impl Labels {
    /// Looks at a batch, the first of which is number 1, of an epoch of so many.
    pub fn see<T: Float>(&mut self, place: (usize, Option<usize>), model: &Model<T>, examination: &Examination<T>) {
        let (batch, Some(batches)) = place else { return };
        if self.is_settled || (self.epochs == 0 && 2 * batch <= batches) {
            return;
        }
        let ([targets], [output], [part]) = (&examination.targets[..], model.outputs(), &examination.step.parts[..])
        else {
            self.is_settled = true;
            return;
        };
        let name = model.info().losses.get(&output.name).map(String::as_str);
        // Of sequences and weighted samples the frequencies would be others.
        let is_plain = examination.weights.is_none() && examination.step.masks[0].is_none();
        match name.filter(|_| is_plain) {
            Some("categorical_crossentropy") if targets.ndim() == 2 => self.count(targets.sum(0).to_vec()),
            Some("binary_crossentropy") if targets.ndim() <= 2 => {
                self.is_binary = true;
                let sums = if targets.ndim() == 1 { targets.unsqueeze(1).sum(0) } else { targets.sum(0) };
                self.count(sums.to_vec());
            }
            Some("sparse_categorical_crossentropy") if targets.size() == part.counted => self.count_indices(targets),
            _ => {
                self.is_settled = true;
                return;
            }
        }
        self.samples += targets.shape().first().copied().unwrap_or(0) as f64;
        self.losses += part.loss.as_f64();
        self.batches += 1;
    }

    fn count<T: Float>(&mut self, sums: Vec<T>) {
        self.counts.resize(sums.len(), 0.0);
        self.counts.iter_mut().zip(sums).for_each(|(count, sum)| *count += sum.as_f64());
    }

    fn count_indices<T: Float>(&mut self, targets: &Tensor<T>) {
        for class in targets.iter() {
            let class = class.as_f64() as usize;
            self.counts.resize(self.counts.len().max(class + 1), 0.0);
            self.counts[class] += 1.0;
        }
    }

    /// The entropy of the classes, in nats; of outputs of yes or no the mean of theirs.
    fn entropy(&self) -> f64 {
        let of = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let shares = self.counts.iter().map(|count| count / self.samples);
        if self.is_binary {
            shares.map(|p| of(p) + of(1.0 - p)).sum::<f64>() / self.counts.len() as f64
        } else {
            shares.map(of).sum()
        }
    }

    /// Judges at the end of an epoch of so many batches, until which the median kernel has gone so far; `validation` is the loss
    /// on other samples.
    pub fn at_epoch_end(&mut self, batches: Option<usize>, validation: Option<f64>, path: f64) -> Option<Diagnosis> {
        self.is_settled |= self.batches < ENOUGH_BATCHES || batches.is_none_or(|batches| batches < ENOUGH_STEPS);
        if self.is_settled {
            return None;
        }
        let (loss, entropy) = (self.losses / self.batches as f64, self.entropy());
        let below = if self.epochs == 0 { BELOW_FIRST } else { BELOW_LATER };
        (self.losses, self.batches) = (0.0, 0);
        self.epochs += 1;
        let has_learnt = |loss: f64, below: f64| loss < below * entropy;
        // Where nearly all samples are of one class, the entropy says little.
        if has_learnt(loss, below) || validation.is_some_and(|loss| has_learnt(loss, BELOW_FIRST)) || entropy < 0.05 {
            self.is_settled = true;
            return None;
        }
        if self.epochs < 2 || path < FAR {
            return None;
        }
        self.is_settled = true;
        Some(Diagnosis {
            kind: FindingKind::UnrelatedLabels,
            place: None,
            problem: format!(
                "after {} epochs the loss is {loss:.3}, and the entropy of the classes {entropy:.3}: the inputs seem to say \
                 nothing of the labels",
                self.epochs
            ),
            hint: "check that inputs and labels are in the same order, by a look at some of them side by side",
        })
    }
}
