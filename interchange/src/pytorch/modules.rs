//! The modules of PyTorch that a model's layers are: their tensors, and how ours are made of them and they of ours.

use std::collections::HashMap;
use std::sync::Arc;

use gradus_nn::{LayerSummary, Model, Result};
use gradus_tensor::{Element, Float, Shape, Tensor};

use super::order::{Orders, Places};

/// A module of PyTorch: a layer of the model, or a part of one.
pub(super) struct Module {
    /// The path of the layer, or of a part of it: `"block/depthwise"` of a separable convolution.
    pub path: String,
    /// For each part of the path its name in PyTorch, if nothing else is said; empty where it has none.
    pub names: Vec<String>,
    /// The kind of the layer.
    pub kind: &'static str,
    pub slots: Vec<Slot>,
    pub weights: Vec<Weight>,
    /// Whether its names end with the number of a layer in a stack: `weight_ih_l0`.
    pub is_recurrent: bool,
    /// Whether it counts batches, which nothing is computed with.
    pub counts_batches: bool,
    /// Why there is no such module in PyTorch.
    pub refused: Option<String>,
}

/// A tensor of a module.
pub(super) struct Slot {
    /// `"weight"`
    pub name: String,
    pub shape: Shape,
}

/// A weight or state of the model, and what it is made of.
pub(super) struct Weight {
    /// Its name in the model.
    pub name: String,
    pub shape: Shape,
    of: Of,
    steps: Vec<Step>,
}

/// The slots that a weight is made of.
enum Of {
    One(usize),
    /// The sum of two. Of the sum, the first is made, and the second is 0.
    Sum([usize; 2]),
    /// One above the other, as rows.
    Rows([usize; 2]),
    /// A third of the rows of one.
    Third(usize, usize),
}

/// A step from PyTorch's tensor to ours.
enum Step {
    Reshape {
        from: Shape,
        to: Shape,
    },
    Permute(Vec<isize>),
    /// The elements at these places of an axis.
    Select {
        axis: isize,
        places: Places,
    },
}

impl Of {
    fn slots(&self) -> &[usize] {
        match self {
            Of::One(slot) | Of::Third(slot, _) => std::slice::from_ref(slot),
            Of::Sum(slots) | Of::Rows(slots) => slots,
        }
    }
}

impl Step {
    fn forward<T: Element>(&self, x: Tensor<T>) -> Tensor<T> {
        match self {
            Step::Reshape { to, .. } => x.reshape(to),
            Step::Permute(order) => x.permute(order),
            Step::Select { axis, places } => x.index_select(*axis, &indices(places.iter().copied())),
        }
    }

    fn back<T: Element>(&self, x: Tensor<T>) -> Tensor<T> {
        match self {
            Step::Reshape { from, .. } => x.reshape(from),
            Step::Permute(order) => {
                let mut back = vec![0; order.len()];
                order.iter().enumerate().for_each(|(place, &axis)| back[axis as usize] = place as isize);
                x.permute(back)
            }
            Step::Select { axis, places } => {
                let mut back = vec![0; places.len()];
                places.iter().enumerate().for_each(|(here, &there)| back[there] = here);
                x.index_select(*axis, &indices(back.into_iter()))
            }
        }
    }
}

fn indices(places: impl Iterator<Item = usize>) -> Tensor<i64> {
    places.map(|place| place as i64).collect()
}

impl Weight {
    /// The numbers of the slots that it is made of.
    pub fn slots(&self) -> &[usize] {
        self.of.slots()
    }

    /// The weight, made of the tensors of its slots.
    pub fn make<T: Float>(&self, mut slot: impl FnMut(usize) -> Result<Tensor<T>>) -> Result<Tensor<T>> {
        let start = match self.of {
            Of::One(place) => slot(place)?,
            Of::Sum([a, b]) => slot(a)? + slot(b)?,
            Of::Rows([a, b]) => Tensor::stack(&[slot(a)?, slot(b)?], 0),
            Of::Third(place, third) => {
                let whole = slot(place)?;
                let rows = whole.shape()[0] / 3;
                whole.slice(0, third * rows..(third + 1) * rows)
            }
        };
        Ok(self.steps.iter().fold(start, |x, step| step.forward(x)).contiguous())
    }
}

impl Module {
    /// The tensors of the slots, made of the weights; `weight` gives one by its name in the model.
    pub fn tensors<T: Float>(&self, weight: impl Fn(&str) -> Tensor<T>) -> Vec<Tensor<T>> {
        let mut tensors: Vec<Vec<Tensor<T>>> = vec![Vec::new(); self.slots.len()];
        for of in &self.weights {
            let value = of.steps.iter().rev().fold(weight(&of.name), |x, step| step.back(x));
            match of.of {
                Of::One(slot) | Of::Third(slot, _) => tensors[slot].push(value),
                Of::Sum([first, second]) => {
                    tensors[second].push(Tensor::zeros(value.shape()));
                    tensors[first].push(value);
                }
                Of::Rows([a, b]) => {
                    tensors[a].push(value.slice(0, 0..1).squeeze(0));
                    tensors[b].push(value.slice(0, 1..2).squeeze(0));
                }
            }
        }
        let joined = |parts: Vec<Tensor<T>>| match &parts[..] {
            [one] => one.contiguous(),
            thirds => Tensor::concat(thirds, 0),
        };
        tensors.into_iter().map(joined).collect()
    }
}

/// The modules of a model, in the order of its layers.
pub(super) fn modules<T: Float>(model: &Model<T>) -> Result<Vec<Module>> {
    let summary = model.summary();
    let orders = Orders::of(model, &summary)?;
    let kinds: HashMap<&str, &LayerSummary> = summary.layers.iter().map(|layer| (&*layer.path, layer)).collect();
    // Each weight belongs to the innermost layer whose path its name begins with.
    let mut owned: HashMap<&str, Vec<(&str, &Shape)>> = HashMap::new();
    for param in model.params().iter() {
        let mut path = &*param.name;
        while let Some((before, _)) = path.rsplit_once('/') {
            path = before;
            if kinds.contains_key(path) {
                owned.entry(path).or_default().push((&param.name[path.len() + 1..], param.value.shape()));
                break;
            }
        }
    }
    let mut modules: Vec<Module> = Vec::new();
    for layer in &summary.layers {
        let Some(weights) = owned.get(&*layer.path) else { continue };
        let parent = layer.path.rsplit_once('/').and_then(|(parent, name)| Some((*kinds.get(parent)?, name)));
        if let Some((parent, way)) = parent.filter(|(parent, _)| parent.kind == "Bidirectional") {
            // Both ways are one module.
            let mut builder = Builder::new(&parent.path, layer, &kinds, &orders);
            let suffix = if way == "backward" { "_reverse" } else { "" };
            builder.recurrent(weights, suffix);
            let module = builder.module;
            match modules.last_mut().filter(|before| before.path == module.path) {
                Some(before) => before.extend(module),
                None => modules.push(module),
            }
            continue;
        }
        modules.extend(Builder::new(&layer.path, layer, &kinds, &orders).build(weights));
    }
    Ok(modules)
}

/// The weights of a layer: names within it, and shapes.
type Weights<'a> = [(&'a str, &'a Shape)];

/// A module that is being put together.
struct Builder<'a> {
    module: Module,
    /// The layer's own path, where the module is that of a layer around it.
    path: &'a str,
    /// The order of the features of what the layer is fed with, and of what it gives.
    input: Option<&'a Places>,
    output: Option<&'a Places>,
}

impl<'a> Builder<'a> {
    fn new(path: &str, layer: &'a LayerSummary, kinds: &HashMap<&str, &LayerSummary>, orders: &'a Orders) -> Self {
        let (input, output) = (orders.inputs.get(&layer.path), orders.outputs.get(&layer.path));
        Builder { module: Module::new(path, names_of(path, kinds), layer.kind), path: &layer.path, input, output }
    }

    fn build(mut self, weights: &Weights<'_>) -> Vec<Module> {
        let kind = self.module.kind;
        if self.input.is_some() && !takes_flat(kind) {
            self.module.refused =
                Some("is fed with a flattened map, whose elements stand in another order in PyTorch".to_owned());
            return vec![self.module];
        }
        match kind {
            "Dense" => self.dense(weights),
            "Conv1D" | "Conv2D" | "Conv3D" | "Conv1DTranspose" | "Conv2DTranspose" | "Conv3DTranspose" => {
                self.convolution(weights, "kernel")
            }
            "DepthwiseConv1D" | "DepthwiseConv2D" => self.depthwise(weights, "kernel"),
            "SeparableConv1D" | "SeparableConv2D" => return self.separable(weights),
            "BatchNormalization" => {
                self.vectors(
                    weights,
                    &[
                        ("gamma", "weight"),
                        ("beta", "bias"),
                        ("moving_mean", "running_mean"),
                        ("moving_variance", "running_var"),
                    ],
                );
                self.module.counts_batches = true;
            }
            "LayerNormalization" | "GroupNormalization" | "InstanceNormalization" => {
                self.vectors(weights, &[("gamma", "weight"), ("beta", "bias")]);
            }
            "RMSNormalization" => self.vectors(weights, &[("scale", "weight")]),
            "Embedding" | "ReversibleEmbedding" | "PositionEmbedding" => self.table(weights, "embeddings"),
            "TokenAndPositionEmbedding" => {
                let mut parts = Vec::new();
                for part in ["token_embedding", "position_embedding"] {
                    let mut part_of = self.part(part);
                    part_of.table(weights, &format!("{part}/embeddings"));
                    parts.push(part_of.module);
                }
                return parts;
            }
            "PReLU" => self.slopes(weights),
            "LSTM" | "GRU" | "SimpleRNN" => self.recurrent(weights, ""),
            "MultiHeadAttention" => self.attention(weights),
            _ => self.refuse("has weights of a kind that PyTorch has no module for"),
        }
        vec![self.module]
    }

    fn refuse(&mut self, why: &str) {
        self.module.refused = Some(why.to_owned());
    }

    /// A part of the layer that is a module of its own.
    fn part(&self, name: &str) -> Builder<'a> {
        let names = [&self.module.names[..], &[name.to_owned()]].concat();
        Builder { module: Module::new(&format!("{}/{name}", self.module.path), names, self.module.kind), ..*self }
    }

    fn slot(&mut self, name: impl Into<String>, shape: impl Into<Shape>) -> usize {
        self.module.slots.push(Slot { name: name.into(), shape: shape.into() });
        self.module.slots.len() - 1
    }

    fn weight(&mut self, (name, shape): (&str, &Shape), of: Of, steps: Vec<Step>) {
        let name = format!("{}/{name}", self.path);
        self.module.weights.push(Weight { name, shape: shape.clone(), of, steps });
    }

    /// A weight of one slot that stands in it with other axes, and perhaps other places on them.
    fn turned(&mut self, weight: (&str, &Shape), slot: &str, shape: impl Into<Shape>, steps: Vec<Step>) {
        let slot = self.slot(slot, shape);
        self.weight(weight, Of::One(slot), steps);
    }

    fn input_step(&self, axis: isize) -> Option<Step> {
        self.input.map(|places| Step::Select { axis, places: Arc::clone(places) })
    }

    fn output_step(&self, axis: isize) -> Option<Step> {
        self.output.map(|places| Step::Select { axis, places: Arc::clone(places) })
    }

    fn dense(&mut self, weights: &Weights<'_>) {
        for &(name, shape) in weights {
            match name {
                "kernel" => {
                    let steps = [Some(Step::Permute(vec![1, 0])), self.input_step(0), self.output_step(1)];
                    self.turned((name, shape), "weight", [shape[1], shape[0]], steps.into_iter().flatten().collect());
                }
                _ => {
                    let steps = self.output_step(0).into_iter().collect();
                    self.turned((name, shape), "bias", shape, steps);
                }
            }
        }
    }

    /// A kernel `[size.., in, out]` is `[out, in, size..]`, of a transposed convolution alike.
    fn convolution(&mut self, weights: &Weights<'_>, kernel: &str) {
        for &(name, shape) in weights {
            if name != kernel {
                self.turned((name, shape), "bias", shape, Vec::new());
                continue;
            }
            let axes = shape.len();
            let theirs: Shape = [axes - 1, axes - 2].into_iter().chain(0..axes - 2).map(|axis| shape[axis]).collect();
            let order = (2..axes as isize).chain([1, 0]).collect();
            self.turned((name, shape), "weight", theirs, vec![Step::Permute(order)]);
        }
    }

    /// A kernel `[size.., channels, multiplier]` is `[channels * multiplier, 1, size..]`.
    fn depthwise(&mut self, weights: &Weights<'_>, kernel: &str) {
        for &(name, shape) in weights {
            if name != kernel {
                self.turned((name, shape), "bias", shape, Vec::new());
                continue;
            }
            let (size, last) = shape.split_at(shape.len() - 2);
            let from = Shape::from(&[&[last[0] * last[1], 1], size].concat()[..]);
            let to = Shape::from(&[last, size].concat()[..]);
            let order = (2..shape.len() as isize).chain([0, 1]).collect();
            let steps = vec![Step::Reshape { from: from.clone(), to }, Step::Permute(order)];
            self.turned((name, shape), "weight", from, steps);
        }
    }

    fn separable(self, weights: &Weights<'_>) -> Vec<Module> {
        let (depthwise, pointwise): (Vec<_>, Vec<_>) =
            weights.iter().partition(|(name, _)| *name == "depthwise_kernel");
        let (mut of_channels, mut of_points) = (self.part("depthwise"), self.part("pointwise"));
        of_channels.depthwise(&depthwise, "depthwise_kernel");
        of_points.convolution(&pointwise, "pointwise_kernel");
        vec![of_channels.module, of_points.module]
    }

    /// One number for each feature.
    fn vectors(&mut self, weights: &Weights<'_>, names: &[(&str, &str)]) {
        for &(name, shape) in weights {
            let Some((_, theirs)) = names.iter().find(|(ours, _)| *ours == name).filter(|_| shape.len() == 1) else {
                return self.refuse("normalises over several axes, whose order in PyTorch is not known");
            };
            let steps = [self.input_step(0), self.output_step(0)].into_iter().flatten().collect();
            self.turned((name, shape), theirs, shape, steps);
        }
    }

    fn table(&mut self, weights: &Weights<'_>, name: &str) {
        for &(found, shape) in weights {
            if found == name {
                self.turned((found, shape), "weight", shape, Vec::new());
            } else if !found.ends_with("/embeddings") {
                return self.refuse("has weights beside its table, which PyTorch has no module for");
            }
        }
    }

    /// The slopes of a PReLU: one, or one for each channel.
    fn slopes(&mut self, weights: &Weights<'_>) {
        for &(name, shape) in weights {
            let size = shape.size();
            if shape.last() != Some(&size) {
                return self
                    .refuse("has slopes for places, PyTorch has one for all or one for each channel: set shared_axes");
            }
            let from = Shape::from(size);
            let steps = [self.input_step(0), self.output_step(0)].into_iter().flatten();
            let steps = steps.chain([Step::Reshape { from: from.clone(), to: shape.clone() }]).collect();
            self.turned((name, shape), "weight", from, steps);
        }
    }

    /// The cells of one way. Gates stand one above the other: i, f, g, o of an LSTM as here, r, z, n of a GRU for z, r, h.
    fn recurrent(&mut self, weights: &Weights<'_>, suffix: &str) {
        self.module.is_recurrent = true;
        let Some(units) = weights.iter().find(|(name, _)| *name == "recurrent_kernel").map(|(_, shape)| shape[0])
        else {
            return self.refuse("is no recurrent layer of one cell");
        };
        let is_gru = self.module.kind == "GRU";
        let gates = |axis: isize| {
            let places = (units..2 * units).chain(0..units).chain(2 * units..3 * units).collect();
            is_gru.then_some(Step::Select { axis, places })
        };
        for &(name, shape) in weights {
            match name {
                "kernel" | "recurrent_kernel" => {
                    let (slot, input) = match name {
                        "kernel" => (format!("weight_ih_l0{suffix}"), self.input_step(0)),
                        _ => (format!("weight_hh_l0{suffix}"), None),
                    };
                    let steps = [Some(Step::Permute(vec![1, 0])), gates(1), input].into_iter().flatten().collect();
                    self.turned((name, shape), &slot, [shape[1], shape[0]], steps);
                }
                _ => {
                    let all = shape.last().copied().unwrap_or(0);
                    if is_gru && shape.len() == 1 {
                        return self
                            .refuse("has reset_after(false), PyTorch resets after the product: set reset_after");
                    }
                    let slots =
                        [self.slot(format!("bias_ih_l0{suffix}"), all), self.slot(format!("bias_hh_l0{suffix}"), all)];
                    let of = if is_gru { Of::Rows(slots) } else { Of::Sum(slots) };
                    self.weight((name, shape), of, gates(-1 + shape.len() as isize).into_iter().collect());
                }
            }
        }
    }

    fn attention(&mut self, weights: &Weights<'_>) {
        let shape = |wanted: &str| weights.iter().find(|(name, _)| *name == wanted).map(|(_, shape)| *shape);
        let projections = ["query", "key", "value"];
        let kernels: Vec<&Shape> = projections.iter().filter_map(|name| shape(&format!("{name}/kernel"))).collect();
        let (&[query, key, value], Some(output)) = (&kernels[..], shape("attention_output/kernel")) else {
            return self.refuse("has other projections than PyTorch's attention");
        };
        let features = query[0];
        let is_wide = |kernel: &Shape| kernel[1..] == query[1..];
        if query[1] * query[2] != features || !is_wide(key) || !is_wide(value) || output[2] != features {
            return self
                .refuse("has heads that are not as wide together as the query and the output, as PyTorch needs it");
        }
        let is_one = key[0] == features && value[0] == features;
        let joint = is_one.then(|| self.slot("in_proj_weight", [3 * features, features]));
        for (third, (name, kernel)) in projections.into_iter().zip(kernels).enumerate() {
            let from = kernel[0];
            let to_heads = Step::Reshape { from: Shape::from([from, features]), to: kernel.clone() };
            let of = match joint {
                Some(slot) => Of::Third(slot, third),
                None => Of::One(self.slot(format!("{}_proj_weight", &name[..1]), [features, from])),
            };
            self.weight((&format!("{name}/kernel"), kernel), of, vec![Step::Permute(vec![1, 0]), to_heads]);
        }
        if let Some(bias) = shape("query/bias") {
            let slot = self.slot("in_proj_bias", 3 * features);
            for (third, name) in projections.into_iter().enumerate() {
                let steps = vec![Step::Reshape { from: Shape::from(features), to: bias.clone() }];
                self.weight((&format!("{name}/bias"), bias), Of::Third(slot, third), steps);
            }
        }
        let from_heads = Step::Reshape { from: Shape::from([features, features]), to: output.clone() };
        let steps = vec![Step::Permute(vec![1, 0]), from_heads];
        self.turned(("attention_output/kernel", output), "out_proj.weight", [features, features], steps);
        if let Some(bias) = shape("attention_output/bias") {
            self.turned(("attention_output/bias", bias), "out_proj.bias", bias, Vec::new());
        }
    }
}

impl Module {
    fn new(path: &str, names: Vec<String>, kind: &'static str) -> Self {
        let (slots, weights) = (Vec::new(), Vec::new());
        let (is_recurrent, counts_batches, refused) = (false, false, None);
        Module { path: path.to_owned(), names, kind, slots, weights, is_recurrent, counts_batches, refused }
    }

    /// Leaves out the weights that are given otherwise, and the slots that no other needs; whether there is something left. `names` are
    /// those of all weights of the model.
    pub fn without<'n>(&mut self, is_given: impl Fn(&str) -> bool, mut names: impl Iterator<Item = &'n str>) -> bool {
        if self.refused.is_some() {
            let is_of = |name: &str| name.strip_prefix(&*self.path).is_some_and(|rest| rest.starts_with('/'));
            return names.any(|name| is_of(name) && !is_given(name));
        }
        let given = |of: &Weight| matches!(of.of, Of::Third(..)) && is_given(&of.name);
        let thirds = self.weights.iter().filter(|weight| given(weight)).count();
        if !thirds.is_multiple_of(3) {
            self.refused =
                Some("has a projection that is given as a tensor: give those of query, key and value".to_owned());
            return true;
        }
        self.weights.retain(|weight| !is_given(&weight.name));
        let needed: Vec<usize> = self.weights.iter().flat_map(|weight| weight.slots().to_vec()).collect();
        let places: Vec<usize> = (0..self.slots.len()).filter(|slot| needed.contains(slot)).collect();
        for weight in &mut self.weights {
            weight.of.renumber(|slot| places.iter().position(|place| *place == slot).expect("its slots are needed"));
        }
        let mut place = 0..;
        self.slots.retain(|_| needed.contains(&place.next().expect("there is a next number")));
        !self.weights.is_empty()
    }

    /// Takes in the slots and weights of another one.
    fn extend(&mut self, other: Module) {
        let before = self.slots.len();
        self.slots.extend(other.slots);
        self.weights.extend(other.weights.into_iter().map(|mut weight| {
            weight.of.renumber(|slot| slot + before);
            weight
        }));
        self.refused = self.refused.take().or(other.refused);
    }
}

impl Of {
    fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        match self {
            Of::One(slot) | Of::Third(slot, _) => *slot = number(*slot),
            Of::Sum(slots) | Of::Rows(slots) => *slots = slots.map(number),
        }
    }
}

/// Whether the weights of a layer can follow features in another order.
fn takes_flat(kind: &str) -> bool {
    matches!(
        kind,
        "Dense"
            | "BatchNormalization"
            | "LayerNormalization"
            | "RMSNormalization"
            | "PReLU"
            | "LSTM"
            | "GRU"
            | "SimpleRNN"
    )
}

/// For each part of a path its name in PyTorch, if the network is built alike.
fn names_of(path: &str, kinds: &HashMap<&str, &LayerSummary>) -> Vec<String> {
    let mut end = 0;
    let name = |name: &str| {
        let parent = kinds.get(&path[..end]).map_or("", |layer| layer.kind);
        end = if end == 0 { name.len() } else { end + 1 + name.len() };
        name_within(parent, name).to_owned()
    };
    path.split('/').map(name).collect()
}

/// The name in PyTorch of a part of a layer of this kind.
fn name_within<'a>(kind: &str, name: &'a str) -> &'a str {
    match (kind, name) {
        ("TimeDistributed", "layer") => "",
        ("TransformerEncoder" | "TransformerDecoder", "self_attention") => "self_attn",
        ("TransformerDecoder", "cross_attention") => "multihead_attn",
        ("TransformerEncoder" | "TransformerDecoder", "self_attention_layer_norm") => "norm1",
        ("TransformerDecoder", "cross_attention_layer_norm") => "norm2",
        ("TransformerEncoder" | "TransformerDecoder", "feedforward_intermediate_dense") => "linear1",
        ("TransformerEncoder" | "TransformerDecoder", "feedforward_output_dense") => "linear2",
        ("TransformerEncoder", "feedforward_layer_norm") => "norm2",
        ("TransformerDecoder", "feedforward_layer_norm") => "norm3",
        (_, name) => name,
    }
}
