//! All that the rest of a run depends on, at one place of it; and its form in a file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use gradus_nn::Model;
use gradus_optim::State;
use gradus_tensor::Float;
use gradus_tensor::safetensors::Writer;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::parts::Parts;
use crate::state::{NamedState, Tensors, TrainingState};

/// All that the rest of a run depends on, besides the program and the data: written to a file, it is a checkpoint.
///
/// A callback gets one by [`Run::request_snapshot`](crate::Run::request_snapshot). It is cheap: its tensors share their
/// elements with those of the run, which copies them when it changes them.
///
/// ```
/// use gradus_train::callbacks::{Callback, Run};
/// use gradus_train::{Result, Snapshot};
/// use std::path::PathBuf;
/// use std::sync::Arc;
///
/// /// Writes the run as it is after each epoch into one file.
/// struct Latest {
///     path: PathBuf,
/// }
///
/// impl Callback for Latest {
///     fn on_epoch_end(&mut self, run: &mut Run) -> Result<()> {
///         run.request_snapshot();
///         Ok(())
///     }
///
///     fn on_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<()> {
///         snapshot.write(&self.path)
///     }
/// }
///
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, Trainer};
///
/// let data = Dataset::new(Tensor::new([[0.0], [1.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let path = std::env::temp_dir().join(format!("gradus_latest_{}.safetensors", std::process::id()));
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
/// trainer.fit(&data, Fit { verbose: false, ..Fit::default() }.callback(Latest { path: path.clone() }))?;
/// assert_eq!(Model::load(&path)?.params()[0].value, trainer.model().params()[0].value);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot<T: Float = f32> {
    /// The model with its weights.
    pub model: Model<T>,
    /// The state of the optimiser.
    pub optimizer: State<T>,
    /// The state of the run, those of metrics and callbacks included.
    pub training: TrainingState,
    rule: String,
    metrics: Vec<String>,
    /// What must be on the disk before this is.
    files: Vec<PathBuf>,
}

/// The text in the metadata of a checkpoint: what a model's file does not say, but for the tensors.
#[derive(Serialize, Deserialize)]
pub(crate) struct Written {
    pub version: u32,
    /// The name of the optimiser's rule.
    pub rule: String,
    /// The number of steps that the optimiser has taken.
    pub steps: u64,
    /// The learning rate that was set in the course of training, if one was.
    pub learning_rate: Option<f64>,
    /// The number of batches whose gradients wait for others.
    #[serde(default, skip_serializing_if = "crate::state::is_zero")]
    pub waiting: u64,
    /// The names of the metrics.
    pub metrics: Vec<String>,
    pub state: TrainingState,
}

/// The version of [`Written`] in files of today.
pub(crate) const VERSION: u32 = 1;

/// The key of [`Written`] in the metadata.
pub(crate) const KEY: &str = "training";

/// What the names of the optimiser's tensors begin with.
pub(crate) const OPTIMIZER: &str = "/optimizer/";

/// What the names of the callbacks' tensors begin with, before the place of the callback among the states.
pub(crate) const CALLBACKS: &str = "/callbacks/";

/// What the names of the metrics' tensors begin with, before the place of the metric.
pub(crate) const METRICS: &str = "/metrics/";

impl<T: Float> Snapshot<T> {
    /// A snapshot of a trainer in this state, before which these files must be on the disk.
    pub(crate) fn new(parts: &Parts<'_, T>, training: TrainingState, files: Vec<PathBuf>) -> Self {
        let metrics = parts.metrics.iter().map(|metric| metric.name.clone()).collect();
        let (model, optimizer) = (parts.model.clone(), parts.optimizer.state());
        Snapshot { model, optimizer, training, rule: parts.optimizer.rule_name(), metrics, files }
    }

    /// Writes a checkpoint: a file that [`Model::load`] reads, and that [`Trainer::resume`](crate::Trainer::resume) goes on from. A crash
    /// leaves the file that was there before, or this one.
    ///
    /// # Errors
    /// If a file cannot be written; the error names it.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        for file in &self.files {
            sync(file).map_err(|source| Error::file(file, source))?;
        }
        Ok(self.writer()?.write(path)?)
    }

    /// What a file of it holds.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(self.writer()?.to_bytes()?)
    }

    fn writer(&self) -> Result<Writer> {
        let mut state = self.training.clone();
        let tensors = take_tensors(&mut state);
        let written = Written {
            version: VERSION,
            rule: self.rule.clone(),
            steps: self.optimizer.steps,
            learning_rate: self.optimizer.learning_rate,
            waiting: self.optimizer.waiting,
            metrics: self.metrics.clone(),
            state,
        };
        let written = serde_json::to_string(&written).expect("states are JSON already");
        let mut writer = self.model.to_safetensors()?.metadata(KEY, written);
        for (name, slot) in &self.optimizer.slots {
            writer = writer.tensor(format!("{OPTIMIZER}{name}"), slot);
        }
        for (name, tensor) in tensors {
            writer = writer.tensor(name, tensor);
        }
        Ok(writer)
    }
}

/// Takes the tensors of metrics and callbacks out of a state, under their names in the file: `/callbacks/2/1/kernel`.
fn take_tensors(state: &mut TrainingState) -> Tensors {
    let metrics = state.epoch.iter_mut().flat_map(|epoch| &mut epoch.metrics).enumerate();
    let metrics = metrics.map(|(place, metric)| (format!("{METRICS}{place}"), metric));
    let callbacks = state.callbacks.iter_mut().enumerate();
    let callbacks = callbacks.map(|(place, callback)| (format!("{CALLBACKS}{place}"), callback));
    let tensors = metrics.chain(callbacks).flat_map(|(owner, NamedState { tensors, .. })| {
        std::mem::take(tensors).into_iter().map(move |(name, tensor)| (format!("{owner}/{name}"), tensor))
    });
    tensors.collect()
}

/// The state of the metric or the callback to which a tensor of this name in the file belongs, and its own name.
pub(crate) fn owner<'a, 'b>(state: &'a mut TrainingState, name: &'b str) -> Option<(&'a mut NamedState, &'b str)> {
    let of = |prefix| name.strip_prefix(prefix)?.split_once('/');
    let states = |place: &str, states: &'a mut Vec<NamedState>| states.get_mut(place.parse::<usize>().ok()?);
    if let Some((place, own)) = of(CALLBACKS) {
        return Some((states(place, &mut state.callbacks)?, own));
    }
    let (place, own) = of(METRICS)?;
    Some((states(place, &mut state.epoch.as_mut()?.metrics)?, own))
}

/// Brings a file and its name in the folder to the disk.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_name(path)
}

/// Brings the name of a file or a folder to the disk. Some file systems, of networks for example, cannot, and say so.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => return Ok(()),
    };
    let synced = if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) };
    match synced {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}
