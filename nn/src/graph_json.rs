//! A network as JSON: a chain as the list of its layers, any other as an object that says what feeds each.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use gradus_tensor::safetensors::shortened;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::graph::{Entry, Graph, Output, Source, check_input_name, check_name, input_name, name_of_two};
use crate::layer::{LayerKinds, LayerReader, deserialize, from_json};

/// A network that is no chain.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphRecord {
    /// The names of the inputs.
    inputs: Vec<String>,
    layers: Vec<LayerRecord>,
    outputs: Vec<OutputRecord>,
}

/// A layer of a network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerRecord {
    name: String,
    /// The kind; not written for a layer that shares another's weights, and so is that layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
    /// The name of the layer that this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shares: Option<String>,
    /// What feeds it; not written for a layer of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<SourceRecord>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    config: Option<Json>,
}

/// What feeds a layer: an input or a layer by its name, or the name with the number of one of the layer's outputs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a name, or a name and the number of an output: [\"lstm\", 1]")]
enum SourceRecord {
    Name(String),
    Output(String, usize),
}

/// An output, called as the layer that gives it, or otherwise.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "the name of a layer, or an object of name and source")]
enum OutputRecord {
    Layer(String),
    Named { name: String, source: SourceRecord },
}

/// Some value, even if it is null: what is missing is `None` by default.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl SourceRecord {
    fn of(graph: &Graph, source: Source) -> Self {
        match source {
            Source::Layer { index, output } if output > 0 => {
                SourceRecord::Output(graph.entries[index].name.clone(), output)
            }
            source => SourceRecord::Name(graph.name_of(source)),
        }
    }

    /// Its place in a network in which the names stand for these.
    fn find(&self, places: &HashMap<String, Source>) -> Option<Source> {
        match (self, places.get(self.name())) {
            (SourceRecord::Name(_), found) => found.copied(),
            (&SourceRecord::Output(_, output), Some(&Source::Layer { index, .. })) => {
                Some(Source::Layer { index, output })
            }
            _ => None,
        }
    }

    fn name(&self) -> &str {
        let (SourceRecord::Name(name) | SourceRecord::Output(name, _)) = self;
        name
    }
}

impl LayerRecord {
    fn of(graph: &Graph, entry: &Entry, is_chain: bool) -> serde_json::Result<Self> {
        let inputs = entry.inputs.iter().map(|&source| SourceRecord::of(graph, source)).collect();
        let inputs = (!is_chain).then_some(inputs);
        let name = entry.name.clone();
        Ok(match entry.shares {
            Some(first) => {
                let shares = Some(graph.entries[first].name.clone());
                LayerRecord { name, layer: None, shares, inputs, config: None }
            }
            None => {
                let (layer, config) = (Some(entry.layer.kind().to_owned()), Some(entry.layer.config()?));
                LayerRecord { name, layer, shares: None, inputs, config }
            }
        })
    }
}

impl OutputRecord {
    fn of(graph: &Graph, Output { name, source }: &Output) -> Self {
        match SourceRecord::of(graph, *source) {
            SourceRecord::Name(of) if of == *name => OutputRecord::Layer(of),
            source => OutputRecord::Named { name: name.clone(), source },
        }
    }
}

impl Graph {
    /// The network as JSON, without weights: the layers' data in order, each with the names of those that feed it. A
    /// chain is written as [`Sequential`](crate::Sequential) writes it. A layer that is added twice is written once.
    ///
    /// # Errors
    /// If a custom layer's data cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| {
            Error::new("to_json", error.to_string(), "make every field of the layer one that JSON can hold")
        })
    }

    /// A network from what [`to_json`](Graph::to_json) wrote, of this crate's layers. A `Sequential`'s JSON is one, too.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json(json: &str) -> Result<Self> {
        Self::from_json_with(json, &LayerKinds::standard())
    }

    /// As [`from_json`](Graph::from_json), with layers of one's own among `kinds`.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json_with(json: &str, kinds: &LayerKinds) -> Result<Self> {
        from_json(json, kinds)
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_chain = self.is_chain();
        let layers = self.entries.iter().map(|entry| LayerRecord::of(self, entry, is_chain));
        let layers = layers.collect::<serde_json::Result<Vec<LayerRecord>>>().map_err(serde::ser::Error::custom)?;
        if is_chain {
            return layers.serialize(serializer);
        }
        let outputs = self.outputs.iter().map(|output| OutputRecord::of(self, output)).collect();
        GraphRecord { inputs: self.inputs.clone(), layers, outputs }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// A network from its data, with what is within it.
pub(crate) fn read(config: Json, reader: &LayerReader<'_>) -> Result<Graph> {
    if !config.is_object() {
        let mut chain = Reading::new(vec![input_name(0)], reader)?;
        let mut last = SourceRecord::Name(input_name(0));
        for record in reader.config::<Vec<LayerRecord>>(config)? {
            let said = record.inputs.is_some();
            let before = mem::replace(&mut last, SourceRecord::Name(record.name.clone()));
            let kind = chain.add(LayerRecord { inputs: Some(vec![before]), ..record }, &[])?;
            if said {
                let problem = "the layers of a list are a chain, and say nothing of their inputs";
                let place = reader.at(last.name(), kind);
                return Err(place.error(problem, "write a network with branches as {inputs, layers, outputs}"));
            }
        }
        let source = last.find(&chain.places).expect("the last layer, or the input, has just been added");
        chain.graph.outputs.push(Output { name: last.name().to_owned(), source });
        return Ok(chain.graph);
    }
    let GraphRecord { inputs, layers, outputs } = reader.config(config)?;
    let names: Vec<String> = layers.iter().map(|record| record.name.clone()).collect();
    let mut reading = Reading::new(inputs, reader)?;
    for record in layers {
        reading.add(record, &names)?;
    }
    let Reading { mut graph, places, .. } = reading;
    for output in outputs {
        let (name, source) = match output {
            OutputRecord::Layer(name) => (name.clone(), SourceRecord::Name(name)),
            OutputRecord::Named { name, source } => (name, source),
        };
        let found = source.find(&places);
        let source = found
            .ok_or_else(|| reader.error(unknown(&graph, source.name()), "name one of the layers as the output"))?;
        graph.outputs.push(Output { name, source });
    }
    if graph.outputs.is_empty() {
        return Err(reader.error("the network has no outputs", "name one layer or more in outputs"));
    }
    if let Some(name) = name_of_two(&graph.outputs) {
        return Err(reader.error(format!("two outputs are called {name:?}"), "name the outputs differently"));
    }
    match &graph.unused()[..] {
        [] => Ok(graph),
        unused => {
            let outputs: Vec<String> = graph.outputs.iter().map(|output| format!("{:?}", output.name)).collect();
            let of = if let [output] = &outputs[..] {
                format!("the output {output} does not")
            } else {
                format!("the outputs {} do not", shortened(&outputs))
            };
            Err(reader.error(format!("{of} depend on {}", shortened(unused)), "use them or leave them out"))
        }
    }
}

/// A network of which some layers have been read.
struct Reading<'a> {
    graph: Graph,
    /// What each name stands for. A file may name millions of layers that feed others, so none is looked for among all.
    places: HashMap<String, Source>,
    reader: &'a LayerReader<'a>,
}

impl<'a> Reading<'a> {
    /// A network that has inputs of these names, and no layers yet.
    fn new(inputs: Vec<String>, reader: &'a LayerReader<'a>) -> Result<Self> {
        let mut places = HashMap::new();
        for (index, input) in inputs.iter().enumerate() {
            check_input_name(input, index, places.get(input).copied())
                .map_err(|problem| reader.error(problem, "name the inputs of a network differently"))?;
            places.insert(input.clone(), Source::Input(index));
        }
        Ok(Reading { graph: Graph { inputs, entries: Vec::new(), outputs: Vec::new() }, places, reader })
    }

    /// Adds a layer behind those that there are, and returns its kind; `names` are those of all layers, for the message about
    /// one that comes too late.
    fn add(&mut self, record: LayerRecord, names: &[String]) -> Result<&'static str> {
        let Reading { graph, places, reader } = self;
        let LayerRecord { name, layer: kind, shares, inputs, config } = record;
        let first = shares.as_ref().and_then(|shares| match places.get(shares) {
            Some(&Source::Layer { index, .. }) => Some(index),
            _ => None,
        });
        let of_first = first.map(|first| graph.entries[first].layer.kind());
        let place = reader.at(&name, kind.as_deref().or(of_first).unwrap_or("no kind"));
        check_name(&name, places.get(&name).copied())
            .map_err(|problem| place.error(problem, "name the layers of a network differently"))?;
        let inputs = inputs.unwrap_or_default();
        if inputs.is_empty() {
            return Err(place.error("nothing feeds it", "name one layer or more in its inputs"));
        }
        let mut sources = Vec::with_capacity(inputs.len());
        for input in inputs {
            let of = input.name();
            sources.push(input.find(places).ok_or_else(|| match names.iter().any(|name| name == of) {
                true if !places.contains_key(of) => {
                    let problem = format!("{of:?}, which feeds it, does not come before it");
                    place.error(problem, "write each layer behind those that feed it; there are no cycles")
                }
                _ => place.error(unknown(graph, of), "correct the name in its inputs"),
            })?);
        }
        let layer = match (shares, &kind, config) {
            (None, Some(kind), Some(config)) => reader.layer(&name, kind, config)?,
            (Some(shares), None, None) => match first.filter(|&first| graph.entries[first].shares.is_none()) {
                Some(first) => Arc::clone(&graph.entries[first].layer),
                None => {
                    let problem = format!("shares the layer {shares:?}, which no layer before it is");
                    return Err(place.error(problem, "name the first layer of those that are the same"));
                }
            },
            _ => {
                let problem = "a layer is written by its kind and its data, or by the layer that it shares";
                return Err(place.error(problem, "write {layer, config} or {shares}"));
            }
        };
        let kind = layer.kind();
        places.insert(name.clone(), Source::layer(graph.entries.len()));
        graph.entries.push(Entry { name, layer, shares: first, inputs: sources });
        Ok(kind)
    }
}

fn unknown(graph: &Graph, name: &str) -> String {
    let known: Vec<&String> = graph.inputs.iter().chain(graph.entries.iter().map(|entry| &entry.name)).collect();
    format!("there is no layer {name:?}, only {}", shortened(&known))
}
