//! What is known of a network before it computes: which layers have weights, and which of them are fed by inputs.

use gradus_nn::{Activation, LayerSummary, Model};
use gradus_tensor::Float;

/// What is known of a network before it computes.
#[derive(Clone, Debug)]
pub(super) struct Anatomy {
    /// The layers without others within them, in their order.
    pub layers: Vec<Part>,
    /// What feeds kernels and depends on no other: an input, or a layer by its path; and the layer with the kernel.
    pub entrances: Vec<(String, String)>,
}

/// A layer without others within it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub path: String,
    pub kind: &'static str,
    pub activation: Option<Activation>,
    /// Whether it has a weight of two axes or more: a kernel, or the table of an embedding.
    pub has_kernel: bool,
    /// Whether it is an output of the model, or a part of a network that is one.
    pub is_output: bool,
}

impl Anatomy {
    pub fn new<T: Float>(model: &Model<T>) -> Self {
        let summary = model.summary();
        let kernels = model.params().iter().filter(|param| param.value.ndim() > 1);
        let network = Network {
            layers: &summary.layers,
            inputs: summary.inputs.iter().map(|input| &*input.name).collect(),
            kernels: kernels.map(|param| &*param.name).collect(),
        };
        let part = |layer: &LayerSummary| Part {
            path: layer.path.clone(),
            kind: layer.kind,
            activation: layer.activation,
            has_kernel: network.has_kernel(layer),
            is_output: model.outputs().iter().any(|it| it.name == layer.path || is_within(&layer.path, &it.name)),
        };
        let holds_none =
            |layer: &&LayerSummary| !summary.layers.iter().any(|other| is_within(&other.path, &layer.path));
        // What a network within the network does first is seen of its own layers.
        let computes =
            |layer: &&LayerSummary| !matches!(layer.kind, "Graph" | "Sequential") && network.has_kernel(layer);
        let entrance = |layer: &LayerSummary| {
            let [name] = &layer.inputs[..] else { return None };
            let feed = network.path(layer, name)?;
            network.is_of_inputs(&feed).then(|| (feed, layer.path.clone()))
        };
        Anatomy {
            layers: summary.layers.iter().filter(holds_none).map(part).collect(),
            entrances: summary.layers.iter().filter(computes).filter_map(entrance).collect(),
        }
    }

    /// The layer at this path, if it has no others within it.
    pub fn layer(&self, path: &str) -> Option<&Part> {
        self.layers.iter().find(|layer| layer.path == path)
    }
}

impl Part {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        format!("layer {} ({})", self.path, self.kind)
    }
}

/// A network as its summary shows it.
struct Network<'a> {
    layers: &'a [LayerSummary],
    inputs: Vec<&'a str>,
    /// The names of weights of two axes or more.
    kernels: Vec<&'a str>,
}

impl Network<'_> {
    fn has_kernel(&self, layer: &LayerSummary) -> bool {
        let path = layer.shares.as_deref().unwrap_or(&layer.path);
        self.kernels.iter().any(|name| is_within(name, path))
    }

    /// The path of what a layer calls by this name: a layer beside it, what feeds the network around it, or an input of the
    /// model.
    fn path(&self, layer: &LayerSummary, name: &str) -> Option<String> {
        let Some((around, _)) = layer.path.rsplit_once('/') else { return Some(name.to_owned()) };
        let beside = format!("{around}/{name}");
        if self.layers.iter().any(|other| other.path == beside) {
            return Some(beside);
        }
        let around = self.layers.iter().find(|other| other.path == around)?;
        // Which of several inputs it is, the summary does not say.
        let [name] = &around.inputs[..] else { return None };
        self.path(around, name)
    }

    /// Whether this is an input of the model, or computed from inputs without any kernel.
    fn is_of_inputs(&self, path: &str) -> bool {
        if self.inputs.contains(&path) {
            return true;
        }
        let Some(layer) = self.layers.iter().find(|layer| layer.path == path) else { return false };
        let of_inputs = |name: &String| self.path(layer, name).is_some_and(|feed| self.is_of_inputs(&feed));
        !self.has_kernel(layer) && !layer.inputs.is_empty() && layer.inputs.iter().all(of_inputs)
    }
}

/// Whether a name or a path is one within the layer at `path`.
fn is_within(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}
