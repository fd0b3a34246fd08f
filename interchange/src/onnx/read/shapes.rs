//! Operators that move elements, or tell and make shapes.

use gradus_autograd::Var;
use gradus_tensor::{Float, PadMode, Shape, Tensor};

use super::call::{Call, Outputs, broadcast, place, shape_of, sized};
use super::elementwise::converted;
use super::value::{Kind, Value, concat, each, joined};

fn one<T: Float>(value: Value<T>) -> Outputs<T> {
    Ok(vec![value])
}

/// A length of -1 is what is left, one of 0 that of the input, unless `allowzero`.
pub(crate) fn reshape<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let asked = call.attribute_or_input("shape", 1)?.ok_or("the shape is missing")?;
    let keeps = !call.flag("allowzero", false)?;
    let mut lengths = Vec::with_capacity(asked.len());
    let mut left = None;
    for (axis, &length) in asked.iter().enumerate() {
        lengths.push(match length {
            -1 if left.is_none() => {
                left = Some(axis);
                1
            }
            0 if keeps => *x.shape().get(axis).ok_or_else(|| format!("there is no length to keep for axis {axis}"))?,
            length => usize::try_from(length).map_err(|_| format!("{asked:?} is no shape"))?,
        });
    }
    let known = lengths.iter().try_fold(1_usize, |known, &length| known.checked_mul(length));
    let known = known.ok_or_else(|| format!("{asked:?} is too large"))?;
    if let Some(axis) = left {
        if known == 0 || !x.shape().size().is_multiple_of(known) {
            return Err(format!("{} elements cannot have the shape {asked:?}", x.shape().size()));
        }
        lengths[axis] = x.shape().size() / known;
    } else if known != x.shape().size() {
        return Err(format!("{} elements cannot have the shape {asked:?}", x.shape().size()));
    }
    let shape = Shape::from(lengths);
    one(call.outline_of(x, &shape).unwrap_or_else(|| x.reshape(&shape)))
}

pub(crate) fn flatten<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let (axis, rank) = (call.int("axis", 1)?, x.shape().len());
    let axis = if axis == rank as i64 { rank } else { place(axis, rank)? };
    let (rows, columns) = x.shape().split_at(axis);
    let shape = Shape::from([rows.iter().product::<usize>(), columns.iter().product()]);
    one(call.outline_of(x, &shape).unwrap_or_else(|| x.reshape(&shape)))
}

pub(crate) fn transpose<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let rank = x.shape().len();
    let order = match call.places(call.numbers("perm")?.map(<[i64]>::to_vec), rank)? {
        None => (0..rank).rev().collect(),
        Some(order) if order.len() == rank => order,
        Some(order) => return Err(format!("{order:?} is no order of {rank} axes")),
    };
    one(x.permute(&order.into_iter().map(|axis| axis as isize).collect::<Vec<_>>()))
}

pub(crate) fn squeeze<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axes = call.places(call.attribute_or_input("axes", 1)?, x.shape().len())?;
    if let Some(axis) = axes.iter().flatten().find(|axis| x.shape()[**axis] != 1) {
        return Err(format!("axis {axis} should have the length 1, found {}", x.shape()[*axis]));
    }
    let goes = |axis: usize, length: usize| axes.as_ref().map_or(length == 1, |axes| axes.contains(&axis));
    let kept = x.shape().iter().enumerate().filter(|(axis, length)| !goes(*axis, **length)).map(|(_, length)| *length);
    one(x.reshape(kept.collect::<Shape>()))
}

pub(crate) fn unsqueeze<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axes = call.attribute_or_input("axes", 1)?.ok_or("the axes are missing")?;
    let rank = x.shape().len() + axes.len();
    let axes = call.places(Some(axes), rank)?.unwrap_or_default();
    let mut lengths = x.shape().iter();
    let next = |axis| if axes.contains(&axis) { 1 } else { *lengths.next().expect("the other axes are those of x") };
    one(x.reshape((0..rank).map(next).collect::<Shape>()))
}

pub(crate) fn shape<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let shape = call.value(0)?.shape();
    let rank = shape.len() as i64;
    let bound = |name, default| -> Result<usize, String> {
        let bound = call.int(name, default)?;
        Ok((if bound < 0 { bound.saturating_add(rank) } else { bound }).clamp(0, rank) as usize)
    };
    let (start, end) = (bound("start", 0)?, bound("end", rank)?);
    one(Value::longs(shape[start.min(end)..end].iter().map(|&length| length as i64).collect()))
}

pub(crate) fn size<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    one(Value::longs(Tensor::scalar(call.value(0)?.shape().size() as i64)))
}

pub(crate) fn expand<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let shape = broadcast(x.shape(), &shape_of(&call.list(1)?)?)?;
    one(x.broadcast_to(&shape))
}

pub(crate) fn tile<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let counts = shape_of(&call.list(1)?)?;
    if counts.len() != x.shape().len() {
        return Err(format!("a count for each of {} axes is needed, found {}", x.shape().len(), counts.len()));
    }
    let lengths = x.shape().iter().zip(counts.iter()).map(|(length, count)| length.saturating_mul(*count));
    let shape = sized(&lengths.collect())?;
    one(call.outline_of(x, &shape).unwrap_or_else(|| each!(x, x => x.tile(&counts))))
}

pub(crate) fn join<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let values = (0..call.inputs.len()).map(|index| call.value(index)).collect::<Result<Vec<_>, _>>()?;
    let rank = call.value(0)?.shape().len();
    let axis = place(call.int("axis", 1)?, rank)?;
    let shape = joined(&values, axis)?;
    if let Some(outline) = call.outline_of(values[0], &shape) {
        return one(outline);
    }
    one(concat(&values, axis)?)
}

pub(crate) fn split<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.int("axis", 0)?, x.shape().len())?;
    let (length, outputs) = (x.shape()[axis], call.node.outputs.len());
    let lengths: Vec<usize> = match call.attribute_or_input("split", 1)? {
        Some(lengths) => shape_of(&lengths)?.to_vec(),
        None => {
            let parts = usize::try_from(call.int("num_outputs", outputs as i64)?).unwrap_or(0);
            if parts == 0 || parts != outputs {
                return Err(format!("num_outputs is {parts}, and there are {outputs} outputs"));
            }
            let part = length.div_ceil(parts);
            (0..parts).map(|index| length.saturating_sub(index * part).min(part)).collect()
        }
    };
    if lengths.iter().sum::<usize>() != length || lengths.len() != outputs {
        return Err(format!("an axis of length {length} cannot be cut into {outputs} parts of lengths {lengths:?}"));
    }
    let mut start = 0;
    let mut part = |length: usize| {
        start += length;
        x.slice(axis, start - length, start, 1)
    };
    Ok(lengths.into_iter().map(&mut part).collect())
}

/// Negative widths cut elements off.
pub(crate) fn pad<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let mut x = call.value(0)?.clone();
    let rank = x.shape().len();
    let pads = call.attribute_or_input("pads", 1)?.ok_or("the widths are missing")?;
    let axes = call.places(call.optional_list(3)?, rank)?.unwrap_or_else(|| (0..rank).collect());
    if pads.len() != 2 * axes.len() {
        return Err(format!("two widths for each of {} axes are needed, found {}", axes.len(), pads.len()));
    }
    let mut widths = vec![(0_usize, 0_usize); rank];
    for (index, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[index], pads[index + axes.len()]);
        let length = x.shape()[axis];
        let cut = |width: i64| usize::try_from(width.saturating_neg()).unwrap_or(0);
        if cut(before).saturating_add(cut(after)) > length {
            return Err(format!("more than the {length} elements of axis {axis} are cut off: {before} and {after}"));
        }
        x = x.slice(axis, cut(before), length - cut(after), 1);
        let width = |width: i64| usize::try_from(width.max(0)).unwrap_or(usize::MAX);
        widths[axis] = (width(before), width(after));
    }
    let padded = x.shape().iter().zip(&widths).map(|(length, (a, b))| length.saturating_add(*a).saturating_add(*b));
    let shape = sized(&padded.collect())?;
    let mode = call.text("mode", "constant")?;
    let long = |needed: fn(usize, usize) -> usize| {
        let too_short = x.shape().iter().zip(&widths).find(|(length, (a, b))| a + b > 0 && **length < needed(*a, *b));
        too_short.map_or(Ok(()), |(length, widths)| {
            Err(format!("an axis of length {length} is too short for {mode} by {widths:?}"))
        })
    };
    if ["constant", "reflect", "edge", "wrap"].contains(&mode)
        && let Some(outline) = call.outline_of(&x, &shape)
    {
        return one(outline);
    }
    one(match mode {
        "constant" => match (&x, call.optional(2)) {
            (Value::Floats(x), fill) => {
                let fill = fill.map(|_| call.floats(2)).transpose()?.and_then(|fill| fill.value().iter().next());
                let fill = fill.map_or_else(|| call.float("value", 0.0).map(T::of), Ok)?;
                Value::Floats(x.pad(&widths, fill))
            }
            (Value::Ints(x, whole), fill) => {
                Value::Ints(x.pad(&widths, fill.map_or(Ok(0), |_| call.number(2))?), *whole)
            }
            (Value::Mask(x), fill) => {
                let fill = fill.map(|_| call.mask(2)).transpose()?.is_some_and(|fill| fill.iter().any(|fill| fill));
                Value::Mask(x.pad(&widths, fill))
            }
        },
        "reflect" => {
            long(|a, b| a.max(b) + 1)?;
            each!(&x, x => x.pad(&widths, PadMode::Reflect))
        }
        "edge" => {
            long(|_, _| 1)?;
            each!(&x, x => x.pad(&widths, PadMode::Replicate))
        }
        "wrap" => {
            long(|_, _| 1)?;
            let mut x = x;
            for (axis, &(before, after)) in widths.iter().enumerate().filter(|(_, width)| **width != (0, 0)) {
                let length = x.shape()[axis] as i64;
                let places = (-(before as i64)..length + after as i64).map(|place| place.rem_euclid(length));
                x = x.take(axis, &places.collect());
            }
            x
        }
        other => return Err(format!("the mode {other:?} is not read, only constant, reflect, edge and wrap")),
    })
}

/// `[n, c, h, w]` to `[n, c / b^2, b h, b w]`.
pub(crate) fn depth_to_space<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let block = usize::try_from(call.int("blocksize", 0)?).unwrap_or(0);
    let (&[n, c, h, w], true) = (&x.shape()[..], block > 0) else {
        return Err("takes [n, channels, height, width] and a blocksize of 1 or more".to_owned());
    };
    let square = block.checked_mul(block).filter(|square| c.is_multiple_of(*square));
    let depth = c / square.ok_or_else(|| format!("{c} channels are no multiple of {block} x {block}"))?;
    let (split, order) = match call.text("mode", "DCR")? {
        "DCR" => ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(format!("the mode should be DCR or CRD, found {other:?}")),
    };
    one(x.reshape(split).permute(&order).reshape([n, depth, h * block, w * block]))
}

/// `[n, c, h, w]` to `[n, b^2 c, h / b, w / b]`.
pub(crate) fn space_to_depth<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let block = usize::try_from(call.int("blocksize", 0)?).unwrap_or(0);
    let (&[n, c, h, w], true) = (&x.shape()[..], block > 0) else {
        return Err("takes [n, channels, height, width] and a blocksize of 1 or more".to_owned());
    };
    if !h.is_multiple_of(block) || !w.is_multiple_of(block) {
        return Err(format!("height and width {h} x {w} are no multiples of {block}"));
    }
    let split = x.reshape([n, c, h / block, block, w / block, block]).permute(&[0, 3, 5, 1, 2, 4]);
    one(split.reshape([n, c * block * block, h / block, w / block]))
}

pub(crate) fn constant_of_shape<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let shape = shape_of(&call.list(0)?)?;
    let fill = match call.tensor("value")? {
        None => Value::zeros(Kind::Floats, &Shape::from([])),
        Some(constant) => constant.value(),
    };
    if fill.shape().size() != 1 {
        return Err(format!("the value should be one number, found the shape {}", fill.shape()));
    }
    one(fill.reshape(Shape::from([])).broadcast_to(&shape))
}

pub(crate) fn range<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match call.value(0)? {
        Value::Ints(_, whole) => {
            let (start, limit, step) = (call.number(0)?, call.number(1)?, call.number(2)?);
            if step == 0 {
                return Err("the step is 0".to_owned());
            }
            let reach = i128::from(limit) - i128::from(start);
            let count = (reach + i128::from(step) - i128::from(step.signum())).div_euclid(i128::from(step)).max(0);
            let count = if (reach > 0) == (step > 0) && reach != 0 { count } else { 0 };
            shape_of(&[i64::try_from(count).unwrap_or(i64::MAX)])?;
            let numbers = (0..count as i64).map(|index| start + index * step);
            one(whole.of(&numbers.collect()))
        }
        Value::Floats(_) => {
            let number = |index| -> Result<T, String> {
                let number = call.floats(index)?;
                if number.value().size() != 1 {
                    return Err(format!("input {index} should be one number, found the shape {}", number.shape()));
                }
                Ok(number.value().reshape(Shape::from([])).item())
            };
            let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
            let count = ((limit - start) / step).as_f64().ceil();
            if !count.is_finite() {
                return Err("the number of steps is not finite".to_owned());
            }
            shape_of(&[count.max(0.0) as i64])?;
            let numbers = (0..count.max(0.0) as usize).map(|index| start + T::of(index as f64) * step);
            one(Value::Floats(Var::from(numbers.collect::<Tensor<T>>())))
        }
        Value::Mask(_) => Err("takes numbers".to_owned()),
    }
}

pub(crate) fn eye_like<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let &[rows, columns] = &x.shape()[..] else { return Err("takes a matrix".to_owned()) };
    let kind = match call.has("dtype") {
        false => x.kind(),
        true => {
            let number = call.int("dtype", 0)? as i32;
            Kind::of_element(number).ok_or_else(|| format!("does not make {}", super::value::element_name(number)))?
        }
    };
    let k = call.int("k", 0)?;
    let there =
        (0..rows as i64).flat_map(|row| (0..columns as i64).map(move |column| column.checked_sub(row) == Some(k)));
    one(converted(&Value::Mask(there.collect::<Tensor<bool>>().reshape([rows, columns])), kind))
}

/// The upper or the lower triangle of the two last axes.
pub(crate) fn trilu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let k = call.optional(1).map_or(Ok(0), |_| call.number(1))?;
    let upper = call.flag("upper", true)?;
    let &[.., rows, columns] = &x.shape()[..] else { return Err("takes matrices".to_owned()) };
    let is_kept = |row: i64, column: i64| {
        let above = (column - row).cmp(&k);
        if upper { above.is_ge() } else { above.is_le() }
    };
    let kept = (0..rows as i64).flat_map(|row| (0..columns as i64).map(move |column| is_kept(row, column)));
    let kept = kept.collect::<Tensor<bool>>().reshape([rows, columns]);
    one(super::elementwise::choose(&kept, x, &Value::zeros(x.kind(), &Shape::from([])))?)
}

/// The sequences of one length each, up to there in reverse.
pub(crate) fn reverse_sequence<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let (time, batch) = (call.int("time_axis", 0)?, call.int("batch_axis", 1)?);
    if (time, batch) != (0, 1) && (time, batch) != (1, 0) || x.shape().len() < 2 {
        return Err("the axes of time and batch should be 0 and 1, or 1 and 0".to_owned());
    }
    let lengths = call.list(1)?;
    let steps = x.shape()[time as usize];
    if lengths.len() != x.shape()[batch as usize] || lengths.iter().any(|&length| length < 0 || length > steps as i64) {
        return Err(format!("a length of up to {steps} for each sequence is needed, found {lengths:?}"));
    }
    let rest: Shape = x.shape()[2..].into();
    let samples = lengths.len();
    let by_time = if time == 0 { x.clone() } else { swapped(x) };
    let rows = by_time.reshape(Shape::from([steps * samples]).join(&rest));
    let from = (0..steps).flat_map(|step| {
        lengths.iter().enumerate().map(move |(sample, &length)| {
            let length = length as usize;
            let step = if step < length { length - 1 - step } else { step };
            (step * samples + sample) as i64
        })
    });
    let turned = rows.take(0, &from.collect()).reshape(Shape::from([steps, samples]).join(&rest));
    one(if time == 0 { turned } else { swapped(&turned) })
}

/// The two first axes swapped.
fn swapped<T: Float>(x: &Value<T>) -> Value<T> {
    each!(x, x => x.swap_axes(0, 1))
}
