//! What is wrong with a training run.

mod anatomy;
mod data;
mod gradients;
mod labels;
mod losses;
mod units;
mod updates;

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::anatomy::Anatomy;
use self::data::{Inputs, Targets};
use self::gradients::Gradients;
use self::labels::Labels;
use self::losses::Losses;
use self::units::Units;
use self::updates::Updates;
use super::{Callback, Run};
use crate::error::Result;
use crate::examination::{Examination, Examine};
use crate::finding::{Finding, FindingKind};
use crate::state::{NamedState, from_state, to_state};

/// Watches a training run and says what is wrong with it, each in one sentence with one thing to do.
///
/// `Fit { doctor: true, .. }` is the short form. The findings are in [`History::findings`](crate::History::findings), and
/// during the run in [`Run::findings`]; with `verbose` the progress shows them. By [`FindingKind`] they are:
///
/// * `NotFinite`: the batch, the layer and the op in which a NaN or an infinity came first.
/// * `UnscaledInputs`: bytes, other large numbers, or columns of very different sizes reach the first weights.
/// * `UnreachableTargets`: targets of 5 for a sigmoid, negative ones for a ReLU. `EqualTargets`: all are the same.
/// * `DeadUnits`: at least half of the ReLU units of a layer gave 0 for all samples of ten batches.
/// * `SaturatedUnits`: at least half of the sigmoid or tanh units of a hidden layer were at their limits in nearly all samples
///   of ten batches, and the loss has not halved.
/// * `VanishingGradients`, `ExplodingGradients`: they change more than 10,000 times from the last layer to another, in each
///   of ten batches.
/// * `UntrainedLayer`: a weight does not change, has no gradient, or is frozen as it was drawn.
/// * `HighLearningRate`, `LowLearningRate`: steps are too large or too small for the weights, and the loss does not fall.
/// * `UnrelatedLabels`: the loss stays at the entropy of the classes, though the weights move, as when labels were shuffled
///   apart from the inputs. An epoch of 100 batches or more is needed to tell.
///
/// What may be caused by something else is said only where nothing else was found: gradients, weights that stand still, a high
/// learning rate and unrelated labels. Each thing is said once. A training that goes well gives the doctor nothing to say.
///
/// It looks into the first four steps and every eighth one after them: there the batch goes through the model twice, so that an
/// epoch takes some 1.2 times as long. In all other steps it only looks whether loss and gradients are finite. It changes no
/// bit of the training.
///
/// A run that is paused, or killed and resumed, goes on with what the doctor has seen so far.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Activation, Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, FindingKind, Trainer};
///
/// // A sigmoid, for targets from 1 to 5.
/// let network = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
/// let mut trainer = Trainer::new(Model::build(network, [1], 0).unwrap(), MeanSquaredError, Sgd::default());
/// let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// let data = Dataset::new(x.clone(), x * 2.0 + 3.0).unwrap();
/// let history = trainer.fit(&data, Fit { doctor: true, verbose: false, ..Fit::default() }).unwrap();
/// let finding = &history.findings[0];
/// assert_eq!(finding.kind, FindingKind::UnreachableTargets);
/// assert!(finding.hint.starts_with("leave the activation of the last layer out"));
/// println!("{finding}");
/// ```
#[derive(Clone, Debug)]
pub struct Doctor {
    every: u64,
    record: Record,
    /// What is known of the network; made when the first step is looked into.
    anatomy: Option<Anatomy>,
}

/// What a doctor has seen so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The number of steps that the optimiser had taken when the run began.
    begin: u64,
    /// Whether something was not finite: nothing is looked into from there on.
    is_over: bool,
    inputs: Inputs,
    targets: Targets,
    units: Units,
    gradients: Gradients,
    updates: Updates,
    losses: Losses,
    labels: Labels,
}

/// A finding, before it is known where in the run it was made.
struct Diagnosis {
    kind: FindingKind,
    place: Option<String>,
    problem: String,
    hint: &'static str,
}

/// The number of steps at the beginning that are all looked into.
const FIRST: u64 = 4;

/// The number of steps looked into after which what a layer does is judged.
const WINDOW: usize = 10;

impl Doctor {
    /// A doctor who looks into every eighth step.
    pub fn new() -> Self {
        Doctor { every: 8, record: Record::default(), anatomy: None }
    }

    /// Looks into every step of this number, besides the first four: 1 is every step, and takes twice the time.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn every(self, steps: u64) -> Self {
        assert!(steps > 0, "Doctor: it must look into every step of a number from 1 on, found 0");
        Doctor { every: steps, ..self }
    }
}

impl Default for Doctor {
    fn default() -> Self {
        Doctor::new()
    }
}

impl<T: Float> Callback<T> for Doctor {
    fn on_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        (self.record, self.anatomy) = (Record { begin: run.step(), ..Record::default() }, None);
        Ok(())
    }

    fn examines(&self, step: u64) -> Examine {
        let step = step.saturating_sub(self.record.begin);
        match self.record.is_over {
            true => Examine::Never,
            false if step < FIRST || step.is_multiple_of(self.every) => Examine::Always,
            false => Examine::IfNotFinite,
        }
    }

    fn on_examination(&mut self, run: &mut Run<'_, T>, examination: &Examination<T>) -> Result<()> {
        let record = &mut self.record;
        if record.is_over {
            return Ok(());
        }
        if let Some((problem, hint)) = &examination.not_finite {
            record.is_over = true;
            let (epoch, batch) = (run.epoch, run.batch);
            let (kind, problem, hint) = (FindingKind::NotFinite, problem.clone(), hint.clone());
            run.report(Finding { kind, epoch, batch, place: None, problem, hint });
            return Ok(());
        }
        let anatomy = self.anatomy.get_or_insert_with(|| Anatomy::new(run.model));
        let has_fallen = record.losses.have_fallen();
        record.labels.see((run.batch, run.batches), run.model, examination);
        report(run, record.inputs.see(anatomy, examination));
        report(run, record.targets.see(run.model, examination));
        report(run, record.units.see(anatomy, examination, has_fallen));
        let updates = record.updates.see(run.model, examination, has_fallen);
        let gradients = record.gradients.see(anatomy, examination);
        report(run, updates.certain);
        // What follows may be caused by what was found before. It is said only where nothing else explains it.
        let steps = record.losses.diagnose(record.updates.typical());
        for diagnoses in [steps.into_iter().collect(), gradients.into_iter().collect(), updates.still] {
            if run.findings().is_empty() {
                report(run, diagnoses);
            }
        }
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.record.losses.add(run.loss);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let record = &mut self.record;
        let mut diagnoses = record.targets.at_epoch_end(run.batches);
        let validation = run.logs().get("val_loss");
        let found = record.labels.at_epoch_end(run.batches, validation, record.updates.path());
        if run.findings().is_empty() && diagnoses.is_empty() {
            diagnoses.extend(found);
        }
        report(run, diagnoses);
        Ok(())
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Value {
        to_state(&self.record)
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        (self.record, self.anatomy) = (from_state(state)?, None);
        Ok(())
    }
}

/// The median of the values, the upper one of two in the middle; `None` if there are no values.
fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Reports what has not been reported before.
fn report<T: Float>(run: &mut Run<'_, T>, diagnoses: impl IntoIterator<Item = Diagnosis>) {
    for Diagnosis { kind, place, problem, hint } in diagnoses {
        if run.findings().iter().all(|known| (known.kind, &known.place) != (kind, &place)) {
            let (epoch, batch, hint) = (run.epoch, run.batch, hint.to_owned());
            run.report(Finding { kind, epoch, batch, place, problem, hint });
        }
    }
}
