//! A log of a run for TensorBoard.

use std::path::PathBuf;

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Callback, Run};
use crate::error::Result;
use crate::history::{Logs, VALIDATION};
use crate::state::{NamedState, from_state, to_state};
use crate::tensorboard::{LogPosition, SummaryWriter};

/// Writes a log of the run that TensorBoard shows, as Keras's callback of this name does.
///
/// ```
/// # use gradus_datasets::Dataset;
/// # use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// # use gradus_optim::Adam;
/// # use gradus_tensor::Tensor;
/// use gradus_train::callbacks::TensorBoard;
/// use gradus_train::{Fit, Trainer};
/// # let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// # let data = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
/// # let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
/// # let folder = std::env::temp_dir().join(format!("gradus_tensorboard_{}", std::process::id()));
/// # let logs = folder.to_str().unwrap();
///
/// let mut trainer = Trainer::new(model, MeanSquaredError, Adam::default());
/// let log = TensorBoard::new(logs).histogram_freq(1).update_freq(10); // Such as "logs/first".
/// trainer.fit(&data, Fit { epochs: 2, validation_split: 0.25, verbose: false, ..Fit::default() }.callback(log))?;
/// assert!(folder.join("train").exists() && folder.join("validation").exists());
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), gradus_train::Error>(())
/// ```
///
/// `tensorboard --logdir logs` shows it, also while the run goes on. The folder has a sub-folder `train` and, if there is a
/// validation, one named `validation`, so that their curves lie over each other. Names and steps are Keras's:
///
/// | in | name | step |
/// |---|---|---|
/// | both | `epoch_loss`, `epoch_accuracy`, .. | the epoch, counted from 0 |
/// | `train` | `epoch_learning_rate`, the rate of the next step | the epoch |
/// | `train`, with `update_freq` | `batch_loss`, .., means over the epoch so far, and `batch_learning_rate` | [`Run::step`] |
/// | `train`, with `histogram_freq` | `0/kernel/histogram`, .., by the path of the weight | the epoch |
/// | `validation` | `evaluation_loss_vs_iterations`, .. | [`Run::step`] |
///
/// The network is drawn under the tab 'Graphs'.
///
/// A run that is killed loses nothing of its log. A run that goes on from a checkpoint goes on with the log as it was then:
/// what was written later is removed. A TensorBoard that is open goes on showing it, since the run writes the same events
/// again; if the options of the log are others than before, it must be started anew.
///
/// A new run begins a new file, and leaves those of other runs in the folder as they are, as in Keras. TensorBoard takes all
/// files of a folder for one run, so give each run a folder of its own: `logs/first`, `logs/second`.
pub struct TensorBoard {
    log_dir: PathBuf,
    histogram_freq: usize,
    write_graph: bool,
    update_freq: Option<u64>,
    train: Option<SummaryWriter>,
    validation: Option<SummaryWriter>,
}

impl TensorBoard {
    /// A log in this folder, which is made if it does not exist.
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        TensorBoard {
            log_dir: log_dir.into(),
            histogram_freq: 0,
            write_graph: true,
            update_freq: None,
            train: None,
            validation: None,
        }
    }

    /// Writes histograms of all weights after every `histogram_freq` epochs, the first of them among these; with 0, the default,
    /// none.
    pub fn histogram_freq(self, histogram_freq: usize) -> Self {
        TensorBoard { histogram_freq, ..self }
    }

    /// Whether the network is written; by default it is.
    pub fn write_graph(self, write_graph: bool) -> Self {
        TensorBoard { write_graph, ..self }
    }

    /// Writes measurements whenever the number of steps is a multiple of `batches` as well; 1 is Keras's `"batch"`. By default
    /// they are written after epochs alone.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn update_freq(self, batches: u64) -> Self {
        assert!(
            batches > 0,
            "update_freq: a number of at least 1 is needed, not 0; without it epochs alone are written"
        );
        TensorBoard { update_freq: Some(batches), ..self }
    }

    fn train_dir(&self) -> PathBuf {
        self.log_dir.join("train")
    }

    fn validation_dir(&self) -> PathBuf {
        self.log_dir.join("validation")
    }

    /// Writes the measurements of a validation after this epoch and step.
    fn write_validation(&mut self, logs: &[(&str, f64)], epoch: u64, step: u64) -> Result<()> {
        let (folder, Some(train)) = (self.validation_dir(), &self.train) else { return Ok(()) };
        let writer = match &mut self.validation {
            Some(writer) => writer,
            // What a part of the run that is lost has left under this name is removed.
            none => none.insert(SummaryWriter::resume(folder, &train.position().beside("validation"))?),
        };
        writer.scalars(epoch, logs.iter().map(|(name, value)| (format!("epoch_{name}"), *value)))?;
        writer.scalars(step, logs.iter().map(|(name, value)| (format!("evaluation_{name}_vs_iterations"), *value)))
    }
}

/// Measurements under their names in the log, the learning rate among them.
fn named(prefix: &str, logs: &Logs, rate: f64) -> Vec<(String, f64)> {
    let logs = logs.iter().filter(|(name, _)| !name.starts_with(VALIDATION)).chain([("learning_rate", rate)]);
    logs.map(|(name, value)| (format!("{prefix}_{name}"), value)).collect()
}

impl<T: Float> Callback<T> for TensorBoard {
    fn on_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.validation = None;
        let train = SummaryWriter::new(self.train_dir())?;
        let train = self.train.insert(train);
        if self.write_graph { train.graph(run.model) } else { Ok(()) }
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if let (Some(batches), Some(train)) = (self.update_freq, &mut self.train)
            && run.has_stepped()
            && run.step().is_multiple_of(batches)
        {
            train.scalars(run.step(), named("batch", &run.logs(), run.learning_rate()))?;
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let (logs, epoch) = (run.logs(), run.epoch as u64);
        if let Some(train) = &mut self.train {
            train.scalars(epoch, named("epoch", &logs, run.learning_rate()))?;
            if self.histogram_freq > 0 && run.epoch.is_multiple_of(self.histogram_freq) {
                for param in run.model.params().iter() {
                    train.histogram(&format!("{}/histogram", param.name), epoch, &param.value)?;
                }
            }
        }
        let validation: Vec<(&str, f64)> =
            logs.iter().filter_map(|(name, value)| Some((name.strip_prefix(VALIDATION)?, value))).collect();
        if validation.is_empty() { Ok(()) } else { self.write_validation(&validation, epoch, run.step()) }
    }

    fn files(&self) -> Vec<PathBuf> {
        self.train.iter().chain(&self.validation).map(|writer| writer.path().to_owned()).collect()
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Value {
        let position = |writer: &Option<SummaryWriter>| writer.as_ref().map(|writer| writer.position().clone());
        to_state(&State { train: position(&self.train), validation: position(&self.validation) })
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let State { train, validation } = from_state(state)?;
        let places = [(self.train_dir(), train), (self.validation_dir(), validation)];
        // Nothing is cut if one of them cannot go on.
        for (folder, position) in &places {
            position.as_ref().map_or(Ok(()), |position| position.check(folder))?;
        }
        let resume = |(folder, position): &(PathBuf, Option<LogPosition>)| {
            position.as_ref().map(|position| SummaryWriter::resume(folder, position)).transpose()
        };
        (self.train, self.validation) = (resume(&places[0])?, resume(&places[1])?);
        Ok(())
    }
}

/// How far both logs have been written.
#[derive(Serialize, Deserialize)]
struct State {
    train: Option<LogPosition>,
    validation: Option<LogPosition>,
}
