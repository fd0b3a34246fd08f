//! Where a position stands in its sequence: by sines, and by rotation.

use gradus_nn::Result;
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::features::for_each_sample;
use super::graph::{Length, Value, int};
use super::place::Place;
use crate::onnx::proto::element;

/// SinePositionEncoding: for each sample the sines and cosines of the places.
pub(super) fn sines(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        max_wavelength: f64,
    }
    let Options { max_wavelength } = place.options(config)?;
    let x = place.one(inputs)?;
    let features = x.length(2).ok_or_else(|| place.error("the number of its features is free", "fix it"))?;
    let wavelengths: Vec<f64> =
        (0..features).map(|feature| max_wavelength.powf((feature / 2 * 2) as f64 / features as f64)).collect();
    let is_sine: Vec<bool> = (0..features).map(|feature| feature % 2 == 0).collect();
    let [sines, cosines] = waves(place, x, &wavelengths);
    let is_sine = place.graph.truths(&[features], is_sine);
    let rows = place.node("Where", &[&is_sine, &sines, &cosines], vec![]);
    Ok(vec![for_each_sample(place, &rows, x)])
}

/// The sine and the cosine of each position of sequences divided by each wavelength: `[length, wavelengths]`.
fn waves(place: &mut Place<'_>, x: &Value, wavelengths: &[f64]) -> [String; 2] {
    let count = wavelengths.len();
    if let Some(length) = x.length(1) {
        return [f64::sin, f64::cos].map(|function| {
            let wave = |i: usize| function((i / count) as f64 / wavelengths[i % count]) as f32;
            let table: Tensor<f32> = (0..length * count).map(wave).collect();
            place.graph.table(&table.reshape([length, count]))
        });
    }
    // Of a free length, in f32: some digits are lost far from the beginning.
    let places = place.places(x, 1);
    let places = place.cast(&places, element::FLOAT);
    let places = place.unsqueezed(&places, 1);
    let wavelengths = place.graph.table(&wavelengths.iter().map(|&length| length as f32).collect());
    let angles = place.node("Div", &[&places, &wavelengths], vec![]);
    ["Sin", "Cos"].map(|op| place.node(op, &[&angles], vec![]))
}

/// RotaryEmbedding.
pub(super) fn rotary(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        max_wavelength: f64,
        scaling_factor: f64,
    }
    let Options { max_wavelength, scaling_factor } = place.options(config)?;
    let x = place.one(inputs)?.clone();
    if x.length(x.rank()).is_none() {
        return Err(place.error("the number of its features is free", "fix it"));
    }
    Ok(vec![rotated(place, &x, max_wavelength, scaling_factor)])
}

/// Values `[n, length, .., d]`, of which d is known, with the pairs of the two halves of d turned by angles that grow with the position.
pub(super) fn rotated(place: &mut Place<'_>, x: &Value, wavelength: f64, scaling: f64) -> Value {
    let x = place.plain(x);
    let (last, d) = (x.rank(), x.length(x.rank()).unwrap_or(0));
    let half = d / 2;
    if half == 0 {
        return x;
    }
    let wavelengths: Vec<f64> = (0..half).map(|i| scaling * wavelength.powf(2.0 * i as f64 / d as f64)).collect();
    let waves = waves(place, &x, &wavelengths);
    // Between length and d there may be axes, such as that of heads.
    let between: Vec<i64> = (1..last as i64 - 1).collect();
    let [sin, cos] = waves.map(|wave| match between.is_empty() {
        true => wave,
        false => {
            let axes = place.graph.longs(&between);
            place.node("Unsqueeze", &[&wave, &axes], vec![])
        }
    });
    let first = place.slice(&x.name, last, [0, half as i64, 1]);
    let second = place.slice(&x.name, last, [half as i64, d as i64, 1]);
    let mut product = |a: &str, b: &str| place.node("Mul", &[a, b], vec![]);
    let products = [product(&first, &cos), product(&second, &sin), product(&second, &cos), product(&first, &sin)];
    let left = place.node("Sub", &[&products[0], &products[1]], vec![]);
    let right = place.node("Add", &[&products[2], &products[3]], vec![]);
    let name = place.node("Concat", &[&left, &right], vec![int("axis", last as i64)]);
    let mut shape = x.shape.clone();
    shape[last - 1] = Length::Is(d);
    Value { name, shape, ..x }
}
