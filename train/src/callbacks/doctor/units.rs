//! Units of a layer that give the same whatever they are given.

use std::collections::BTreeMap;

use gradus_nn::Activation;
use gradus_tensor::{Axes, Float, Tensor};
use serde::{Deserialize, Serialize};

use super::anatomy::{Anatomy, Part};
use super::{Diagnosis, WINDOW};
use crate::examination::Examination;
use crate::finding::FindingKind;

/// What the units of layers have given since they were last judged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Units {
    batches: usize,
    samples: usize,
    /// For each ReLU unit of a layer whether it has given anything but 0.
    awake: BTreeMap<String, Vec<bool>>,
    /// For each sigmoid or tanh unit of a hidden layer the share of its outputs that are at the limits, summed over batches.
    at_limits: BTreeMap<String, Vec<f64>>,
}

/// The share of a unit's outputs that must be at the limits for it to be saturated.
const SATURATED: f64 = 0.98;

/// The distance from a limit, as a share of the range of a sigmoid or a tanh, within which an output is at it: the slope there is
/// at most a 25th of the steepest.
const AT_LIMIT: f64 = 0.01;

impl Units {
    /// Looks at a batch; `has_fallen` says whether the network has learnt much.
    pub fn see<T: Float>(
        &mut self,
        anatomy: &Anatomy,
        examination: &Examination<T>,
        has_fallen: bool,
    ) -> Vec<Diagnosis> {
        for layer in &anatomy.layers {
            let Some(seen) = examination.layers.get(&layer.path) else { continue };
            if seen.value.ndim() < 2 || seen.value.is_empty() {
                continue;
            }
            match layer.activation {
                Some(Activation::Relu | Activation::Relu6) => self.see_relu(layer, &seen.value),
                Some(Activation::Sigmoid) if !layer.is_output => self.see_limits(layer, &seen.value, 0.0),
                Some(Activation::Tanh) if !layer.is_output => self.see_limits(layer, &seen.value, -1.0),
                _ => {}
            }
        }
        self.batches += 1;
        self.samples += examination.targets.first().and_then(|targets| targets.shape().first()).copied().unwrap_or(0);
        if self.batches < WINDOW {
            return Vec::new();
        }
        let Units { batches, samples, awake, at_limits } = std::mem::take(self);
        let dead = awake.into_iter().filter_map(|(path, awake)| {
            let (count, dead) = (awake.len(), awake.iter().filter(|awake| !**awake).count());
            let layer = anatomy.layer(&path).filter(|_| is_much(dead, count))?;
            let gave = format!("gave 0 for all {samples} samples of {batches} batches");
            Some(Diagnosis {
                kind: FindingKind::DeadUnits,
                problem: format!("{dead} of the {count} ReLU units of {} {gave}", layer.name()),
                place: Some(path),
                hint: "lower the learning rate and begin anew, or use Activation::LeakyRelu",
            })
        });
        let saturated = at_limits.into_iter().filter(|_| !has_fallen).filter_map(|(path, shares)| {
            let saturated = shares.iter().filter(|share| **share >= SATURATED * batches as f64).count();
            let layer = anatomy.layer(&path).filter(|_| is_much(saturated, shares.len()))?;
            let (count, name) = (shares.len(), layer.name());
            Some(Diagnosis {
                kind: FindingKind::SaturatedUnits,
                problem: format!(
                    "{saturated} of the {count} units of {name} are at their limits, where their slope is next to 0, for nearly \
                     all {samples} samples of {batches} batches"
                ),
                place: Some(path),
                hint: "scale what feeds the layer, as by BatchNormalization before its activation, or lower the learning rate",
            })
        });
        dead.chain(saturated).collect()
    }

    fn see_relu<T: Float>(&mut self, layer: &Part, value: &Tensor<T>) {
        let largest = value.max(all_but_last(value)).to_vec();
        let awake = self.awake.entry(layer.path.clone()).or_insert_with(|| vec![false; largest.len()]);
        awake.iter_mut().zip(largest).for_each(|(awake, largest)| *awake |= largest > T::ZERO);
    }

    /// Counts outputs at `lowest` and at 1, and near them.
    fn see_limits<T: Float>(&mut self, layer: &Part, value: &Tensor<T>, lowest: f64) {
        let margin = (1.0 - lowest) * AT_LIMIT;
        let (low, high) = (T::of(lowest + margin), T::of(1.0 - margin));
        let at_limits = value.map(|y| if y < low || y > high { T::ONE } else { T::ZERO });
        let shares = at_limits.mean(all_but_last(value)).to_vec();
        let sums = self.at_limits.entry(layer.path.clone()).or_insert_with(|| vec![0.0; shares.len()]);
        sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share.as_f64());
    }
}

/// Whether these are so many units that the layer is in trouble. Some idle ones are no harm, and in a small layer half of them
/// may be by chance.
fn is_much(units: usize, of: usize) -> bool {
    units > 0 && (units == of || (units >= 8 && 2 * units >= of))
}

/// The axes of batch, places and steps; the last one is that of the units.
fn all_but_last<T: Float>(value: &Tensor<T>) -> Axes {
    (0..value.ndim() as isize - 1).collect()
}
