//! A network of ours as Keras's config, with the places of its weights in Keras's files.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gradus_nn::{Error, Model, PartialShape, Result, ValueKind};
use gradus_tensor::Float;
use serde_json::{Map, Value as Json, json};

use super::fields::{How, object_of};
use super::layers::{LayerRow, WeightKind, of_kind};
use super::order::{in_keras_order, side_by_side};
use super::read::{Paths, Place, joined};
use crate::network::{LayerNode, Network, Source, What};

/// A model as Keras's config.
pub(super) struct Written {
    pub config: Json,
    /// The weights, in Keras's order.
    pub places: Vec<Place>,
    /// The groups of variables, with the names of their layers; those without variables too.
    pub groups: Vec<(String, String)>,
}

/// Writes the config of a model.
///
/// # Errors
/// All that Keras lacks, in one message.
pub(super) fn write_model<T: Float>(model: &Model<T>) -> Result<Written> {
    let (written, problems) = written(model)?;
    if problems.is_empty() {
        return Ok(written);
    }
    let hint = "take layers that Keras has, or write the model by Model::save";
    Err(Error::new("keras", problems.join("; "), hint))
}

/// Writes the config of a model as far as Keras has it, and says what it lacks.
pub(super) fn written<T: Float>(model: &Model<T>) -> Result<(Written, Vec<String>)> {
    let network = Network::of(model.network())?;
    let summary = model.summary();
    let shapes = summary.layers.iter().map(|layer| (layer.path.clone(), layer.outputs.clone())).collect();
    let is_frozen = |path: &str| {
        let mut weights = model
            .params()
            .iter()
            .filter(|param| param.name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')));
        weights.clone().next().is_some() && weights.all(|param| param.frozen)
    };
    let dtype = if T::NAME == "f64" { "float64" } else { "float32" };
    let written = Written { config: Json::Null, places: Vec::new(), groups: Vec::new() };
    let mut writer = Writer { written, problems: Vec::new(), shapes, is_frozen: &is_frozen, dtype };
    let inputs = model.inputs().iter().map(|input| {
        let dtype = match input.kind {
            ValueKind::Floats => dtype,
            ValueKind::Ids { .. } => "int32",
            ValueKind::Mask => "bool",
        };
        (Some(input.shape.clone()), dtype)
    });
    let at = At { ours: "", keras: "", layer: None, is_trained: true };
    let inputs: Vec<(Option<PartialShape>, &str)> = inputs.collect();
    let config = writer.network(&network, is_chain(&network), "model", &inputs, &at);
    let Writer { mut written, problems, .. } = writer;
    written.config = config;
    Ok((written, problems))
}

/// Whether a network, or one within it, makes masks.
fn has_masks(network: &Network) -> bool {
    network.layers.iter().any(|layer| match &layer.what {
        What::Layer { kind, config } => is_masking(kind, config) || has_masks_within(kind, config),
        What::Shares(_) => false,
    })
}

fn is_masking(kind: &str, config: &Json) -> bool {
    kind == "Masking" || config["mask_zero"] == json!(true)
}

/// Whether a layer holds another that makes masks.
fn has_masks_within(kind: &str, config: &Json) -> bool {
    let inner = |name: &str| match (config[name]["layer"].as_str(), config[name].get("config")) {
        (Some(kind), Some(config)) => is_masking(kind, config) || has_masks_within(kind, config),
        _ => false,
    };
    let is_network = matches!(kind, "Graph" | "Sequential");
    (is_network && Network::from_json(config).is_ok_and(|network| has_masks(&network)))
        || inner("layer")
        || inner("backward_layer")
}

/// Whether Keras, which adds operations for masks, may have the layers of a network in another order than without. Operations on
/// the inputs of the network alone change nothing.
fn may_be_reordered(network: &Network) -> bool {
    let layers = network.layers.iter().filter_map(|layer| match &layer.what {
        What::Layer { kind, config } => Some((layer, &**kind, config)),
        What::Shares(_) => None,
    });
    let mut makers = layers.clone().filter(|(_, kind, config)| is_masking(kind, config)).peekable();
    let merges = layers.clone().any(|(_, kind, _)| kind == "Concatenate");
    (makers.peek().is_some() && merges)
        || makers.any(|(layer, ..)| layer.inputs.iter().any(|input| !network.inputs.contains(&input.of)))
        || layers.clone().any(|(_, kind, config)| has_masks_within(kind, config))
}

/// Where a network or a layer is: beneath which path of ours and of Keras's.
struct At<'a> {
    ours: &'a str,
    keras: &'a str,
    layer: Option<Rc<str>>,
    is_trained: bool,
}

struct Writer<'a> {
    written: Written,
    problems: Vec<String>,
    /// The shapes of the outputs of each layer, by its path.
    shapes: HashMap<String, Vec<PartialShape>>,
    is_frozen: &'a dyn Fn(&str) -> bool,
    dtype: &'static str,
}

/// What a network's inputs are: shape, if it is known, and type.
type InputsOf<'a> = [(Option<PartialShape>, &'a str)];

impl Writer<'_> {
    fn problem(&mut self, path: &str, kind: &str, problem: impl AsRef<str>) {
        self.problems.push(format!("layer {path} ({kind}): {}", problem.as_ref()));
    }

    /// The object of a network.
    fn network(
        &mut self,
        network: &Network,
        is_sequential: bool,
        name: &str,
        inputs: &InputsOf<'_>,
        at: &At<'_>,
    ) -> Json {
        let vars = joined(at.keras, "vars");
        self.written.groups.push((vars, name.to_owned()));
        if is_sequential { self.chain(network, name, inputs, at) } else { self.functional(network, name, inputs, at) }
    }

    fn chain(&mut self, network: &Network, name: &str, inputs: &InputsOf<'_>, at: &At<'_>) -> Json {
        let mut layers = Vec::new();
        let mut paths = Paths::default();
        if let [(Some(shape), dtype)] = inputs {
            self.input_group(&mut paths, "input_layer", at);
            layers.push(input_layer("input_layer", shape, dtype));
        }
        let mut shape = inputs.first().and_then(|(shape, _)| shape.clone());
        for layer in &network.layers {
            let What::Layer { kind, config } = &layer.what else { continue };
            let (envelope, _) = self.layer(&layer.name, kind, config, std::slice::from_ref(&shape), &mut paths, at);
            layers.push(envelope);
            shape = self.shape_of(&Source::of(&layer.name), at);
        }
        let config = json!({"name": name, "trainable": true, "dtype": self.dtype, "layers": layers});
        object_of("keras", "Sequential", config)
    }

    fn functional(&mut self, network: &Network, name: &str, inputs: &InputsOf<'_>, at: &At<'_>) -> Json {
        let mut paths = Paths::default();
        let mut layers = Vec::new();
        for (input, (shape, dtype)) in network.inputs.iter().zip(inputs) {
            self.input_group(&mut paths, input, at);
            let shape = shape.clone().unwrap_or_default();
            let mut layer = input_layer(input, &shape, dtype);
            layer["name"] = json!(input);
            layer["inbound_nodes"] = json!([]);
            layers.push(layer);
        }
        let order = in_keras_order(network);
        // What each call is in Keras: the name of its layer, and its number among the layer's calls.
        let mut calls: HashMap<&str, (&str, usize)> = HashMap::new();
        for of_layer in &order {
            for (number, &index) in of_layer.iter().enumerate() {
                calls.insert(&network.layers[index].name, (&network.layers[of_layer[0]].name, number));
            }
        }
        let is_model = |name: &str| {
            network.layers.iter().find(|layer| layer.name == name).is_some_and(|layer| match &layer.what {
                What::Layer { kind, config } => class_of(kind, config) == "Functional",
                What::Shares(_) => false,
            })
        };
        for of_layer in &order {
            let first = &network.layers[of_layer[0]];
            let What::Layer { kind, config } = &first.what else { continue };
            let shapes: Vec<Option<PartialShape>> = first
                .inputs
                .iter()
                .map(|input| {
                    let of_input = network.inputs.iter().position(|name| *name == input.of);
                    match of_input.and_then(|place| inputs.get(place)) {
                        Some((shape, _)) => shape.clone(),
                        None => self.shape_of(input, at),
                    }
                })
                .collect();
            let (mut envelope, flags) = self.layer(&first.name, kind, config, &shapes, &mut paths, at);
            let nodes: Vec<Json> = of_layer
                .iter()
                .map(|&index| {
                    let layer = &network.layers[index];
                    let tensors: Vec<Json> = layer
                        .inputs
                        .iter()
                        .map(|input| {
                            let of_input = network.inputs.iter().position(|name| *name == input.of);
                            let shape = match of_input {
                                Some(place) => inputs.get(place).and_then(|(shape, _)| shape.clone()),
                                None => self.shape_of(input, at),
                            };
                            let dtype =
                                of_input.and_then(|place| inputs.get(place)).map_or(self.dtype, |(_, dtype)| dtype);
                            let (of, call) = calls.get(&*input.of).copied().unwrap_or((&input.of, 0));
                            tensor(of, call, input.output, shape.as_ref(), dtype)
                        })
                        .collect();
                    let from_input = layer.inputs.first().is_some_and(|input| network.inputs.contains(&input.of));
                    call(kind, tensors, &flags, from_input)
                })
                .collect();
            envelope["name"] = json!(first.name);
            envelope["inbound_nodes"] = json!(nodes);
            layers.push(envelope);
        }
        self.check_order(network, &order, at);
        let place = |source: &Source| match calls.get(&*source.of) {
            // The calls of a model within a model are counted behind the call that makes it.
            Some(&(of, call)) => json!([of, call + usize::from(is_model(of)), source.output]),
            None => json!([source.of, 0, 0]),
        };
        let is_named = network.outputs.iter().any(|(name, source)| *name != source.of);
        let is_sorted = network.outputs.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let outputs = match &network.outputs[..] {
            outputs if is_named && is_sorted && outputs.len() > 1 => {
                let named: Map<String, Json> =
                    outputs.iter().map(|(name, source)| (name.clone(), place(source))).collect();
                Json::Object(named)
            }
            [(_, output)] => place(output),
            outputs => outputs.iter().map(|(_, source)| place(source)).collect(),
        };
        let input = |name: &String| json!([name, 0, 0]);
        let inputs = match &network.inputs[..] {
            [one] => input(one),
            inputs => inputs.iter().map(input).collect(),
        };
        let config = json!({"name": name, "trainable": true, "layers": layers, "input_layers": inputs, "output_layers": outputs});
        let mut object = object_of("keras.src.models.functional", "Functional", config);
        object["registered_name"] = json!("Functional");
        object
    }

    fn input_group(&mut self, paths: &mut Paths, name: &str, at: &At<'_>) {
        let group = joined(&joined(at.keras, &paths.of_class("InputLayer")), "vars");
        self.written.groups.push((group, name.to_owned()));
    }

    /// The order of layers that depend on one another is certain, whatever Keras adds.
    fn check_order(&mut self, network: &Network, order: &[Vec<usize>], at: &At<'_>) {
        if !may_be_reordered(network) {
            return;
        }
        let mut by_class: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for of_layer in order {
            let index = of_layer[0];
            if let What::Layer { kind, .. } = &network.layers[index].what
                && of_kind(kind).is_none_or(|row| !row.weights.is_empty() || !row.inner.is_empty())
            {
                by_class.entry(kind.clone()).or_default().push(index);
            }
        }
        for (kind, layers) in by_class {
            if let Some((one, other)) = side_by_side(network, &layers) {
                let (one, other) = (&network.layers[one].name, &network.layers[other].name);
                let problem = format!(
                    "Keras may take its weights for those of {one:?}: the network has masks, and neither depends on the other"
                );
                self.problem(&joined(at.ours, other), &kind, problem);
            }
        }
    }

    fn shape_of(&self, source: &Source, at: &At<'_>) -> Option<PartialShape> {
        self.shapes.get(&joined(at.ours, &source.of))?.get(source.output).cloned()
    }

    /// The object of a layer, and the options that are arguments of its calls.
    fn layer(
        &mut self,
        name: &str,
        kind: &str,
        config: &Json,
        inputs: &[Option<PartialShape>],
        paths: &mut Paths,
        at: &At<'_>,
    ) -> (Json, Map<String, Json>) {
        let ours = joined(at.ours, name);
        let class = class_of(kind, config);
        let keras = joined(at.keras, &paths.of_class(class));
        let is_trained = at.is_trained && !(self.is_frozen)(&ours);
        let layer = at.layer.clone().unwrap_or_else(|| name.into());
        let inner = At { ours: &ours, keras: &keras, layer: Some(layer), is_trained };
        self.made(name, kind, config, inputs, &inner)
    }

    /// The object of a layer whose paths are these.
    fn made(
        &mut self,
        name: &str,
        kind: &str,
        config: &Json,
        inputs: &[Option<PartialShape>],
        at: &At<'_>,
    ) -> (Json, Map<String, Json>) {
        if matches!(kind, "Graph" | "Sequential") {
            let Ok(network) = Network::from_json(config) else {
                self.problem(at.ours, kind, "its data are not those of a network");
                return (Json::Null, Map::new());
            };
            let types = network.inputs.iter().map(|input| type_of(&network, input).unwrap_or(self.dtype));
            let inputs: Vec<(Option<PartialShape>, &str)> = inputs.iter().cloned().zip(types).collect();
            let mut object = self.network(&network, is_sequential(kind, &network), name, &inputs, at);
            object["config"]["trainable"] = json!(at.is_trained);
            return (object, Map::new());
        }
        let Some(row) = of_kind(kind) else {
            self.problem(at.ours, kind, "Keras has no such layer");
            return (Json::Null, Map::new());
        };
        let mut data = match config {
            Json::Object(data) if kind != "Activation" => data.clone(),
            activation if kind == "Activation" => Map::from_iter([("activation".to_owned(), activation.clone())]),
            _ => Map::new(),
        };
        if let Err(problem) = (row.write)(&mut data) {
            self.problem(at.ours, kind, problem);
        }
        self.note_weights(name, row, &data, at);
        let (mut config, mut flags) = (Map::new(), Map::new());
        for field in row.fields.iter().copied().flatten() {
            let target = if matches!(field.how, How::CallFlag) { &mut flags } else { &mut config };
            if let Err(problem) = field.write(&mut data, target) {
                self.problem(at.ours, kind, problem);
            }
        }
        flags.retain(|_, value| *value == json!(true));
        for inner in row.inner {
            let Some(layer) = data.remove(inner.ours).filter(|layer| !layer.is_null()) else { continue };
            let (ours, keras) = (joined(at.ours, inner.prefix), joined(at.keras, inner.path));
            let part = At { ours: &ours, keras: &keras, layer: at.layer.clone(), is_trained: at.is_trained };
            let kind = layer["layer"].as_str().unwrap_or_default();
            // A layer at each step is given what is left without the axis of steps.
            let step =
                |shape: &Option<PartialShape>| shape.as_ref().map(|shape| shape.get(1..).unwrap_or_default().into());
            let inputs: Vec<Option<PartialShape>> = match row.class {
                "TimeDistributed" => inputs.iter().map(step).collect(),
                _ => inputs.to_vec(),
            };
            let name = format!("{name}_{}", inner.prefix);
            let (object, _) = self.made(&name, kind, &layer["config"], &inputs, &part);
            config.insert(inner.keras.to_owned(), object);
        }
        for (option, value) in data {
            let is_off = value.is_null() || value == json!(false) || value == json!([]);
            if !is_off {
                self.problem(at.ours, kind, format!("the option {option} is {value}, which Keras's layer lacks"));
            }
        }
        config.insert("name".to_owned(), json!(name));
        // Not all layers without weights know this option.
        let has_weights = !row.weights.is_empty() || !row.inner.is_empty();
        if !at.is_trained && has_weights {
            config.insert("trainable".to_owned(), json!(false));
        }
        config.insert("dtype".to_owned(), json!(self.dtype));
        (object_of("keras.layers", row.class, Json::Object(config)), flags)
    }

    fn note_weights(&mut self, name: &str, row: &LayerRow, data: &Map<String, Json>, at: &At<'_>) {
        self.written.groups.push((joined(at.keras, "vars"), name.to_owned()));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for weight in row.weights {
            let is_left_out = !weight.option.is_empty() && data.get(weight.option) == Some(&json!(false));
            // What is an option here is an option of the config that is written.
            if is_left_out || matches!(weight.kind, WeightKind::Option | WeightKind::Unused) {
                continue;
            }
            let group = joined(&joined(at.keras, weight.part), "vars");
            if !weight.part.is_empty() && !counts.contains_key(weight.part) {
                self.written.groups.push((group.clone(), weight.part.to_owned()));
            }
            let index = counts.entry(weight.part).or_default();
            let place = Place {
                ours: joined(at.ours, weight.name),
                kind: weight.kind,
                group,
                index: *index,
                layer: at.layer.clone().unwrap_or_else(|| "".into()),
                is_trained: at.is_trained && weight.kind == WeightKind::Trained,
                twin: "".into(),
            };
            *index += 1;
            self.written.places.push(place);
        }
    }
}

/// The class of Python by which Keras finds the weights of a layer.
fn class_of<'a>(kind: &'a str, config: &Json) -> &'a str {
    match kind {
        "Graph" | "Sequential" => match Network::from_json(config).is_ok_and(|network| is_sequential(kind, &network)) {
            true => "Sequential",
            false => "Functional",
        },
        kind => of_kind(kind).map_or(kind, |row| row.python.unwrap_or(row.class)),
    }
}

/// Whether a network within another is a Sequential in Keras too. A Graph stays a functional model, whose weights are elsewhere.
fn is_sequential(kind: &str, network: &Network) -> bool {
    kind == "Sequential" && is_chain(network)
}

/// Whether Keras can have a network as a Sequential: each layer is fed with the first and only output of the one before.
fn is_chain(network: &Network) -> bool {
    let [input] = &network.inputs[..] else { return false };
    let mut before = input;
    let each = network.layers.iter().all(|layer| {
        let is_next = layer.inputs == [Source::of(std::mem::replace(&mut before, &layer.name))];
        is_next && may_be_in_chain(layer)
    });
    each && matches!(&network.outputs[..], [(_, output)] if *output == Source::of(before)) && !network.layers.is_empty()
}

fn may_be_in_chain(layer: &LayerNode) -> bool {
    let What::Layer { kind, config } = &layer.what else { return false };
    match &**kind {
        "Graph" | "Sequential" => {
            Network::from_json(config).is_ok_and(|network| network.inputs.len() == 1 && network.outputs.len() == 1)
        }
        "MultiHeadAttention" | "GroupQueryAttention" | "ReversibleEmbedding" => false,
        _ => {
            let gives_state =
                config["return_state"] == json!(true) || config["layer"]["config"]["return_state"] == json!(true);
            !gives_state && config["merge_mode"] != json!("none")
        }
    }
}

/// The type of an input by what it feeds: ids or masks, or floats, for which there is none here.
fn type_of(network: &Network, input: &str) -> Option<&'static str> {
    let source = Source::of(input);
    network.layers.iter().find_map(|layer| {
        let What::Layer { kind, config } = &layer.what else { return None };
        let place = layer.inputs.iter().position(|of| *of == source)?;
        match &**kind {
            "Embedding" | "ReversibleEmbedding" | "CategoryEncoding" => Some("int32"),
            _ if config["use_attention_mask"] == json!(true) && place + 1 == layer.inputs.len() => Some("bool"),
            "Graph" | "Sequential" => {
                let inner = Network::from_json(config).ok()?;
                type_of(&inner, inner.inputs.get(place)?)
            }
            _ => None,
        }
    })
}

fn batch_shape(shape: &PartialShape) -> Json {
    std::iter::once(Json::Null).chain(shape.iter().map(|length| json!(length))).collect()
}

fn input_layer(name: &str, shape: &PartialShape, dtype: &str) -> Json {
    let config = json!({"batch_shape": batch_shape(shape), "dtype": dtype, "sparse": false, "name": name});
    object_of("keras.layers", "InputLayer", config)
}

/// A tensor as a call names it.
fn tensor(of: &str, call: usize, output: usize, shape: Option<&PartialShape>, dtype: &str) -> Json {
    let shape = shape.map_or_else(|| json!([null]), batch_shape);
    let config = json!({"shape": shape, "dtype": dtype, "keras_history": [of, call, output]});
    json!({"class_name": "__keras_tensor__", "config": config})
}

/// A call of a layer with these tensors.
fn call(kind: &str, mut tensors: Vec<Json>, flags: &Map<String, Json>, from_input: bool) -> Json {
    let mut named = flags.clone();
    let is_attention = matches!(kind, "MultiHeadAttention" | "GroupQueryAttention");
    if named.remove("use_attention_mask").is_some() {
        named.insert("attention_mask".to_owned(), tensors.pop().unwrap_or_default());
    }
    if is_attention && tensors.len() == 1 {
        tensors.push(tensors[0].clone());
    }
    if kind == "ReversibleEmbedding" && !from_input {
        named.insert("reverse".to_owned(), json!(true));
    }
    let arguments = match (of_kind(kind).map(|row| row.arguments), &tensors[..]) {
        _ if is_attention => json!(tensors),
        (Some(["sequences", ..]), [sequences, states @ ..]) => {
            if !states.is_empty() {
                named.insert("initial_state".to_owned(), json!(states));
            }
            json!([sequences])
        }
        (_, [one]) => json!([one]),
        (_, all) => json!([all]),
    };
    json!({"args": arguments, "kwargs": named})
}
