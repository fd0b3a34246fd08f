//! A network as JSON: a chain as the list of its layers, any other as an object that says what feeds each.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::graph::{Entry, Graph, Source, check_name, input_name};
use crate::registry::{self, LayerReader};

/// A network with branches.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphRecord {
    /// Their number; they are called `input`, `input_1` and so on.
    inputs: usize,
    layers: Vec<LayerRecord>,
    output: String,
}

/// A layer of a network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerRecord {
    name: String,
    layer: String,
    /// What feeds it, by name; not written for a layer of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<String>>,
    config: Value,
}

impl LayerRecord {
    fn of(entry: &Entry, inputs: Option<Vec<String>>) -> serde_json::Result<Self> {
        let Entry { name, layer, .. } = entry;
        Ok(LayerRecord { name: name.clone(), layer: layer.kind().to_owned(), inputs, config: layer.config()? })
    }
}

pub(crate) fn to_json(network: &Graph) -> Result<String> {
    serde_json::to_string_pretty(network).map_err(|error| {
        Error::new("to_json", error.to_string(), "make every field of the layer one that JSON can hold")
    })
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_chain = self.is_chain();
        let names = |sources: &[Source]| sources.iter().map(|&source| self.name_of(source)).collect();
        let record = |entry: &Entry| LayerRecord::of(entry, (!is_chain).then(|| names(&entry.inputs)));
        let layers = self.entries.iter().map(record).collect::<serde_json::Result<Vec<LayerRecord>>>();
        let layers = layers.map_err(serde::ser::Error::custom)?;
        if is_chain {
            return layers.serialize(serializer);
        }
        GraphRecord { inputs: self.inputs, layers, output: self.name_of(self.output) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        registry::deserialize(deserializer)
    }
}

/// A network from its data, with what is within it.
pub(crate) fn read(config: Value, reader: &LayerReader<'_>) -> Result<Graph> {
    if !config.is_object() {
        let mut chain = Graph::chain();
        for LayerRecord { name, layer: kind, inputs, config } in reader.config::<Vec<LayerRecord>>(config)? {
            let place = reader.at(&name, &kind);
            check_name(&name, &chain.entries).map_err(|problem| place.error(problem, RENAME))?;
            if inputs.is_some() {
                let problem = "the layers of a list are a chain, and say nothing of their inputs";
                return Err(place.error(problem, "write a network with branches as {inputs, layers, output}"));
            }
            chain.append(name.clone(), reader.layer(&name, &kind, config)?);
        }
        return Ok(chain);
    }
    let GraphRecord { inputs, layers, output } = reader.config(config)?;
    let later: Vec<String> = layers.iter().map(|record| record.name.clone()).collect();
    let mut graph = Graph { inputs, entries: Vec::with_capacity(layers.len()), output: Source::Input(0) };
    for LayerRecord { name, layer: kind, inputs, config } in layers {
        let place = reader.at(&name, &kind);
        check_name(&name, &graph.entries).map_err(|problem| place.error(problem, RENAME))?;
        let inputs = inputs.unwrap_or_default();
        if inputs.is_empty() {
            return Err(place.error("nothing feeds it", "name one layer or more in its inputs"));
        }
        let mut sources = Vec::with_capacity(inputs.len());
        for input in inputs {
            sources.push(find(&graph, &input).ok_or_else(|| match later.contains(&input) {
                true => {
                    let problem = format!("{input:?}, which feeds it, does not come before it");
                    place.error(problem, "write each layer behind those that feed it; there are no cycles")
                }
                false => place.error(unknown(&graph, &input), "correct the name in its inputs"),
            })?);
        }
        let layer = reader.layer(&name, &kind, config)?;
        graph.entries.push(Entry { name, layer, inputs: sources });
    }
    graph.output = find(&graph, &output)
        .ok_or_else(|| reader.error(unknown(&graph, &output), "name one of the layers as the output"))?;
    match &graph.unused()[..] {
        [] => Ok(graph),
        unused => {
            let problem = format!("the output {output:?} does not depend on {}", unused.join(", "));
            Err(reader.error(problem, "use them or leave them out"))
        }
    }
}

const RENAME: &str = "name the layers of a network differently";

/// What is called by this name, among the inputs and the layers so far.
fn find(graph: &Graph, name: &str) -> Option<Source> {
    let layer = graph.entries.iter().position(|entry| entry.name == name).map(Source::Layer);
    layer.or_else(|| (0..graph.inputs).find(|&index| input_name(index) == name).map(Source::Input))
}

fn unknown(graph: &Graph, name: &str) -> String {
    let inputs = (0..graph.inputs).map(input_name);
    let known: Vec<String> = inputs.chain(graph.entries.iter().map(|entry| entry.name.clone())).collect();
    format!("there is no layer {name:?}, only {}", known.join(", "))
}
