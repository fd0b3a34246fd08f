//! Keras's config of a model as a network of ours, with the places of its weights in Keras's files.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use gradus_nn::{Error, Input, Result};
use serde_json::{Map, Value as Json, json};

use super::fields::{Field, How, object};
use super::layers::{LayerRow, WeightKind, of_class};
use super::operations::operation;
use crate::network::{LayerNode, Network, Source, What};

/// The most layers of a model: some searches take the square of their number.
const MOST_LAYERS: usize = 1 << 14;

/// A model's config that has been read.
#[derive(Default)]
pub(super) struct ReadModel {
    pub network: Network,
    pub inputs: Vec<Input>,
    /// The variables of all layers, in Keras's order.
    pub places: Vec<Place>,
    /// The paths of layers that are not to be trained.
    pub frozen: Vec<String>,
    /// What of the config changes nothing about outputs, and is left out.
    pub left_out: Vec<String>,
}

/// Where Keras stores a variable of a layer, and what it is to us.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Our name of the weight.
    pub ours: String,
    pub kind: WeightKind,
    /// The group of Keras's variables: `layers/dense/vars`.
    pub group: String,
    /// The number among the variables there.
    pub index: usize,
    /// The layer of the whole model that it lies in, by which older files group variables.
    pub layer: Rc<str>,
    /// Whether an optimiser changes it.
    pub is_trained: bool,
    /// What layers that are written twice have in common. Keras stores the variables of such a layer once.
    pub twin: Rc<str>,
}

impl Place {
    /// The path of the data set.
    pub fn path(&self) -> String {
        format!("{}/{}", self.group, self.index)
    }
}

/// The numbers of a layer that are options of ours and variables of Keras's, by our name for them.
pub(super) type Options<'a> = &'a dyn Fn(&str) -> Option<Vec<f64>>;

/// Reads the config of a model.
///
/// # Errors
/// All that is not supported, in one message.
pub(super) fn read_model(config: &Json, options: Options<'_>) -> Result<ReadModel> {
    let mut reader = Reader { read: ReadModel::default(), problems: Vec::new(), options };
    let envelope = Envelope::new(config);
    let network = match envelope {
        Some(envelope) if is_model(envelope.class) => {
            let place = Within { ours: "", keras: "", layer: None, is_trained: envelope.is_trainable() };
            reader.network(&envelope, &place)
        }
        Some(envelope) => {
            let problem =
                format!("{} is a model or a layer made by code, which the file does not hold", envelope.class);
            return Err(Error::new(
                "keras",
                problem,
                "build it by Sequential or the functional API, and save it again",
            ));
        }
        None => None,
    };
    let Reader { mut read, problems, .. } = reader;
    if !problems.is_empty() {
        let hint = "change these in Keras and save the model again, export it for onnx::load by \
                    model.export(\"name.onnx\", format=\"onnx\"), or build the network here and use load_weights";
        return Err(Error::new("keras", problems.join("; "), hint));
    }
    let Some((network, inputs)) = network else {
        return Err(Error::new(
            "keras",
            "the config is not that of a model",
            "save the model by model.save(\"name.keras\")",
        ));
    };
    (read.network, read.inputs) = (network, inputs);
    Ok(read)
}

fn is_model(class: &str) -> bool {
    is_functional(class) || class == "Sequential"
}

fn is_functional(class: &str) -> bool {
    matches!(class, "Functional" | "Model")
}

/// The serialized form of a layer: what it is, its options, and what calls it.
struct Envelope<'a> {
    class: &'a str,
    config: &'a Json,
    name: String,
    module: &'a str,
    nodes: &'a [Json],
    whole: &'a Json,
}

impl<'a> Envelope<'a> {
    fn new(whole: &'a Json) -> Option<Self> {
        let (class, config) = object(whole).filter(|_| whole.is_object())?;
        let text = |json: &'a Json| json.as_str();
        let name = text(&whole["name"]).or_else(|| config.get("name").and_then(text)).unwrap_or_default().to_owned();
        let module = text(&whole["module"]).unwrap_or_default();
        let nodes = whole["inbound_nodes"].as_array().map_or(&[][..], Vec::as_slice);
        Some(Envelope { class, config, name, module, nodes, whole })
    }

    fn is_trainable(&self) -> bool {
        self.config.get("trainable") != Some(&Json::Bool(false))
    }

    /// Whether this is an operation on tensors, such as a sum, rather than a layer.
    fn is_operation(&self) -> bool {
        self.module.contains(".ops.")
    }
}

/// Where a network or a layer is: beneath which path of ours and of Keras's.
struct Within<'a> {
    ours: &'a str,
    keras: &'a str,
    /// The layer of the whole model that this lies in.
    layer: Option<Rc<str>>,
    is_trained: bool,
}

/// An output of a call of a layer.
#[derive(Clone, Debug, PartialEq)]
struct Reference {
    layer: String,
    call: usize,
    output: usize,
    /// Whether the calls of a model are counted from 1, as the outputs of a model count them, and Keras 2 did everywhere: the
    /// first call is that by which the model was made.
    counts_making: bool,
}

/// A call of a layer: what it is given, and the options that are arguments of the call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    inputs: Vec<Reference>,
    flags: Map<String, Json>,
    /// Numbers among the arguments of an operation, with their places among all arguments.
    pub constants: Vec<(usize, f64)>,
    /// The masks that it is given beside.
    masks: Vec<Reference>,
}

impl Call {
    /// The number of tensors that it is given.
    pub fn tensors(&self) -> usize {
        self.inputs.len()
    }
}

struct Reader<'a> {
    read: ReadModel,
    problems: Vec<String>,
    options: Options<'a>,
}

impl Reader<'_> {
    fn problem(&mut self, path: &str, class: &str, problem: impl AsRef<str>) {
        let at = if path.is_empty() { class.to_owned() } else { format!("layer {path} ({class})") };
        self.problems.push(format!("{at}: {}", problem.as_ref()));
    }

    /// The network of a model, and its inputs.
    fn network(&mut self, model: &Envelope<'_>, within: &Within<'_>) -> Option<(Network, Vec<Input>)> {
        self.check_policy(model, within.ours);
        let layers = match (model.config, model.config.get("layers")) {
            (Json::Array(layers), _) | (_, Some(Json::Array(layers))) => layers,
            _ => {
                self.problem(within.ours, model.class, "its config has no list of layers");
                return None;
            }
        };
        if layers.len() > MOST_LAYERS {
            let problem = format!("it has {} layers, more than {MOST_LAYERS}", layers.len());
            self.problem(within.ours, model.class, problem);
            return None;
        }
        let mut envelopes = Vec::with_capacity(layers.len());
        for layer in layers {
            match Envelope::new(layer) {
                Some(envelope) => envelopes.push(envelope),
                None => self.problem(within.ours, model.class, format!("{} is no layer", shortened_json(layer))),
            }
        }
        if model.class == "Sequential" {
            self.chain(model, &envelopes, within)
        } else {
            self.functional(model, &envelopes, within)
        }
    }

    fn chain(
        &mut self,
        model: &Envelope<'_>,
        layers: &[Envelope<'_>],
        within: &Within<'_>,
    ) -> Option<(Network, Vec<Input>)> {
        let mut network = Network { inputs: vec!["input".to_owned()], ..Network::default() };
        let (mut names, mut paths) = (Names::default(), Paths::default());
        let (mut input, mut last) = (None, Source::of("input"));
        for (number, layer) in layers.iter().enumerate() {
            if layer.class == "InputLayer" {
                if number > 0 {
                    self.problem(
                        &joined(within.ours, &layer.name),
                        layer.class,
                        "it is not the first layer of the chain",
                    );
                }
                paths.next(layer);
                input = self.shape(layer, within.ours);
                continue;
            }
            if number == 0
                && let Some(shape) = layer.config.get("batch_input_shape").or_else(|| layer.config.get("batch_shape"))
            {
                input = partial(shape);
            }
            let name = names.new_name(&layer.name);
            let keras = joined(within.keras, &paths.next(layer));
            let what = self.layer(layer, &Map::new(), &name, &keras, within);
            let (kind, config) = what.unwrap_or_else(nothing);
            let before = std::mem::replace(&mut last, Source::of(&name));
            network.layers.push(LayerNode { name, what: What::Layer { kind, config }, inputs: vec![before] });
        }
        network.outputs = vec![(last.of.clone(), last)];
        let built = || {
            let built = model.config.get("build_input_shape").and_then(partial);
            built.or_else(|| partial(&model.whole["build_config"]["input_shape"]))
        };
        let input = match input.or_else(built) {
            Some(shape) => vec![Input::from(shape)],
            // The shape of a network within another is that of what feeds it.
            None if within.layer.is_some() => Vec::new(),
            None => {
                self.problem(
                    within.ours,
                    model.class,
                    "its config has no input shape; call the model once, and save it again",
                );
                Vec::new()
            }
        };
        Some((network, input))
    }

    fn functional(
        &mut self,
        model: &Envelope<'_>,
        layers: &[Envelope<'_>],
        within: &Within<'_>,
    ) -> Option<(Network, Vec<Input>)> {
        let wrong = |reader: &mut Self, problem: String| {
            reader.problem(within.ours, model.class, problem);
            None
        };
        let places: HashMap<&str, usize> =
            layers.iter().enumerate().map(|(index, layer)| (&*layer.name, index)).collect();
        let (Some(inputs), Some(outputs)) =
            (references(&model.config["input_layers"], ""), references(&model.config["output_layers"], ""))
        else {
            return wrong(self, "its inputs or outputs are not named as [layer, call, output]".to_owned());
        };
        let (mut network, mut names) = (Network::default(), Names::default());
        // What each input is called, by the number of its layer.
        let (mut named, mut shapes) = (HashMap::new(), Vec::new());
        for (_, input) in &inputs {
            let Some((index, layer)) = places.get(&*input.layer).map(|&index| (index, &layers[index])) else {
                return wrong(self, format!("there is no input layer {:?}", input.layer));
            };
            if layer.class != "InputLayer" {
                self.problem(
                    &joined(within.ours, &layer.name),
                    layer.class,
                    "an input of the model that is no InputLayer",
                );
                continue;
            }
            let name = names.new_input(&layer.name, network.inputs.len());
            if let Some(shape) = self.shape(layer, within.ours) {
                shapes.push(Input::named(&name, shape));
            }
            network.inputs.push(name.clone());
            named.insert(index, name);
        }
        // All calls.
        let (mut paths, mut directories, mut of_layers) = (Paths::default(), Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate() {
            directories.push(if layer.is_operation() { String::new() } else { paths.next(layer) });
            let path = joined(within.ours, &layer.name);
            if layer.class == "InputLayer" && !named.contains_key(&index) {
                self.problem(&path, layer.class, "no input of the model comes from it");
            }
            let row = of_class(layer.class).filter(|_| !layer.is_operation());
            let mut of_layer: Vec<Call> = Vec::new();
            for node in layer.nodes {
                match self.call(node, layer, row) {
                    Ok(call) => of_layer.push(call),
                    Err(problem) => self.problem(&path, layer.class, problem),
                }
            }
            of_layers.push(of_layer);
        }
        let unseen = match masks::unseen(layers, &places, &of_layers) {
            Ok(unseen) => unseen,
            Err((index, problem)) => {
                self.problem(&joined(within.ours, &layers[index].name), layers[index].class, problem);
                return None;
            }
        };
        for (&index, &caller) in &unseen {
            let (path, caller) = (joined(within.ours, &layers[index].name), joined(within.ours, &layers[caller].name));
            let note =
                format!("layer {path} ({}): its mask, which Keras does not give to {caller}", layers[index].class);
            self.read.left_out.push(note);
        }
        let unseen: HashSet<usize> = unseen.into_keys().collect();
        let ends = outputs.iter().map(|(_, output)| output);
        let of_masks = match masks::operations(layers, &places, &of_layers, ends, &unseen) {
            Ok(of_masks) => of_masks,
            Err((index, problem)) => {
                self.problem(&joined(within.ours, &layers[index].name), layers[index].class, problem);
                return None;
            }
        };
        // The layers with their data.
        let (mut made, mut calls) = (Vec::new(), Vec::new());
        for (index, (layer, of_layer)) in layers.iter().zip(of_layers).enumerate() {
            if layer.class == "InputLayer" || of_masks.contains(&index) {
                made.push(None);
                continue;
            }
            let path = joined(within.ours, &layer.name);
            if let [first, others @ ..] = &of_layer[..]
                && others.iter().any(|other| other.flags != first.flags || other.constants != first.constants)
            {
                self.problem(
                    &path,
                    layer.class,
                    "it is called with different options, which are those of the layer here",
                );
            }
            let name = names.new_name(&layer.name);
            let first = of_layer.first().cloned().unwrap_or_default();
            let what = if layer.is_operation() {
                operation(layer.class, layer.config, &first)
                    .map_err(|problem| self.problem(&path, layer.class, problem))
                    .ok()
            } else {
                let keras = joined(within.keras, &directories[index]);
                let what = self.layer(layer, &first.flags, &name, &keras, within);
                if unseen.contains(&index) { what.map(masks::without) } else { what }
            };
            made.push(Some((name, what.unwrap_or_else(nothing))));
            calls.extend(of_layer.into_iter().enumerate().map(|(number, call)| (index, number, call)));
        }
        let settled = |reference: &mut Reference| {
            let is_model = places.get(&*reference.layer).is_some_and(|&index| is_functional(layers[index].class));
            if is_model && reference.counts_making {
                reference.call = reference.call.saturating_sub(1);
            }
        };
        calls.iter_mut().for_each(|(_, _, call)| call.inputs.iter_mut().for_each(settled));
        let order = self.ordered(&calls, layers, &places, model, within)?;
        // Each call in its turn; the first of a layer is the layer, others share its weights.
        let mut of_calls: HashMap<(usize, usize), String> = HashMap::new();
        let mut firsts: HashMap<usize, String> = HashMap::new();
        let source = |of_calls: &HashMap<(usize, usize), String>, reference: &Reference| {
            let index = *places.get(&*reference.layer)?;
            match named.get(&index) {
                Some(name) => Some(Source::of(name)),
                None => Some(Source { of: of_calls.get(&(index, reference.call))?.clone(), output: reference.output }),
            }
        };
        for place in order {
            let (index, number, call) = &calls[place];
            let Some((name, (kind, config))) = &made[*index] else { continue };
            let sources: Option<Vec<Source>> = call.inputs.iter().map(|input| source(&of_calls, input)).collect();
            let Some(inputs) = sources else { continue };
            let (name, what) = match firsts.get(index) {
                Some(first) => (names.new_name(&format!("{name}_{number}")), What::Shares(first.clone())),
                None => {
                    firsts.insert(*index, name.clone());
                    (name.clone(), What::Layer { kind: kind.clone(), config: config.clone() })
                }
            };
            of_calls.insert((*index, *number), name.clone());
            network.layers.push(LayerNode { name, what, inputs });
        }
        let mut taken = Names::default();
        for (key, output) in outputs {
            let mut output = Reference { counts_making: true, ..output };
            settled(&mut output);
            let Some(source) = source(&of_calls, &output) else {
                return wrong(
                    self,
                    format!("there is no call {} of a layer {:?}, an output", output.call, output.layer),
                );
            };
            let name = taken.new_output(key.as_deref().unwrap_or(&source.of));
            network.outputs.push((name, source));
        }
        Some((network, shapes))
    }

    /// The calls in an order in which each comes behind those that feed it, as near as can be to that of the file.
    fn ordered(
        &mut self,
        calls: &[(usize, usize, Call)],
        layers: &[Envelope<'_>],
        places: &HashMap<&str, usize>,
        model: &Envelope<'_>,
        within: &Within<'_>,
    ) -> Option<Vec<usize>> {
        let by_call: HashMap<(usize, usize), usize> =
            calls.iter().enumerate().map(|(place, (index, number, _))| ((*index, *number), place)).collect();
        let (mut waiting, mut feeds) = (vec![0; calls.len()], vec![Vec::new(); calls.len()]);
        for (place, (index, _, call)) in calls.iter().enumerate() {
            for input in &call.inputs {
                let from = places.get(&*input.layer).copied();
                if from.is_some_and(|from| layers[from].class == "InputLayer") {
                    continue;
                }
                let Some(&before) = from.and_then(|from| by_call.get(&(from, input.call))) else {
                    let problem =
                        format!("call {} of a layer {:?}, which feeds it, is not there", input.call, input.layer);
                    self.problem(&joined(within.ours, &layers[*index].name), layers[*index].class, problem);
                    return None;
                };
                waiting[place] += 1;
                feeds[before].push(place);
            }
        }
        let ready = waiting.iter().enumerate().filter(|(_, count)| **count == 0);
        let mut ready: BinaryHeap<Reverse<usize>> = ready.map(|(place, _)| Reverse(place)).collect();
        let mut order = Vec::with_capacity(calls.len());
        while let Some(Reverse(place)) = ready.pop() {
            order.push(place);
            for &next in &feeds[place] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        if order.len() < calls.len() {
            self.problem(within.ours, model.class, "layers feed one another in a circle");
            return None;
        }
        Some(order)
    }

    /// Our kind and data of a layer. The places of its weights are noted down.
    fn layer(
        &mut self,
        layer: &Envelope<'_>,
        flags: &Map<String, Json>,
        name: &str,
        keras: &str,
        within: &Within<'_>,
    ) -> Option<(String, Json)> {
        let ours = joined(within.ours, name);
        let is_trained = within.is_trained && layer.is_trainable();
        if within.is_trained && !is_trained {
            self.read.frozen.push(ours.clone());
        }
        let of_whole = within.layer.clone().unwrap_or_else(|| layer.name.as_str().into());
        let inner = Within { ours: &ours, keras, layer: Some(of_whole), is_trained };
        self.made(layer, flags, &inner)
    }

    /// The kind and the data of a layer whose paths are these.
    fn made(&mut self, layer: &Envelope<'_>, flags: &Map<String, Json>, at: &Within<'_>) -> Option<(String, Json)> {
        if is_model(layer.class) {
            let (network, _) = self.network(layer, at)?;
            let kind = if layer.class == "Sequential" { "Sequential" } else { "Graph" };
            return Some((kind.to_owned(), network.to_json()));
        }
        self.check_policy(layer, at.ours);
        if matches!(layer.class, "Lambda" | "TorchModuleWrapper" | "JaxLayer" | "FlaxLayer" | "TFSMLayer") {
            self.problem(at.ours, layer.class, "it holds code, which is not run");
            return None;
        }
        if IDENTICAL.contains(&layer.class) {
            let note =
                format!("layer {} ({}), which only training needs; it is an Identity here", at.ours, layer.class);
            self.read.left_out.push(note);
            return Some(nothing());
        }
        if layer.class == "SpectralNormalization" {
            return self.normalized(layer, at);
        }
        let Some(row) = of_class(layer.class) else {
            self.problem(at.ours, layer.class, "there is no such layer here");
            return None;
        };
        let Json::Object(config) = layer.config else {
            self.problem(at.ours, layer.class, "it has no config");
            return None;
        };
        let (mut config, mut data) = (config.clone(), Map::new());
        config.extend(flags.clone());
        // As older files call it.
        if layer.class == "LeakyReLU"
            && let Some(slope) = config.remove("alpha")
        {
            config.entry("negative_slope").or_insert(slope);
        }
        // One mean and variance of all numbers, which ours has as a list of one.
        if layer.class == "Normalization" && config.get("axis") == Some(&json!([])) {
            config.insert("axis".to_owned(), json!(-1));
        }
        // Keras counts the axis from the front once the layer is built.
        let rank = layer.whole["build_config"]["input_shape"].as_array().map(Vec::len);
        if layer.class == "Normalization"
            && let (Some(rank), Some([axis])) = (rank, layer.config["axis"].as_array().map(Vec::as_slice))
            && axis.as_u64().is_some_and(|axis| axis + 1 == rank as u64)
        {
            config.insert("axis".to_owned(), json!(-1));
        }
        let mut is_whole = true;
        for field in row.fields.iter().copied().flatten() {
            let Err(problem) = field.read(&mut config, &mut data) else { continue };
            if matches!(field.how, How::Regularizer | How::Constraint) {
                let note = format!("layer {} ({}): {problem}, which only training needs", at.ours, layer.class);
                self.read.left_out.push(note);
                continue;
            }
            self.problem(at.ours, layer.class, problem);
            is_whole = false;
        }
        for inner in row.inner {
            let Some(value) = config.remove(inner.keras).filter(|value| !value.is_null()) else { continue };
            let Some(envelope) = Envelope::new(&value) else {
                self.problem(at.ours, layer.class, format!("its {} is no layer", inner.keras));
                is_whole = false;
                continue;
            };
            let (ours, keras) = (joined(at.ours, inner.prefix), joined(at.keras, inner.path));
            let part = Within { ours: &ours, keras: &keras, layer: at.layer.clone(), is_trained: at.is_trained };
            match self.made(&envelope, &Map::new(), &part) {
                Some((kind, config)) => {
                    _ = data.insert(inner.ours.to_owned(), json!({"layer": kind, "config": config}))
                }
                None => is_whole = false,
            }
        }
        self.check_rest(layer, config, at.ours);
        if !is_whole {
            return None;
        }
        self.note_weights(layer, row, &mut data, at);
        if let Err(problem) = (row.read)(&mut data) {
            self.problem(at.ours, layer.class, problem);
            return None;
        }
        // Layers without options are written as null.
        let is_unit = row
            .fields
            .iter()
            .copied()
            .flatten()
            .all(|field| matches!(field.how, How::Always(_) | How::Accepted(_) | How::Ignored));
        let data = match (row.kind, is_unit && row.inner.is_empty()) {
            ("Activation", _) => data.remove("activation").unwrap_or_else(|| json!("Linear")),
            (_, true) if data.is_empty() => Json::Null,
            _ => Json::Object(data),
        };
        Some((row.kind.to_owned(), data))
    }

    /// The layer within a SpectralNormalization. Keras divides its kernel in training, and predicts by the kernel that it stores.
    fn normalized(&mut self, layer: &Envelope<'_>, at: &Within<'_>) -> Option<(String, Json)> {
        let Some(inner) = Envelope::new(&layer.config["layer"]) else {
            self.problem(at.ours, layer.class, "its layer is no layer");
            return None;
        };
        let note =
            format!("layer {} ({}): its division of the kernel, which only training needs", at.ours, layer.class);
        self.read.left_out.push(note);
        let keras = joined(at.keras, "layer");
        let within = Within { ours: at.ours, keras: &keras, layer: at.layer.clone(), is_trained: at.is_trained };
        let made = self.made(&inner, &Map::new(), &within);
        // Keras's wrapper has the kernel as a variable of its own, too.
        let of_whole = at.layer.clone().unwrap_or_else(|| "".into());
        let twin: Rc<str> = format!("{} {}", layer.class, without_ids(layer.config)).into();
        for (index, name, kind) in [(0, "copy", WeightKind::Copy), (1, "vector_u", WeightKind::Unused)] {
            let (ours, group) = (joined(at.ours, name), joined(at.keras, "vars"));
            let (layer, twin) = (Rc::clone(&of_whole), Rc::clone(&twin));
            self.read.places.push(Place { ours, kind, group, index, layer, is_trained: false, twin });
        }
        made
    }

    /// Notes down where the weights of a layer are, and takes those that are options of ours.
    fn note_weights(&mut self, layer: &Envelope<'_>, row: &LayerRow, data: &mut Map<String, Json>, at: &Within<'_>) {
        if row.weights.is_empty() {
            return;
        }
        let twin: Rc<str> = format!("{} {}", layer.class, without_ids(layer.config)).into();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut is_given = false;
        for weight in row.weights {
            if !weight.option.is_empty() && data.get(weight.option) == Some(&Json::Bool(false)) {
                continue;
            }
            let ours = joined(at.ours, weight.name);
            if weight.kind == WeightKind::Option {
                if data.get(weight.name).is_some_and(|value| !value.is_null()) {
                    is_given = true;
                    continue;
                }
                // Before the file is opened it is not known: any number will do.
                let values = (self.options)(&ours).unwrap_or_else(|| vec![1.0]);
                data.insert(weight.name.to_owned(), json!(values));
            }
            if weight.kind == WeightKind::Unused && is_given {
                continue;
            }
            let group = joined(&joined(at.keras, weight.part), "vars");
            let index = counts.entry(weight.part).or_default();
            let is_trained = at.is_trained && weight.kind == WeightKind::Trained;
            let layer = at.layer.clone().unwrap_or_else(|| "".into());
            let twin = Rc::clone(&twin);
            let (kind, index) = (weight.kind, std::mem::replace(index, *index + 1));
            self.read.places.push(Place { ours, kind, group, index, layer, is_trained, twin });
        }
    }

    /// What is left of a config: it may be null or false, and otherwise is an option that is not known.
    fn check_rest(&mut self, layer: &Envelope<'_>, config: Map<String, Json>, path: &str) {
        /// What all layers have, and what is read elsewhere.
        const OF_ALL: &[&str] =
            &["name", "trainable", "dtype", "batch_input_shape", "batch_shape", "build_config", "shared_object_id"];
        for (option, value) in config {
            let is_off = value.is_null() || value == Json::Bool(false);
            if is_off || OF_ALL.contains(&&*option) {
                continue;
            }
            // Without them predictions are the same. (A Dropout of whole channels or samples drops single numbers here.)
            if option.ends_with("_regularizer") || option == "noise_shape" {
                let note = format!("layer {path} ({}): its {option}, which only training needs", layer.class);
                self.read.left_out.push(note);
                continue;
            }
            self.problem(path, layer.class, format!("the option {option} is {}", shortened_json(&value)));
        }
    }

    /// The type that a layer computes in: its name, or an object with it. Quantised weights are none that we read.
    fn check_policy(&mut self, layer: &Envelope<'_>, path: &str) {
        let Some(policy) = layer.config.get("dtype").filter(|policy| !policy.is_null()) else { return };
        let name = match object(policy) {
            Some((name, Json::Null)) => Some(name),
            Some(("DTypePolicy" | "FloatDTypePolicy" | "Policy", config)) => config.get("name").and_then(Json::as_str),
            _ => None,
        };
        const KNOWN: &[&str] = &[
            "float32",
            "float64",
            "float16",
            "bfloat16",
            "mixed_float16",
            "mixed_bfloat16",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint8",
            "bool",
        ];
        if name.is_none_or(|name| !KNOWN.contains(&name)) {
            self.problem(path, layer.class, format!("the dtype policy is {}", shortened_json(policy)));
        }
    }

    /// The shape of an input layer, without the axis of samples.
    fn shape(&mut self, layer: &Envelope<'_>, within: &str) -> Option<Vec<Option<usize>>> {
        let path = joined(within, &layer.name);
        for option in ["sparse", "ragged"] {
            if layer.config.get(option) == Some(&Json::Bool(true)) {
                self.problem(&path, layer.class, format!("it is {option}"));
            }
        }
        self.check_policy(layer, &path);
        let shape = layer.config.get("batch_shape").or_else(|| layer.config.get("batch_input_shape")).and_then(partial);
        if shape.is_none() {
            self.problem(&path, layer.class, "it has no batch_shape");
        }
        shape
    }

    /// A call of a layer.
    fn call(&mut self, node: &Json, layer: &Envelope<'_>, row: Option<&LayerRow>) -> Result<Call, String> {
        let mut call = Call::default();
        if let Some(tensors) = node.as_array() {
            return older_call(tensors);
        }
        let names = row.map_or(&["inputs"][..], |row| row.arguments);
        let is_operation = layer.is_operation();
        // Tensors by the place of their argument: some are given by name.
        let mut given: Vec<(usize, Vec<Reference>)> = Vec::new();
        for (place, argument) in node["args"].as_array().into_iter().flatten().enumerate() {
            let mut found = Vec::new();
            let all = collect(argument, &mut found);
            if is_operation && let Some(number) = argument.as_f64() {
                call.constants.push((place, number));
            } else if !all || (place >= names.len() && !found.is_empty() && !is_operation) {
                return Err(format!("it is called with the argument {}", shortened_json(argument)));
            }
            given.push((place, found));
        }
        for (name, argument) in node["kwargs"].as_object().into_iter().flatten() {
            if argument.is_null() {
                continue;
            }
            let mut found = Vec::new();
            let is_flag = |field: &&Field| matches!(field.how, How::CallFlag) && field.keras == name;
            let flag = row.and_then(|row| row.fields.iter().copied().flatten().find(is_flag));
            let place = names.iter().position(|known| known == name);
            match (flag, argument, place) {
                (Some(_), Json::Bool(is_set), _) => {
                    if *is_set {
                        call.flags.insert(name.clone(), json!(true));
                    }
                }
                // Keras writes training=False of each Dropout, and replaces it in training, also where a caller has given it.
                (_, Json::Bool(false), _) => {}
                (_, Json::Bool(true), _)
                    if name == "training"
                        && (PREPROCESSING.contains(&layer.class) || IDENTICAL.contains(&layer.class)) => {}
                (_, _, None) if name == "mask" && collect(argument, &mut found) => call.masks.extend(found),
                // Ours goes back if it is given floats.
                (_, Json::Bool(true), _) if name == "reverse" && layer.class == "ReversibleEmbedding" => {}
                (_, _, Some(place)) if collect(argument, &mut found) => given.push((place, found)),
                // The one input, whatever the class calls it.
                (_, _, None)
                    if given.is_empty() && name != "mask" && collect(argument, &mut found) && found.len() == 1 =>
                {
                    given.push((0, found));
                }
                _ => return Err(format!("it is called with {name}={}", shortened_json(argument))),
            }
        }
        given.sort_by_key(|(place, _)| *place);
        let has_mask =
            given.iter().any(|(place, found)| names.get(*place) == Some(&"attention_mask") && !found.is_empty());
        if has_mask {
            call.flags.insert("use_attention_mask".to_owned(), json!(true));
        }
        call.inputs = given.into_iter().flat_map(|(_, found)| found).collect();
        if call.inputs.is_empty() {
            return Err("nothing feeds it".to_owned());
        }
        Ok(call)
    }
}

/// Layers of preparation, which Keras calls as if in training, and which are then as ever.
const PREPROCESSING: &[&str] = &["CategoryEncoding", "CenterCrop", "Normalization", "Rescaling", "Resizing"];

/// Layers that there are not here, and that give what they are given except in training.
const IDENTICAL: &[&str] = &[
    "ActivityRegularization",
    "AlphaDropout",
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
];

/// A call as files of Keras 2 write it: a list of [layer, call, output, other arguments].
fn older_call(tensors: &[Json]) -> Result<Call, String> {
    let mut call = Call::default();
    for tensor in tensors {
        let (reference, rest) = match tensor.as_array().map(Vec::as_slice) {
            Some([layer, number, output, rest @ ..]) => (leaf(layer, number, output), rest),
            _ => (None, &[][..]),
        };
        let Some(reference) = reference else {
            return Err(format!("it is called with {}", shortened_json(tensor)));
        };
        let options = rest.iter().filter_map(Json::as_object).flatten();
        for (name, value) in options {
            match (&**name, value) {
                (_, Json::Null | Json::Bool(false)) => {}
                ("use_causal_mask" | "return_attention_scores", Json::Bool(true)) => {
                    call.flags.insert(name.clone(), json!(true));
                }
                _ => return Err(format!("it is called with {name}={}", shortened_json(value))),
            }
        }
        call.inputs.push(Reference { counts_making: true, ..reference });
    }
    if call.inputs.is_empty() { Err("nothing feeds it".to_owned()) } else { Ok(call) }
}

/// Masks that travel beside tensors by themselves, here as in Keras, where a functional model has operations for them.
mod masks {
    use super::*;

    /// What Keras makes masks by.
    const OPERATIONS: &[&str] = &[
        "NotEqual",
        "Any",
        "All",
        "LogicalOr",
        "LogicalAnd",
        "ExpandDims",
        "ZerosLike",
        "OnesLike",
        "Concatenate",
        "BroadcastTo",
        "Cast",
        "Reshape",
        "Transpose",
        "Squeeze",
    ];

    const OF_ITS_OWN: &str = "it is called with a mask that is not the one which Masking or mask_zero makes";
    const OF_SEVERAL: &str =
        "its mask is merged of different ones: Keras keeps a position that one of them has, here all must have it";

    const OF_UNSEEN: &str =
        "Keras gives it a mask, and another layer none, behind an operation or beside a state; here both would have it";

    /// Whether a layer makes a mask.
    fn makes(layer: &Envelope<'_>) -> bool {
        match layer.class {
            "Masking" => true,
            "Embedding" | "ReversibleEmbedding" => layer.config.get("mask_zero") == Some(&Json::Bool(true)),
            _ => false,
        }
    }

    /// The layers whose masks come to a layer that Keras gives none, each with that layer; or one that is given such a mask.
    ///
    /// In Keras an operation, as in `x * 2`, ends a mask, and a recurrent layer gets none if there are states beside the sequences.
    /// Here a mask travels with the sequences, so that the layers at its beginning must make none.
    pub fn unseen(
        layers: &[Envelope<'_>],
        places: &HashMap<&str, usize>,
        calls: &[Vec<Call>],
    ) -> Result<BTreeMap<usize, usize>, (usize, &'static str)> {
        let takes = |index: usize, argument: &str| {
            let row = of_class(layers[index].class).filter(|_| !layers[index].is_operation());
            row.is_some_and(|row| row.arguments.contains(&argument))
        };
        let (mut found, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for caller in 0..layers.len() {
            let (is_recurrent, attends) = (takes(caller, "initial_state"), takes(caller, "attention_mask"));
            let class = layers[caller].class;
            let others = ["GlobalAveragePooling1D", "BatchNormalization"].contains(&class) || is_model(class);
            if layers[caller].is_operation() || !(is_recurrent || attends || others) {
                continue;
            }
            // Keras 2 counts calls otherwise, and gave masks.
            for call in calls[caller].iter().filter(|call| call.masks.is_empty() && !call.inputs[0].counts_making) {
                let count = if is_recurrent { 1 } else { call.inputs.len() };
                let is_without = is_recurrent && call.inputs.len() > 1;
                let mut from: Vec<(&Reference, bool)> =
                    call.inputs[..count].iter().map(|input| (input, is_without)).collect();
                let mut walked = HashSet::new();
                while let Some((reference, mut is_without)) = from.pop() {
                    let Some(&index) = places.get(&*reference.layer) else { continue };
                    let layer = &layers[index];
                    is_without |= layer.is_operation();
                    if !walked.insert((index, is_without)) {
                        continue;
                    }
                    if makes(layer) {
                        // That Keras gives a mask to others is written beside the call.
                        let notes = if is_without {
                            Some(&mut found)
                        } else {
                            (attends || is_model(class)).then_some(&mut seen)
                        };
                        notes.map(|notes| notes.entry(index).or_insert(caller));
                    }
                    let sequences = layer
                        .config
                        .get("return_sequences")
                        .or_else(|| layer.config.pointer("/layer/config/return_sequences"));
                    let ends = match takes(index, "initial_state") {
                        true => reference.output > 0 || sequences != Some(&Json::Bool(true)),
                        false => {
                            layer.class.starts_with("Global") || ["Flatten", "RepeatVector"].contains(&layer.class)
                        }
                    };
                    if !ends {
                        let first_alone = takes(index, "initial_state") || takes(index, "attention_mask");
                        let count = if first_alone { 1 } else { usize::MAX };
                        let before = calls[index].iter().flat_map(|call| call.inputs.iter().take(count));
                        from.extend(before.map(|input| (input, is_without)));
                    }
                }
            }
        }
        match found.keys().find_map(|index| seen.get(index)) {
            Some(&caller) => Err((caller, OF_UNSEEN)),
            None => Ok(found),
        }
    }

    /// A layer that makes no mask, of the kind and the data of one that does.
    pub fn without((kind, mut data): (String, Json)) -> (String, Json) {
        match data.get_mut("mask_zero") {
            Some(makes) => {
                *makes = Json::Bool(false);
                (kind, data)
            }
            None => nothing(),
        }
    }

    /// The operations that only make masks; or the layer that is given a mask of another kind.
    pub fn operations<'a>(
        layers: &[Envelope<'_>],
        places: &HashMap<&str, usize>,
        calls: &[Vec<Call>],
        outputs: impl Iterator<Item = &'a Reference>,
        unseen: &HashSet<usize>,
    ) -> Result<HashSet<usize>, (usize, &'static str)> {
        let may_be = |index: usize| layers[index].is_operation() && OPERATIONS.contains(&layers[index].class);
        let place = |reference: &Reference| places.get(&*reference.layer).copied();
        // Those that something else depends on.
        let mut wanted: Vec<usize> = outputs.filter_map(place).collect();
        let others = (0..layers.len()).filter(|&index| !may_be(index));
        wanted.extend(others.flat_map(|index| &calls[index]).flat_map(|call| &call.inputs).filter_map(place));
        let mut is_wanted = vec![false; layers.len()];
        while let Some(index) = wanted.pop() {
            if !std::mem::replace(&mut is_wanted[index], true) && may_be(index) {
                wanted.extend(calls[index].iter().flat_map(|call| &call.inputs).filter_map(place));
            }
        }
        let of_masks: HashSet<usize> = (0..layers.len()).filter(|&index| may_be(index) && !is_wanted[index]).collect();
        // Each begins in a comparison of what a layer that makes masks is given.
        let fed = |index: usize| calls[index].iter().flat_map(|call| &call.inputs);
        let makers = (0..layers.len()).filter(|&index| makes(&layers[index]));
        let (without, makers): (Vec<usize>, Vec<usize>) = makers.partition(|index| unseen.contains(index));
        let compared: Vec<&Reference> = makers.into_iter().flat_map(fed).collect();
        let not_compared: Vec<&Reference> = without.into_iter().flat_map(fed).collect();
        for (index, call) in
            calls.iter().enumerate().flat_map(|(index, calls)| calls.iter().map(move |call| (index, call)))
        {
            // What is compared, for this mask.
            let (mut sources, mut seen) = (Vec::new(), HashSet::new());
            let mut from: Vec<Option<usize>> = call.masks.iter().map(place).collect();
            while let Some(of) = from.pop() {
                let Some(of) = of.filter(|of| of_masks.contains(of)) else { return Err((index, OF_ITS_OWN)) };
                if !seen.insert(of) {
                    continue;
                }
                for input in calls[of].iter().flat_map(|call| &call.inputs) {
                    match layers[of].class {
                        "NotEqual" if compared.contains(&input) => sources.push(input),
                        "NotEqual" if not_compared.contains(&input) => return Err((index, OF_UNSEEN)),
                        "NotEqual" => return Err((index, OF_ITS_OWN)),
                        "ZerosLike" | "OnesLike" => {}
                        _ => from.push(place(input)),
                    }
                }
            }
            if sources.iter().any(|source| *source != sources[0]) {
                return Err((index, OF_SEVERAL));
            }
        }
        Ok(of_masks)
    }
}

/// Adds the tensors in an argument. False if there is anything else in it.
fn collect(argument: &Json, found: &mut Vec<Reference>) -> bool {
    match argument {
        Json::Null => true,
        Json::Array(items) => items.iter().all(|item| collect(item, found)),
        Json::Object(entries) => match (entries.get("class_name").and_then(Json::as_str), entries.get("config")) {
            (Some("__keras_tensor__"), Some(config)) => {
                let history = config["keras_history"].as_array().map(Vec::as_slice);
                let Some([layer, call, output]) = history else { return false };
                let reference = leaf(layer, call, output);
                found.extend(reference.clone());
                reference.is_some()
            }
            (Some("__tuple__"), Some(config)) => collect(config.get("value").unwrap_or(&Json::Null), found),
            (Some(_), _) => false,
            // A dictionary, in the order of its names.
            (None, _) => entries.values().all(|item| collect(item, found)),
        },
        _ => false,
    }
}

fn leaf(layer: &Json, call: &Json, output: &Json) -> Option<Reference> {
    let index = |json: &Json| usize::try_from(json.as_u64()?).ok();
    Some(Reference {
        layer: layer.as_str()?.to_owned(),
        call: index(call)?,
        output: index(output)?,
        counts_making: false,
    })
}

/// Inputs or outputs of a model: one [layer, call, output], lists of them, or an object, whose names are those of the outputs.
fn references(json: &Json, name: &str) -> Option<Vec<(Option<String>, Reference)>> {
    let named = |rest: &str| if name.is_empty() { rest.to_owned() } else { format!("{name}_{rest}") };
    match json {
        Json::Array(items) => match &items[..] {
            [layer @ Json::String(_), call, output] => {
                Some(vec![((!name.is_empty()).then(|| name.to_owned()), leaf(layer, call, output)?)])
            }
            items => {
                let all = items.iter().map(|item| references(item, name));
                Some(all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
            }
        },
        Json::Object(entries) => {
            let all = entries.iter().map(|(key, item)| references(item, &named(key)));
            Some(all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// Names that layers have already.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// A name for a layer: Keras's, as far as it is one that a layer may have.
    fn new_name(&mut self, name: &str) -> String {
        let mut name = name.replace('/', "_");
        if name.is_empty() || is_input_name(&name) {
            name = format!("layer_{name}");
        }
        self.new_output(&name)
    }

    fn new_input(&mut self, name: &str, place: usize) -> String {
        let own = if place == 0 { "input".to_owned() } else { format!("input_{place}") };
        let name = name.replace('/', "_");
        let name = if name.is_empty() || is_input_name(&name) { own } else { name };
        self.new_output(&name)
    }

    /// The name, or the name with a number if it is taken.
    fn new_output(&mut self, name: &str) -> String {
        let mut new = name.to_owned();
        let mut number = 1;
        while !self.0.insert(new.clone()) {
            new = format!("{name}_{number}");
            number += 1;
        }
        new
    }
}

/// Whether this is a name that an input without a name gets.
fn is_input_name(name: &str) -> bool {
    let is_number = |rest: &str| rest.strip_prefix('_').is_some_and(|digits| digits.parse::<usize>().is_ok());
    name.strip_prefix("input").is_some_and(|rest| rest.is_empty() || is_number(rest))
}

/// The directories of the layers of a model in Keras's files: their classes, numbered.
#[derive(Default)]
pub(super) struct Paths(HashMap<String, usize>);

impl Paths {
    fn next(&mut self, layer: &Envelope<'_>) -> String {
        let python = of_class(layer.class).and_then(|row| row.python);
        self.of_class(python.unwrap_or(if layer.class == "Model" { "Functional" } else { layer.class }))
    }

    /// The directory of the next layer of a class of Python.
    pub fn of_class(&mut self, class: &str) -> String {
        let name = snake_case(class);
        let count = self.0.entry(name.clone()).and_modify(|count| *count += 1).or_insert(0);
        match *count {
            0 => format!("layers/{name}"),
            count => format!("layers/{name}_{count}"),
        }
    }
}

/// The name of a class as Keras writes it in paths: `conv2d_transpose`, `p_re_lu`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut first = String::new();
    // A break before each capital that small letters follow, and that is not the first letter.
    for (index, &letter) in letters.iter().enumerate() {
        let begins = letter.is_ascii_uppercase() && letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if begins && index > 0 {
            first.push('_');
        }
        first.push(letter);
    }
    // And one between a small letter and a capital.
    let mut name = String::new();
    let mut before = ' ';
    for letter in first.chars() {
        if before.is_ascii_lowercase() && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
        before = letter;
    }
    name
}

/// A shape with the axis of samples, without it; null is a free length.
fn partial(shape: &Json) -> Option<Vec<Option<usize>>> {
    let (_, lengths) = shape.as_array()?.split_first()?;
    let length = |length: &Json| match length {
        Json::Null => Some(None),
        length => Some(Some(usize::try_from(length.as_u64()?).ok()?)),
    };
    lengths.iter().map(length).collect()
}

pub(super) fn joined(path: &str, name: &str) -> String {
    match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) => format!("{path}/{name}"),
    }
}

/// A config without the numbers by which Keras knows objects again.
fn without_ids(config: &Json) -> Json {
    match config {
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(name, _)| *name != "shared_object_id");
            entries.map(|(name, value)| (name.clone(), without_ids(value))).collect::<Map<_, _>>().into()
        }
        Json::Array(items) => items.iter().map(without_ids).collect(),
        value => value.clone(),
    }
}

/// What stands in for a layer that could not be read, while others are.
fn nothing() -> (String, Json) {
    ("Identity".to_owned(), Json::Null)
}

/// A value in a message.
fn shortened_json(value: &Json) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST).chain("..".chars()).collect()
}
