//! Resize and Upsample: each new element is a weighted sum of old ones along each axis.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};

use super::call::{Call, Outputs, floats, shape_of};
use super::value::Value;

/// How the axes are resized.
struct How<'a> {
    mode: &'a str,
    coordinates: &'a str,
    nearest: &'a str,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
}

/// One axis: its lengths, the scale, and the part of it that is cropped.
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    crop: (f64, f64),
}

/// The scales are the input behind x, and before opset 9 an attribute. Resize before opset 11 is the same.
pub(crate) fn upsample<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let scales = call.floats_list("scales")?.map_or_else(|| numbers(call, 1), |scales| Ok(Some(scales)))?;
    let scales = scales.ok_or("the scales are missing")?;
    let how = How {
        mode: call.text("mode", "nearest")?,
        coordinates: "asymmetric",
        nearest: "floor",
        cubic: -0.75,
        exclude_outside: false,
        antialias: false,
    };
    let all: Vec<usize> = (0..x.ndim()).collect();
    let axes = scaled(x, &all, &scales, &vec![(0.0, 1.0); x.ndim()])?;
    floats(resized(call, x, &all, &axes, &how, None)?)
}

pub(crate) fn resize<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    if call.opset < 11 {
        return upsample(call);
    }
    let as_floats = match call.value(0)? {
        Value::Ints(x, _) => Some(Var::from(x.to::<T>())),
        _ => None,
    };
    let x = as_floats.as_ref().map_or_else(|| call.floats(0), Ok)?;
    let how = How {
        mode: call.text("mode", "nearest")?,
        coordinates: call.text("coordinate_transformation_mode", "half_pixel")?,
        nearest: call.text("nearest_mode", "round_prefer_floor")?,
        cubic: call.float("cubic_coeff_a", -0.75)?,
        exclude_outside: call.flag("exclude_outside", false)?,
        antialias: call.flag("antialias", false)?,
    };
    let named = call.places(call.numbers("axes")?.map(<[i64]>::to_vec), x.ndim())?;
    let named = named.unwrap_or_else(|| (0..x.ndim()).collect());
    let roi = numbers(call, 1)?.filter(|roi| !roi.is_empty() && how.coordinates == "tf_crop_and_resize");
    let crops: Vec<(f64, f64)> = match roi {
        None if how.coordinates == "tf_crop_and_resize" => return Err("the part to crop, roi, is missing".to_owned()),
        None => vec![(0.0, 1.0); named.len()],
        Some(roi) if roi.len() == 2 * named.len() => {
            (0..named.len()).map(|axis| (roi[axis], roi[axis + named.len()])).collect()
        }
        Some(roi) => {
            return Err(format!("roi should be two numbers for each of {} axes, found {}", named.len(), roi.len()));
        }
    };
    let scales = numbers(call, 2)?.filter(|scales| !scales.is_empty());
    let sizes = call.optional_list(3)?.filter(|sizes| !sizes.is_empty());
    let axes = match (scales, sizes) {
        (Some(scales), None) => scaled(x, &named, &scales, &crops)?,
        (None, Some(sizes)) => sized_axes(call, x, &named, &sizes, &crops)?,
        _ => return Err("either scales or sizes are needed".to_owned()),
    };
    let outside =
        (how.coordinates == "tf_crop_and_resize").then(|| call.float("extrapolation_value", 0.0)).transpose()?;
    let y = resized(call, x, &named, &axes, &how, outside)?;
    Ok(vec![match call.value(0)? {
        Value::Ints(_, whole) => Value::Ints(y.value().round().to(), *whole),
        _ => Value::Floats(y),
    }])
}

fn numbers<T: Float>(call: &Call<'_, T>, index: usize) -> Result<Option<Vec<f64>>, String> {
    let Some(numbers) = call.optional_floats(index)? else { return Ok(None) };
    Ok(Some(numbers.value().iter().map(Float::as_f64).collect()))
}

fn scaled<T: Float>(x: &Var<T>, named: &[usize], scales: &[f64], crops: &[(f64, f64)]) -> Result<Vec<Axis>, String> {
    if scales.len() != named.len() || scales.iter().any(|scale| !scale.is_finite() || *scale <= 0.0) {
        return Err(format!("a scale above 0 for each of {} axes is needed, found {scales:?}", named.len()));
    }
    let axis = |((&axis, &scale), &crop): ((&usize, &f64), &(f64, f64))| {
        let from = x.shape()[axis];
        let length = (from as f64 * (crop.1 - crop.0) * scale).floor();
        Axis { from, to: length.max(0.0) as usize, scale, crop }
    };
    Ok(named.iter().zip(scales).zip(crops).map(axis).collect())
}

fn sized_axes<T: Float>(
    call: &Call<'_, T>,
    x: &Var<T>,
    named: &[usize],
    sizes: &[i64],
    crops: &[(f64, f64)],
) -> Result<Vec<Axis>, String> {
    let sizes = shape_of(sizes)?;
    if sizes.len() != named.len() {
        return Err(format!("a length for each of {} axes is needed, found {}", named.len(), sizes.len()));
    }
    let ratio = |place: usize| sizes[place] as f64 / (x.shape()[named[place]] as f64).max(1.0);
    let ratios = || (0..named.len()).map(ratio);
    let kept = match call.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => None,
        "not_larger" => Some(ratios().fold(f64::INFINITY, f64::min)),
        "not_smaller" => Some(ratios().fold(0.0, f64::max)),
        other => return Err(format!("the policy {other:?} is not known")),
    };
    let axis = |place: usize| {
        let from = x.shape()[named[place]];
        let (to, scale) = match kept {
            None => (sizes[place], ratio(place)),
            Some(scale) => ((from as f64 * scale).round() as usize, scale),
        };
        let crop = crops[place];
        Axis { from, to, scale: if crop == (0.0, 1.0) { scale } else { scale / (crop.1 - crop.0) }, crop }
    };
    Ok((0..named.len()).map(axis).collect())
}

fn resized<T: Float>(
    call: &Call<'_, T>,
    x: &Var<T>,
    named: &[usize],
    axes: &[Axis],
    how: &How<'_>,
    outside: Option<f64>,
) -> Result<Var<T>, String> {
    let mut shape = x.shape().to_vec();
    named.iter().zip(axes).for_each(|(&place, axis)| shape[place] = axis.to);
    let shape = super::call::sized(&shape.into())?;
    if let Some(Value::Floats(y)) = call.outline(&shape) {
        return Ok(y);
    }
    if axes.iter().any(|axis| axis.from == 0 && axis.to > 0) {
        return Err("there are no elements to resize".to_owned());
    }
    let mut y = x.clone();
    for (&place, axis) in named.iter().zip(axes) {
        if axis.from == 0 || axis.to == axis.from && axis.scale == 1.0 && axis.crop == (0.0, 1.0) {
            continue;
        }
        let centres: Vec<f64> = (0..axis.to).map(|index| centre(index, axis, how)).collect::<Result<_, _>>()?;
        y = match how.mode {
            "nearest" => {
                let from = centres.iter().map(|&at| nearest(at, axis.from, how)).collect::<Result<Vec<i64>, _>>()?;
                y.index_select(place as isize, &from.into_iter().collect::<Tensor<i64>>())
            }
            "linear" | "cubic" => {
                let matrix = weights(&centres, axis, how);
                let matrix =
                    Var::from(matrix.into_iter().map(T::of).collect::<Tensor<T>>().reshape([axis.to, axis.from]));
                let last = y.ndim() as isize - 1;
                y.swap_axes(place as isize, last).matmul(&matrix.t()).swap_axes(place as isize, last)
            }
            other => return Err(format!("the mode {other:?} is not read, only nearest, linear and cubic")),
        };
        if let Some(outside) = outside {
            let mut along = vec![1; y.ndim()];
            along[place] = axis.to;
            let last = axis.from as f64 - 1.0;
            let is_outside: Tensor<bool> = centres.iter().map(|&at| at < 0.0 || at > last).collect();
            y = Var::where_(&is_outside.reshape(along), T::of(outside), y);
        }
    }
    Ok(y)
}

/// The place among the old elements at which a new one lies.
fn centre(index: usize, axis: &Axis, how: &How<'_>) -> Result<f64, String> {
    let (at, from, to) = (index as f64, axis.from as f64, axis.to as f64);
    Ok(match how.coordinates {
        "half_pixel" => (at + 0.5) / axis.scale - 0.5,
        "half_pixel_symmetric" => {
            // As if the length were not rounded down, around the middle.
            let adjusted = to / (from * axis.scale);
            let offset = from / 2.0 * (1.0 - adjusted);
            offset + (at + 0.5) / axis.scale - 0.5
        }
        "pytorch_half_pixel" => {
            if axis.to > 1 {
                (at + 0.5) / axis.scale - 0.5
            } else {
                0.0
            }
        }
        // The new length before it is rounded down.
        "align_corners" => {
            if axis.to > 1 {
                at * (from - 1.0) / (from * axis.scale - 1.0)
            } else {
                0.0
            }
        }
        "asymmetric" => at / axis.scale,
        "tf_crop_and_resize" => {
            let (start, end) = axis.crop;
            match axis.to {
                1 => 0.5 * (start + end) * (from - 1.0),
                _ => start * (from - 1.0) + at * (end - start) * (from - 1.0) / (to - 1.0),
            }
        }
        other => return Err(format!("the coordinate_transformation_mode {other:?} is not known")),
    })
}

fn nearest(at: f64, length: usize, how: &How<'_>) -> Result<i64, String> {
    let place = match how.nearest {
        "round_prefer_floor" => (at - 0.5).ceil(),
        "round_prefer_ceil" => (at + 0.5).floor(),
        "floor" => at.floor(),
        "ceil" => at.ceil(),
        other => return Err(format!("the nearest_mode {other:?} is not known")),
    };
    Ok((place as i64).clamp(0, length as i64 - 1))
}

/// The weights of the old elements for each new one, `[to, from]`, row by row.
fn weights(centres: &[f64], axis: &Axis, how: &How<'_>) -> Vec<f64> {
    // When an axis becomes shorter, an antialiasing filter is as much wider.
    let wider = if how.antialias && axis.scale < 1.0 { axis.scale.recip() } else { 1.0 };
    let reach = if how.mode == "cubic" { 2.0 } else { 1.0 } * wider;
    let mut weights = vec![0.0; axis.to * axis.from];
    for (row, &at) in weights.chunks_exact_mut(axis.from).zip(centres) {
        let mut sum = 0.0;
        let (first, last) = ((at - reach).floor() as i64, (at + reach).ceil() as i64);
        for place in first..=last {
            let weight = filter((at - place as f64) / wider, how);
            let is_inside = (0..axis.from as i64).contains(&place);
            if weight == 0.0 || (!is_inside && how.exclude_outside) {
                continue;
            }
            row[place.clamp(0, axis.from as i64 - 1) as usize] += weight;
            sum += weight;
        }
        if sum != 0.0 {
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
    }
    weights
}

/// The weight of an element at this distance.
fn filter(distance: f64, how: &How<'_>) -> f64 {
    let d = distance.abs();
    match (how.mode, how.cubic) {
        ("cubic", a) if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        ("cubic", a) if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
        ("cubic", _) => 0.0,
        _ => (1.0 - d).max(0.0),
    }
}
