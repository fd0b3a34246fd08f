//! Networks to and from JSON: which kinds of layer there are, and how each is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::layer::{AnyLayer, Layer};
use crate::layers::*;
use crate::sequential::{Entry, Sequential};

/// A layer in a file: its name, its kind and its data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerRecord {
    name: String,
    layer: String,
    config: Value,
}

impl LayerRecord {
    pub fn of(entry: &Entry) -> serde_json::Result<Self> {
        let Entry { name, layer } = entry;
        Ok(LayerRecord { name: name.clone(), layer: layer.kind().to_owned(), config: layer.config()? })
    }
}

type Read = fn(Value) -> serde_json::Result<Arc<dyn AnyLayer>>;

/// The kinds of layer that a network in a file may have: those of this crate, and those a program adds.
///
/// A plain value, made where it is needed: nothing is registered behind a program's back.
#[derive(Clone)]
pub struct LayerKinds {
    readers: BTreeMap<&'static str, Read>,
}

impl LayerKinds {
    /// The layers of this crate.
    pub fn standard() -> Self {
        LayerKinds { readers: BTreeMap::new() }
            .with::<Activation>()
            .with::<AveragePooling1D>()
            .with::<AveragePooling2D>()
            .with::<AveragePooling3D>()
            .with::<BatchNorm>()
            .with::<Conv1D>()
            .with::<Conv2D>()
            .with::<Conv3D>()
            .with::<Dense>()
            .with::<Dropout>()
            .with::<ELU>()
            .with::<Embedding>()
            .with::<Flatten>()
            .with::<GaussianDropout>()
            .with::<GaussianNoise>()
            .with::<LayerNorm>()
            .with::<LeakyReLU>()
            .with::<MaxPooling1D>()
            .with::<MaxPooling2D>()
            .with::<MaxPooling3D>()
            .with::<Normalization>()
            .with::<PReLU>()
            .with::<Permute>()
            .with::<ReLU>()
            .with::<RepeatVector>()
            .with::<Rescaling>()
            .with::<Reshape>()
            .with::<Softmax>()
    }

    /// The kinds in alphabetical order, [`Sequential`] itself, which may be nested, not among them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().copied()
    }

    /// And layers of kind `L`.
    pub fn with<L: Layer>(mut self) -> Self {
        self.readers.insert(L::KIND, |config| Ok(serde_json::from_value::<L>(config)?.into_any()));
        self
    }
}

pub(crate) fn to_json(network: &Sequential) -> Result<String> {
    serde_json::to_string_pretty(network).map_err(|error| {
        Error::new("to_json", error.to_string(), "make every field of the layer one that JSON can hold")
    })
}

pub(crate) fn from_json(json: &str, kinds: &LayerKinds) -> Result<Sequential> {
    let records: Vec<LayerRecord> = serde_json::from_str(json).map_err(|error| {
        Error::new("from_json", format!("this is no network: {error}"), "give a text that to_json has written")
    })?;
    from_records(records, kinds)
}

pub(crate) fn from_records(records: Vec<LayerRecord>, kinds: &LayerKinds) -> Result<Sequential> {
    within(records, kinds, "")
}

/// The network of these records, itself the layer at `path` of another, or of none.
fn within(records: Vec<LayerRecord>, kinds: &LayerKinds, path: &str) -> Result<Sequential> {
    let mut network = Sequential::new();
    for LayerRecord { name, layer: kind, config } in records {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if !network.takes_name(&name) {
            return Err(Error::new(
                format!("from_json: layer {path} ({kind})"),
                format!("the name of a layer must be new, not empty and without '/', found {name:?}"),
                "name the layers of a network differently",
            ));
        }
        let bad_config = |error: serde_json::Error| {
            Error::new(
                format!("from_json: layer {path} ({kind})"),
                error.to_string(),
                "compare it with what to_json writes",
            )
        };
        let layer: Arc<dyn AnyLayer> = if kind == Sequential::KIND {
            // A nested network may hold custom layers too.
            let inner = serde_json::from_value(config).map_err(bad_config)?;
            within(inner, kinds, &path)?.into_any()
        } else {
            let Some(read) = kinds.readers.get(&*kind) else {
                let known: Vec<&str> = kinds.names().collect();
                return Err(Error::new(
                    format!("from_json: layer {path}"),
                    format!("there is no kind of layer {kind:?}, only {}", known.join(", ")),
                    "add your own kinds by LayerKinds::with and read by from_json_with",
                ));
            };
            read(config).map_err(bad_config)?
        };
        network = network.push(name, layer);
    }
    Ok(network)
}
