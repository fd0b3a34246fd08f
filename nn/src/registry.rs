//! Layers from JSON: which kinds there are, and how each is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::layer::{AnyLayer, Layer};
use crate::nested::{Nested, NestedRecord};

type Read = fn(Value, &LayerReader<'_>) -> Result<Arc<dyn AnyLayer>>;

/// The kinds of layer that a network in a file may have: those of this crate, and those a program adds.
///
/// A plain value, made where it is needed: nothing is registered behind a program's back.
#[derive(Clone)]
pub struct LayerKinds {
    readers: BTreeMap<&'static str, Read>,
}

impl LayerKinds {
    /// No kinds at all; the list of this crate's layers makes [`LayerKinds::standard`] of it.
    pub(crate) fn none() -> Self {
        LayerKinds { readers: BTreeMap::new() }
    }

    /// The kinds in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().copied()
    }

    /// And layers of kind `L`.
    pub fn with<L: Layer>(mut self) -> Self {
        self.readers.insert(L::KIND, |config, reader| Ok(L::read(config, reader)?.into_any()));
        self
    }
}

/// The reading of one layer from its data: which kinds of layer there are, and where it stands in the network.
///
/// A layer that holds others overrides [`Layer::read`] and reads them by [`nested`](LayerReader::nested), so that layers
/// of a program's own are known within it too.
///
/// ```
/// use gradus_nn::{Build, Built, Dense, Layer, LayerReader, Nested, Result};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
/// use serde_json::Value;
///
/// /// y = 2 inner(x)
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Doubled {
///     inner: Nested,
/// }
///
/// impl Layer for Doubled {
///     const KIND: &'static str = "Doubled";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shapes = build.inputs().to_vec();
///         let Built { output, forward, .. } = build.child("inner", &*self.inner, &shapes)?;
///         Ok(Built::merging(output, move |context, inputs| forward(context, inputs) * T::of(2.0)))
///     }
///
///     fn read(mut config: Value, reader: &LayerReader<'_>) -> Result<Self> {
///         Ok(Doubled { inner: reader.nested("inner", config["inner"].take())? })
///     }
/// }
///
/// gradus_nn::check_layer(&Doubled { inner: Nested::new(Dense::new(3)) }, [2]).unwrap();
/// ```
pub struct LayerReader<'a> {
    kinds: &'a LayerKinds,
    path: String,
    kind: &'a str,
}

impl LayerReader<'_> {
    /// Data that are no layers themselves.
    ///
    /// # Errors
    /// If they are not what `D` needs.
    pub fn config<D: DeserializeOwned>(&self, config: Value) -> Result<D> {
        serde_json::from_value(config).map_err(|error| match &*self.path {
            "" => self.error(format!("this is no network: {error}"), "give a text that to_json has written"),
            _ => self.error(error.to_string(), "compare it with what to_json writes"),
        })
    }

    /// A layer within this one, from what [`Nested`] writes. Its errors name it beneath `name`.
    ///
    /// # Errors
    /// If there is no such kind, or its data are wrong.
    pub fn nested(&self, name: &str, layer: Value) -> Result<Nested> {
        let NestedRecord { layer: kind, config } = self.config(layer)?;
        Ok(Nested::from(self.layer(name, &kind, config)?))
    }

    /// An error of this layer: what is wrong, and one thing to do.
    pub fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        let place = match &*self.path {
            "" => "from_json".to_owned(),
            path => format!("from_json: layer {path} ({})", self.kind),
        };
        Error::new(place, problem, hint)
    }

    /// A layer of this name and kind within this one.
    pub(crate) fn layer(&self, name: &str, kind: &str, config: Value) -> Result<Arc<dyn AnyLayer>> {
        let inner = self.at(name, kind);
        let Some(read) = self.kinds.readers.get(kind) else {
            let known: Vec<&str> = self.kinds.names().collect();
            return Err(Error::new(
                format!("from_json: layer {}", inner.path),
                format!("there is no kind of layer {kind:?}, only {}", known.join(", ")),
                "add your own kinds by LayerKinds::with and read by from_json_with",
            ));
        };
        read(config, &inner)
    }

    /// The reader of a layer within this one.
    pub(crate) fn at<'b>(&'b self, name: &str, kind: &'b str) -> LayerReader<'b> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        LayerReader { kinds: self.kinds, path, kind }
    }
}

/// A whole network or layer in a text.
pub(crate) fn from_json<L: Layer>(json: &str, kinds: &LayerKinds) -> Result<L> {
    let reader = LayerReader { kinds, path: String::new(), kind: L::KIND };
    let config = serde_json::from_str(json).map_err(|error| {
        reader.error(format!("this is no network: {error}"), "give a text that to_json has written")
    })?;
    L::read(config, &reader)
}

/// `Deserialize` of a layer that holds others: by its own `read`, with the kinds of this crate.
pub(crate) fn deserialize<'de, L: Layer, D: Deserializer<'de>>(deserializer: D) -> Result<L, D::Error> {
    let config = serde::Deserialize::deserialize(deserializer)?;
    let reader = LayerReader { kinds: &LayerKinds::standard(), path: String::new(), kind: L::KIND };
    L::read(config, &reader).map_err(D::Error::custom)
}

/// `Deserialize` of [`Nested`], with the kinds of this crate.
pub(crate) fn deserialize_nested<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nested, D::Error> {
    let layer = serde::Deserialize::deserialize(deserializer)?;
    let reader = LayerReader { kinds: &LayerKinds::standard(), path: String::new(), kind: "" };
    reader.nested("", layer).map_err(D::Error::custom)
}
