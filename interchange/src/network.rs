//! A network as a list of its layers: what readers of foreign files make, and what writers of them walk along.

use gradus_nn::{Error, Graph, LayerKinds, Result};
use serde_json::{Map, Value as Json, json};

/// A [`Graph`] as data: each layer behind those that feed it. Made from the JSON of a network and back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Network {
    /// The names of the inputs.
    pub inputs: Vec<String>,
    pub layers: Vec<LayerNode>,
    /// Each output's name, and what it is.
    pub outputs: Vec<(String, Source)>,
}

/// A layer, and what feeds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerNode {
    pub name: String,
    pub what: What,
    pub inputs: Vec<Source>,
}

/// What a layer is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A layer of this kind, with the data that its `Serialize` writes.
    Layer { kind: String, config: Json },
    /// The same layer as the one of this name, with the same weights.
    Shares(String),
}

/// An input of a network by its name, or an output of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub of: String,
    pub output: usize,
}

impl Source {
    /// An input, or the first output of a layer.
    pub fn of(name: impl Into<String>) -> Self {
        Source { of: name.into(), output: 0 }
    }

    fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::String(name) => Some(Source::of(name)),
            Json::Array(pair) => match &pair[..] {
                [Json::String(name), output] => {
                    Some(Source { of: name.clone(), output: usize::try_from(output.as_u64()?).ok()? })
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn to_json(&self) -> Json {
        if self.output == 0 { json!(self.of) } else { json!([self.of, self.output]) }
    }
}

impl Network {
    /// The layers of a network.
    pub fn of(graph: &Graph) -> Result<Self> {
        let json = serde_json::to_value(graph).map_err(|error| Error::new("network", error.to_string(), ""))?;
        Network::from_json(&json)
    }

    /// The layers of a network or of one within it, from its JSON: a list for a chain, or an object.
    pub fn from_json(json: &Json) -> Result<Self> {
        Network::read(json).ok_or_else(|| Error::new("network", "this is not the JSON of a network", ""))
    }

    fn read(json: &Json) -> Option<Self> {
        let (inputs, layers, outputs) = match json {
            Json::Array(layers) => (vec!["input".to_owned()], layers, None),
            json => {
                let inputs = json["inputs"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned()));
                (inputs.collect::<Option<_>>()?, json["layers"].as_array()?, Some(json["outputs"].as_array()?))
            }
        };
        let mut network = Network { inputs, ..Network::default() };
        let mut last = Source::of("input");
        for layer in layers {
            let name = layer["name"].as_str()?.to_owned();
            let what = match layer.get("shares") {
                Some(shares) => What::Shares(shares.as_str()?.to_owned()),
                None => What::Layer { kind: layer["layer"].as_str()?.to_owned(), config: layer["config"].clone() },
            };
            let before = std::mem::replace(&mut last, Source::of(&name));
            let inputs = match layer.get("inputs") {
                Some(inputs) => inputs.as_array()?.iter().map(Source::from_json).collect::<Option<_>>()?,
                None => vec![before],
            };
            network.layers.push(LayerNode { name, what, inputs });
        }
        network.outputs = match outputs {
            None => vec![(last.of.clone(), last)],
            Some(outputs) => {
                let output = |output: &Json| match output {
                    Json::String(name) => Some((name.clone(), Source::of(name))),
                    output => Some((output["name"].as_str()?.to_owned(), Source::from_json(&output["source"])?)),
                };
                outputs.iter().map(output).collect::<Option<_>>()?
            }
        };
        Some(network)
    }

    /// The JSON of this network, as [`Graph::to_json`] writes those that are no chains.
    pub fn to_json(&self) -> Json {
        let layers = self.layers.iter().map(|layer| {
            let mut record = Map::new();
            record.insert("name".to_owned(), json!(layer.name));
            match &layer.what {
                What::Layer { kind, config } => {
                    record.insert("layer".to_owned(), json!(kind));
                    record.insert("config".to_owned(), config.clone());
                }
                What::Shares(name) => _ = record.insert("shares".to_owned(), json!(name)),
            }
            let inputs = layer.inputs.iter().map(Source::to_json).collect();
            record.insert("inputs".to_owned(), Json::Array(inputs));
            Json::Object(record)
        });
        let layers: Vec<Json> = layers.collect();
        let output = |(name, source): &(String, Source)| json!({"name": name, "source": source.to_json()});
        let outputs: Vec<Json> = self.outputs.iter().map(output).collect();
        json!({"inputs": self.inputs, "layers": layers, "outputs": outputs})
    }

    /// The network, with the layers among `kinds`.
    ///
    /// # Errors
    /// If there is no such layer, its data are wrong, or the names of the layers are none.
    pub fn to_graph(&self, kinds: &LayerKinds) -> Result<Graph> {
        Graph::from_json_with(&self.to_json().to_string(), kinds)
    }
}

#[cfg(test)]
mod tests {
    use gradus_nn::{Add, Dense, LSTM, LayerHandle, Sequential};

    use super::*;

    #[test]
    fn a_network_comes_back() {
        let mut graph = Graph::builder();
        let (x, y) = (graph.input(), graph.input_named("other"));
        let shared = LayerHandle::new(Dense::new(4));
        let (a, b) = (graph.add(&shared, [x]), graph.add_named("b", &shared, [y]));
        let sum = graph.add(Add, [a, b]);
        let graph = graph.outputs([("sum", sum), ("b", b)]);
        let mut states = Graph::builder();
        let x = states.input();
        let last = states.add(LSTM::new(3).return_state(true), [x]);
        let states = states.output(("c", last.output(2)));
        let chain = Graph::from(Sequential::new().add(Dense::new(2)).add(Dense::new(1)));
        for graph in [graph, states, chain] {
            let network = Network::of(&graph).unwrap();
            let again = network.to_graph(&LayerKinds::standard()).unwrap();
            assert_eq!(again.to_json().unwrap(), graph.to_json().unwrap());
        }
    }
}
