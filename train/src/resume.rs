//! The way back from a checkpoint to a trainer.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use gradus_nn::losses::Objective;
use gradus_nn::{Model, PartialShape};
use gradus_optim::{Rule, State};
use gradus_tensor::safetensors::File;
use gradus_tensor::{AnyTensor, Float, Tensor};
use serde::Deserialize;
use serde_json::Value;

use crate::checkpoints;
use crate::error::{Error, Result};
use crate::snapshot::{CALLBACKS, KEY, METRICS, OPTIMIZER, VERSION, Written, owner, rule_name};
use crate::state::Status;
use crate::trainer::Trainer;

/// The checkpoint from which a run goes on.
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
    /// The newer files that are damaged, each with what is wrong.
    pub skipped: Vec<String>,
}

impl fmt::Display for Resumed {
    /// `run/step-00000120.safetensors: after 2 epochs and 20 batches`, and a line for each file that was skipped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let (epochs, batches) = (counted(self.epochs, "epoch", "epochs"), counted(self.batch, "batch", "batches"));
        write!(f, "{}: after {epochs} and {batches}", self.path.display())?;
        self.skipped.iter().try_for_each(|skipped| write!(f, "\n(skipped as damaged: {skipped})"))
    }
}

impl<L: Objective<T>, R: Rule, T: Float> Trainer<L, R, T> {
    /// Goes on from the newest whole checkpoint in a folder ([`Checkpoint`](crate::callbacks::Checkpoint)), or from a
    /// checkpoint that is given as a file: sets the weights, the optimiser's state and the state of the run. The next
    /// [`fit`](Trainer::fit), with the same data, settings and callbacks, then gives the same bits as a run without a break.
    ///
    /// Returns `None`, and changes nothing, if there is no folder or no checkpoint in it: then the next `fit` begins a run. So
    /// a program that calls `resume` first may be killed and run again until it is done. A run that has ended is not trained
    /// again: `fit` returns its history, or goes on if it is given more epochs.
    ///
    /// # Errors
    /// If the checkpoint is that of another network, element type, rule or other metrics, was written by a newer version, or
    /// if there are only damaged ones. The trainer is unchanged then.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<Option<Resumed>> {
        let path = path.as_ref();
        if path.is_file() {
            return match self.resume_from(path)? {
                Ok(resumed) => Ok(Some(resumed)),
                Err(Damage { problem, hint }) => Err(Error::new(path.display().to_string(), problem, hint)),
            };
        }
        let mut skipped = Vec::new();
        for (_, file) in checkpoints::list(path)?.into_iter().rev() {
            match self.resume_from(&file)? {
                Ok(resumed) => return Ok(Some(Resumed { skipped, ..resumed })),
                Err(Damage { problem, .. }) => skipped.push(format!("{}: {problem}", file.display())),
            }
        }
        if skipped.is_empty() {
            return Ok(None);
        }
        let problem = format!("no checkpoint is whole: {}", skipped.join("; "));
        Err(Error::new(format!("resume: {}", path.display()), problem, "remove the folder to begin a new run"))
    }

    /// Goes on from this file, unless it is damaged.
    fn resume_from(&mut self, path: &Path) -> Result<Result<Resumed, Damage>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(Damage { problem: error.problem(), hint: error.hint().to_owned() })),
        };
        let written = match written(&file) {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => return Err(error.within(&path.display().to_string())),
            Err(damage) => return Ok(Err(damage)),
        };
        let refusal = |problem, hint: &str| Error::new(format!("resume: {}", path.display()), problem, hint);
        let own: Vec<&str> = self.metrics.iter().map(|metric| &*metric.name).collect();
        if written.rule != rule_name::<R>() {
            let problem = format!("the optimiser was {}, the trainer has {}", written.rule, rule_name::<R>());
            return Err(refusal(problem, "give the trainer the rule with which the run began"));
        }
        if written.metrics != own {
            let problem = format!("the metrics were {}, the trainer has {}", listed(&written.metrics), listed(&own));
            return Err(refusal(problem, "give the trainer the same metrics, in the same order"));
        }
        let Some(Ok(model)) = file.metadata().get("gradus").map(|text| serde_json::from_str::<ModelRecord>(text))
        else {
            return Ok(Err(damage("the metadata say nothing of a model".to_owned())));
        };
        if let Some(difference) = model.difference(&self.model)? {
            return Err(refusal(format!("the model is another: {difference}"), OTHER_NETWORK));
        }
        let mut params = self.model.params().clone();
        let mut unread: BTreeSet<&str> = file.names().filter(|name| !name.starts_with('/')).collect();
        for param in params.iter_mut() {
            let Some(value) = read::<T>(&file, &param.name).transpose()? else {
                let problem = format!("there is no weight {:?}", param.name);
                return Err(refusal(problem, OTHER_NETWORK));
            };
            if value.shape() != param.value.shape() {
                let (name, expected, found) = (&param.name, param.value.shape(), value.shape());
                let problem = format!("the weight {name:?} has shape {found}, the model's {expected}");
                return Err(refusal(problem, OTHER_NETWORK));
            }
            unread.remove(&*param.name);
            (param.value, param.frozen) = (value, model.frozen.contains(&param.name));
        }
        if let Some(name) = unread.first() {
            return Err(refusal(format!("there is a weight {name:?}, which the model does not have"), OTHER_NETWORK));
        }
        let mut state = written.state;
        for name in file.names().filter(|name| name.starts_with(CALLBACKS) || name.starts_with(METRICS)) {
            let Some((owner, own)) = owner(&mut state, name) else {
                return Ok(Err(damage(format!("there is no metric or callback to which {name:?} belongs"))));
            };
            owner.tensors.insert(own.to_owned(), file.read(name)?);
        }
        let slots = file.names().filter_map(|name| Some((name, name.strip_prefix(OPTIMIZER)?)));
        let slots =
            slots.map(|(name, slot)| Ok((slot.to_owned(), read(&file, name).expect("it is one of the names")?)));
        let slots = slots.collect::<Result<_>>()?;
        let slots = State { steps: written.steps, learning_rate: written.learning_rate, slots };
        self.optimizer
            .restore(&params, slots)
            .map_err(|error| refusal(error.to_string(), "give the trainer the same optimiser"))?;
        *self.model.params_mut() = params;
        let (epochs, batch, step) = (state.epoch(), state.batch(), written.steps);
        self.restore(state);
        // A run that has ended goes on as well, to no more than its end.
        self.state.status = Status::Paused("the program ended".to_owned());
        Ok(Ok(Resumed { path: path.to_owned(), step, epochs, batch, skipped: Vec::new() }))
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
        (Value::Object(before), Value::Object(now)) if before.keys().eq(now.keys()) => {
            let mut pairs = before.iter().zip(now.values());
            return pairs.find_map(|((key, before), now)| first_difference(&format!("{place}/{key}"), before, now));
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
struct Damage {
    problem: String,
    hint: String,
}

fn damage(problem: String) -> Damage {
    Damage { problem, hint: "give a file that the callback Checkpoint has written".to_owned() }
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

/// A tensor of the file, if it has one of this name.
fn read<T: Float>(file: &File, name: &str) -> Option<Result<Tensor<T>>> {
    let element = file.info(name)?.element;
    let expected = AnyTensor::from(Tensor::<T>::zeros([0])).element();
    Some(if element == Some(expected) {
        file.read(name).map(|tensor| tensor.to()).map_err(Error::from)
    } else {
        let place = file.path().map_or(String::new(), |path| path.display().to_string());
        let problem = format!("{name:?} has elements {}, the model {expected}", element.unwrap_or("of another type"));
        Err(Error::new(format!("resume: {place}"), problem, "train with the element type with which the run began"))
    })
}

/// Names, for a message.
fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
