//! Layers that normalise: over the batch's moving statistics, over features, over groups of channels.

use gradus_nn::Result;
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Value, float, int};
use super::place::Place;

/// Options that these layers share; each has some of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default = "last")]
    axis: Axes,
    epsilon: f64,
    #[serde(default)]
    center: bool,
    #[serde(default)]
    scale: bool,
    #[serde(default)]
    groups: isize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Axes {
    One(isize),
    Several(Vec<isize>),
}

fn last() -> Axes {
    Axes::One(-1)
}

impl Options {
    /// The axes of the features, in ascending order.
    fn axes(&self, x: &Value) -> Vec<usize> {
        let axes = match &self.axis {
            Axes::One(axis) => std::slice::from_ref(axis),
            Axes::Several(axes) => axes,
        };
        let mut axes: Vec<usize> = axes.iter().map(|&axis| x.axis(axis)).collect();
        axes.sort_unstable();
        axes
    }
}

/// The number of features along these axes.
fn size(place: &Place<'_>, x: &Value, axes: &[usize]) -> Result<usize> {
    let size = axes.iter().map(|&axis| x.length(axis)).product::<Option<usize>>();
    size.ok_or_else(|| place.error("the number of its features is free", "fix it"))
}

/// A weight of `size` features, or if the layer has none, so many of this number.
fn weight_or(place: &mut Place<'_>, has: bool, name: &str, size: usize, number: f32) -> Result<String> {
    if has {
        return place.turned(name, "line", |weight| Ok(weight.reshape([size])));
    }
    Ok(place.graph.table(&Tensor::full([size], number)))
}

/// A value with one axis behind the batch axis and the others as they are.
fn features_first(place: &mut Place<'_>, x: &Value, axis: usize) -> Value {
    let others = (1..=x.rank()).filter(|&other| other != axis);
    let order: Vec<usize> = [0, axis].into_iter().chain(others).collect();
    place.arranged(x, &order)
}

/// BatchNormalization, as when predicting: by the moving statistics.
pub(super) fn batch(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let axis = options.axes(x)[0];
    let size = size(place, x, &[axis])?;
    let x = features_first(place, x, axis);
    let gamma = weight_or(place, options.scale, "gamma", size, 1.0)?;
    let beta = weight_or(place, options.center, "beta", size, 0.0)?;
    let (mean, variance) = (place.written("moving_mean")?, place.written("moving_variance")?);
    Ok(vec![place.each(
        "BatchNormalization",
        &x,
        &[&gamma, &beta, &mean, &variance],
        vec![float("epsilon", options.epsilon)],
    )])
}

/// LayerNormalization.
pub(super) fn layer(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let (x, axes) = features_last(place, x, &options);
    let gamma = match options.scale {
        true => place.written("gamma")?,
        false => {
            let lengths: Option<Vec<usize>> = axes.iter().map(|&axis| x.length(axis)).collect();
            let lengths = lengths.ok_or_else(|| place.error("the number of its features is free", "fix it"))?;
            place.graph.table(&Tensor::ones(lengths))
        }
    };
    let beta = if options.center { Some(place.written("beta")?) } else { None };
    let first = x.rank() + 1 - axes.len();
    Ok(vec![place.layer_normalization(&x, first, [Some(&gamma), beta.as_deref()], options.epsilon)])
}

/// A value with its features' axes last, in ascending order; and these axes.
fn features_last(place: &mut Place<'_>, x: &Value, options: &Options) -> (Value, Vec<usize>) {
    let axes = options.axes(x);
    let others = (0..=x.rank()).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = others.chain(axes.iter().copied()).collect();
    (place.arranged(x, &order), axes)
}

/// RMSNormalization: x * scale / sqrt(mean(x^2) + epsilon).
pub(super) fn root_mean_square(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let (x, axes) = features_last(place, x, &options);
    let scale = place.written("scale")?;
    let stored: Vec<usize> = (x.rank() + 1 - axes.len()..=x.rank()).collect();
    let square = place.each("Mul", &x, &[&x.name], vec![]);
    let mean = place.reduced("ReduceMean", &square.name, &stored, true);
    let epsilon = place.graph.number(options.epsilon);
    let mean = place.node("Add", &[&mean, &epsilon], vec![]);
    let root = place.node("Sqrt", &[&mean], vec![]);
    let y = place.each("Div", &x, &[&root], vec![]);
    Ok(vec![place.each("Mul", &y, &[&scale], vec![])])
}

/// GroupNormalization.
pub(super) fn group(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let axis = options.axes(x)[0];
    let channels = size(place, x, &[axis])?;
    let groups = usize::try_from(options.groups).unwrap_or(channels);
    in_groups(place, x, &options, axis, channels, groups)
}

/// InstanceNormalization: a group for each channel.
pub(super) fn instance(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let axis = x.rank();
    let channels = size(place, x, &[axis])?;
    in_groups(place, x, &options, axis, channels, channels)
}

fn in_groups(
    place: &mut Place<'_>,
    x: &Value,
    options: &Options,
    axis: usize,
    channels: usize,
    groups: usize,
) -> Result<Vec<Value>> {
    let x = features_first(place, x, axis);
    let gamma = weight_or(place, options.scale, "gamma", channels, 1.0)?;
    let beta = weight_or(place, options.center, "beta", channels, 0.0)?;
    let epsilon = float("epsilon", options.epsilon);
    // A group for each channel has an operator that is older, and needs places besides the channels.
    if groups == channels && x.rank() > 1 {
        return Ok(vec![place.each("InstanceNormalization", &x, &[&gamma, &beta], vec![epsilon])]);
    }
    let groups = int("num_groups", groups as i64);
    Ok(vec![place.each("GroupNormalization", &x, &[&gamma, &beta], vec![groups, epsilon])])
}
