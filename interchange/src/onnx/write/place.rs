//! What a layer that is being written is given: where it is, its weights, and the operators that it adds.

use std::collections::HashMap;

use gradus_nn::{Error, LayerSummary, Result};
use gradus_tensor::Tensor;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::graph::{GraphWriter, Length, Target, Value, float, int, ints};
use crate::onnx::proto::{AttributeProto, GraphProto, element};

/// The weights and states of a model, by name.
pub(super) type Weights<'a> = dyn Fn(&str) -> Option<Tensor<f32>> + 'a;

/// The place of a layer in the graph that is being written.
pub(super) struct Place<'a> {
    pub graph: &'a mut GraphWriter,
    pub weights: &'a Weights<'a>,
    /// What the model knows of its layers, by path.
    pub layers: &'a HashMap<&'a str, &'a LayerSummary>,
    /// The layers that could not be written so far.
    pub problems: &'a mut Vec<Error>,
    /// The layer's path, and the one that its weights have: that of the layer which it shares them with.
    pub path: String,
    pub weights_path: String,
    pub kind: String,
}

/// One name behind another.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

impl Place<'_> {
    /// The place of a layer within this one.
    pub fn within(&mut self, name: &str, shares: Option<&str>, kind: &str) -> Place<'_> {
        Place {
            path: join(&self.path, name),
            weights_path: join(&self.weights_path, shares.unwrap_or(name)),
            kind: kind.to_owned(),
            graph: self.graph,
            weights: self.weights,
            layers: self.layers,
            problems: self.problems,
        }
    }

    /// An error at this layer.
    pub fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        Error::new(format!("onnx: layer {} ({})", self.path, self.kind), problem, hint)
    }

    /// A layer's options, those left out that matter only while training. An option that `D` does not know is an error: it may change
    /// what the layer computes.
    pub fn options<D: DeserializeOwned>(&self, config: &Json) -> Result<D> {
        let of_training = |name: &str| {
            let endings = ["_initializer", "_regularizer", "_constraint"];
            endings.iter().any(|ending| name.ends_with(ending))
                || ["initializer", "momentum", "dropout", "recurrent_dropout", "unit_forget_bias"].contains(&name)
        };
        let mut config = config.clone();
        if let Some(fields) = config.as_object_mut() {
            fields.retain(|name, _| !of_training(name));
        }
        serde_json::from_value(config)
            .map_err(|error| self.error(format!("its options are not written: {error}"), "file an issue"))
    }

    /// The one input of a layer that takes no more.
    pub fn one<'v>(&self, inputs: &'v [Value]) -> Result<&'v Value> {
        match inputs {
            [input] => Ok(input),
            inputs => Err(self.error(format!("takes one input, found {}", inputs.len()), "")),
        }
    }

    /// A weight as it is, written once.
    pub fn written(&mut self, name: &str) -> Result<String> {
        self.turned(name, "", Ok)
    }

    /// A weight in another form, written once; `form` tells the forms of a weight apart, `""` is the weight as it is.
    pub fn turned(
        &mut self,
        name: &str,
        form: &str,
        turn: impl FnOnce(Tensor<f32>) -> Result<Tensor<f32>>,
    ) -> Result<String> {
        let path = join(&self.weights_path, name);
        let missing = self.error(format!("there is no weight {path:?}"), "");
        let weights = self.weights;
        self.graph.weight(&path, form, || turn(weights(&path).ok_or(missing)?))
    }

    /// A node of one output; its name.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        self.graph.nodes(&self.path, op, inputs, attributes, 1).remove(0)
    }

    /// A node of several outputs; their names.
    pub fn nodes(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>, outputs: usize) -> Vec<String> {
        self.graph.nodes(&self.path, op, inputs, attributes, outputs)
    }

    /// A graph within an attribute, such as the body of a loop, with inputs of these types and shapes. It may use the tensors of the
    /// graph around it.
    pub fn body(
        &mut self,
        inputs: Vec<(i32, Vec<Length>)>,
        write: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> GraphProto {
        let (inputs, around) = self.graph.begin_body(&self.path, inputs);
        let outputs = write(self, &inputs);
        self.graph.end_body(&self.path, inputs, outputs, around)
    }

    /// An operator that computes each number of a value alone, or with constants that broadcast.
    pub fn each(&mut self, op: &str, x: &Value, more: &[&str], attributes: Vec<AttributeProto>) -> Value {
        let inputs: Vec<&str> = std::iter::once(&*x.name).chain(more.iter().copied()).collect();
        Value { name: self.node(op, &inputs, attributes), ..x.clone() }
    }

    /// The same, with a number as the second operand.
    pub fn with_number(&mut self, op: &str, x: &Value, number: f64) -> Value {
        let number = self.graph.number(number);
        self.each(op, x, &[&number], vec![])
    }

    /// A value with its axes in this order.
    pub fn arranged(&mut self, x: &Value, order: &[usize]) -> Value {
        self.graph.arranged(&self.path, x, order)
    }

    /// A value with its axes in the model's order.
    pub fn plain(&mut self, x: &Value) -> Value {
        let order: Vec<usize> = (0..=x.rank()).collect();
        self.arranged(x, &order)
    }

    /// A value `[n, spatial.., channels]` with its channels first.
    pub fn channels_first(&mut self, x: &Value) -> Value {
        let order: Vec<usize> = [0, x.rank()].into_iter().chain(1..x.rank()).collect();
        self.arranged(x, &order)
    }

    /// The length of an axis of the model's order as a list of one whole number.
    pub fn length(&mut self, x: &Value, axis: usize) -> String {
        if let Some(length) = x.length(axis) {
            return self.graph.longs(&[length as i64]);
        }
        let place = x.place(axis) as i64;
        self.node("Shape", &[&x.name], vec![int("start", place), int("end", place + 1)])
    }

    /// These lengths as a list of whole numbers, for operators that take a shape. Of those that are only known when the graph is
    /// computed, one is the rest (-1).
    fn lengths(&mut self, x: &Value, to: &[Target<'_>]) -> String {
        let mut has_rest = to.iter().any(|target| matches!(target, Target::Rest));
        let mut parts: Vec<Result<i64, String>> = Vec::with_capacity(to.len());
        for (place, target) in to.iter().enumerate() {
            parts.push(match *target {
                Target::Is(length) => Ok(length as i64),
                Target::Rest => Ok(-1),
                Target::Of(value, axis) => match value.length(axis) {
                    Some(length) => Ok(length as i64),
                    // The operator takes the length of its input at this place.
                    None if value.name == x.name && axis == place => Ok(0),
                    None if !has_rest => {
                        has_rest = true;
                        Ok(-1)
                    }
                    None => Err(self.length(value, axis)),
                },
            });
        }
        let known: Option<Vec<i64>> = parts.iter().map(|part| part.as_ref().ok().copied()).collect();
        if let Some(known) = known {
            return self.graph.longs(&known);
        }
        let names: Vec<String> =
            parts.into_iter().map(|part| part.map_or_else(|name| name, |length| self.graph.longs(&[length]))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.node("Concat", &names, vec![int("axis", 0)])
    }

    /// A value with the same elements in another shape; `to` has all axes, the batch axis too, and `shape` those behind the first.
    pub fn reshaped(&mut self, x: &Value, to: &[Target<'_>], shape: Vec<Length>) -> Value {
        let x = self.plain(x);
        let lengths = self.lengths(&x, to);
        let name = self.node("Reshape", &[&x.name, &lengths], vec![]);
        Value { element: x.element, ..Value::new(name, shape) }
    }

    /// A tensor with a further axis of length 1 at this place.
    pub fn unsqueezed(&mut self, name: &str, axis: i64) -> String {
        let axes = self.graph.longs(&[axis]);
        self.node("Unsqueeze", &[name, &axes], vec![])
    }

    /// A tensor without this axis of length 1.
    pub fn squeezed(&mut self, name: &str, axis: i64) -> String {
        let axes = self.graph.longs(&[axis]);
        self.node("Squeeze", &[name, &axes], vec![])
    }

    /// A tensor reduced along axes of its own.
    pub fn reduced(&mut self, op: &str, name: &str, axes: &[usize], keep: bool) -> String {
        let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
        let axes = self.graph.longs(&axes);
        self.node(op, &[name, &axes], vec![int("keepdims", keep.into())])
    }

    /// A part of a tensor: from `start` to before `end` along an axis of its own, in steps.
    pub fn slice(&mut self, name: &str, axis: usize, [start, end, step]: [i64; 3]) -> String {
        let [start, end, axis, step] = [start, end, axis as i64, step].map(|number| self.graph.longs(&[number]));
        self.node("Slice", &[name, &start, &end, &axis, &step], vec![])
    }

    /// A tensor from back to front along an axis of its own.
    pub fn flipped(&mut self, name: &str, axis: usize) -> String {
        self.slice(name, axis, [-1, i64::MIN, -1])
    }

    /// A tensor converted to another element type.
    pub fn cast(&mut self, name: &str, to: i32) -> String {
        self.node("Cast", &[name], vec![int("to", to.into())])
    }

    /// The whole numbers from 0 to before the length of an axis.
    pub fn places(&mut self, x: &Value, axis: usize) -> String {
        let length = self.length(x, axis);
        let length = self.squeezed(&length, 0);
        let (first, step) = (self.graph.long(0), self.graph.long(1));
        self.node("Range", &[&first, &length, &step], vec![])
    }

    /// The positions that all of these masks have.
    pub fn common_mask<'m>(&mut self, masks: impl IntoIterator<Item = &'m Option<String>>) -> Option<String> {
        let masks: Vec<&String> = masks.into_iter().flatten().collect();
        let (first, others) = masks.split_first()?;
        let mut all = (*first).clone();
        for &mask in others {
            if *mask != all {
                all = self.node("And", &[&all, mask], vec![]);
            }
        }
        Some(all)
    }

    /// A mask `[n, length]` as it broadcasts to a value `[n, length, ..]` whose axes stand in the model's order.
    pub fn spread(&mut self, mask: &str, rank: usize) -> String {
        if rank < 2 {
            return mask.to_owned();
        }
        let axes: Vec<i64> = (2..=rank as i64).collect();
        let axes = self.graph.longs(&axes);
        self.node("Unsqueeze", &[mask, &axes], vec![])
    }

    /// A value with 0 at the positions that are padding.
    pub fn cleared(&mut self, x: &Value, mask: &str) -> Value {
        let (x, zero) = (self.plain(x), self.graph.number(0.0));
        let mask = self.spread(mask, x.rank());
        Value { name: self.node("Where", &[&mask, &x.name, &zero], vec![]), ..x }
    }

    /// x . kernel, and bias if there is one; features are the last axis.
    pub fn product(&mut self, x: &Value, kernel: &str, bias: Option<&str>, units: usize) -> Value {
        let x = self.plain(x);
        let mut shape = x.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = Length::Is(units);
        }
        let name = match bias {
            Some(bias) if x.rank() == 1 => self.node("Gemm", &[&x.name, kernel, bias], vec![]),
            _ => {
                let product = self.node("MatMul", &[&x.name, kernel], vec![]);
                bias.map_or_else(|| product.clone(), |bias| self.node("Add", &[&product, bias], vec![]))
            }
        };
        Value::new(name, shape)
    }

    /// A softmax along an axis of the tensor itself.
    pub fn softmax(&mut self, name: &str, axis: i64) -> String {
        self.node("Softmax", &[name], vec![int("axis", axis)])
    }

    /// A layer normalisation over the last axes, from this one on.
    pub fn layer_normalization(&mut self, x: &Value, first: usize, weights: [Option<&str>; 2], epsilon: f64) -> Value {
        let inputs: Vec<&str> = std::iter::once(&*x.name).chain(weights.into_iter().flatten()).collect();
        let attributes = vec![int("axis", first as i64), float("epsilon", epsilon)];
        Value { name: self.node("LayerNormalization", &inputs, attributes), ..x.clone() }
    }

    /// A tensor of truth values as whole numbers.
    pub fn counted(&mut self, mask: &str) -> String {
        self.cast(mask, element::INT64)
    }

    /// A tensor with its axes in another order.
    pub fn transposed(&mut self, name: &str, order: &[usize]) -> String {
        self.node("Transpose", &[name], vec![ints("perm", order)])
    }
}
