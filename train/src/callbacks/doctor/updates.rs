//! Weights that do not change.

use std::collections::BTreeMap;

use gradus_autograd::{Param, Role};
use gradus_nn::Model;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::{Diagnosis, WINDOW, median};
use crate::examination::Examination;
use crate::finding::FindingKind;

/// By how much kernels (weights of two axes or more) change in a step, as shares of their norms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Updates {
    has_seen_frozen: bool,
    steps: usize,
    /// For each kernel the sum of the shares of these steps.
    shares: BTreeMap<String, f64>,
    /// For each kernel the number of these steps without a gradient.
    without_gradient: BTreeMap<String, usize>,
    /// The median over kernels of their mean share, of the steps that were judged last.
    typical: Option<f64>,
    /// The sum of the medians of all steps.
    path: f64,
    highest_rate: f64,
}

/// What is found of weights.
#[derive(Default)]
pub(super) struct Found {
    /// What nothing else explains.
    pub certain: Vec<Diagnosis>,
    /// Kernels that stand still, perhaps as the gradients vanish or units are dead.
    pub still: Vec<Diagnosis>,
}

/// Below this share of another kernel's change, a kernel stands still.
const FAR_LESS: f64 = 1e-4;
/// A share that f32 can only just hold, and that no kernel that learns is below.
const NEXT_TO_NOTHING: f64 = 1e-6;
/// With such changes a kernel takes 100,000 steps to become another, and with such a rate Adam's changes are these.
const TOO_SLOW: f64 = 1e-5;

impl Updates {
    /// Looks at a step; `has_fallen` says whether the network has learnt much.
    pub fn see<T: Float>(&mut self, model: &Model<T>, examination: &Examination<T>, has_fallen: bool) -> Found {
        let mut found = Found::default();
        if !std::mem::replace(&mut self.has_seen_frozen, true) {
            found.certain = frozen(model);
        }
        let rate = examination.learning_rate;
        self.highest_rate = self.highest_rate.max(rate);
        if rate == 0.0 || !examination.has_stepped {
            return found;
        }
        let kernels = model.params().iter().zip(examination.params.iter()).zip(examination.grads.iter());
        let kernels = kernels.filter(|((param, _), _)| param.trainable() && param.value.ndim() > 1);
        let mut of_step = Vec::new();
        for ((after, before), gradient) in kernels {
            if gradient.is_none() {
                *self.without_gradient.entry(after.name.clone()).or_default() += 1;
                continue;
            }
            let (change, norm) = ((&after.value - &before.value).norm_f64(), before.value.norm_f64());
            // A kernel of zeros that changes is one that begins.
            let share = if change == 0.0 { 0.0 } else { (change / norm).min(1.0) };
            *self.shares.entry(after.name.clone()).or_default() += share;
            of_step.push(share);
        }
        self.path += median(of_step).unwrap_or(0.0);
        self.steps += 1;
        if self.steps == WINDOW {
            self.judge(rate, has_fallen, &mut found);
        }
        found
    }

    /// Judges the steps since the last time.
    fn judge(&mut self, rate: f64, has_fallen: bool, found: &mut Found) {
        let steps = std::mem::take(&mut self.steps);
        let shares = std::mem::take(&mut self.shares).into_iter().map(|(name, sum)| (name, sum / steps as f64));
        let shares: BTreeMap<String, f64> = shares.collect();
        self.typical = median(shares.values().copied());
        let without = std::mem::take(&mut self.without_gradient).into_iter().filter(|(_, count)| *count == steps);
        found.certain.extend(without.map(|(name, _)| Diagnosis {
            kind: FindingKind::UntrainedLayer,
            problem: format!("the weight {name} has no gradient: the loss does not depend on it"),
            place: Some(name),
            hint: "check what becomes of the layer's output, or freeze the layer if this is meant",
        }));
        let Some(largest) = shares.values().copied().max_by(f64::total_cmp) else { return };
        let is_decayed = rate < 0.5 * self.highest_rate;
        if largest < TOO_SLOW && rate < TOO_SLOW && !has_fallen && !is_decayed {
            found.certain.push(Diagnosis {
                kind: FindingKind::LowLearningRate,
                place: None,
                problem: format!(
                    "at learning rate {rate} a kernel changes by {largest:.0e} of itself in a step at most"
                ),
                hint: "raise the learning rate, to 0.001 for Adam or 0.01 for SGD",
            });
            return;
        }
        if largest == 0.0 {
            found.still.push(Diagnosis {
                kind: FindingKind::UntrainedLayer,
                place: None,
                problem: format!("no kernel has changed in {steps} steps, as their gradients are 0"),
                hint: "begin with other kernels: smaller ones if the outputs are at their limits, and none of Zeros",
            });
            return;
        }
        let is_still = |share: f64| share < NEXT_TO_NOTHING && share <= FAR_LESS * largest;
        found.still = shares
            .into_iter()
            .filter(|(_, share)| is_still(*share))
            .map(|(name, share)| {
                let change = match share {
                    0.0 => "does not change".to_owned(),
                    share => format!("changes by {share:.0e} of itself in a step, another by {largest:.0e}"),
                };
                Diagnosis {
                    kind: FindingKind::UntrainedLayer,
                    problem: format!("the weight {name} {change}"),
                    place: Some(name),
                    hint: "check its initialiser, which must not be Zeros for a kernel, and the activation behind it",
                }
            })
            .collect();
    }

    /// The share of itself by which the median kernel changes in a step of late.
    pub fn typical(&self) -> Option<f64> {
        self.typical
    }

    /// How far the median kernel has gone in the steps looked into, in shares of itself.
    pub fn path(&self) -> f64 {
        self.path
    }
}

/// A network without a weight to train, and layers that are frozen as they were drawn.
fn frozen<T: Float>(model: &Model<T>) -> Vec<Diagnosis> {
    let weights = || model.params().iter().filter(|param| param.role == Role::Weight);
    if !weights().any(Param::trainable) {
        let problem = "there is no weight to train: all of them are frozen, or the model has none".to_owned();
        let hint = "let the last layer be trained, by Model::unfreeze";
        return vec![Diagnosis { kind: FindingKind::UntrainedLayer, place: None, problem, hint }];
    }
    // A bias is drawn as 0, and 1 for the gates by which an LSTM forgets. Training leaves none of them so.
    let is_as_drawn = |bias: &Param<T>| bias.value.iter().all(|x| x == T::ZERO || x == T::ONE);
    let is_bias = |param: &&Param<T>| param.frozen && param.name.ends_with("/bias");
    let as_drawn = weights().filter(is_bias).filter(|bias| is_as_drawn(bias)).map(|bias| {
        let layer = bias.name.trim_end_matches("/bias").to_owned();
        Diagnosis {
            kind: FindingKind::UntrainedLayer,
            problem: format!("layer {layer} is frozen, and its bias is 0 as it was drawn: it was never trained"),
            place: Some(layer),
            hint: "load its weights before it is frozen, or let it be trained by Model::unfreeze",
        }
    });
    as_drawn.collect()
}
