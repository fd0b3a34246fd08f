//! The way back from a checkpoint to a trainer.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use gradus_nn::losses::Objective;
use gradus_nn::{Matching, Model, ModelInfo, PartialShape};
use gradus_optim::{Rule, State};
use gradus_tensor::Float;
use gradus_tensor::safetensors::File;
use serde::Deserialize;
use serde_json::Value;

use crate::checkpoints;
use crate::error::{Error, Result};
use crate::parts::{Compiled, Parts};
use crate::snapshot::{CALLBACKS, KEY, METRICS, OPTIMIZER, VERSION, Written, owner};
use crate::state::Status;
use crate::trainer::Trainer;

/// The checkpoint from which a run goes on.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Adam;
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::Checkpoint;
/// use gradus_train::{Fit, Trainer};
/// let data = Dataset::new(Tensor::new([[0.0], [1.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let trainer = || {
///     let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
///     Ok::<_, gradus_train::Error>(Trainer::new(model, MeanSquaredError, Adam::default()))
/// };
/// let folder = std::env::temp_dir().join(format!("gradus_resumed_{}", std::process::id()));
/// trainer()?.fit(&data, Fit { epochs: 5, verbose: false, ..Fit::default() }.callback(Checkpoint::new(&folder)))?;
///
/// let resumed = trainer()?.resume(&folder)?.expect("there is a checkpoint");
/// assert_eq!((resumed.epochs, resumed.step, resumed.batch), (5, 5, 0));
/// println!("{resumed}");
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The file.
    pub path: PathBuf,
    /// The number of steps that the optimiser had taken.
    pub step: u64,
    /// The number of epochs that are done.
    pub epochs: usize,
    /// The number of batches that are done of the epoch in progress.
    pub batch: usize,
    /// The reason why a callback had stopped the run, if one had: then `fit` trains no further.
    pub stopped: Option<String>,
    /// The newer files that are damaged, each with what is wrong.
    pub skipped: Vec<String>,
}

impl fmt::Display for Resumed {
    /// `run/step-00000120.safetensors: after 2 epochs and 20 batches`, the reason to stop if there was one, and a line for
    /// each file that was skipped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let (epochs, batches) = (counted(self.epochs, "epoch", "epochs"), counted(self.batch, "batch", "batches"));
        write!(f, "{}: after {epochs} and {batches}", self.path.display())?;
        if let Some(reason) = &self.stopped {
            write!(f, ", where it was stopped: {reason}")?;
        }
        self.skipped.iter().try_for_each(|skipped| write!(f, "\n(skipped as damaged: {skipped})"))
    }
}

impl<L: Objective<T>, R: Rule, T: Float> Trainer<L, R, T> {
    /// Goes on from the newest whole checkpoint in a folder ([`Checkpoint`](crate::callbacks::Checkpoint)), or from a
    /// checkpoint that is given as a file: sets the weights, the optimiser's state and the state of the run. The next
    /// [`fit`](Trainer::fit), with the same data, settings and callbacks, then gives the same bits as a run without a break.
    ///
    /// Returns `None`, and changes nothing, if there is no such folder or no checkpoint in it: then the next `fit` begins a run.
    /// So a program that calls `resume` first may be killed and run again until it is done. In a folder without others it goes
    /// on from `best.safetensors`.
    ///
    /// A run that has ended is not trained again: `fit` returns its history. Given more epochs it goes on, unless a callback had
    /// stopped it, as early stopping does ([`Resumed::stopped`]). With `restore_best_weights` an ended run has its best weights,
    /// and goes on from those.
    ///
    /// Which weights are frozen is taken from the checkpoint, too: freeze or unfreeze others after `resume`.
    ///
    /// # Errors
    /// If the checkpoint is that of another network, element type, loss, rule or other metrics, or was written by a newer version;
    /// if there are only damaged ones; if a path that ends in `.safetensors` does not exist, or a file cannot be read, as without
    /// the permission to. The trainer is unchanged then.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<Option<Resumed>> {
        (T::choose(Compiled).resume)(self.parts(), path.as_ref())
    }
}

impl<T: Float> Parts<'_, T> {
    /// As [`Trainer::resume`](crate::Trainer::resume).
    pub(crate) fn resume(mut self, path: &Path) -> Result<Option<Resumed>> {
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => {
                let refusal = |Damage { problem, hint }| Error::new(path.display().to_string(), problem, hint);
                return self.resume_from(path)?.map(Some).map_err(refusal);
            }
            Ok(_) => {}
            Err(source) if source.kind() == ErrorKind::NotFound && !checkpoints::is_file_name(path) => return Ok(None),
            Err(source) => return Err(Error::file(path, source)),
        }
        let mut skipped = Vec::new();
        for file in checkpoints::newest_first(path)? {
            match self.resume_from(&file)? {
                Ok(resumed) => return Ok(Some(Resumed { skipped, ..resumed })),
                Err(Damage { problem, .. }) => skipped.push(format!("{}: {problem}", file.display())),
            }
        }
        if skipped.is_empty() {
            return Ok(None);
        }
        let problem = format!("no checkpoint is whole: {}", skipped.join("; "));
        let hint = "put a copy of a whole one there, or give another folder to begin a new run";
        Err(Error::new(format!("resume: {}", path.display()), problem, hint))
    }

    /// Goes on from this file, unless it is damaged.
    fn resume_from(&mut self, path: &Path) -> Result<Result<Resumed, Damage>> {
        match open(path)? {
            Ok((file, written)) => self.resume_with(&format!("resume: {}", path.display()), path, &file, written),
            Err(damage) => Ok(Err(damage)),
        }
    }

    /// Takes weights, optimiser and run from what another rank has.
    pub(crate) fn restore_bytes(&mut self, bytes: Vec<u8>) -> Result<()> {
        const PLACE: &str = "compared with rank 0";
        let refusal = |Damage { problem, .. }| Error::new(PLACE, problem, "start the same program on all ranks");
        let file = File::from_bytes(bytes)?;
        let written = written(&file).map_err(refusal)??;
        let status = written.state.status.clone();
        self.resume_with(PLACE, Path::new(""), &file, written)?.map_err(refusal)?;
        self.state.status = status;
        Ok(())
    }

    /// Goes on from this file, at `path`, of which the state of the run has been read. Messages begin with `place`.
    fn resume_with(
        &mut self,
        place: &str,
        path: &Path,
        file: &File,
        written: Written,
    ) -> Result<Result<Resumed, Damage>> {
        let refusal = |problem, hint: &str| Error::new(place, problem, hint);
        if written.rule != self.optimizer.rule_name() {
            let (was, has) = (&written.rule, self.optimizer.rule_name());
            let problem = format!("the optimiser was {was}, the trainer has {has}");
            return Err(refusal(problem, "give the trainer the rule with which the run began"));
        }
        let own: Vec<&str> = self.metrics.iter().map(|metric| &*metric.name).collect();
        if written.metrics != own {
            let problem = format!("the metrics were {}, the trainer has {}", listed(&written.metrics), listed(&own));
            return Err(refusal(problem, "give the trainer the same metrics, in the same order"));
        }
        let Some(Ok(record)) = file.metadata().get("gradus").map(|text| serde_json::from_str::<ModelRecord>(text))
        else {
            return Ok(Err(damage("the metadata say nothing of a model".to_owned())));
        };
        if let Some(difference) = record.difference(self.model)? {
            return Err(refusal(format!("the model is another: {difference}"), OTHER_NETWORK));
        }
        let losses = &self.model.info().losses;
        if record.info.losses != *losses {
            let named = |losses: &BTreeMap<String, String>| {
                listed(&losses.iter().map(|(output, loss)| format!("{loss} of {output}")).collect::<Vec<_>>())
            };
            let problem = format!("the loss was {}, the trainer has {}", named(&record.info.losses), named(losses));
            return Err(refusal(problem, "give the trainer the loss with which the run began"));
        }
        let is_of_run = |name: &str| name.starts_with(OPTIMIZER) || !name.starts_with('/');
        let other = |name: &&str| is_of_run(name) && file.info(name).is_some_and(|info| info.element != Some(T::NAME));
        if let Some(name) = file.names().find(other) {
            let found = file.info(name).and_then(|info| info.element).unwrap_or("of another type");
            let problem = format!("{name:?} has elements {found}, the model {}", T::NAME);
            return Err(refusal(problem, "train with the element type with which the run began"));
        }
        let mut model = self.model.clone();
        model.load_weights_from(file, &Matching::new())?;
        model.params_mut().iter_mut().for_each(|param| param.frozen = record.frozen.contains(&param.name));
        let mut state = written.state;
        for name in file.names().filter(|name| name.starts_with(CALLBACKS) || name.starts_with(METRICS)) {
            let Some((owner, own)) = owner(&mut state, name) else {
                return Ok(Err(damage(format!("there is no metric or callback to which {name:?} belongs"))));
            };
            owner.tensors.insert(own.to_owned(), file.read(name)?);
        }
        let slots = file.names().filter_map(|name| Some((name, name.strip_prefix(OPTIMIZER)?)));
        let slots = slots.map(|(name, slot)| Ok((slot.to_owned(), file.read(name)?.to()))).collect::<Result<_>>()?;
        let Written { steps, learning_rate, waiting, .. } = written;
        let slots = State { steps, learning_rate, waiting, slots };
        self.optimizer
            .restore(model.params(), slots)
            .map_err(|error| refusal(error.to_string(), "give the trainer the same optimiser"))?;
        *self.model = model;
        let (epochs, batch, stopped) = (state.epoch(), state.batch(), state.history.stopped.clone());
        *self.state = state.paused();
        // A run that has ended goes on as well, to no more than its end.
        self.state.status = Status::Paused("the program ended".to_owned());
        Ok(Ok(Resumed { path: path.to_owned(), step: written.steps, epochs, batch, stopped, skipped: Vec::new() }))
    }
}

const OTHER_NETWORK: &str = "build the model with which the run began";

/// What a model's file says of it, as far as a run depends on it.
#[derive(Deserialize)]
struct ModelRecord {
    network: Value,
    inputs: Vec<InputRecord>,
    #[serde(default)]
    frozen: Vec<String>,
    #[serde(default)]
    info: ModelInfo,
}

#[derive(Deserialize)]
struct InputRecord {
    name: String,
    shape: Vec<Option<usize>>,
}

impl ModelRecord {
    /// The first thing in which the model differs from this record.
    fn difference<T: Float>(&self, model: &Model<T>) -> Result<Option<String>> {
        let network = serde_json::to_value(model.network());
        let network = network.map_err(|error| Error::new("resume", error.to_string(), OTHER_NETWORK))?;
        let in_network = first_difference("network", &self.network, &network);
        let shape = |name: &str, shape: &[Option<usize>]| format!("{name} {}", PartialShape::from(shape));
        let before = self.inputs.iter().map(|input| shape(&input.name, &input.shape));
        let now = model.inputs().iter().map(|input| shape(&input.name, &input.shape));
        let (before, now): (Vec<_>, Vec<_>) = (before.collect(), now.collect());
        let in_inputs = (before != now).then(|| format!("the inputs were {}, now {}", listed(&before), listed(&now)));
        Ok(in_network.or(in_inputs))
    }
}

/// Where two values differ first, and by what.
fn first_difference(place: &str, before: &Value, now: &Value) -> Option<String> {
    let (before, now) = match (before, now) {
        (before, now) if before == now => return None,
        // An option that there was not yet when the file was written is absent there, and null now if it is not used.
        (Value::Object(before), Value::Object(now)) if before.keys().all(|key| now.contains_key(key)) => {
            let pairs = now.iter().map(|(key, now)| (key, before.get(key).unwrap_or(&Value::Null), now));
            let of_key = |(key, before, now): (&String, _, _)| first_difference(&format!("{place}/{key}"), before, now);
            return pairs.map(of_key).find_map(|difference| difference);
        }
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => {
            let mut pairs = before.iter().zip(now).enumerate();
            return pairs.find_map(|(index, (before, now))| first_difference(&format!("{place}/{index}"), before, now));
        }
        differing => differing,
    };
    let short = |value: &Value| {
        let text = value.to_string();
        if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text }
    };
    Some(format!("{place} was {}, now {}", short(before), short(now)))
}

/// What makes a checkpoint unusable, and one thing to do.
pub(crate) struct Damage {
    problem: String,
    hint: String,
}

fn damage(problem: String) -> Damage {
    Damage { problem, hint: "give a file that the callback Checkpoint has written".to_owned() }
}

/// Opens a checkpoint, and reads the state of the run, unless it is damaged or has been removed meanwhile.
///
/// # Errors
/// If a newer version wrote it, or the file cannot be read for another reason: it may be whole, and another one would be older.
pub(crate) fn open(path: &Path) -> Result<Result<(File, Written), Damage>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
            return match cause {
                None | Some(ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                    Ok(Err(Damage { problem: error.problem(), hint: error.hint().to_owned() }))
                }
                Some(_) => Err(error.into()),
            };
        }
    };
    match written(&file) {
        Ok(Ok(written)) => Ok(Ok((file, written))),
        Ok(Err(error)) => Err(error.within(&path.display().to_string())),
        Err(damage) => Ok(Err(damage)),
    }
}

/// The state of the run in a checkpoint; an error if a newer version wrote it.
fn written(file: &File) -> Result<Result<Written>, Damage> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Some(text) = file.metadata().get(KEY) else {
        return Err(damage(format!("the file has no state of a run: there is no {KEY:?} in its metadata")));
    };
    let unreadable = |error: serde_json::Error| damage(format!("the state of the run cannot be read: {error}"));
    let Version { version } = serde_json::from_str(text).map_err(unreadable)?;
    if version > VERSION {
        let problem = format!("the checkpoint has version {version}, this program reads up to {VERSION}");
        return Ok(Err(Error::new(
            "resume",
            problem,
            "go on with the version of Gradus that wrote it, or a newer one",
        )));
    }
    let written: Written = serde_json::from_str(text).map_err(unreadable)?;
    written.state.check().map_err(damage)?;
    Ok(Ok(written))
}

/// Names, for a message.
fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
