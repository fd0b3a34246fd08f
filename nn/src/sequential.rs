//! The chain of layers.

use std::sync::Arc;

use gradus_tensor::Float;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::activation::Activation;
use crate::error::Result;
use crate::graph::{Graph, check_name, same_layer};
use crate::layer::{AnyLayer, Build, Built, IntoLayer, Layer, LayerKinds, LayerReader, deserialize, from_json};

/// Layers in a chain, each fed with the output of the one before: the simplest [`Graph`].
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
#[derive(Clone, Debug)]
pub struct Sequential {
    /// A chain.
    graph: Graph,
}

impl Sequential {
    /// No layers yet: the output is the input.
    pub fn new() -> Self {
        Sequential { graph: Graph::chain() }
    }

    /// Adds a layer, named by its position: `"0"`, `"1"`, ... A `&LayerHandle` that was added before is the same layer, with
    /// the same weights.
    ///
    /// # Panics
    /// If another layer has been given that name.
    #[allow(clippy::should_implement_trait)] // Keras's name; nobody adds networks up.
    #[track_caller]
    pub fn add(self, layer: impl IntoLayer) -> Self {
        let name = self.len().to_string();
        self.push("add", name, layer.into_layer())
    }

    /// Adds a layer under a name of its own, which its weights carry: `"hidden/kernel"`.
    ///
    /// # Panics
    /// If the name is empty, contains `/`, is taken or an input's ([`GraphBuilder::input`](crate::GraphBuilder::input)).
    #[track_caller]
    pub fn add_named(self, name: &str, layer: impl IntoLayer) -> Self {
        self.push("add_named", name.to_owned(), layer.into_layer())
    }

    #[track_caller]
    fn push(mut self, op: &str, name: String, layer: Arc<dyn AnyLayer>) -> Self {
        if let Err(problem) = check_name(&name, self.graph.named(&name)) {
            panic!("{op}: {problem}");
        }
        let shares = same_layer(&self.graph.entries, &layer);
        self.graph.append(name, layer, shares);
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.graph.is_empty()
    }

    /// The network as JSON: the layers' data in order, without weights.
    ///
    /// # Errors
    /// If a custom layer's data cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        self.graph.to_json()
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
        from_json(json, kinds)
    }
}

impl From<Sequential> for Graph {
    fn from(chain: Sequential) -> Self {
        chain.graph
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Sequential::new()
    }
}

impl Layer for Sequential {
    const KIND: &'static str = "Sequential";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.graph.build(build)
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        self.graph.activations(inputs)
    }

    fn read(config: Json, reader: &LayerReader<'_>) -> Result<Self> {
        let graph = Graph::read(config, reader)?;
        if !graph.is_chain() {
            return Err(reader.error("this is a network with branches, not a chain", "read it as a Graph"));
        }
        Ok(Sequential { graph })
    }
}

impl Serialize for Sequential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.graph.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sequential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
