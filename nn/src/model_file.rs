//! A model as one file: network, weights, and what is known of it.
//!
//! The file is a safetensors file. Its tensors are the weights and states under their names, its metadata has the text
//! `gradus`: the network and all else, as JSON. Nothing in it is code. Tensors whose names begin with `/`, and other texts,
//! belong to those who add them, such as a checkpoint.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gradus_autograd::Role;
use gradus_tensor::Float;
use gradus_tensor::safetensors::{File, StorageLoss, Stored, Writer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::build::Weights;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::info::ModelInfo;
use crate::inputs::{Input, InputInfo, Inputs};
use crate::layer::{LayerKinds, from_value};
use crate::model::Model;
use crate::value::ValueKind;
use crate::weights_file::{open, within};

/// The name of the text in the metadata.
const KEY: &str = "gradus";
/// The version of what that text says. Every change to it is a new one, and every version is read for ever.
const VERSION: u64 = 1;
/// The longest text. As values it takes some thirty times as much memory.
const MOST_BYTES: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u64,
    network: Json,
    inputs: Vec<InputRecord>,
    /// The names of the parameters that are states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    states: Vec<String>,
    /// The names of the parameters that are frozen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<String>,
    #[serde(default)]
    info: ModelInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<PreprocessingRecord>,
}

/// An input as [`InputInfo`] describes it. The kind is for those who read the file without building the network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputRecord {
    name: String,
    shape: Vec<Option<usize>>,
    kind: KindRecord,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindRecord {
    Floats,
    Ids(usize),
    Mask,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreprocessingRecord {
    network: Json,
    inputs: Vec<InputRecord>,
}

impl Model {
    /// Reads a model that [`save`](Model::save) has written: the network, the weights, which of them are frozen, and what is
    /// known of it ([`info`](Model::info), [`preprocessing`](Model::preprocessing)). No weights are drawn, and each is in
    /// memory once.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 42)?;
    /// # let path = std::env::temp_dir().join(format!("gradus_load_{}.safetensors", std::process::id()));
    /// model.save(&path)?;
    /// let loaded = Model::load(&path)?;
    /// let x = Tensor::new([[1.0, 2.0, 3.0]]);
    /// assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file is damaged, none of a model, of a newer version, of layers that this crate does not have
    /// ([`load_with`](Model::load_with)), or of f64 ([`load_as`](Model::load_as)).
    ///
    /// # Files of others
    /// Nothing in a file is code, and loading takes no more memory than the file has bytes, and the network some. Predicting may
    /// take any amount: an up-sampling by a billion has no weights. [`widest`](Model::widest) says how much before.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        Model::load_as(path)
    }

    /// As [`load`](Model::load), with layers of one's own among `kinds`.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_with(path: impl AsRef<Path>, kinds: &LayerKinds) -> Result<Model> {
        Model::from_safetensors(&open(path)?, kinds)
    }
}

impl<T: Float> Model<T> {
    /// As [`Model::load`], for another element type: `Model::<f64>::load_as(..)`.
    ///
    /// # Errors
    /// As `load`; weights stored as f64 are not rounded to f32.
    pub fn load_as(path: impl AsRef<Path>) -> Result<Self> {
        Model::from_safetensors(&open(path)?, &LayerKinds::standard())
    }

    /// The model in a file that has been opened, by its path or in memory. What others have added to the file is left alone.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_safetensors(file: &File, kinds: &LayerKinds) -> Result<Self> {
        within(file, read(file, kinds))
    }

    /// Writes the model into a file: network, weights and states, and what is known of it. The same model is the same bytes.
    /// The file is written beside its place, brought to the disk and renamed: a crash leaves the old file or the new one.
    ///
    /// It is a safetensors file, of which Python reads the weights by `safetensors.numpy.load_file`.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// # let path = std::env::temp_dir().join(format!("gradus_save_{}.safetensors", std::process::id()));
    /// let model = Model::build(Sequential::new().add(Dense::new(3)), [4], 42)?;
    /// model.save(&path)?;
    /// let x = Tensor::new([[1.0, 2.0, 3.0, 4.0]]);
    /// assert_eq!(Model::load(&path)?.predict(&x)?, model.predict(&x)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written, or [`load`](Model::load) could not read it: a layer of one's own cannot be written as JSON
    /// or read again, networks are nested within networks some 40 times or more, class names are not those of an output, or
    /// the network as JSON has more than 16 MB. Then nothing is written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.to_safetensors()?.write(path).map_err(Error::file)
    }

    /// As [`save`](Model::save), with the weights stored in two bytes each, and says what they lose by that.
    ///
    /// # Errors
    /// As `save`.
    pub fn save_as(&self, path: impl AsRef<Path>, stored: Stored) -> Result<StorageLoss> {
        write_as(self.to_safetensors()?, path.as_ref(), stored)
    }

    /// The model's file, to be written: others may add tensors whose names begin with `/`, and texts under other names than
    /// `gradus`.
    ///
    /// ```
    /// use gradus_nn::{Dense, LayerKinds, Model, Sequential};
    /// use gradus_tensor::{Tensor, safetensors::File};
    /// let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 42)?;
    /// let bytes = model.to_safetensors()?.tensor("/steps", Tensor::from([7_i64])).metadata("author", "me").to_bytes()?;
    /// let file = File::from_bytes(bytes)?;
    /// assert_eq!(file.read("/steps")?, Tensor::from([7_i64]).into());
    /// let loaded: Model = Model::from_safetensors(&file, &LayerKinds::standard())?;
    /// assert_eq!(loaded.params().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If [`load`](Model::load) could not read the file; see [`save`](Model::save).
    pub fn to_safetensors(&self) -> Result<Writer> {
        self.info().check(self.outputs())?;
        let names = |chosen: &dyn Fn(usize) -> bool| {
            let params = self.params().iter().enumerate();
            params.filter(|(index, _)| chosen(*index)).map(|(_, param)| param.name.clone()).collect()
        };
        let preprocessing = match self.preprocessing() {
            None => None,
            Some(before) => {
                let inputs = before.inputs().iter().map(InputRecord::of).collect();
                Some(PreprocessingRecord { network: json(before.network())?, inputs })
            }
        };
        let record = Record {
            version: VERSION,
            network: json(self.network())?,
            inputs: self.inputs().iter().map(InputRecord::of).collect(),
            states: names(&|index| self.params()[index].role == Role::State),
            frozen: names(&|index| self.params()[index].frozen),
            info: self.info().clone(),
            preprocessing,
        };
        let text = serde_json::to_string(&record).expect("the record is texts and numbers");
        self.check_text(&text)?;
        Ok(self.weights().metadata(KEY, text))
    }
}

impl<T: Float> Model<T> {
    /// Reads the networks in a text that is to be written, so that no model is lost in a file that cannot be loaded. All other
    /// limits are those of building, which the model has passed.
    fn check_text(&self, text: &str) -> Result<()> {
        check_length(text)?;
        let nested = |error: &dyn fmt::Display| {
            let problem = format!("the file could not be loaded: {error}");
            let hint = "nest fewer networks within networks; save_weights writes the weights of any";
            Error::new("save", problem, hint)
        };
        let record: Json = serde_json::from_str(text).map_err(|error| nested(&error))?;
        let Record { network, preprocessing, .. } = serde_json::from_value(record).map_err(|error| nested(&error))?;
        let before = preprocessing.zip(self.preprocessing()).map(|(record, before)| (record.network, &before.kinds));
        for (network, kinds) in [(network, &self.kinds)].into_iter().chain(before) {
            from_value::<Graph>("save: the file could not be loaded", network, kinds)?;
        }
        Ok(())
    }
}

/// Writes a file with its floats stored so, and says what they lose by that.
pub(crate) fn write_as(writer: Writer, path: &Path, stored: Stored) -> Result<StorageLoss> {
    let writer = writer.stored_as(stored);
    let loss = stored.loss(writer.tensors().map(|(_, tensor)| tensor));
    writer.write(path).map_err(Error::file)?;
    Ok(loss)
}

fn check_length(text: &str) -> Result<()> {
    if text.len() <= MOST_BYTES {
        return Ok(());
    }
    let problem = format!("the text that describes the network has {} bytes, it can have {MOST_BYTES}", text.len());
    Err(Error::new("model file", problem, "make weights of what layers hold as options"))
}

fn json(network: &Graph) -> Result<Json> {
    serde_json::to_value(network)
        .map_err(|error| Error::new("save", error.to_string(), "make every field of the layer one that JSON can hold"))
}

impl InputRecord {
    fn of(input: &InputInfo) -> Self {
        let kind = match input.kind {
            ValueKind::Floats => KindRecord::Floats,
            ValueKind::Ids { count } => KindRecord::Ids(count),
            ValueKind::Mask => KindRecord::Mask,
        };
        InputRecord { name: input.name.clone(), shape: input.shape.to_vec(), kind }
    }

    fn input(&self) -> Input {
        Input::named(&self.name, &self.shape[..])
    }
}

/// A network built of its record, with parameters that are shapes without elements.
fn build<T: Float>(network: Json, inputs: &[InputRecord], kinds: &LayerKinds) -> Result<Model<T>> {
    let network: Graph = from_value("load", network, kinds)?;
    let model = Model::of_graph(network, Inputs(inputs.iter().map(InputRecord::input).collect()), Weights::Shapes)?;
    for (built, record) in model.inputs().iter().zip(inputs) {
        let built = InputRecord::of(built);
        if built.kind != record.kind || built.name != record.name {
            let problem = format!("the layers take the input {:?} otherwise than the file says", built.name);
            return Err(Error::new("inputs", problem, OTHER));
        }
    }
    Ok(model)
}

fn read<T: Float>(file: &File, kinds: &LayerKinds) -> Result<Model<T>> {
    let Some(text) = file.metadata().get(KEY) else {
        let problem = format!("the file has weights and no network: its metadata has no {KEY:?}");
        return Err(Error::new(
            "load",
            problem,
            "build the network by Model::build, and read the weights by load_weights",
        ));
    };
    check_length(text)?;
    let record: Json = serde_json::from_str(text).map_err(|error| no_record(&error))?;
    if let Some(version) = record.get("version").and_then(Json::as_u64).filter(|&version| version > VERSION) {
        let problem = format!("the file is of version {version}, this program reads up to {VERSION}");
        return Err(Error::new("load", problem, "build the program with a newer Gradus"));
    }
    let Record { version, network, inputs, states, frozen, info, preprocessing } =
        serde_json::from_value(record).map_err(|error| no_record(&error))?;
    if version == 0 {
        return Err(Error::new("load", "the file is of version 0, which there never was", OTHER));
    }
    let mut model: Model<T> = build(network, &inputs, kinds)?;
    let found: Vec<&String> =
        model.params().iter().filter(|param| param.role == Role::State).map(|param| &param.name).collect();
    if !found.into_iter().eq(&states) {
        return Err(Error::new("load", "the layers have other states than the file says", OTHER));
    }
    info.check(model.outputs())?;
    if let Some(PreprocessingRecord { network, inputs }) = preprocessing {
        let before = build(network, &inputs, kinds).map_err(|error| error.within("preprocessing"))?;
        model.check_preprocessing(&before)?;
        model.preprocessing = Some(Arc::new(before));
    }
    model.info = info;
    let mut frozen: BTreeSet<String> = frozen.into_iter().collect();
    model.params_mut().iter_mut().for_each(|param| param.frozen = frozen.remove(&param.name));
    if let Some(name) = frozen.first() {
        return Err(Error::new("load", format!("there is no weight {name:?} to be frozen"), OTHER));
    }
    model.fill(file)?;
    Ok(model)
}

const OTHER: &str = "the file is damaged, or of other layers than this program has: write it again";

fn no_record(error: &serde_json::Error) -> Error {
    Error::new("load", format!("the text {KEY:?} in the file's metadata is none of a model: {error}"), OTHER)
}
