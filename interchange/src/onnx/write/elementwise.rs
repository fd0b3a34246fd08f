//! Activations, and layers that compute each number alone.

use gradus_nn::{Activation, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Value, float, int, text};
use super::place::Place;
use crate::onnx::proto::element;

/// An activation of a value.
pub(super) fn activate(place: &mut Place<'_>, activation: Activation, x: &Value) -> Value {
    let last = x.place(x.rank()) as i64;
    match activation {
        Activation::Linear => x.clone(),
        Activation::Relu => place.each("Relu", x, &[], vec![]),
        Activation::Relu6 => within(place, x, 0.0, 6.0),
        Activation::LeakyRelu { negative_slope } => {
            place.each("LeakyRelu", x, &[], vec![float("alpha", negative_slope)])
        }
        Activation::Elu { alpha } => place.each("Elu", x, &[], vec![float("alpha", alpha)]),
        Activation::Selu => place.each("Selu", x, &[], vec![]),
        // By the operator, tract 0.23.9 computes something else.
        Activation::Celu { alpha } => {
            let y = place.with_number("Div", x, alpha);
            let y = place.each("Exp", &y, &[], vec![]);
            let y = place.with_number("Sub", &y, 1.0);
            let y = place.with_number("Mul", &y, alpha);
            let is_positive = place.with_number("Greater", x, 0.0).name;
            Value { name: place.node("Where", &[&is_positive, &x.name, &y.name], vec![]), ..x.clone() }
        }
        Activation::Gelu => place.each("Gelu", x, &[], vec![]),
        Activation::GeluTanh => place.each("Gelu", x, &[], vec![text("approximate", "tanh")]),
        Activation::Silu => {
            let gate = place.each("Sigmoid", x, &[], vec![]);
            place.each("Mul", x, &[&gate.name], vec![])
        }
        Activation::Mish => place.each("Mish", x, &[], vec![]),
        Activation::Softplus => place.each("Softplus", x, &[], vec![]),
        Activation::Softsign => place.each("Softsign", x, &[], vec![]),
        Activation::Squareplus { b } => {
            let square = place.each("Mul", x, &[&x.name], vec![]);
            let root = place.with_number("Add", &square, b);
            let root = place.each("Sqrt", &root, &[], vec![]);
            let sum = place.each("Add", x, &[&root.name], vec![]);
            place.with_number("Mul", &sum, 0.5)
        }
        Activation::SparsePlus => {
            // (c + 1)^2 / 4 + max(x - 1, 0), where c is x within -1 and 1.
            let bounded = within(place, x, -1.0, 1.0);
            let root = place.with_number("Add", &bounded, 1.0);
            let square = place.each("Mul", &root, &[&root.name], vec![]);
            let curve = place.with_number("Mul", &square, 0.25);
            let beyond = place.with_number("Sub", x, 1.0);
            let beyond = place.each("Relu", &beyond, &[], vec![]);
            place.each("Add", &curve, &[&beyond.name], vec![])
        }
        Activation::Softmax => place.each("Softmax", x, &[], vec![int("axis", last)]),
        Activation::LogSoftmax => place.each("LogSoftmax", x, &[], vec![int("axis", last)]),
        Activation::Sparsemax => sparsemax(place, x),
        Activation::Sigmoid => place.each("Sigmoid", x, &[], vec![]),
        Activation::LogSigmoid => {
            let y = place.each("Neg", x, &[], vec![]);
            let y = place.each("Softplus", &y, &[], vec![]);
            place.each("Neg", &y, &[], vec![])
        }
        Activation::HardSigmoid => hard_sigmoid(place, x, 1.0 / 6.0),
        Activation::SparseSigmoid => hard_sigmoid(place, x, 0.5),
        Activation::HardSilu => place.each("HardSwish", x, &[], vec![]),
        Activation::Tanh => place.each("Tanh", x, &[], vec![]),
        Activation::HardTanh => within(place, x, -1.0, 1.0),
        Activation::TanhShrink => {
            let y = place.each("Tanh", x, &[], vec![]);
            place.each("Sub", x, &[&y.name], vec![])
        }
        Activation::HardShrink { threshold } => shrink(place, x, threshold, 0.0),
        Activation::SoftShrink { threshold } => shrink(place, x, threshold, threshold),
        Activation::Threshold { threshold, default_value } => {
            let is_above = place.with_number("Greater", x, threshold).name;
            let other = place.graph.number(default_value);
            Value { name: place.node("Where", &[&is_above, &x.name, &other], vec![]), ..x.clone() }
        }
        Activation::Exponential => place.each("Exp", x, &[], vec![]),
    }
}

fn within(place: &mut Place<'_>, x: &Value, least: f64, most: f64) -> Value {
    let (least, most) = (place.graph.number(least), place.graph.number(most));
    place.each("Clip", x, &[&least, &most], vec![])
}

fn hard_sigmoid(place: &mut Place<'_>, x: &Value, slope: f64) -> Value {
    place.each("HardSigmoid", x, &[], vec![float("alpha", slope), float("beta", 0.5)])
}

fn shrink(place: &mut Place<'_>, x: &Value, threshold: f64, bias: f64) -> Value {
    place.each("Shrink", x, &[], vec![float("lambd", threshold), float("bias", bias)])
}

/// max(x - tau, 0), with tau such that the last axis sums to 1: Algorithm 1 of Martins and Astudillo, arXiv:1602.02068.
fn sparsemax(place: &mut Place<'_>, x: &Value) -> Value {
    let x = place.plain(x);
    let last = x.rank();
    let largest = place.reduced("ReduceMax", &x.name, &[last], true);
    let shifted = place.each("Sub", &x, &[&largest], vec![]);
    let count = place.length(&x, last);
    let options = vec![int("axis", last as i64), int("largest", 1), int("sorted", 1)];
    let descending = place.nodes("TopK", &[&shifted.name, &count], options, 2).remove(0);
    let axis = place.graph.long(last as i64);
    let sums = place.node("CumSum", &[&descending, &axis], vec![]);
    let one = place.graph.number(1.0);
    let ranks = place.places(&x, last);
    let ranks = place.cast(&ranks, element::FLOAT);
    let ranks = place.node("Add", &[&ranks, &one], vec![]);
    let products = place.node("Mul", &[&descending, &ranks], vec![]);
    let bounds = place.node("Add", &[&products, &one], vec![]);
    let in_support = place.node("Greater", &[&bounds, &sums], vec![]);
    let counted = place.cast(&in_support, element::FLOAT);
    let counted = place.reduced("ReduceSum", &counted, &[last], true);
    let zero = place.graph.number(0.0);
    let kept = place.node("Where", &[&in_support, &descending, &zero], vec![]);
    let kept = place.reduced("ReduceSum", &kept, &[last], true);
    let over = place.node("Sub", &[&kept, &one], vec![]);
    let tau = place.node("Div", &[&over, &counted], vec![]);
    let y = place.each("Sub", &shifted, &[&tau], vec![]);
    place.each("Relu", &y, &[], vec![])
}

/// Activation: an activation as a layer.
pub(super) fn activation(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let activation: Activation = place.options(config)?;
    let x = place.one(inputs)?;
    Ok(vec![activate(place, activation, x)])
}

/// ELU.
pub(super) fn elu(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        alpha: f64,
    }
    let Options { alpha } = place.options(config)?;
    let x = place.one(inputs)?;
    Ok(vec![activate(place, Activation::Elu { alpha }, x)])
}

/// LeakyReLU.
pub(super) fn leaky_relu(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        negative_slope: f64,
    }
    let Options { negative_slope } = place.options(config)?;
    let x = place.one(inputs)?;
    Ok(vec![activate(place, Activation::LeakyRelu { negative_slope }, x)])
}

/// ReLU, with its options.
pub(super) fn relu(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        max_value: Option<f64>,
        negative_slope: f64,
        threshold: f64,
    }
    let Options { max_value, negative_slope, threshold } = place.options(config)?;
    let x = place.one(inputs)?;
    if max_value.is_none() && negative_slope == 0.0 && threshold == 0.0 {
        return Ok(vec![activate(place, Activation::Relu, x)]);
    }
    let is_above = place.with_number("GreaterOrEqual", x, threshold).name;
    let below = place.with_number("Sub", x, threshold);
    let below = place.with_number("Mul", &below, negative_slope);
    let mut y = Value { name: place.node("Where", &[&is_above, &x.name, &below.name], vec![]), ..x.clone() };
    if let Some(most) = max_value {
        let is_most = place.with_number("GreaterOrEqual", x, most).name;
        let most = place.graph.number(most);
        y.name = place.node("Where", &[&is_most, &most, &y.name], vec![]);
    }
    Ok(vec![y])
}

/// PReLU: slopes are learned.
pub(super) fn prelu(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(rename = "shared_axes")]
        _shared_axes: Vec<usize>,
    }
    // The shape of the weight says which axes share it.
    let Options { .. } = place.options(config)?;
    let x = place.one(inputs)?;
    // The weight has no batch axis, so that axis must be the first.
    let x = if x.order[0] == 0 { x.clone() } else { place.plain(x) };
    let order: Vec<isize> = x.order[1..].iter().map(|&axis| axis as isize - 1).collect();
    let alpha = place.turned("alpha", &format!("{order:?}"), |alpha| Ok(alpha.permute(order)))?;
    Ok(vec![place.each("PRelu", &x, &[&alpha], vec![])])
}

/// Softmax along any axis.
pub(super) fn softmax(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let axis = axis_option(place, config)?;
    let x = place.one(inputs)?;
    let axis = x.place(x.axis(axis));
    let name = place.softmax(&x.name, axis as i64);
    Ok(vec![Value { name, ..x.clone() }])
}

/// UnitNormalization: x / max(|x|, 0.000001).
pub(super) fn unit_normalization(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let axis = axis_option(place, config)?;
    let x = place.one(inputs)?;
    let length = place.reduced("ReduceL2", &x.name, &[x.place(x.axis(axis))], true);
    let least = place.graph.number(1e-6);
    let length = place.node("Max", &[&length, &least], vec![]);
    Ok(vec![place.each("Div", x, &[&length], vec![])])
}

/// The one option of layers along an axis.
pub(super) fn axis_option(place: &Place<'_>, config: &Json) -> Result<isize> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        axis: isize,
    }
    place.options(config).map(|Options { axis }| axis)
}

/// Rescaling: x * scale + offset.
pub(super) fn rescaling(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        scale: f64,
        offset: f64,
    }
    let Options { scale, offset } = place.options(config)?;
    let x = place.one(inputs)?;
    let y = place.with_number("Mul", x, scale);
    Ok(vec![if offset == 0.0 { y } else { place.with_number("Add", &y, offset) }])
}

/// Normalization: (x - mean) / deviation, by numbers of the layer's own.
pub(super) fn normalization(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        mean: Vec<f64>,
        variance: Vec<f64>,
    }
    let Options { mean, variance } = place.options(config)?;
    let x = place.one(inputs)?;
    let x = if mean.len() == 1 { x.clone() } else { place.plain(x) };
    let scale = |&variance: &f64| match variance {
        0.0 => 1.0,
        variance => (1.0 / variance.sqrt().max(f32::MIN_POSITIVE.into())) as f32,
    };
    let means: Tensor<f32> = mean.iter().map(|&mean| mean as f32).collect();
    let scales: Tensor<f32> = variance.iter().map(scale).collect();
    let (means, scales) = (place.graph.table(&means), place.graph.table(&scales));
    let y = place.each("Sub", &x, &[&means], vec![]);
    Ok(vec![place.each("Mul", &y, &[&scales], vec![])])
}

/// A layer that only trains: dropout, noise; and Identity.
pub(super) fn nothing(place: &mut Place<'_>, _config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    Ok(vec![place.one(inputs)?.clone()])
}

/// Add, Multiply, Maximum, Minimum: the inputs merged from the first to the last.
pub(super) fn merge(place: &mut Place<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let op = match &*place.kind {
        "Add" | "Average" => "Add",
        "Multiply" => "Mul",
        "Subtract" => "Sub",
        "Maximum" => "Max",
        _ => "Min",
    };
    let merged = inputs.iter().cloned().map(Ok).reduce(|a, b| merge_two(place, op, &a?, &b?));
    let merged = merged.unwrap_or_else(|| Err(place.error("it has no inputs", "")))?;
    Ok(vec![match &*place.kind {
        "Average" => place.with_number("Mul", &merged, 1.0 / inputs.len() as f64),
        _ => merged,
    }])
}

/// Two values of as many axes merged number by number; a length of 1 is repeated.
pub(super) fn merge_two(place: &mut Place<'_>, op: &str, a: &Value, b: &Value) -> Result<Value> {
    if a.rank() != b.rank() {
        return Err(place.error("its inputs have different numbers of axes", ""));
    }
    // In the order of the one that has been turned, which the next convolution needs too.
    let order = if a.order.is_sorted() { b.order.clone() } else { a.order.clone() };
    let (a, b) = (place.arranged(a, &order), place.arranged(b, &order));
    let longer = |(a, b): (&super::graph::Length, &super::graph::Length)| match a.fixed() {
        Some(1) => b.clone(),
        _ => a.clone(),
    };
    let shape = a.shape.iter().zip(&b.shape).map(longer).collect();
    let name = place.node(op, &[&a.name, &b.name], vec![]);
    Ok(Value { name, shape, ..a })
}
