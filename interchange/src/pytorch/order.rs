//! The order of features where PyTorch has another one: a map of channels that is flattened has them first there, last here.
//!
//! Values are followed through the network. A map is `[spatial.., channels]` here and `[channels, spatial..]` there. Flattened, its
//! elements stand in another order, which the next layer with weights makes good, and so does a `Dense` whose output becomes a map.

use std::collections::HashMap;
use std::sync::Arc;

use gradus_nn::{Error, Model, Result, Summary};
use gradus_tensor::Float;
use serde_json::Value as Json;

use crate::network::{Network, What};

/// For each feature here, its place in PyTorch.
pub(super) type Places = Arc<[usize]>;

/// The layers whose features stand in another order in PyTorch, by their paths.
#[derive(Default)]
pub(super) struct Orders {
    /// Of what a layer is fed with.
    pub inputs: HashMap<String, Places>,
    /// Of what a layer gives.
    pub outputs: HashMap<String, Places>,
}

impl Orders {
    pub fn of<T: Float>(model: &Model<T>, summary: &Summary) -> Result<Self> {
        let network = Network::of(model.network())?;
        let lengths = |layer: &gradus_nn::LayerSummary| layer.outputs.iter().map(|shape| shape.to_vec()).collect();
        let shapes = summary.layers.iter().map(|layer| (&*layer.path, lengths(layer))).collect();
        let mut tracer = Tracer { shapes, orders: Orders::default() };
        let inputs = summary.inputs.iter().map(|input| {
            // Pictures and volumes are maps, sequences are none.
            let form = if input.shape.len() > 2 { Form::Map } else { Form::Same };
            Flow { form, shape: input.shape.to_vec(), since_dense: SinceDense::Input }
        });
        tracer.network(&network, "", inputs.collect())?;
        Ok(tracer.orders)
    }
}

/// How a value stands to the one in PyTorch.
#[derive(Clone)]
enum Form {
    Same,
    /// Channels are first there.
    Map,
    /// The last axis is in another order.
    Flat(Places),
}

/// The layers from a `Dense` on that leave features where they are.
#[derive(Clone)]
enum SinceDense {
    /// There is no `Dense`.
    Other,
    /// There are such layers alone from an input on, whose elements are the caller's to put in order.
    Input,
    Layers(Vec<String>),
    /// Others are fed by one of them too.
    Shared(String),
}

#[derive(Clone)]
struct Flow {
    form: Form,
    shape: Vec<Option<usize>>,
    since_dense: SinceDense,
}

struct Tracer<'a> {
    shapes: HashMap<&'a str, Vec<Vec<Option<usize>>>>,
    orders: Orders,
}

/// A layer in a network. One that shares another's weights has them at that one's path.
struct Site<'a> {
    kind: &'a str,
    config: &'a Json,
    /// Where its weights are.
    path: &'a str,
    /// Where it stands.
    at: &'a str,
}

impl Tracer<'_> {
    fn network(&mut self, network: &Network, path: &str, inputs: Vec<Flow>) -> Result<Vec<Flow>> {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        let sources = network.layers.iter().flat_map(|layer| &layer.inputs);
        for source in sources.chain(network.outputs.iter().map(|(_, source)| source)) {
            *uses.entry(&source.of).or_default() += 1;
        }
        let mut flows: HashMap<&str, Vec<Flow>> = HashMap::new();
        for (name, flow) in network.inputs.iter().zip(inputs) {
            flows.insert(name, vec![flow]);
        }
        let flow = |flows: &HashMap<&str, Vec<Flow>>, source: &crate::network::Source| {
            let found = flows.get(&*source.of).and_then(|flows| flows.get(source.output)).cloned();
            found.unwrap_or(Flow { form: Form::Same, shape: Vec::new(), since_dense: SinceDense::Other })
        };
        for layer in &network.layers {
            let fed: Vec<Flow> = layer.inputs.iter().map(|source| flow(&flows, source)).collect();
            let first = match &layer.what {
                What::Layer { .. } => layer,
                What::Shares(name) => network.layers.iter().find(|layer| layer.name == *name).unwrap_or(layer),
            };
            let What::Layer { kind, config } = &first.what else {
                return Err(Error::new("network", format!("the layer {:?} shares none", layer.name), ""));
            };
            let (of_weights, at) = (beneath(path, &first.name), beneath(path, &layer.name));
            let mut given = self.layer(&Site { kind, config, path: &of_weights, at: &at }, &fed)?;
            if uses.get(&*layer.name).is_some_and(|&uses| uses > 1) {
                for flow in &mut given {
                    if let SinceDense::Layers(_) = flow.since_dense {
                        flow.since_dense = SinceDense::Shared(at.clone());
                    }
                }
            }
            flows.insert(&layer.name, given);
        }
        Ok(network.outputs.iter().map(|(_, source)| flow(&flows, source)).collect())
    }

    /// A layer within a layer, as `{"layer": kind, "config": data}`.
    fn nested(&mut self, json: &Json, path: &str, at: &str, inputs: &[Flow]) -> Result<Vec<Flow>> {
        let Some(kind) = json["layer"].as_str() else { return Ok(inputs.to_vec()) };
        self.layer(&Site { kind, config: &json["config"], path, at }, inputs)
    }

    fn layer(&mut self, site: &Site<'_>, inputs: &[Flow]) -> Result<Vec<Flow>> {
        let &Site { kind, config, path, at } = site;
        let shapes = self.shapes.get(at).or_else(|| self.shapes.get(path)).cloned().unwrap_or_default();
        let given = |form: &Form| -> Vec<Flow> {
            let flow =
                |shape: &Vec<_>| Flow { form: form.clone(), shape: shape.clone(), since_dense: SinceDense::Other };
            shapes.iter().map(flow).collect()
        };
        let Some(first) = inputs.first() else { return Ok(given(&Form::Same)) };
        let rank = shapes.first().map_or(0, Vec::len);
        Ok(match kind {
            "Sequential" | "Graph" => self.network(&Network::from_json(config)?, path, inputs.to_vec())?,
            "Residual" => {
                let body = self.nested(&config["body"], &beneath(path, "body"), &beneath(at, "body"), inputs)?;
                let shortcut = match &config["shortcut"] {
                    Json::Null => inputs.to_vec(),
                    json => self.nested(json, &beneath(path, "shortcut"), &beneath(at, "shortcut"), inputs)?,
                };
                given(&merged(&[body, shortcut].concat(), at)?)
            }
            "TimeDistributed" => {
                let step =
                    |flow: &Flow| Flow { shape: flow.shape.get(1..).unwrap_or_default().to_vec(), ..flow.clone() };
                let inner: Vec<Flow> = inputs.iter().map(step).collect();
                let inner = self.nested(&config["layer"], &beneath(path, "layer"), &beneath(at, "layer"), &inner)?;
                given(&inner.first().map_or(Form::Same, |flow| flow.form.clone()))
            }
            "Bidirectional" => {
                for way in ["forward", "backward"] {
                    self.fed(&beneath(path, way), &first.form);
                }
                given(&Form::Same)
            }
            "Flatten" => given(&flattened(first)),
            "Reshape" => self.reshaped(first, rank, at, given)?,
            "Permute" => given(&permuted(first, &config["dims"])),
            "Concatenate" => {
                let of_features = config["axis"].as_i64().is_none_or(|axis| axis == -1 || axis == rank as i64);
                if of_features && inputs.iter().any(|flow| matches!(flow.form, Form::Flat(_))) {
                    given(&joined(inputs, at)?)
                } else {
                    given(&merged(inputs, at)?)
                }
            }
            "Add" | "Average" | "Maximum" | "Minimum" | "Multiply" | "Subtract" => given(&merged(inputs, at)?),
            "Dense" => {
                self.fed(path, &first.form);
                if rank == 1 {
                    let mut flows = given(&Form::Same);
                    flows.iter_mut().for_each(|flow| flow.since_dense = SinceDense::Layers(vec![path.to_owned()]));
                    flows
                } else {
                    given(if matches!(first.form, Form::Map) { &Form::Map } else { &Form::Same })
                }
            }
            kind if leaves_features(kind) => {
                self.fed(path, &first.form);
                let mut flows = given(&first.form);
                for flow in &mut flows {
                    flow.since_dense = first.since_dense.clone();
                    if let SinceDense::Layers(layers) = &mut flow.since_dense {
                        layers.push(path.to_owned());
                    }
                }
                flows
            }
            kind if leaves_form(kind) => given(&first.form),
            kind if makes_map(kind) => given(&Form::Map),
            kind if kind.starts_with("Global") && rank > 1 => given(&Form::Map),
            _ => {
                inputs.iter().for_each(|flow| self.fed(path, &flow.form));
                given(&Form::Same)
            }
        })
    }

    fn fed(&mut self, path: &str, form: &Form) {
        if let Form::Flat(places) = form {
            self.orders.inputs.insert(path.to_owned(), Arc::clone(places));
        }
    }

    fn reshaped(
        &mut self,
        input: &Flow,
        rank: usize,
        at: &str,
        given: impl Fn(&Form) -> Vec<Flow>,
    ) -> Result<Vec<Flow>> {
        if rank == 1 {
            return Ok(given(&flattened(input)));
        }
        if rank < 3 || input.shape.len() > 1 {
            let is_map = rank > 2 && !matches!(input.form, Form::Flat(_));
            return Ok(given(if is_map { &Form::Map } else { &Form::Same }));
        }
        // Features become a map.
        let map = given(&Form::Map);
        let Some(places) = places_of(&map[0].shape) else { return Ok(map) };
        match (&input.since_dense, &input.form) {
            (SinceDense::Layers(layers), _) => {
                for layer in layers {
                    self.orders.outputs.insert(layer.clone(), Arc::clone(&places));
                }
            }
            (SinceDense::Input, _) => {}
            (SinceDense::Other, Form::Flat(flat)) if *flat == places => {}
            (SinceDense::Shared(layer), _) => return Err(unclear(at, &format!("{layer:?} feeds other layers too"))),
            _ => return Err(unclear(at, "what it is fed with comes from no Dense")),
        }
        Ok(map)
    }
}

fn unclear(at: &str, why: &str) -> Error {
    let problem = format!(
        "a vector becomes a map, whose channels are first in PyTorch, and {why}: the order of its elements is unclear"
    );
    Error::new(
        format!("layer {at}"),
        problem,
        "put a Dense before it, or a Permute behind it that makes the order PyTorch's",
    )
}

/// Whether the features of a layer's output are those of its input, at their places.
fn leaves_features(kind: &str) -> bool {
    matches!(
        kind,
        "Activation"
            | "BatchNormalization"
            | "Dropout"
            | "ELU"
            | "GaussianDropout"
            | "GaussianNoise"
            | "GroupNormalization"
            | "Identity"
            | "InstanceNormalization"
            | "LayerNormalization"
            | "LeakyReLU"
            | "Masking"
            | "Normalization"
            | "PReLU"
            | "ReLU"
            | "Rescaling"
            | "RMSNormalization"
            | "Softmax"
            | "UnitNormalization"
    )
}

/// Whether a layer gives a map for a map, and a sequence for a sequence.
fn leaves_form(kind: &str) -> bool {
    kind.contains("Padding") || kind.starts_with("Cropping") || kind.starts_with("SpatialDropout")
}

/// Whether a layer gives a map.
fn makes_map(kind: &str) -> bool {
    let of_axes = ["1D", "2D", "3D", "1DTranspose", "2DTranspose", "3DTranspose"];
    (of_axes.iter().any(|axes| kind.ends_with(axes)) && !kind.starts_with("Global"))
        || matches!(kind, "CenterCrop" | "Resizing")
}

/// The places of the elements of a flattened map; `None` if they are the same.
fn places_of(shape: &[Option<usize>]) -> Option<Places> {
    let shape: Vec<usize> = shape.iter().copied().collect::<Option<_>>()?;
    let (&channels, spatial) = shape.split_last()?;
    let points: usize = spatial.iter().product();
    if points == 1 || channels == 1 {
        return None;
    }
    Some((0..points).flat_map(|point| (0..channels).map(move |channel| channel * points + point)).collect())
}

fn flattened(input: &Flow) -> Form {
    match &input.form {
        Form::Map if input.shape.len() > 1 => places_of(&input.shape).map_or(Form::Same, Form::Flat),
        form => form.clone(),
    }
}

fn permuted(input: &Flow, dims: &Json) -> Form {
    let dims: Vec<usize> =
        dims.as_array().into_iter().flatten().filter_map(|dim| Some(dim.as_u64()? as usize)).collect();
    let rank = dims.len();
    let to_last = (2..=rank).chain([1]).eq(dims.iter().copied());
    let to_first = [rank].into_iter().chain(1..rank).eq(dims.iter().copied());
    match input.form {
        // Of two axes both are the same.
        Form::Map if to_first => Form::Same,
        _ if to_last => Form::Map,
        Form::Map if dims.iter().copied().eq(1..=rank) => Form::Map,
        _ => Form::Same,
    }
}

/// The form of several values of one shape.
fn merged(inputs: &[Flow], at: &str) -> Result<Form> {
    let places = |flow: &Flow| match &flow.form {
        Form::Flat(places) => Some(Arc::clone(places)),
        _ => None,
    };
    let flat: Vec<Option<Places>> = inputs.iter().map(places).collect();
    match flat.iter().flatten().next() {
        Some(places) if flat.iter().all(|other| other.as_ref() == Some(places)) => Ok(Form::Flat(Arc::clone(places))),
        Some(_) => Err(mixed(at)),
        None if inputs.iter().any(|flow| matches!(flow.form, Form::Map)) => Ok(Form::Map),
        None => Ok(Form::Same),
    }
}

fn mixed(at: &str) -> Error {
    let problem = "merges vectors whose elements stand in different orders in PyTorch, since one is a flattened map";
    Error::new(format!("layer {at}"), problem, "merge the maps before they are flattened")
}

/// The form of vectors side by side.
fn joined(inputs: &[Flow], at: &str) -> Result<Form> {
    let mut places = Vec::new();
    for flow in inputs {
        let before = places.len();
        let Some(&Some(length)) = flow.shape.last() else { return Err(mixed(at)) };
        match &flow.form {
            Form::Flat(flat) => places.extend(flat.iter().map(|place| before + place)),
            _ => places.extend(before..before + length),
        }
    }
    Ok(Form::Flat(places.into()))
}

/// The path of a layer within the one at `path`.
fn beneath(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
