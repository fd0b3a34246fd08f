//! The chain of layers.

use std::sync::Arc;

use gradus_tensor::Float;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Result;
use crate::layer::{AnyLayer, Build, Built, Layer};
use crate::registry::{LayerKinds, LayerRecord};

/// Layers in a chain, each fed with the output of the one before.
///
/// A network is data: it can be printed, cloned, nested as a layer, and written to and read from JSON. Weights belong
/// to the [`Model`](crate::Model) built from it.
///
/// ```
/// use gradus_nn::{Activation, Dense, Flatten, Sequential};
/// let network = Sequential::new()
///     .add(Flatten)
///     .add(Dense::new(128).activation(Activation::Relu))
///     .add(Dense::new(10).activation(Activation::Softmax));
/// let copy = Sequential::from_json(&network.to_json().unwrap()).unwrap();
/// assert_eq!(copy.len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    entries: Vec<Entry>,
}

/// A layer under its name.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub layer: Arc<dyn AnyLayer>,
}

impl Sequential {
    /// No layers yet: the output is the input.
    pub fn new() -> Self {
        Sequential::default()
    }

    /// Adds a layer, named by its position: `"0"`, `"1"`, ...
    #[allow(clippy::should_implement_trait)] // Keras's name; nobody adds networks up.
    pub fn add(self, layer: impl Layer) -> Self {
        let name = self.entries.len().to_string();
        self.push(name, layer.into_any())
    }

    /// Adds a layer under a name of its own, which its weights carry: `"hidden/kernel"`.
    ///
    /// # Panics
    /// If the name is empty, contains `/` or is taken.
    #[track_caller]
    pub fn add_named(self, name: &str, layer: impl Layer) -> Self {
        assert!(self.takes_name(name), "add_named: a layer's name must be new, not empty and without '/': {name:?}");
        self.push(name.to_owned(), layer.into_any())
    }

    /// Whether a layer may be added under this name.
    pub(crate) fn takes_name(&self, name: &str) -> bool {
        !name.is_empty() && !name.contains('/') && self.entries.iter().all(|entry| entry.name != name)
    }

    pub(crate) fn push(mut self, name: String, layer: Arc<dyn AnyLayer>) -> Self {
        self.entries.push(Entry { name, layer });
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The network as JSON: the layers' data in order, without weights.
    ///
    /// # Errors
    /// If a custom layer's data cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        crate::registry::to_json(self)
    }

    /// A network from what [`to_json`](Sequential::to_json) wrote, of this crate's layers.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json(json: &str) -> Result<Self> {
        Self::from_json_with(json, &LayerKinds::standard())
    }

    /// As [`from_json`](Sequential::from_json), with layers of one's own among `kinds`.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json_with(json: &str, kinds: &LayerKinds) -> Result<Self> {
        crate::registry::from_json(json, kinds)
    }
}

impl Layer for Sequential {
    const KIND: &'static str = "Sequential";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let mut shape = build.input()?.clone();
        let mut steps = Vec::with_capacity(self.entries.len());
        for Entry { name, layer } in &self.entries {
            let built = build.child(name, &**layer, &[shape])?;
            shape = built.output;
            steps.push(built.forward);
        }
        Ok(Built::new(shape, move |context, x| {
            let mut x = x.clone();
            for step in &steps {
                x = step(context, std::slice::from_ref(&x));
            }
            x
        }))
    }
}

impl Serialize for Sequential {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let records: std::result::Result<Vec<LayerRecord>, _> = self.entries.iter().map(LayerRecord::of).collect();
        records.map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sequential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let records = Vec::<LayerRecord>::deserialize(deserializer)?;
        crate::registry::from_records(records, &LayerKinds::standard()).map_err(serde::de::Error::custom)
    }
}
