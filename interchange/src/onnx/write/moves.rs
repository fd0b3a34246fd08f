//! Layers that move numbers: other shapes, edges added and cut off, pictures of another size, inputs joined.

use gradus_nn::{Interpolation, Result};
use serde::Deserialize;
use serde_json::Value as Json;

use super::elementwise::axis_option;
use super::graph::{Length, Target, Value, int, text};
use super::place::Place;

/// Flatten.
pub(super) fn flatten(place: &mut Place<'_>, _config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let x = place.one(inputs)?;
    let x = place.plain(x);
    let name = place.node("Flatten", &[&x.name], vec![int("axis", 1)]);
    let size = x.fixed().map(|lengths| lengths.iter().product());
    let size = size.map_or_else(|| Length::Free(format!("{}_size", place.path)), Length::Is);
    Ok(vec![Value::new(name, vec![size])])
}

/// Reshape.
pub(super) fn reshape(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        target_shape: Vec<isize>,
    }
    let Options { target_shape } = place.options(config)?;
    let x = place.one(inputs)?;
    let known: usize = target_shape.iter().filter(|&&length| length > 0).map(|&length| length.unsigned_abs()).product();
    let left: Option<usize> = x.fixed().map(|lengths| lengths.iter().product::<usize>() / known.max(1));
    let (mut to, mut shape) = (vec![Target::Of(x, 0)], Vec::new());
    for &length in &target_shape {
        match (usize::try_from(length), left) {
            (Ok(length), _) | (Err(_), Some(length)) => {
                to.push(Target::Is(length));
                shape.push(Length::Is(length));
            }
            (Err(_), None) => {
                to.push(Target::Rest);
                shape.push(Length::Free(format!("{}_rest", place.path)));
            }
        }
    }
    Ok(vec![place.reshaped(x, &to, shape)])
}

/// Permute: nothing is written, the axes are called otherwise.
pub(super) fn permute(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        dims: Vec<usize>,
    }
    let Options { dims } = place.options(config)?;
    let x = place.one(inputs)?;
    let shape = dims.iter().map(|&axis| x.shape[axis - 1].clone()).collect();
    let after = |axis: usize| dims.iter().position(|&dim| dim == axis).map_or(0, |place| place + 1);
    let order = x.order.iter().map(|&axis| after(axis)).collect();
    Ok(vec![x.seen_as(shape, order)])
}

/// RepeatVector.
pub(super) fn repeat_vector(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        n: usize,
    }
    let Options { n } = place.options(config)?;
    let x = place.one(inputs)?;
    let repeated = place.unsqueezed(&x.name, 1);
    let lengths = place.graph.longs(&[1, n as i64, 1]);
    let name = place.node("Expand", &[&repeated, &lengths], vec![]);
    Ok(vec![Value::new(name, vec![Length::Is(n), x.shape[0].clone()])])
}

/// ZeroPadding, ReflectionPadding and ReplicationPadding over one to three axes.
pub(super) fn padding(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        padding: Vec<(usize, usize)>,
    }
    let Options { padding } = place.options(config)?;
    let x = place.one(inputs)?;
    let mode = match &*place.kind {
        kind if kind.starts_with("Zero") => "constant",
        kind if kind.starts_with("Reflection") => "reflect",
        _ => "edge",
    };
    Ok(vec![padded(place, x, &padding, mode, 0.0)])
}

/// A value with elements around its spatial axes.
fn padded(place: &mut Place<'_>, x: &Value, widths: &[(usize, usize)], mode: &str, fill: f64) -> Value {
    let (count, mut shape) = (x.rank() + 1, x.shape.clone());
    let mut pads = vec![0; 2 * count];
    for (axis, &(before, after)) in widths.iter().enumerate().filter(|(_, widths)| **widths != (0, 0)) {
        let stored = x.place(axis + 1);
        (pads[stored], pads[count + stored]) = (before as i64, after as i64);
        let name = format!("{}_length_{}", place.path, axis + 1);
        shape[axis] = x.shape[axis].map(name, |length| length + before + after);
    }
    let pads = place.graph.longs(&pads);
    let fill = place.graph.number(fill);
    // Only constants are filled in.
    let inputs = [&*x.name, &*pads, &*fill];
    let inputs = if mode == "constant" { &inputs[..] } else { &inputs[..2] };
    Value { name: place.node("Pad", inputs, vec![text("mode", mode)]), shape, ..x.clone() }
}

/// Cropping over one to three axes.
pub(super) fn cropping(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        cropping: Vec<(usize, usize)>,
    }
    let Options { cropping } = place.options(config)?;
    let mut x = place.one(inputs)?.clone();
    for (axis, (before, after)) in cropping.into_iter().enumerate().filter(|(_, cropping)| *cropping != (0, 0)) {
        let end = if after == 0 { i64::MAX } else { -(after as i64) };
        let name = format!("{}_length_{}", place.path, axis + 1);
        let length = x.shape[axis].map(name, |length| length.saturating_sub(before + after));
        x = cut(place, &x, axis, [before as i64, end], length);
    }
    Ok(vec![x])
}

/// A value from one place to before another along a spatial axis.
fn cut(place: &mut Place<'_>, x: &Value, axis: usize, [first, end]: [i64; 2], length: Length) -> Value {
    if x.shape[axis] == length {
        return x.clone();
    }
    let mut shape = x.shape.clone();
    shape[axis] = length;
    Value { name: place.slice(&x.name, x.place(axis + 1), [first, end, 1]), shape, ..x.clone() }
}

/// The middle of pictures.
fn middle(place: &mut Place<'_>, x: &Value, whole: [usize; 2], size: [usize; 2]) -> Value {
    (0..2).fold(x.clone(), |x, axis| {
        let first = (whole[axis] - size[axis]) / 2;
        cut(place, &x, axis, [first as i64, (first + size[axis]) as i64], Length::Is(size[axis]))
    })
}

/// CenterCrop.
pub(super) fn center_crop(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        height: usize,
        width: usize,
    }
    let Options { height, width } = place.options(config)?;
    let x = place.one(inputs)?;
    let (whole, size) = (picture(place, x)?, [height, width]);
    if whole[0] >= height && whole[1] >= width {
        return Ok(vec![middle(place, x, whole, size)]);
    }
    Ok(vec![cropped(place, x, whole, size, Interpolation::Linear)])
}

/// Height and width of pictures, which are not free.
fn picture(place: &Place<'_>, x: &Value) -> Result<[usize; 2]> {
    match (x.length(1), x.length(2)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err(place.error("what it does varies with a free height or width", "fix them")),
    }
}

/// Resizing, perhaps with the proportions kept.
pub(super) fn resizing(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        height: usize,
        width: usize,
        interpolation: Interpolation,
        crop_to_aspect_ratio: bool,
        pad_to_aspect_ratio: bool,
        fill_value: f64,
    }
    let options: Options = place.options(config)?;
    let x = place.one(inputs)?;
    let size = [options.height, options.width];
    if !options.crop_to_aspect_ratio && !options.pad_to_aspect_ratio {
        return Ok(vec![resized(place, x, &size, options.interpolation)]);
    }
    let whole = picture(place, x)?;
    if options.crop_to_aspect_ratio {
        return Ok(vec![cropped(place, x, whole, size, options.interpolation)]);
    }
    let lengths = proportional(whole, size);
    let widths = [0, 1].map(|axis| lengths[axis].saturating_sub(whole[axis]) / 2).map(|width| (width, width));
    let x = padded(place, x, &widths, "constant", options.fill_value);
    Ok(vec![resized(place, &x, &size, options.interpolation)])
}

/// Lengths that have the new size's proportions to the other axis.
fn proportional(whole: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| (whole[1 - axis] as f64 * size[axis] as f64 / size[1 - axis] as f64) as usize)
}

/// The largest middle of pictures with the new size's proportions, resized.
fn cropped(place: &mut Place<'_>, x: &Value, whole: [usize; 2], size: [usize; 2], how: Interpolation) -> Value {
    let lengths = proportional(whole, size);
    let kept = middle(place, x, whole, [0, 1].map(|axis| lengths[axis].clamp(1, whole[axis])));
    resized(place, &kept, &size, how)
}

/// A value with these spatial lengths.
fn resized(place: &mut Place<'_>, x: &Value, size: &[usize], how: Interpolation) -> Value {
    let mut shape: Vec<Length> = size.iter().map(|&length| Length::Is(length)).collect();
    shape.extend(x.shape.last().cloned());
    match how {
        Interpolation::Nearest => {
            // Which element is nearest is a matter of whole numbers: a scale would be rounded.
            let mut x = x.clone();
            for (axis, &length) in size.iter().enumerate() {
                let before = x.length(axis + 1);
                if before == Some(length) {
                    continue;
                }
                // (2 place + 1) before / (2 length), rounded down.
                let nearest = (0..length).map(|place| ((2 * place + 1) * before.unwrap_or(1)) as i64);
                let nearest: Vec<i64> = nearest.collect();
                let nearest = match before {
                    Some(_) => place
                        .graph
                        .longs(&nearest.iter().map(|place| place / (2 * length as i64)).collect::<Vec<i64>>()),
                    None => {
                        let (places, twice) = (place.graph.longs(&nearest), place.graph.longs(&[2 * length as i64]));
                        let before = place.length(&x, axis + 1);
                        let places = place.node("Mul", &[&places, &before], vec![]);
                        place.node("Div", &[&places, &twice], vec![])
                    }
                };
                x.name = place.node("Gather", &[&x.name, &nearest], vec![int("axis", x.place(axis + 1) as i64)]);
                x.shape[axis] = Length::Is(length);
            }
            x
        }
        Interpolation::Linear => {
            let x = place.channels_first(x);
            let batch = place.length(&x, 0);
            let channels = place.length(&x, x.rank());
            let lengths = place.graph.longs(&size.iter().map(|&length| length as i64).collect::<Vec<i64>>());
            let lengths = place.node("Concat", &[&batch, &channels, &lengths], vec![int("axis", 0)]);
            let options = vec![text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel")];
            let name = place.node("Resize", &[&x.name, "", "", &lengths], options);
            Value { name, shape, ..x }
        }
    }
}

/// UpSampling over one to three axes, by whole factors.
pub(super) fn up_sampling(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        size: Vec<usize>,
        interpolation: Interpolation,
    }
    let Options { size, interpolation } = place.options(config)?;
    let x = place.one(inputs)?;
    let mut shape = x.shape.clone();
    for (axis, &factor) in size.iter().enumerate() {
        let name = format!("{}_length_{}", place.path, axis + 1);
        shape[axis] = x.shape[axis].map(name, |length| length * factor);
    }
    let x = place.channels_first(x);
    let factors = [1.0, 1.0].into_iter().chain(size.iter().map(|&factor| factor as f32));
    let factors = place.graph.table(&factors.collect());
    // By whole factors no place lies in the middle between two, so it does not matter which way is rounded.
    let mode = match interpolation {
        Interpolation::Nearest => vec![text("mode", "nearest"), text("nearest_mode", "round_prefer_ceil")],
        Interpolation::Linear => vec![text("mode", "linear")],
    };
    let options = [mode, vec![text("coordinate_transformation_mode", "half_pixel")]].concat();
    let name = place.node("Resize", &[&x.name, "", &factors], options);
    Ok(vec![Value { name, shape, ..x }])
}

/// Concatenate.
pub(super) fn concatenate(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let axis = axis_option(place, config)?;
    let Some(first) = inputs.first() else { return Err(place.error("it has no inputs", "")) };
    let axis = first.axis(axis);
    // In the order of one that has been turned, which the next convolution needs too.
    let order =
        inputs.iter().map(|input| &input.order).find(|order| !order.is_sorted()).unwrap_or(&first.order).clone();
    let inputs: Vec<Value> = inputs.iter().map(|input| place.arranged(input, &order)).collect();
    let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
    let mut joined = inputs[0].clone();
    joined.name = place.node("Concat", &names, vec![int("axis", joined.place(axis) as i64)]);
    let sum: Option<usize> = inputs.iter().map(|input| input.length(axis)).sum();
    joined.shape[axis - 1] = sum.map_or_else(|| Length::Free(format!("{}_length_{axis}", place.path)), Length::Is);
    Ok(vec![joined])
}
