//! Operators that take elements by their places, and put them there.

use gradus_tensor::{Float, Shape, Tensor};

use super::call::{Call, Outputs, place, sized};
use super::elementwise::choose;
use super::value::{Kind, Value, concat, each};

/// Places along an axis of this length, counted from -1, the last, too.
fn places(index: &Tensor<i64>, length: usize) -> Result<Tensor<i64>, String> {
    let length = length as i64;
    if let Some(wrong) = index.iter().find(|place| *place < -length || *place >= length) {
        return Err(format!("there is no place {wrong} on an axis of length {length}"));
    }
    Ok(index.map(|place| if place < 0 { place + length } else { place }))
}

pub(crate) fn gather<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.int("axis", 0)?, x.shape().len())?;
    let index = places(call.ints(1)?, x.shape()[axis])?;
    let shape = sized(&Shape::from(&x.shape()[..axis]).join(index.shape()).join(&x.shape()[axis + 1..]))?;
    Ok(vec![call.outline_of(x, &shape).unwrap_or_else(|| x.take(axis, &index))])
}

pub(crate) fn gather_elements<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.int("axis", 0)?, x.shape().len())?;
    let index = places(call.ints(1)?, x.shape()[axis])?;
    check_within(x.shape(), index.shape(), axis)?;
    Ok(vec![each!(x, x => x.gather(axis as isize, &index))])
}

/// Checks that places are along one axis and within the others.
fn check_within(shape: &Shape, index: &Shape, axis: usize) -> Result<(), String> {
    let longer = |(place, (length, count)): (usize, (&usize, &usize))| place != axis && count > length;
    if shape.len() != index.len() || shape.iter().zip(index.iter()).enumerate().any(longer) {
        return Err(format!("places of the shape {index} do not fit {shape} along axis {axis}"));
    }
    Ok(())
}

/// The rows that places of several axes name. Data of `[batch.., axes.., rest..]` are `[rows, width]` then.
struct Rows {
    /// The row of each tuple of places.
    index: Tensor<i64>,
    rows: usize,
    width: usize,
    rest: Shape,
}

/// `index` is `[.., k]`: tuples of places along the k axes behind the first `batch` ones, which both have.
fn rows(shape: &Shape, index: &Tensor<i64>, batch: usize) -> Result<Rows, String> {
    let Some((&k, tuples)) = index.shape().split_last() else {
        return Err("places of several axes need an axis themselves".to_owned());
    };
    if batch + k > shape.len() || batch > tuples.len() || shape[..batch] != tuples[..batch] {
        return Err(format!("places of the shape {} do not fit {shape} with {batch} axes of the batch", index.shape()));
    }
    let axes = &shape[batch..batch + k];
    let samples: usize = shape[..batch].iter().product();
    let per_sample = tuples[batch..].iter().product::<usize>();
    let mut rows = Vec::with_capacity(samples * per_sample);
    let numbers = index.to_vec();
    for tuple in 0..samples * per_sample {
        let mut row = tuple.checked_div(per_sample).unwrap_or(0);
        for (&length, &place) in axes.iter().zip(&numbers[tuple * k..]) {
            let counted = if place < 0 { place.saturating_add(length as i64) } else { place };
            match usize::try_from(counted) {
                Ok(place) if place < length => row = row * length + place,
                _ => return Err(format!("there is no place {place} on an axis of length {length}")),
            }
        }
        rows.push(row as i64);
    }
    let rest = Shape::from(&shape[batch + k..]);
    let count = samples * axes.iter().product::<usize>();
    Ok(Rows { index: rows.into_iter().collect(), rows: count, width: rest.size(), rest })
}

pub(crate) fn gather_nd<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, index) = (call.value(0)?, call.ints(1)?);
    let batch = usize::try_from(call.int("batch_dims", 0)?).map_err(|_| "batch_dims is less than 0")?;
    let Rows { index: rows, rows: count, width, rest } = rows(x.shape(), index, batch)?;
    let tuples = Shape::from(&index.shape()[..index.ndim() - 1]);
    let shape = sized(&tuples.join(&rest))?;
    Ok(vec![x.reshape([count, width]).take(0, &rows).reshape(shape)])
}

pub(crate) fn scatter_nd<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, index, updates) = (call.value(0)?, call.ints(1)?, call.value(2)?);
    let Rows { index: places, rows: count, width, rest } = rows(x.shape(), index, 0)?;
    let expected = Shape::from(&index.shape()[..index.ndim() - 1]).join(&rest);
    if updates.shape() != &expected {
        return Err(format!("updates of shape {expected} are needed, found {}", updates.shape()));
    }
    let (data, updates) = (x.reshape([count, width]), updates.reshape([places.size(), width]));
    Ok(vec![scattered(&data, &places, &updates, call.text("reduction", "none")?)?.reshape(x.shape())])
}

pub(crate) fn scatter_elements<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, updates) = (call.value(0)?, call.value(2)?);
    let axis = place(call.int("axis", 0)?, x.shape().len())?;
    let index = places(call.ints(1)?, x.shape()[axis])?;
    check_within(x.shape(), index.shape(), axis)?;
    if updates.shape() != index.shape() {
        return Err(format!("updates of shape {} are needed, found {}", index.shape(), updates.shape()));
    }
    // The place of each update among all elements.
    let mut flat = Vec::with_capacity(index.size());
    let lengths = index.shape().clone();
    for (number, place) in index.iter().enumerate() {
        let (mut rest, mut at, mut stride) = (number, 0, 1);
        for other in (0..lengths.len()).rev() {
            let here = if other == axis { place as usize } else { rest % lengths[other] };
            rest /= lengths[other];
            at += here * stride;
            stride *= x.shape()[other];
        }
        flat.push(at as i64);
    }
    let data = x.reshape([x.shape().size(), 1]);
    let updates = updates.reshape([flat.len(), 1]);
    Ok(vec![
        scattered(&data, &flat.into_iter().collect(), &updates, call.text("reduction", "none")?)?.reshape(x.shape()),
    ])
}

/// `[rows, width]` with the rows at these places replaced by or merged with others. Later ones of equal places come last.
fn scattered<T: Float>(
    data: &Value<T>,
    index: &Tensor<i64>,
    updates: &Value<T>,
    reduction: &str,
) -> Result<Value<T>, String> {
    let rows = data.shape()[0];
    if data.kind() != updates.kind() {
        return Err("updates of another type".to_owned());
    }
    if !["none", "add", "mul", "max", "min"].contains(&reduction) {
        return Err(format!("the reduction {reduction:?} is not known"));
    }
    if let (Value::Floats(data), Value::Floats(updates), "add") = (data, updates, reduction) {
        return Ok(Value::Floats(data.index_add(0, index, updates)));
    }
    // In each round one update of each row: where there is none, the row stays.
    let mut rounds: Vec<Vec<i64>> = vec![(0..rows as i64).collect()];
    let mut met = vec![0_usize; rows];
    for (update, row) in index.iter().enumerate() {
        let row = row as usize;
        let round = if reduction == "none" { 0 } else { met[row] };
        met[row] += 1;
        if round == rounds.len() {
            rounds.push((0..rows as i64).collect());
        }
        rounds[round][row] = (rows + update) as i64;
    }
    let mut out = data.clone();
    for round in rounds {
        let touched: Tensor<bool> = round.iter().map(|&from| from >= rows as i64).collect();
        let taken = concat(&[&out, updates], 0)?.take(0, &round.into_iter().collect());
        out = if reduction == "none" {
            taken
        } else {
            choose(&touched.unsqueeze(1), &merge(&out, &taken, reduction)?, &out)?
        };
    }
    Ok(out)
}

fn merge<T: Float>(a: &Value<T>, b: &Value<T>, reduction: &str) -> Result<Value<T>, String> {
    Ok(match (a, b) {
        (Value::Floats(a), Value::Floats(b)) => Value::Floats(match reduction {
            "mul" => a * b,
            "max" => a.maximum(b),
            _ => a.minimum(b),
        }),
        (Value::Ints(a, whole), Value::Ints(b, _)) => {
            let of: fn(i64, i64) -> i64 = match reduction {
                "add" => i64::wrapping_add,
                "mul" => i64::wrapping_mul,
                "max" => i64::max,
                _ => i64::min,
            };
            whole.of(&a.clone().zip_map(b, of))
        }
        _ => return Err(format!("masks are not merged by {reduction}")),
    })
}

/// Ranges of axes. Before opset 10 they are attributes.
pub(crate) fn slice<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let mut x = call.value(0)?.clone();
    let starts = call.attribute_or_input("starts", 1)?.ok_or("the starts are missing")?;
    let ends = call.attribute_or_input("ends", 2)?.ok_or("the ends are missing")?;
    let axes = call.places(call.attribute_or_input("axes", 3)?, x.shape().len())?;
    let axes = axes.unwrap_or_else(|| (0..starts.len()).collect());
    let steps = call.optional_list(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    let counts = [starts.len(), ends.len(), axes.len(), steps.len()];
    if counts.iter().any(|&count| count != counts[0]) || axes.len() > x.shape().len() {
        return Err(format!("as many starts, ends, axes and steps are needed, found {counts:?}"));
    }
    for (index, &axis) in axes.iter().enumerate() {
        let length = x.shape()[axis] as i64;
        let (step, counted) = (steps[index], |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound });
        let (start, end) = (counted(starts[index]), counted(ends[index]));
        let narrow = isize::try_from(step).map_err(|_| "the step is too large")?;
        x = match step {
            0 => return Err("the step is 0".to_owned()),
            1.. => {
                let start = start.clamp(0, length);
                x.slice(axis, start as usize, end.clamp(start, length) as usize, narrow)
            }
            _ => {
                // From the start down to before the end.
                let start = start.clamp(-1, length - 1);
                let end = end.clamp(-1, start);
                x.slice(axis, (end + 1) as usize, (start + 1) as usize, narrow)
            }
        };
    }
    Ok(vec![x])
}

/// `values` is [off, on]: on at the place that each index names, off elsewhere and where there is no such place.
pub(crate) fn one_hot<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let whole = |index: usize| match call.value(index)? {
        Value::Floats(x) => Ok(x.value().to::<i64>()),
        Value::Ints(x, _) => Ok(x.clone()),
        Value::Mask(_) => Err(format!("input {index} should be numbers")),
    };
    let (index, depth, values) = (whole(0)?, whole(1)?, call.value(2)?);
    let depth = depth.iter().next().filter(|depth| *depth > 0).ok_or("a depth of 1 or more is needed")?;
    if values.shape() != &[2] {
        return Err(format!("two values, off and on, are needed, found {}", values.shape()));
    }
    let rank = index.ndim() + 1;
    let axis = place(call.int("axis", -1)?, rank)?;
    let length = usize::try_from(depth).map_err(|_| "the depth is too large")?;
    let mut shape = index.shape().to_vec();
    shape.insert(axis, length);
    sized(&Shape::from(shape))?;
    let index = index.map(|place| if place < 0 { place.saturating_add(depth) } else { place });
    let mut along = vec![1; rank];
    along[axis] = length;
    let numbers = Tensor::<i64>::arange(0, depth, 1).reshape(along);
    let hot = index.unsqueeze(axis as isize).equal(&numbers);
    let value = |place: usize| values.slice(0, place, place + 1, 1).reshape(Shape::from([]));
    Ok(vec![choose(&hot, &value(1), &value(0))?])
}

/// The places of what is not 0: `[rank, count]`.
pub(crate) fn non_zero<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let Value::Mask(there) = super::elementwise::converted(x, Kind::Mask) else { unreachable!("converted to a mask") };
    let shape = there.shape().clone();
    let found: Vec<usize> = there.iter().enumerate().filter(|(_, there)| *there).map(|(place, _)| place).collect();
    let mut places = Vec::with_capacity(shape.len() * found.len());
    for axis in 0..shape.len() {
        let step: usize = shape[axis + 1..].iter().product();
        places.extend(found.iter().map(|place| (place / step % shape[axis]) as i64));
    }
    Ok(vec![Value::longs(places.into_iter().collect::<Tensor<i64>>().reshape([shape.len(), found.len()]))])
}

/// The entries of an axis for which a condition holds, or the elements of all.
pub(crate) fn compress<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, condition) = (call.value(0)?, call.mask(1)?);
    let (x, axis) = match call.has("axis") {
        true => (x.clone(), place(call.int("axis", 0)?, x.shape().len())?),
        false => (x.reshape([x.shape().size()]), 0),
    };
    if condition.ndim() != 1 || condition.size() > x.shape()[axis] {
        return Err(format!("a condition of up to {} is needed, found {}", x.shape()[axis], condition.shape()));
    }
    let kept = condition.iter().enumerate().filter(|(_, kept)| *kept).map(|(place, _)| place as i64);
    Ok(vec![x.take(axis, &kept.collect())])
}
