//! Inputs and targets that a network cannot learn well from.

use gradus_nn::{Activation, Model, OutputInfo};
use gradus_tensor::{Float, Math, Tensor};
use serde::{Deserialize, Serialize};

use super::anatomy::Anatomy;
use super::{Diagnosis, FIRST};
use crate::examination::Examination;
use crate::finding::FindingKind;

/// The inputs of the first batches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Inputs {
    batches: u64,
}

/// The root mean square from which on inputs are too large. Those that are scaled have some 1, and pixels of bytes 80.
const TOO_LARGE: f64 = 30.0;
/// How many times as much one column may vary as another.
const TOO_UNLIKE: f64 = 1000.0;

impl Inputs {
    /// Looks at what reaches the first kernels.
    pub fn see<T: Float>(&mut self, anatomy: &Anatomy, examination: &Examination<T>) -> Vec<Diagnosis> {
        if self.batches == FIRST {
            return Vec::new();
        }
        self.batches += 1;
        let found = anatomy.entrances.iter().filter_map(|(feed, layer)| {
            let (problem, hint) = unscaled(&examination.layers.get(feed)?.value)?;
            let layer = anatomy.layer(layer).map_or_else(|| format!("layer {layer}"), |layer| layer.name());
            let problem = format!("{layer} is fed with {problem}");
            Some(Diagnosis { kind: FindingKind::UnscaledInputs, place: Some(feed.clone()), problem, hint })
        });
        found.collect()
    }
}

/// What is wrong with the size of these numbers, and what to do.
fn unscaled<T: Float>(x: &Tensor<T>) -> Option<(String, &'static str)> {
    if x.is_empty() {
        return None;
    }
    let (lowest, highest) = (x.min(..).item().as_f64(), x.max(..).item().as_f64());
    let is_byte = |value: T| Math::floor(value) == value;
    if lowest >= 0.0 && (100.0..=255.0).contains(&highest) && x.iter().all(is_byte) {
        let problem = format!("whole numbers from {lowest} to {highest}, as bytes are");
        return Some((problem, "divide the inputs by 255, as by map_inputs(|x| x.to::<f32>() / 255.0)"));
    }
    let size = x.norm_f64() / (x.size() as f64).sqrt();
    if let Some((large, small, ratio)) = unlike_columns(x, lowest.abs().max(highest)) {
        let problem =
            format!("columns of very unlike sizes: column {large} varies {ratio:.0} times as much as column {small}");
        return Some((problem, "bring each column to mean 0 and variance 1, as Dataset::normalize does"));
    }
    (size > TOO_LARGE).then(|| {
        let problem = format!("large numbers: from {lowest:.0} to {highest:.0}, with a root mean square of {size:.0}");
        (problem, "scale the inputs to the order of 1, as Dataset::normalize does")
    })
}

/// The columns of a table `[n, columns]` that vary the most and the least, and how many times as much, if that is too much.
fn unlike_columns<T: Float>(x: &Tensor<T>, largest: f64) -> Option<(usize, usize, f64)> {
    // A few samples say little of how much a column varies; and numbers below 10 are no trouble.
    if x.ndim() != 2 || x.shape()[0] < 8 || largest < 10.0 {
        return None;
    }
    let deviations = x.std(0).to_vec().into_iter().map(T::as_f64).enumerate();
    let deviations: Vec<(usize, f64)> = deviations.filter(|(_, deviation)| *deviation > 0.0).collect();
    let large = deviations.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let small = deviations.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let ratio = large.1 / small.1;
    (ratio > TOO_UNLIKE).then_some((large.0, small.0, ratio))
}

/// The targets of each output.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Targets {
    outputs: Vec<OfOutput>,
    /// The number of batches of this epoch that were looked into.
    batches: usize,
}

/// The targets of an output so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct OfOutput {
    name: String,
    /// Those of the first sample.
    first: Vec<f64>,
    samples: usize,
    /// Whether another sample had others, or it does not matter.
    is_settled: bool,
}

/// As many samples of one target leave no doubt that there is no other.
const ENOUGH: usize = 4096;
/// The share of targets that are out of reach from which on the loss is in trouble.
const TOO_MANY: f64 = 0.05;

impl Targets {
    /// Looks at the targets of a batch.
    pub fn see<T: Float>(&mut self, model: &Model<T>, examination: &Examination<T>) -> Vec<Diagnosis> {
        if self.outputs.is_empty() {
            let of_output = |output: &OutputInfo| OfOutput { name: output.name.clone(), ..OfOutput::default() };
            self.outputs = model.outputs().iter().map(of_output).collect();
        }
        self.batches += 1;
        let step = &examination.step;
        let mut diagnoses = Vec::new();
        for (place, output) in model.outputs().iter().enumerate() {
            let (targets, outputs) = (&examination.targets[place], &step.outputs[place]);
            let Some(loss) = model.info().losses.get(&output.name) else { continue };
            if step.masks[place].is_some() || targets.is_empty() {
                continue;
            }
            let compares = COMPARES.contains(&&**loss);
            if compares && targets.shape() == outputs.shape() {
                diagnoses.extend(unreachable(output, targets));
            }
            if compares || loss == "sparse_categorical_crossentropy" {
                self.outputs[place].see(targets);
            }
        }
        diagnoses
    }

    /// Judges at the end of an epoch of so many batches whether all targets are the same.
    pub fn at_epoch_end(&mut self, batches: Option<usize>) -> Vec<Diagnosis> {
        let saw_all = Some(std::mem::take(&mut self.batches)) == batches;
        let judged =
            self.outputs.iter_mut().filter(|of| !of.is_settled && (of.samples >= ENOUGH || saw_all && of.samples > 1));
        let equal = judged.map(|of| {
            of.is_settled = true;
            let (samples, name) = (of.samples, of.name.clone());
            let target = match &of.first[..] {
                [one] => format!("{one}"),
                several => format!("{several:?}"),
            };
            Diagnosis {
                kind: FindingKind::EqualTargets,
                problem: format!("the targets of the output {name} are all {target}, as far as {samples} samples say"),
                place: Some(name),
                hint: "check the column and the file that the targets come from",
            }
        });
        equal.collect()
    }
}

impl OfOutput {
    fn see<T: Float>(&mut self, targets: &Tensor<T>) {
        let samples = targets.shape().first().copied().unwrap_or(1);
        // Whole pictures as targets are no constants.
        const LONGEST: usize = 1000;
        let length = targets.size() / samples;
        if self.is_settled || length > LONGEST {
            return;
        }
        if self.first.is_empty() {
            self.first = targets.iter().take(length).map(T::as_f64).collect();
        }
        self.is_settled =
            targets.iter().zip(self.first.iter().cycle()).any(|(target, first)| target.as_f64() != *first);
        self.samples += samples;
    }
}

/// The losses that compare outputs with targets number by number.
const COMPARES: [&str; 12] = [
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
    "poisson",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "kl_divergence",
];

/// Targets beyond the reach of the activation that an output comes out of.
fn unreachable<T: Float>(output: &OutputInfo, targets: &Tensor<T>) -> Option<Diagnosis> {
    let activation = output.activation?;
    if activation == Activation::Softmax && output.shape.last() == Some(&Some(1)) {
        let problem = format!("the output {} is the softmax of a single number, which is always 1", output.name);
        let hint = "use Activation::Sigmoid for a yes or no, or one unit for each class";
        return Some(Diagnosis {
            kind: FindingKind::UnreachableTargets,
            place: Some(output.name.clone()),
            problem,
            hint,
        });
    }
    let (low, high) = reach(activation)?;
    // What rounding has pushed out, or a label that was smoothed, is near enough.
    let (lowest, highest) = (T::of(low - 0.01), T::of(high + 0.01));
    let beyond = targets.iter().filter(|target| *target < lowest || *target > highest).count();
    if (beyond as f64) < TOO_MANY * targets.size() as f64 {
        return None;
    }
    let range = targets
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), target| (low.min(target.as_f64()), high.max(target.as_f64())));
    let reach = if high.is_finite() { format!("{low} to {high}") } else { format!("{low} and more") };
    let (name, (from, to)) = (&output.name, range);
    Some(Diagnosis {
        kind: FindingKind::UnreachableTargets,
        place: Some(name.clone()),
        problem: format!(
            "the targets of the output {name} go from {from} to {to}, where its {activation:?} gives {reach}"
        ),
        hint: "leave the activation of the last layer out, or bring the targets into its range",
    })
}

/// The lowest and the highest number that an activation gives.
fn reach(activation: Activation) -> Option<(f64, f64)> {
    match activation {
        Activation::Sigmoid | Activation::HardSigmoid | Activation::SparseSigmoid => Some((0.0, 1.0)),
        Activation::Softmax | Activation::Sparsemax => Some((0.0, 1.0)),
        Activation::Tanh | Activation::HardTanh | Activation::Softsign => Some((-1.0, 1.0)),
        Activation::Relu | Activation::Softplus | Activation::Exponential => Some((0.0, f64::INFINITY)),
        Activation::Relu6 => Some((0.0, 6.0)),
        _ => None,
    }
}
