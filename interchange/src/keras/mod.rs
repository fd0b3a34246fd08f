//! Models of Keras 3, read and written without Python: `.keras` archives, `.weights.h5`, and the older whole-model `.h5`.
//!
//! | Function | What it does |
//! |---|---|
//! | [`load`] | reads a `.keras` archive or an older `.h5` as a [`Model`] with its weights |
//! | [`load_weights`] | reads the weights of such a file, or of a `.weights.h5`, into a model that has been built here |
//! | [`optimizer`] | reads the optimiser, by which training goes on |
//! | [`save`], [`save_weights`] | write a `.keras` archive or a `.weights.h5`, which Keras 3.8 and 3.15 read |
//! | [`save_compiled`] | writes a `.keras` archive with the optimiser, by which training goes on in Keras |
//!
//! ```
//! use gradus_interchange::keras;
//! use gradus_nn::{Activation, Dense, Model, Sequential};
//! # let path = std::env::temp_dir().join(format!("gradus_keras_{}.keras", std::process::id()));
//! let network = Sequential::new().add(Dense::new(8).activation(Activation::Relu)).add(Dense::new(3));
//! let model = Model::build(network, [4], 42)?;
//! keras::save(&model, &path)?;
//! // In Python: keras.models.load_model(path)
//! let again = keras::load(&path)?.model;
//! assert_eq!(again.params()[0].value, model.params()[0].value);
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), gradus_nn::Error>(())
//! ```
//!
//! Sequential and functional models are read, models within models, layers that are called several times, several inputs and
//! outputs. Inputs and layers keep their names, as far as they are names here: a name that the framework gives itself, such as
//! `input_1`, is replaced. A second call of a layer is called like the layer, with a number. Code in a file, such as that of a
//! `Lambda`, is never run: the layer is refused. One message names all layers and options that there are not here.
//!
//! What Keras and this framework do differently:
//!
//! * A layer that lies in two models of a model is stored once; each model gets the weights, and they are two layers from then on.
//! * [`Normalization`](gradus_nn::Normalization) has its statistics as options here, and as weights in Keras: [`load`] takes them
//!   over, [`load_weights`] does not.
//! * Where different masks meet in a merging layer, Keras keeps a position that one of them has. Such models are refused.
//! * Random states are not in the file: training that goes on draws anew.

mod compiled;
mod fields;
mod layers;
mod losses;
mod operations;
mod optimizer;
mod order;
mod read;
mod rules;
mod slots;
mod variables;
mod weights;
mod write;

use std::io;
use std::path::Path;

use gradus_nn::{Error, LayerKinds, LoadedWeights, Matching, Model, Result};
use gradus_tensor::{Float, write_atomically};
use serde_json::{Value as Json, json};

use crate::any::Loaded;
use crate::archive::{Archive, ArchiveWriter};
use crate::format::Start;
use crate::hdf5::{Hdf5, Hdf5Writer};
use crate::shards::Shards;
pub use compiled::{Compiled, save_compiled};
pub use optimizer::{SavedOptimizer, optimizer, optimizer_as};
use read::{ReadModel, read_model};
pub use variables::{Variables, variables};
use weights::KerasWeights;
use write::{Written, write_model};

const WANTED: &str = "give a file that Keras has saved: .keras, .weights.h5, .weights.json or .h5";
/// The most bytes that the config of a model may have.
const LONGEST_CONFIG: u64 = 1 << 28;

/// Reads a model with its weights: a `.keras` archive, or a whole model in an `.h5` file. Which of them it is shows by its first bytes.
///
/// Weights are read one after the other, each when its place in the model is known. Layers that are not to be trained in Keras
/// are frozen. Half-precision weights become f32.
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_tensor::Tensor;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/chain.keras");
/// let model = keras::load(path)?.model;
/// let y = model.predict(&Tensor::new([[-0.5, 1.25, 0.25, -0.75]]))?;
/// assert_eq!(y.shape(), &[1, 1]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read or is damaged; if it has layers, options or calls that there are not here, all of them in one
/// message; if variables are missing, or there are others; and as [`Model::build`].
pub fn load(path: impl AsRef<Path>) -> Result<Loaded> {
    load_as(path)
}

/// As [`load`], for another element type: models of float64 are read as `Model<f64>`.
///
/// ```
/// use gradus_interchange::keras;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/chain.keras");
/// let model = keras::load_as::<f64>(path)?.model;
/// assert_eq!(model.input_shape(), &[4]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// As `load`.
pub fn load_as<T: Float>(path: impl AsRef<Path>) -> Result<Loaded<T>> {
    let path = path.as_ref();
    within(path, SavedModel::open(path).and_then(|saved| saved.load()))
}

/// Reads the weights of a file into a model that has been built here, or loaded: of a `.weights.h5` as
/// `model.save_weights` writes it, of several such files by their `.weights.json`, or of a whole model.
///
/// Keras finds weights by the class of each layer and its number among the layers of this class, not by names. So the network must
/// have the same layers in the same order.
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_nn::{Dense, Model, Sequential};
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/weights.weights.h5");
/// let mut model = Model::build(Sequential::new().add(Dense::new(4)).add(Dense::new(2)), [3], 42)?;
/// let weights = keras::load_weights(&mut model, path)?;
/// assert_eq!(weights.loaded, ["0/kernel", "0/bias", "1/kernel", "1/bias"]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, the network has layers that Keras lacks, or variables are missing, of other shapes, or others than
/// those of the model. Then nothing has changed.
pub fn load_weights<T: Float>(model: &mut Model<T>, path: impl AsRef<Path>) -> Result<LoadedWeights> {
    let path = path.as_ref();
    let mut load = || {
        let places = write_model(model)?.places;
        let files = weight_files(path)?;
        let is_listed = files[0].has_group("model_weights") || files[0].texts("", "layer_names")?.is_some();
        let source = match is_listed {
            true => KerasWeights::by_lists(&files[0], &places)?,
            false => KerasWeights::by_paths(&files, &places)?,
        };
        model.load_weights_from(&source, &Matching::new())
    };
    within(path, load())
}

/// Writes a model with its weights as a `.keras` archive, which Keras 3.8 and later read, without an optimiser, for which there is
/// [`save_compiled`]. The file is written beside its place and renamed: a crash leaves the old one or the new one.
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_nn::{Dense, Model, Residual, Sequential};
/// # let path = std::env::temp_dir().join(format!("gradus_keras_save_{}.keras", std::process::id()));
/// let model = Model::build(Sequential::new().add_named("classes", Dense::new(3)), [4], 42)?;
/// keras::save(&model, &path)?;
/// assert_eq!(keras::load(&path)?.model.params()[0].name, "classes/kernel");
/// # std::fs::remove_file(&path).unwrap();
///
/// // Keras has no such layer.
/// let model = Model::build(Sequential::new().add(Residual::new(Dense::new(4))), [4], 42)?;
/// assert!(keras::save(&model, &path).unwrap_err().to_string().contains("layer 0 (Residual): Keras has no such layer"));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the network has layers or options that Keras lacks, all of them in one message, or the file cannot be written. In a network
/// with masks, layers of one class of which neither depends on the other may be refused: Keras might take one for the other.
pub fn save<T: Float>(model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let save = || {
        let written = write_model(model)?;
        write_archive(path, &written.config, &weights_of(model, &written)?.finish()?)
    };
    within(path, save())
}

/// Writes a `.keras` archive of a config and an HDF5 file of variables.
fn write_archive(path: &Path, config: &Json, weights: &[u8]) -> Result<()> {
    let config = serde_json::to_vec(config).expect("JSON of strings and numbers");
    let metadata = json!({"keras_version": KERAS_VERSION, "date_saved": "2026-01-01@00:00:00"}).to_string();
    let wrote = write_atomically(path, |file| {
        let mut archive = ArchiveWriter::new(io::BufWriter::new(file));
        archive.add("metadata.json", metadata.as_bytes())?;
        archive.add("config.json", &config)?;
        archive.add("model.weights.h5", weights)?;
        io::Write::flush(&mut archive.finish()?)
    });
    wrote.map_err(|error| Error::new("keras", error.to_string(), "check the path and the space on the disk"))
}

/// Writes the weights of a model as a `.weights.h5`, for `model.load_weights` of a model of the same layers in Keras.
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_nn::{Dense, Model, Sequential};
/// # let path = std::env::temp_dir().join(format!("gradus_keras_{}.weights.h5", std::process::id()));
/// let network = || Sequential::new().add(Dense::new(3));
/// let trained = Model::build(network(), [4], 1)?;
/// keras::save_weights(&trained, &path)?;
/// let mut model = Model::build(network(), [4], 2)?;
/// keras::load_weights(&mut model, &path)?;
/// assert_eq!(model.params()[0].value, trained.params()[0].value);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// As [`save`].
pub fn save_weights<T: Float>(model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let save = || {
        let weights = weights_of(model, &write_model(model)?)?.finish()?;
        let wrote = write_atomically(path, |file| io::Write::write_all(file, &weights));
        wrote.map_err(|error| Error::new("keras", error.to_string(), "check the path and the space on the disk"))
    };
    within(path, save())
}

/// The version of Keras whose form is written.
const KERAS_VERSION: &str = "3.15.1";

/// The weights of a model as an HDF5 file.
fn weights_of<T: Float>(model: &Model<T>, written: &Written) -> Result<Hdf5Writer> {
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
    Ok(file)
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
        match Start::of_file(path)? {
            Start::Archive => {
                let archive = Archive::open(path).map_err(|error| Error::new("keras", error.to_string(), ""))?;
                let config = json(&archive.read("config.json", LONGEST_CONFIG)?)?;
                let weights = Hdf5::of_archive(&archive, path, "model.weights.h5")?;
                Ok(SavedModel { config, weights, is_listed: false })
            }
            Start::Hdf5 => {
                let weights = Hdf5::open(path)?;
                let config = weights.texts("", "model_config")?.and_then(|mut texts| texts.pop());
                let Some(config) = config else {
                    let hint =
                        "build the network here and use load_weights, or save the model by model.save(\"name.keras\")";
                    return Err(Error::new("keras", "the file holds weights without a model", hint));
                };
                Ok(SavedModel { config: json(config.as_bytes())?, weights, is_listed: true })
            }
            Start::List => {
                let hint = "build the network here and use load_weights";
                Err(Error::new("keras", "the file says where weights are, and holds no model", hint))
            }
            start => Err(start.refused(WANTED)),
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
            false => KerasWeights::by_paths(std::slice::from_ref(&self.weights), &first.places)?,
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

/// The files of variables that a file is, holds or lists.
fn weight_files(path: &Path) -> Result<Vec<Hdf5>> {
    match Start::of_file(path)? {
        Start::Archive => Ok(vec![Hdf5::of_archive(&Archive::open(path)?, path, "model.weights.h5")?]),
        Start::Hdf5 => Ok(vec![Hdf5::open(path)?]),
        Start::List => Shards::open(path)?.open_each(|path, start| match start {
            Start::Hdf5 => Hdf5::open(path),
            start => Err(start.refused("give the list of .weights.h5 files")),
        }),
        start => Err(start.refused(WANTED)),
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gradus_tensor::Tensor;

    use super::*;

    fn scratch() -> PathBuf {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("gradus_keras_{}_{number}.keras", std::process::id()))
    }

    /// What comes of a file.
    fn loaded(bytes: &[u8]) -> Result<Loaded> {
        let path = scratch();
        fs::write(&path, bytes).unwrap();
        let loaded = load(&path);
        fs::remove_file(&path).unwrap();
        loaded
    }

    /// What comes of a model with this config, and without weights.
    fn of_config(config: &str) -> Result<Loaded> {
        let mut file = Hdf5Writer::default();
        file.group("layers", None);
        let mut archive = ArchiveWriter::new(Vec::new());
        archive.add("config.json", config.as_bytes()).unwrap();
        archive.add("model.weights.h5", &file.finish().unwrap()).unwrap();
        loaded(&archive.finish().unwrap())
    }

    /// The config of a model as Keras 2 wrote it, with an input of three numbers: lists of [layer, call, output, arguments].
    fn of_keras_2() -> String {
        let layer = |class: &str, name: &str, config: Json, nodes: Json| {
            let mut config = config;
            config["name"] = json!(name);
            json!({"class_name": class, "config": config, "name": name, "inbound_nodes": nodes})
        };
        let inner = json!({"name": "inner", "input_layers": [["i", 0, 0]], "output_layers": [["slope", 0, 0]], "layers": [
            layer("InputLayer", "i", json!({"batch_input_shape": [null, 3], "dtype": "float32", "sparse": false}), json!([])),
            layer("LeakyReLU", "slope", json!({"alpha": 0.5}), json!([[["i", 0, 0, {}]]])),
        ]});
        let layers = [
            layer(
                "InputLayer",
                "x/1",
                json!({"batch_input_shape": [null, 3], "dtype": "float32", "sparse": false}),
                json!([]),
            ),
            json!({"class_name": "Functional", "config": inner, "name": "inner", "inbound_nodes": [[["x/1", 0, 0, {}]]]}),
            layer("Activation", "act", json!({"activation": "relu", "dtype": "float32"}), json!([[["x/1", 0, 0, {}]]])),
            // A model's own making counts as its first call.
            layer("Add", "sum", json!({}), json!([[["inner", 1, 0, {}], ["act", 0, 0, {"training": null}]]])),
        ];
        let config =
            json!({"name": "m", "layers": layers, "input_layers": [["x/1", 0, 0]], "output_layers": [["sum", 0, 0]]});
        json!({"class_name": "Functional", "config": config, "keras_version": "2.15.0", "backend": "tensorflow"})
            .to_string()
    }

    #[test]
    fn calls_of_keras_2_are_read() {
        let model = of_config(&of_keras_2()).unwrap().model;
        // By hand: leaky with the slope 0.5, plus relu.
        assert_eq!(model.predict(Tensor::new([[-2.0, 0.0, 3.0]])).unwrap(), Tensor::new([[-1.0, 0.0, 6.0]]));
    }

    #[test]
    fn what_is_left_out_is_said() {
        let layer = |class: &str, config: Json| json!({"class_name": class, "config": config});
        let layers = [
            layer("InputLayer", json!({"batch_shape": [null, 4], "name": "x"})),
            layer("Dropout", json!({"rate": 0.5, "noise_shape": [null, 1], "name": "a"})),
            layer("ReLU", json!({"activity_regularizer": {"class_name": "L1", "config": {}}, "name": "b"})),
        ];
        let config = json!({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}).to_string();
        let expected = [
            "layer a (Dropout): its noise_shape, which only training needs",
            "layer b (ReLU): its activity_regularizer, which only training needs",
        ];
        assert_eq!(of_config(&config).unwrap().left_out, expected);
    }

    fn problem(config: &str) -> String {
        of_config(config).err().expect(config).to_string()
    }

    #[test]
    fn configs_that_cannot_be_are_errors() {
        let whole = of_keras_2();
        let changes = [
            (
                "[\"x/1\",0,0,{}]]],\"name\":\"act\"",
                "[\"sum\",0,0,{}]]],\"name\":\"act\"",
                "layers feed one another in a circle",
            ),
            ("[\"act\",0,0,", "[\"act\",7,0,", "call 7 of a layer \"act\", which feeds it, is not there"),
            ("[\"act\",0,0,", "[\"other\",0,0,", "call 0 of a layer \"other\", which feeds it, is not there"),
            ("[\"act\",0,0,", "[\"act\",-1,0,", "it is called with [\"act\",-1,0,"),
            ("\"training\":null", "\"training\":true", "it is called with training=true"),
            ("[[\"sum\",0,0]]", "[[\"sum\",5,0]]", "there is no call 5 of a layer \"sum\", an output"),
            ("[[\"sum\",0,0]]", "7", "its inputs or outputs are not named"),
            ("\"alpha\":0.5", "\"alpha\":\"x\"", "negative_slope"),
            ("\"alpha\":0.5", "\"alpha\":0.5,\"secret\":[1]", "the option secret is [1]"),
            ("\"relu\"", "{\"class_name\":\"__lambda__\",\"config\":{}}", "there is no activation"),
            ("\"class_name\":\"Add\"", "\"class_name\":\"Mine\"", "layer sum (Mine): there is no such layer here"),
            ("[null,3]", "[null,-3]", "it has no batch_shape"),
        ];
        for (from, to, expected) in changes {
            let changed = whole.replacen(from, to, 1);
            assert_ne!(changed, whole, "{from}");
            let problem = problem(&changed);
            assert!(problem.contains(expected), "{from} {to}: {problem}");
        }
        for (config, expected) in [
            ("", "the config is no JSON"),
            ("7", "the config is not that of a model"),
            ("{\"class_name\":\"Mine\",\"config\":{}}", "Mine is a model or a layer made by code"),
            ("{\"class_name\":\"Functional\",\"config\":{}}", "its config has no list of layers"),
            ("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[]}}", "its config has no input shape"),
        ] {
            let problem = problem(config);
            assert!(problem.contains(expected), "{config}: {problem}");
        }
        // Nested endlessly, as JSON and as models.
        assert!(problem(&"[".repeat(100_000)).contains("the config is no JSON"));
        let nested = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[".repeat(10_000);
        assert!(problem(&nested).contains("the config is no JSON"));
    }

    #[test]
    fn damaged_archives_are_errors() {
        let whole = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/adapted.keras")).unwrap();
        assert!(loaded(&whole).is_ok());
        for length in (0..whole.len()).step_by(97) {
            assert!(loaded(&whole[..length]).is_err(), "{length}");
        }
        // Each byte changed is an error, found by a checksum, or changes nothing that is read.
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            _ = loaded(&bytes);
        }
    }

    #[test]
    fn damaged_older_files_are_errors() {
        let whole = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/legacy_chain.h5")).unwrap();
        for place in (0..whole.len()).step_by(29) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x81;
            _ = loaded(&bytes);
            if place % 290 == 0 {
                _ = loaded(&whole[..place]);
            }
        }
    }
}
