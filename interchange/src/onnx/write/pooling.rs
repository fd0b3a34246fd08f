//! The maximum or the mean of windows, of all places, and of as many windows as the output has places.

use gradus_nn::{Padding, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::convolution::{Windowed, Windows};
use super::graph::{Length, Value, attribute, int};
use super::place::Place;
use crate::onnx::proto::{AttributeValue, TensorProto, element};

/// MaxPooling and AveragePooling over one to three axes.
pub(super) fn pool(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        pool_size: Vec<usize>,
        strides: Vec<usize>,
        padding: Padding,
    }
    let Options { pool_size, strides, padding } = place.options(config)?;
    let x = place.one(inputs)?;
    let windows =
        Windows { size: &pool_size, strides: &strides, dilation: &vec![1; pool_size.len()], padding: &padding };
    windowed(place, x, &windows)
}

/// The maximum or the mean of windows.
fn windowed(place: &mut Place<'_>, x: &Value, windows: &Windows<'_>) -> Result<Vec<Value>> {
    let channels = super::convolution::channels(place, x)?;
    let is_largest = is_largest(place);
    let fill = if is_largest { f64::NEG_INFINITY } else { 0.0 };
    let Windowed { x: padded, widths, shape, is_padded } = windows.over(place, x, channels, fill);
    let mut attributes = windows.attributes(&widths);
    if is_largest {
        let name = place.node("MaxPool", &[&padded.name], attributes);
        return Ok(vec![Value { name, shape, ..padded }]);
    }
    // Padding is no part of the mean.
    attributes.push(int("count_include_pad", 0));
    let mut name = place.node("AveragePool", &[&padded.name], attributes.clone());
    if is_padded {
        // The share of each window that is there.
        let x = place.channels_first(x);
        let lengths = place.node("Shape", &[&x.name], vec![]);
        let one = attribute(
            "value",
            AttributeValue::Tensor(TensorProto::raw("", element::FLOAT, &[1], 1_f32.to_le_bytes().to_vec())),
        );
        let ones = place.node("ConstantOfShape", &[&lengths], vec![one]);
        let Windowed { x: ones, .. } = windows.over(place, &Value { name: ones, ..x }, channels, 0.0);
        let shares = place.node("AveragePool", &[&ones.name], attributes);
        name = place.node("Div", &[&name, &shares], vec![]);
    }
    Ok(vec![Value { name, shape, ..padded }])
}

fn is_largest(place: &Place<'_>) -> bool {
    place.kind.contains("Max")
}

/// GlobalMaxPooling and GlobalAveragePooling over one to three axes.
pub(super) fn global(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        keepdims: bool,
    }
    let Options { keepdims } = place.options(config)?;
    let x = place.one(inputs)?;
    match x.mask.clone() {
        Some(mask) => {
            let x = place.plain(x);
            Ok(vec![Value::new(there(place, &x, &mask, keepdims), places_pooled(&x, keepdims))])
        }
        None => all_places(place, x, keepdims),
    }
}

/// The shape of a value whose places have become one.
fn places_pooled(x: &Value, keepdims: bool) -> Vec<Length> {
    let ones = if keepdims { x.rank() - 1 } else { 0 };
    std::iter::repeat_n(Length::Is(1), ones).chain(x.shape.last().cloned()).collect()
}

/// The maximum or the mean of all places.
fn all_places(place: &mut Place<'_>, x: &Value, keepdims: bool) -> Result<Vec<Value>> {
    let shape = places_pooled(x, keepdims);
    if x.order.is_sorted() {
        let op = if is_largest(place) { "ReduceMax" } else { "ReduceMean" };
        let spatial: Vec<usize> = (1..x.rank()).collect();
        return Ok(vec![Value::new(place.reduced(op, &x.name, &spatial, keepdims), shape)]);
    }
    let x = place.channels_first(x);
    let op = if is_largest(place) { "GlobalMaxPool" } else { "GlobalAveragePool" };
    let name = place.node(op, &[&x.name], vec![]);
    if keepdims {
        return Ok(vec![Value { name, shape, ..x }]);
    }
    let name = place.node("Flatten", &[&name], vec![int("axis", 1)]);
    Ok(vec![Value::new(name, shape)])
}

/// The maximum or the mean of the positions of a sequence that are there, 0 if none is.
fn there(place: &mut Place<'_>, x: &Value, mask: &str, keepdims: bool) -> String {
    let spread = place.spread(mask, x.rank());
    let zero = place.graph.number(0.0);
    let counted = place.cast(&spread, element::FLOAT);
    let count = place.reduced("ReduceSum", &counted, &[1], keepdims);
    if is_largest(place) {
        let lowest = place.graph.number(f64::NEG_INFINITY);
        let kept = place.node("Where", &[&spread, &x.name, &lowest], vec![]);
        let largest = place.reduced("ReduceMax", &kept, &[1], keepdims);
        let is_any = place.node("Greater", &[&count, &zero], vec![]);
        return place.node("Where", &[&is_any, &largest, &zero], vec![]);
    }
    let kept = place.node("Where", &[&spread, &x.name, &zero], vec![]);
    let sum = place.reduced("ReduceSum", &kept, &[1], keepdims);
    let one = place.graph.number(1.0);
    let count = place.node("Max", &[&count, &one], vec![]);
    place.node("Div", &[&sum, &count], vec![])
}

/// AdaptiveMaxPooling and AdaptiveAveragePooling over one to three axes.
pub(super) fn adaptive(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        output_size: Vec<usize>,
    }
    let Options { output_size } = place.options(config)?;
    let x = place.one(inputs)?;
    if output_size.iter().all(|&length| length == 1) {
        return all_places(place, x, true);
    }
    let Some(lengths) = x.fixed() else {
        return Err(place.error("its windows vary with a free length", "fix the length, or take a global pooling"));
    };
    if lengths.iter().zip(&output_size).all(|(length, windows)| length % windows == 0) {
        let size: Vec<usize> = lengths.iter().zip(&output_size).map(|(length, windows)| length / windows).collect();
        let ones = vec![1; size.len()];
        let windows = Windows { size: &size, strides: &size, dilation: &ones, padding: &Padding::Valid };
        return windowed(place, x, &windows);
    }
    // Windows of several sizes, axis by axis: their elements are gathered, a short one's last element again.
    let x = place.plain(x);
    let (mut name, mut shape) = (x.name.clone(), x.shape.clone());
    for (axis, (&length, &windows)) in lengths.iter().zip(&output_size).enumerate() {
        if length == windows {
            continue;
        }
        let range = |window: usize| window * length / windows..((window + 1) * length).div_ceil(windows);
        let size = (0..windows).map(|window| range(window).len()).max().unwrap_or(1);
        let (mut places, mut shares) = (Vec::new(), Vec::new());
        for window in 0..windows {
            let range = range(window);
            for place in 0..size {
                places.push((range.start + place).min(range.end - 1) as i64);
                shares.push(if place < range.len() { 1.0 / range.len() as f32 } else { 0.0 });
            }
        }
        let places = place.graph.longs(&places);
        let gathered = place.node("Gather", &[&name, &places], vec![int("axis", axis as i64 + 1)]);
        // The gathered axis is cut into windows.
        let mut cut: Vec<i64> = vec![0; axis + 1];
        cut.extend([windows as i64, size as i64]);
        cut.extend(lengths[axis + 1..].iter().map(|&length| length as i64));
        let cut = place.graph.longs(&cut);
        let cut = place.node("Reshape", &[&gathered, &cut], vec![]);
        name = if is_largest(place) {
            place.reduced("ReduceMax", &cut, &[axis + 2], false)
        } else {
            let after = vec![1; lengths.len() - axis - 1];
            let shares = shares.into_iter().collect::<Tensor<f32>>().reshape([&[windows, size][..], &after].concat());
            let shares = place.graph.table(&shares);
            let shares = place.node("Mul", &[&cut, &shares], vec![]);
            place.reduced("ReduceSum", &shares, &[axis + 2], false)
        };
        shape[axis] = Length::Is(windows);
    }
    Ok(vec![Value::new(name, shape)])
}
