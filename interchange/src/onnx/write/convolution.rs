//! Convolutions, of all channels, of each by itself, and transposed.
//!
//! A kernel is turned when it is written: ours ends in its channels and filters, that of ONNX begins with them.

use gradus_nn::{Activation, Padding, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::elementwise::activate;
use super::graph::{Length, Value, int, ints};
use super::place::Place;
use crate::onnx::proto::AttributeProto;

/// Windows over the spatial axes of a value.
pub(super) struct Windows<'a> {
    pub size: &'a [usize],
    pub strides: &'a [usize],
    pub dilation: &'a [usize],
    pub padding: &'a Padding,
}

/// The input of windows: channels first, perhaps padded already; the padding that is left to the operator; and the shape behind it.
pub(super) struct Windowed {
    pub x: Value,
    pub widths: Vec<(usize, usize)>,
    pub shape: Vec<Length>,
    /// Whether the input has been padded: where the padding varies with a free length.
    pub is_padded: bool,
}

impl Windows<'_> {
    /// The windows over a value. `fill` is what stands beyond the ends.
    pub fn over(&self, place: &mut Place<'_>, x: &Value, channels: usize, fill: f64) -> Windowed {
        let (mut widths, mut shape) = (Vec::new(), Vec::new());
        let x = place.channels_first(x);
        let varies =
            |axis: usize| *self.padding == Padding::Same && self.strides[axis] > 1 && x.length(axis + 1).is_none();
        for axis in 0..x.rank().saturating_sub(1) {
            let (size, stride, dilation) = (self.size[axis], self.strides[axis], self.dilation[axis]);
            // With a stride of 1, and with padding of another kind, it is the same for all lengths.
            let (before, after) = match self.padding {
                _ if varies(axis) => (0, 0),
                Padding::Explicit(pairs) => pairs[axis],
                padding => padding.widths(&[x.length(axis + 1).unwrap_or(1)], &[size], &[stride], &[dilation])[0],
            };
            widths.push((before, after));
            shape.push(self.length(place, &x, axis, before + after));
        }
        shape.push(Length::Is(channels));
        if !(0..widths.len()).any(varies) {
            return Windowed { x, widths, shape, is_padded: false };
        }
        let mut ends = [vec![place.graph.longs(&[0, 0])], vec![place.graph.longs(&[0, 0])]];
        for (axis, &(before, after)) in widths.iter().enumerate() {
            let [before, after] = match varies(axis) {
                true => self.same(place, &x, axis),
                false => [before, after].map(|width| place.graph.longs(&[width as i64])),
            };
            ends[0].push(before);
            ends[1].push(after);
        }
        let ends: Vec<&str> = ends.iter().flatten().map(String::as_str).collect();
        let (pads, fill) = (place.node("Concat", &ends, vec![int("axis", 0)]), place.graph.number(fill));
        let padded = place.each("Pad", &x, &[&pads, &fill], vec![]);
        widths.fill((0, 0));
        Windowed { x: padded, widths, shape, is_padded: true }
    }

    /// The length of an axis behind the windows, where so much padding is added in all.
    fn length(&self, place: &Place<'_>, x: &Value, axis: usize, padding: usize) -> Length {
        let (window, stride, length) = (self.window(axis), self.strides[axis], &x.shape[axis]);
        if stride == 1 && padding + 1 == window {
            return length.clone();
        }
        let name = format!("{}_length_{}", place.path, axis + 1);
        length.map(name, |length| (length + padding + 1).saturating_sub(window).div_ceil(stride))
    }

    /// The places from the first to the last element of a window.
    fn window(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// The widths of `Padding::Same` before and after a free length n: together `(ceil(n / stride) - 1) stride + window - n`, or 0.
    fn same(&self, place: &mut Place<'_>, x: &Value, axis: usize) -> [String; 2] {
        let length = place.length(x, axis + 1);
        let (stride, window) = (self.strides[axis] as i64, self.window(axis) as i64);
        let mut with = |op: &str, a: &str, b: i64| {
            let b = place.graph.longs(&[b]);
            place.node(op, &[a, &b], vec![])
        };
        // (n - 1) / stride is one less than n / stride, rounded up.
        let last = with("Sub", &length, 1);
        let last = with("Div", &last, stride);
        let last = with("Mul", &last, stride);
        let end = with("Add", &last, window);
        let total = place.node("Sub", &[&end, &length], vec![]);
        let (zero, two) = (place.graph.longs(&[0]), place.graph.longs(&[2]));
        let total = place.node("Max", &[&total, &zero], vec![]);
        let before = place.node("Div", &[&total, &two], vec![]);
        let after = place.node("Sub", &[&total, &before], vec![]);
        [before, after]
    }

    /// What an operator is told of the windows.
    pub fn attributes(&self, widths: &[(usize, usize)]) -> Vec<AttributeProto> {
        vec![ints("kernel_shape", self.size), ints("strides", self.strides), pads(widths)]
    }
}

/// The padding before each axis, then that behind each.
fn pads(widths: &[(usize, usize)]) -> AttributeProto {
    let (before, after): (Vec<usize>, Vec<usize>) = widths.iter().copied().unzip();
    ints("pads", &[before, after].concat())
}

/// A kernel `[size.., channels, filters]` as `[filters, channels, size..]`.
fn turned(kernel: &Tensor<f32>) -> Tensor<f32> {
    let rank = kernel.ndim() as isize - 2;
    kernel.permute([rank + 1, rank].into_iter().chain(0..rank).collect::<Vec<isize>>())
}

/// A kernel `[size.., channels, multiplier]` of each channel by itself as `[channels * multiplier, 1, size..]`.
fn turned_depthwise(kernel: &Tensor<f32>) -> Tensor<f32> {
    let (size, [channels, multiplier]) = kernel.shape().split_at(kernel.ndim() - 2) else {
        unreachable!("a kernel ends in two axes")
    };
    turned(&kernel.reshape([size, &[1, channels * multiplier]].concat()))
}

/// The convolution of a value with a kernel that has been turned.
fn convolve(
    place: &mut Place<'_>,
    x: &Value,
    windows: &Windows<'_>,
    groups: usize,
    [kernel, bias]: [Option<&str>; 2],
    filters: usize,
) -> Value {
    let Windowed { x, widths, shape, .. } = windows.over(place, x, filters, 0.0);
    let inputs: Vec<&str> = [Some(&*x.name), kernel, bias].into_iter().flatten().collect();
    let mut attributes = windows.attributes(&widths);
    attributes.extend([ints("dilations", windows.dilation), int("group", groups as i64)]);
    let name = place.node("Conv", &inputs, attributes);
    Value { name, shape, ..x }
}

/// The input without what stands at padding, which the windows would see.
fn there(place: &mut Place<'_>, x: &Value) -> Value {
    match x.mask.clone() {
        Some(mask) => place.cleared(x, &mask),
        None => x.clone(),
    }
}

fn bias(place: &mut Place<'_>, use_bias: bool) -> Result<Option<String>> {
    use_bias.then(|| place.written("bias")).transpose()
}

/// Conv1D, Conv2D, Conv3D.
pub(super) fn conv(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        filters: usize,
        kernel_size: Vec<usize>,
        strides: Vec<usize>,
        padding: Padding,
        dilation_rate: Vec<usize>,
        groups: usize,
        activation: Activation,
        use_bias: bool,
    }
    let Options { filters, kernel_size, strides, padding, dilation_rate, groups, activation, use_bias } =
        place.options(config)?;
    let windows = Windows { size: &kernel_size, strides: &strides, dilation: &dilation_rate, padding: &padding };
    let x = there(place, place.one(inputs)?);
    let kernel = place.turned("kernel", "filters first", |kernel| Ok(turned(&kernel)))?;
    let bias = bias(place, use_bias)?;
    let y = convolve(place, &x, &windows, groups, [Some(&kernel), bias.as_deref()], filters);
    Ok(vec![activate(place, activation, &y)])
}

/// DepthwiseConv1D, DepthwiseConv2D.
pub(super) fn depthwise(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        kernel_size: Vec<usize>,
        strides: Vec<usize>,
        padding: Padding,
        depth_multiplier: usize,
        dilation_rate: Vec<usize>,
        activation: Activation,
        use_bias: bool,
    }
    let Options { kernel_size, strides, padding, depth_multiplier, dilation_rate, activation, use_bias } =
        place.options(config)?;
    let windows = Windows { size: &kernel_size, strides: &strides, dilation: &dilation_rate, padding: &padding };
    let x = there(place, place.one(inputs)?);
    let channels = channels(place, &x)?;
    let kernel = place.turned("kernel", "filters first", |kernel| Ok(turned_depthwise(&kernel)))?;
    let bias = bias(place, use_bias)?;
    let y = convolve(place, &x, &windows, channels, [Some(&kernel), bias.as_deref()], channels * depth_multiplier);
    Ok(vec![activate(place, activation, &y)])
}

/// SeparableConv1D, SeparableConv2D.
pub(super) fn separable(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        filters: usize,
        kernel_size: Vec<usize>,
        strides: Vec<usize>,
        padding: Padding,
        depth_multiplier: usize,
        dilation_rate: Vec<usize>,
        activation: Activation,
        use_bias: bool,
    }
    let Options { filters, kernel_size, strides, padding, depth_multiplier, dilation_rate, activation, use_bias } =
        place.options(config)?;
    let windows = Windows { size: &kernel_size, strides: &strides, dilation: &dilation_rate, padding: &padding };
    let x = there(place, place.one(inputs)?);
    let channels = channels(place, &x)?;
    let depthwise = place.turned("depthwise_kernel", "filters first", |kernel| Ok(turned_depthwise(&kernel)))?;
    let y = convolve(place, &x, &windows, channels, [Some(&depthwise), None], channels * depth_multiplier);
    let pointwise = place.turned("pointwise_kernel", "filters first", |kernel| Ok(turned(&kernel)))?;
    let ones = vec![1; kernel_size.len()];
    let windows = Windows { size: &ones, strides: &ones, dilation: &ones, padding: &Padding::Valid };
    let bias = bias(place, use_bias)?;
    let y = convolve(place, &y, &windows, 1, [Some(&pointwise), bias.as_deref()], filters);
    Ok(vec![activate(place, activation, &y)])
}

/// The channels of a value `[n, spatial.., channels]`.
pub(super) fn channels(place: &Place<'_>, x: &Value) -> Result<usize> {
    x.length(x.rank()).ok_or_else(|| place.error("the number of its channels is free", "fix it"))
}

/// Conv1DTranspose, Conv2DTranspose, Conv3DTranspose.
pub(super) fn transposed(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        filters: usize,
        kernel_size: Vec<usize>,
        strides: Vec<usize>,
        padding: Padding,
        output_padding: Option<Vec<usize>>,
        dilation_rate: Vec<usize>,
        activation: Activation,
        use_bias: bool,
    }
    let Options { filters, kernel_size, strides, padding, output_padding, dilation_rate, activation, use_bias } =
        place.options(config)?;
    let x = place.one(inputs)?;
    let (mut widths, mut extra, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for (axis, &stride) in strides.iter().enumerate() {
        let window = (kernel_size[axis] - 1) * dilation_rate[axis] + 1;
        let given = output_padding.as_ref().map(|output_padding| output_padding[axis]);
        // How much longer than `(length - 1) * stride` the output is, whatever the length.
        let beyond = match (&padding, given) {
            (Padding::Valid, given) => window + given.unwrap_or(stride.saturating_sub(window)),
            (Padding::Same, Some(extra)) => window % 2 + extra,
            (Padding::Same, None) => stride,
            (Padding::Explicit(pairs), given) => window + given.unwrap_or(0) - (pairs[axis].0 + pairs[axis].1),
            (Padding::Causal, _) => return Err(place.error("cannot be padded causally", "")),
        };
        let (before, after) = match &padding {
            Padding::Explicit(pairs) => pairs[axis],
            Padding::Same => {
                let total = window.saturating_sub(beyond);
                (total / 2, total.div_ceil(2))
            }
            _ => (0, 0),
        };
        widths.push((before, after));
        extra.push(beyond + before + after - window);
        let name = format!("{}_length_{}", place.path, axis + 1);
        shape.push(x.shape[axis].map(name, |length| (length - 1) * stride + beyond));
    }
    shape.push(Length::Is(filters));
    let x = place.channels_first(x);
    // `[size.., filters, channels]` to `[channels, filters, size..]`.
    let kernel = place.turned("kernel", "filters first", |kernel| Ok(turned(&kernel)))?;
    let bias = bias(place, use_bias)?;
    let inputs: Vec<&str> = [Some(&*x.name), Some(&*kernel), bias.as_deref()].into_iter().flatten().collect();
    let windows = Windows { size: &kernel_size, strides: &strides, dilation: &dilation_rate, padding: &padding };
    let mut attributes = windows.attributes(&widths);
    attributes.extend([ints("dilations", &dilation_rate), ints("output_padding", &extra)]);
    let y = Value { name: place.node("ConvTranspose", &inputs, attributes), shape, ..x };
    Ok(vec![activate(place, activation, &y)])
}
