//! Networks and weights of Keras.

mod fields;
mod layers;
mod operations;
mod optimizer;
mod order;
mod read;
mod variables;
mod weights;
mod write;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use gradus_nn::{Error, LayerKinds, LoadedWeights, Matching, Model, Result};
use gradus_tensor::{Float, write_atomically};
use serde_json::{Value as Json, json};

use crate::archive::{Archive, ArchiveWriter};
use crate::hdf5::{Hdf5, Hdf5Writer, SIGNATURE};
pub use variables::{Variables, variables};
pub use optimizer::{SavedOptimizer, optimizer, optimizer_as};
use read::{ReadModel, read_model};
use weights::KerasWeights;
use write::{Written, write_model};

/// The most bytes that the config of a model may have.
const LONGEST_CONFIG: u64 = 1 << 28;

/// A model that has been read, and what of the file is not in it.
pub struct Loaded<T: Float = f32> {
    /// The network with its weights.
    pub model: Model<T>,
    /// What the file says beside that changes no prediction, such as a penalty that has no counterpart here.
    pub left_out: Vec<String>,
}

/// Reads a model.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded> {
    load_as(path)
}

/// As [`load`], for another element type.
pub fn load_as<T: Float>(path: impl AsRef<Path>) -> Result<Loaded<T>> {
    let path = path.as_ref();
    within(path, SavedModel::open(path).and_then(|saved| saved.load()))
}

/// Reads the weights of a model that has been built here.
pub fn load_weights<T: Float>(model: &mut Model<T>, path: impl AsRef<Path>) -> Result<LoadedWeights> {
    let path = path.as_ref();
    let mut load = || {
        let places = write_model(model)?.places;
        let file = match Format::of(path)? {
            Format::Archive => Hdf5::of_archive(&Archive::open(path)?, path, "model.weights.h5")?,
            Format::Hdf5 => Hdf5::open(path)?,
        };
        let is_listed = file.has_group("model_weights") || file.texts("", "layer_names")?.is_some();
        let source = match is_listed {
            true => KerasWeights::by_lists(&file, &places)?,
            false => KerasWeights::by_paths(&file, &places)?,
        };
        model.load_weights_from(&source, &Matching::new())
    };
    within(path, load())
}

/// Writes a model.
pub fn save<T: Float>(model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let save = || {
        let written = write_model(model)?;
        let weights = weights_of(model, &written)?;
        let config = serde_json::to_vec(&written.config).expect("JSON of strings and numbers");
        let metadata = json!({"keras_version": KERAS_VERSION, "date_saved": "2026-01-01@00:00:00"}).to_string();
        let wrote = write_atomically(path, |file| {
            let mut archive = ArchiveWriter::new(io::BufWriter::new(file));
            archive.add("metadata.json", metadata.as_bytes())?;
            archive.add("config.json", &config)?;
            archive.add("model.weights.h5", &weights)?;
            io::Write::flush(&mut archive.finish()?)
        });
        wrote.map_err(|error| Error::new("keras", error.to_string(), "check the path and the space on the disk"))
    };
    within(path, save())
}

/// Writes the weights of a model.
pub fn save_weights<T: Float>(model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let save = || {
        let weights = weights_of(model, &write_model(model)?)?;
        let wrote = write_atomically(path, |file| io::Write::write_all(file, &weights));
        wrote.map_err(|error| Error::new("keras", error.to_string(), "check the path and the space on the disk"))
    };
    within(path, save())
}

/// The version of Keras whose form is written.
const KERAS_VERSION: &str = "3.15.1";

/// The weights of a model as an HDF5 file.
fn weights_of<T: Float>(model: &Model<T>, written: &Written) -> Result<Vec<u8>> {
    let mut file = Hdf5Writer::default();
    for (group, name) in &written.groups {
        file.group(group, Some(name));
    }
    for place in &written.places {
        let param = model.params().get(&place.ours);
        let Some(param) = param else {
            let problem = format!("the model has no weight {:?}", place.ours);
            return Err(Error::new("keras", problem, "write the model by Model::save"));
        };
        file.tensor(&place.path(), &param.value);
    }
    file.finish()
}

/// A file with a whole model.
struct SavedModel {
    config: Json,
    weights: Hdf5,
    /// Whether the file lists variables by name, as the older `.h5` does.
    is_listed: bool,
}

impl SavedModel {
    fn open(path: &Path) -> Result<Self> {
        match Format::of(path)? {
            Format::Archive => {
                let archive = Archive::open(path).map_err(|error| Error::new("keras", error.to_string(), ""))?;
                let config = json(&archive.read("config.json", LONGEST_CONFIG)?)?;
                let weights = Hdf5::of_archive(&archive, path, "model.weights.h5")?;
                Ok(SavedModel { config, weights, is_listed: false })
            }
            Format::Hdf5 => {
                let weights = Hdf5::open(path)?;
                let config = weights.texts("", "model_config")?.and_then(|mut texts| texts.pop());
                let Some(config) = config else {
                    let hint =
                        "build the network here and use load_weights, or save the model by model.save(\"name.keras\")";
                    return Err(Error::new("keras", "the file holds weights without a model", hint));
                };
                Ok(SavedModel { config: json(config.as_bytes())?, weights, is_listed: true })
            }
        }
    }

    /// What an older file says of the training.
    fn training_config(&self) -> Result<Json> {
        match self.weights.texts("", "training_config")?.and_then(|mut texts| texts.pop()) {
            Some(config) => json(config.as_bytes()),
            None => Ok(Json::Null),
        }
    }

    fn load<T: Float>(&self) -> Result<Loaded<T>> {
        let first = read_model(&self.config, &|_| None)?;
        let source = match self.is_listed {
            true => KerasWeights::by_lists(&self.weights, &first.places)?,
            false => KerasWeights::by_paths(&self.weights, &first.places)?,
        };
        let read = read_model(&self.config, &|name| source.numbers(name))?;
        let ReadModel { network, inputs, frozen, left_out, .. } = read;
        let graph = network.to_graph(&LayerKinds::standard())?;
        let mut model = Model::with_weights(graph, inputs, &source)?;
        for layer in &frozen {
            model.freeze(layer)?;
        }
        Ok(Loaded { model, left_out })
    }
}

/// How a file begins.
enum Format {
    Archive,
    Hdf5,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        let mut begin = [0; 8];
        let mut file =
            fs::File::open(path).map_err(|error| Error::new("keras", error.to_string(), "check the path"))?;
        let mut count = 0;
        while count < begin.len() {
            match file.read(&mut begin[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) => return Err(Error::new("keras", error.to_string(), "check the path")),
            }
        }
        match &begin[..count] {
            [b'P', b'K', ..] => Ok(Format::Archive),
            begin if begin == SIGNATURE => Ok(Format::Hdf5),
            begin => {
                let problem = format!("it begins with the bytes {begin:?}, neither as a .keras archive nor as HDF5");
                Err(Error::new("keras", problem, "give a file that Keras has saved"))
            }
        }
    }
}

fn json(bytes: &[u8]) -> Result<Json> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new("keras", format!("the config is no JSON: {error}"), "the file is damaged: fetch or write it again")
    })
}

/// The path in front of an error.
fn within<R>(path: &Path, result: Result<R>) -> Result<R> {
    result.map_err(|error| error.within(&path.display().to_string()))
}
