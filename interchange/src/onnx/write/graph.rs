//! The graph being written: nodes, constants, and values whose axes may stand in another order than the model's.
//!
//! Gradus has channels last, most operators of ONNX have them first. So a [`Value`] says in which order its axes stand in the file, and
//! is turned where an operator needs another order. What has been turned before is taken again, so between two convolutions nothing
//! is turned.

use std::collections::{HashMap, HashSet};

use gradus_nn::{Error, PartialShape, Result};
use gradus_tensor::Tensor;

use crate::onnx::proto::{
    AttributeProto, AttributeValue, Dimension, GraphProto, NodeProto, TensorProto, ValueInfoProto, element,
};

/// The name of the axis of samples.
const BATCH: &str = "batch";

/// The length of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Is(usize),
    /// Known when the graph is computed; lengths of one name are the same.
    Free(String),
}

impl Length {
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Length::Is(length) => Some(*length),
            Length::Free(_) => None,
        }
    }

    /// The length that comes of this one; of a free one, a free one of this name.
    pub fn map(&self, name: String, of: impl FnOnce(usize) -> usize) -> Self {
        self.fixed().map_or(Length::Free(name), |length| Length::Is(of(length)))
    }
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub name: String,
    /// The element type, one of [`element`].
    pub element: i32,
    /// The lengths in the model's order, without the batch axis.
    pub shape: Vec<Length>,
    /// For each axis of the tensor which one it is in the model's order; 0 is the batch axis.
    pub order: Vec<usize>,
    /// The tensor `[n, length]` of truth values that says which positions are there, if some may be padding.
    pub mask: Option<String>,
}

impl Value {
    /// Floats in the model's order, all positions of which are there.
    pub fn new(name: String, shape: Vec<Length>) -> Self {
        let order = (0..=shape.len()).collect();
        Value { name, element: element::FLOAT, shape, order, mask: None }
    }

    /// The number of axes, without the batch axis.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    pub fn with_mask(self, mask: Option<String>) -> Self {
        Value { mask, ..self }
    }

    /// Which axis of the tensor this axis of the model's order is.
    pub fn place(&self, axis: usize) -> usize {
        self.order.iter().position(|&other| other == axis).expect("an order has each axis")
    }

    /// The axis of the model's order that an option means: counted from 1, since 0 is the batch, or from -1 down.
    pub fn axis(&self, option: isize) -> usize {
        if option < 0 { (self.rank() + 1).saturating_add_signed(option) } else { option.unsigned_abs() }
    }

    /// The length of an axis of the model's order; `None` if it is free, or the batch axis.
    pub fn length(&self, axis: usize) -> Option<usize> {
        self.shape.get(axis.checked_sub(1)?)?.fixed()
    }

    /// The lengths, if none is free.
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(Length::fixed).collect()
    }

    /// The same tensor, seen as a value of this shape and order.
    pub fn seen_as(&self, shape: Vec<Length>, order: Vec<usize>) -> Self {
        Value { shape, order, ..self.clone() }
    }
}

/// The length of an axis of a tensor that is being reshaped.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Is(usize),
    /// That of an axis of the model's order of a value.
    Of(&'a Value, usize),
    /// What is left over.
    Rest,
}

/// An attribute of a node.
pub(super) fn attribute(name: &str, value: AttributeValue) -> AttributeProto {
    AttributeProto { name: name.to_owned(), value, ..AttributeProto::default() }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    attribute(name, AttributeValue::Int(value))
}

pub(super) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    attribute(name, AttributeValue::Ints(values.iter().map(|&value| value as i64).collect()))
}

pub(super) fn float(name: &str, value: f64) -> AttributeProto {
    attribute(name, AttributeValue::Float(value as f32))
}

pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    attribute(name, AttributeValue::Text(value.as_bytes().to_vec()))
}

/// The oldest version of the standard operators in which an operator is as it is written here.
fn version(op: &str) -> i64 {
    match op {
        // With a scale for each channel; before, there was one for each group.
        "GroupNormalization" => 21,
        "Gelu" => 20,
        // Reductions that take their axes as an input; the sum did before.
        "ReduceMax" | "ReduceMean" | "ReduceL2" | "Mish" => 18,
        "LayerNormalization" => 17,
        // Of some axes.
        "Shape" => 15,
        // As it is written here it is older; but onnx's reference 1.22.0 computes those before with the statistics of the batch.
        "BatchNormalization" => 15,
        // The same: it takes steps for samples.
        "RNN" | "GRU" | "LSTM" => 14,
        "HardSwish" => 14,
        // All others are older. A Softmax of before is read in another way by many.
        _ => OLDEST,
    }
}

const OLDEST: i64 = 13;

/// The version of the file format that came with a version of the operators.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}

/// The graph being written.
#[derive(Default)]
pub(super) struct GraphWriter {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// The names that tensors have.
    names: HashSet<String>,
    /// Constants by type, shape and bytes, and weights by path and form.
    constants: HashMap<(i32, Vec<usize>, Vec<u8>), String>,
    weights: HashMap<(String, String), String>,
    /// What tensors are called with their axes in another order.
    arranged: HashMap<(String, Vec<usize>), String>,
    opset: i64,
}

impl GraphWriter {
    /// Sees to it that no other tensor gets this name; whether it was free.
    pub fn reserve(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// This name, or one like it that no tensor has.
    pub fn unique(&mut self, name: String) -> String {
        let mut found = name.clone();
        let mut number = 0;
        while !self.names.insert(found.clone()) {
            number += 1;
            found = format!("{name}_{number}");
        }
        found
    }

    /// Adds a node of so many outputs, called after `path`; returns their names. An input `""` is not given.
    pub fn nodes(
        &mut self,
        path: &str,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        outputs: usize,
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..outputs).map(|_| self.unique(format!("{path}/{op}"))).collect();
        self.opset = self.opset.max(version(op));
        self.nodes.push(NodeProto {
            name: outputs[0].clone(),
            op_type: op.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: outputs.clone(),
            attributes,
            ..NodeProto::default()
        });
        outputs
    }

    /// A constant; one of the same type, shape and bytes is written once.
    fn constant(&mut self, name: &str, element: i32, shape: &[usize], bytes: Vec<u8>) -> String {
        let key = (element, shape.to_vec(), bytes);
        if let Some(found) = self.constants.get(&key) {
            return found.clone();
        }
        let name = self.unique(name.to_owned());
        self.initializers.push(TensorProto::raw(&*name, element, shape, key.2.clone()));
        self.constants.insert(key, name.clone());
        name
    }

    /// Whole numbers, a list.
    pub fn longs(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant("constant/longs", element::INT64, &[values.len()], bytes)
    }

    /// One whole number, without axes.
    pub fn long(&mut self, value: i64) -> String {
        self.constant("constant/long", element::INT64, &[], value.to_le_bytes().to_vec())
    }

    /// Truth values.
    pub fn truths(&mut self, shape: &[usize], values: impl IntoIterator<Item = bool>) -> String {
        self.constant("constant/truths", element::BOOL, shape, values.into_iter().map(u8::from).collect())
    }

    /// One number, without axes.
    pub fn number(&mut self, value: f64) -> String {
        self.constant("constant/number", element::FLOAT, &[], (value as f32).to_le_bytes().to_vec())
    }

    /// A table that belongs to the operators and not to the weights.
    pub fn table(&mut self, table: &Tensor<f32>) -> String {
        self.constant("constant/table", element::FLOAT, table.shape(), bytes_of(table))
    }

    /// The weight at a path in one of the forms in which it is written; `form` tells them apart.
    pub fn weight(&mut self, path: &str, form: &str, make: impl FnOnce() -> Result<Tensor<f32>>) -> Result<String> {
        let key = (path.to_owned(), form.to_owned());
        if let Some(found) = self.weights.get(&key) {
            return Ok(found.clone());
        }
        let tensor = make()?;
        let name = self.unique(path.to_owned());
        self.initializers.push(TensorProto::raw(&*name, element::FLOAT, tensor.shape(), bytes_of(&tensor)));
        self.weights.insert(key, name.clone());
        Ok(name)
    }

    /// A value with its axes in this order.
    pub fn arranged(&mut self, path: &str, x: &Value, order: &[usize]) -> Value {
        let turn: Vec<usize> = order.iter().map(|&axis| x.place(axis)).collect();
        if turn.is_sorted() {
            return x.clone();
        }
        let name = match self.arranged.get(&(x.name.clone(), turn.clone())) {
            Some(found) => found.clone(),
            None => {
                let name = self.nodes(path, "Transpose", &[&x.name], vec![ints("perm", &turn)], 1).remove(0);
                let mut back = vec![0; turn.len()];
                turn.iter().enumerate().for_each(|(place, &from)| back[from] = place);
                self.arranged.insert((name.clone(), back), x.name.clone());
                self.arranged.insert((x.name.clone(), turn), name.clone());
                name
            }
        };
        Value { name, order: order.to_vec(), ..x.clone() }
    }

    /// The bytes of all constants and weights.
    fn size(&self) -> usize {
        let bytes = |tensor: &TensorProto| match &tensor.data {
            crate::onnx::proto::TensorData::Raw(bytes) => bytes.len(),
            _ => 0,
        };
        self.initializers.iter().map(bytes).sum()
    }

    /// Begins a graph within an attribute, which has inputs of these types and shapes and may use the tensors of the graph around it.
    /// Returns the inputs, and what [`end_body`](Self::end_body) needs to go on with the graph around it.
    pub fn begin_body(&mut self, path: &str, inputs: Vec<(i32, Vec<Length>)>) -> (Vec<Value>, Vec<NodeProto>) {
        let given = |(element, shape): (i32, Vec<Length>)| Value {
            element,
            ..Value::new(self.unique(format!("{path}/step")), shape)
        };
        (inputs.into_iter().map(given).collect(), std::mem::take(&mut self.nodes))
    }

    /// Ends a graph within an attribute.
    pub fn end_body(
        &mut self,
        path: &str,
        inputs: Vec<Value>,
        outputs: Vec<Value>,
        around: Vec<NodeProto>,
    ) -> GraphProto {
        // Each is made by a node of its own: no tensor is two outputs.
        let outputs = outputs.into_iter().map(|value| {
            let name = self.nodes(path, "Identity", &[&value.name], vec![], 1).remove(0);
            Value { name, ..value }
        });
        let outputs: Vec<Value> = outputs.collect();
        // Without shapes: they follow from what is given.
        let info =
            |value: Value| ValueInfoProto { name: value.name, elem_type: value.element, shape: None, is_other: false };
        let (inputs, outputs) = (inputs.into_iter().map(info).collect(), outputs.into_iter().map(info).collect());
        let nodes = std::mem::replace(&mut self.nodes, around);
        GraphProto { name: format!("{path}/body"), nodes, inputs, outputs, ..GraphProto::default() }
    }

    /// Drops what these outputs do not depend on, such as masks that nobody reads.
    fn drop_unused(&mut self, outputs: &HashSet<&str>) {
        let mut used: HashSet<String> = outputs.iter().map(|&output| output.to_owned()).collect();
        let mut kept: Vec<NodeProto> = Vec::with_capacity(self.nodes.len());
        while let Some(node) = self.nodes.pop() {
            if node.outputs.iter().any(|output| used.contains(output)) {
                add_inputs(&node, &mut used);
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.initializers.retain(|tensor| used.contains(&tensor.name));
    }

    /// The finished graph, the version of its operators, and that of the file format. Outputs are called as they should be: tensors are
    /// renamed.
    pub fn finish(
        mut self,
        inputs: Vec<ValueInfoProto>,
        outputs: Vec<(String, Value)>,
    ) -> Result<(GraphProto, i64, i64)> {
        const MOST: usize = i32::MAX as usize;
        // Names and nodes take some room, too.
        if self.size() > MOST - (1 << 24) {
            let problem = format!("the weights have {} bytes, a file of ONNX can have {MOST}", self.size());
            return Err(Error::new("onnx", problem, "write them by Model::save"));
        }
        let mut renamed: HashMap<String, String> = HashMap::new();
        let mut infos = Vec::new();
        let made: HashSet<String> = self.nodes.iter().flat_map(|node| node.outputs.iter().cloned()).collect();
        for (name, value) in outputs {
            if made.contains(&value.name) && !renamed.contains_key(&value.name) {
                renamed.insert(value.name.clone(), name.clone());
            } else {
                // An input, or one tensor that is several outputs.
                let inputs = vec![value.name.clone()];
                let (node, outputs) = (format!("{name}/Identity"), vec![name.clone()]);
                let op_type = "Identity".to_owned();
                self.nodes.push(NodeProto { name: node, op_type, inputs, outputs, ..NodeProto::default() });
            }
            infos.push(info(name, &value));
        }
        self.drop_unused(&infos.iter().map(|info| &*info.name).chain(renamed.keys().map(String::as_str)).collect());
        self.nodes.iter_mut().for_each(|node| rename(node, &renamed));
        let opset = self.opset.max(OLDEST);
        let graph = GraphProto {
            name: "gradus".to_owned(),
            nodes: self.nodes,
            initializers: self.initializers,
            inputs,
            outputs: infos,
            ..GraphProto::default()
        };
        Ok((graph, opset, ir_version(opset)))
    }
}

/// The tensors that a node takes, those of graphs within it too.
fn add_inputs(node: &NodeProto, used: &mut HashSet<String>) {
    used.extend(node.inputs.iter().cloned());
    for attribute in &node.attributes {
        if let AttributeValue::Graph(graph) = &attribute.value {
            graph.nodes.iter().for_each(|node| add_inputs(node, used));
        }
    }
}

/// Gives the tensors of a node, and of graphs within it, their new names.
fn rename(node: &mut NodeProto, names: &HashMap<String, String>) {
    for name in node.inputs.iter_mut().chain(&mut node.outputs) {
        if let Some(new) = names.get(name) {
            name.clone_from(new);
        }
    }
    for attribute in &mut node.attributes {
        if let AttributeValue::Graph(graph) = &mut attribute.value {
            graph.nodes.iter_mut().for_each(|node| rename(node, names));
        }
    }
}

/// Numbers as they stand in a file: row by row, least significant bytes first.
fn bytes_of(tensor: &Tensor<f32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * tensor.size());
    tensor.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

/// What is said of an input or output of the graph; its axes stand in the model's order.
pub(super) fn info(name: String, value: &Value) -> ValueInfoProto {
    let lengths = value.shape.iter().map(|length| match length {
        Length::Is(length) => Dimension::Length(*length as i64),
        Length::Free(name) => Dimension::Free(name.clone()),
    });
    let shape = std::iter::once(Dimension::Free(BATCH.to_owned())).chain(lengths).collect();
    ValueInfoProto { name, elem_type: value.element, shape: Some(shape), is_other: false }
}

/// The lengths of an input or of a layer's output, whose free ones are called after `name`.
pub(super) fn lengths(name: &str, shape: &PartialShape) -> Vec<Length> {
    let length = |(axis, length): (usize, &Option<usize>)| {
        length.map_or_else(|| Length::Free(format!("{name}_length_{}", axis + 1)), Length::Is)
    };
    shape.iter().enumerate().map(length).collect()
}
