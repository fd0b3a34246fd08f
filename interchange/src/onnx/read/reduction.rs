//! Operators that fold axes: sums, extremes, softmax, the place of the largest.

use gradus_autograd::Var;
use gradus_tensor::{Axes, Float, Shape, Tensor, keepdims};

use super::call::{Call, Outputs, floats, ints, place};
use super::value::{Value, Whole};

/// The axes that an operator folds, and whether they stay with length 1. `None`: it folds nothing.
struct Folded {
    axes: Vec<isize>,
    keeps: bool,
    /// The number of elements that become one.
    count: usize,
}

fn folded<T: Float>(call: &Call<'_, T>) -> Result<Option<Folded>, String> {
    let shape = call.value(0)?.shape();
    let given = call.places(call.attribute_or_input("axes", 1)?, shape.len())?.filter(|axes| !axes.is_empty());
    if given.is_none() && call.flag("noop_with_empty_axes", false)? {
        return Ok(None);
    }
    let axes = given.unwrap_or_else(|| (0..shape.len()).collect());
    let count = axes.iter().map(|&axis| shape[axis]).product();
    let axes = axes.into_iter().map(|axis| axis as isize).collect();
    Ok(Some(Folded { axes, keeps: call.flag("keepdims", true)?, count }))
}

impl Folded {
    fn axes(&self) -> Axes {
        if self.keeps { keepdims(&self.axes[..]) } else { Axes::from(&self.axes[..]) }
    }
}

/// Folds floats by one function and whole numbers by another, whose result is brought into the type's limits.
fn fold<T: Float>(
    call: &Call<'_, T>,
    of_floats: impl Fn(&Var<T>, &Folded) -> Var<T>,
    of_ints: impl Fn(&Tensor<i64>, &Folded) -> Tensor<i64>,
    alone: impl Fn(&Var<T>) -> Var<T>,
) -> Outputs<T> {
    let how = folded(call)?;
    match (call.value(0)?, how) {
        (Value::Floats(x), None) => floats(alone(x)),
        (Value::Floats(x), Some(how)) => floats(of_floats(x, &how)),
        (Value::Ints(x, whole), None) => ints(x, *whole),
        (Value::Ints(x, whole), Some(how)) => ints(&of_ints(x, &how), *whole),
        (Value::Mask(_), _) => Err("does not take masks".to_owned()),
    }
}

/// Whole numbers as floats of 64 bits, for functions whose results are no whole numbers before they are cut off.
fn through_floats(x: &Tensor<i64>, of: impl Fn(&Var<f64>) -> Var<f64>) -> Tensor<i64> {
    of(&Var::from(x.to::<f64>())).value().to()
}

pub(crate) fn sum<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    fold(call, |x, how| x.sum(how.axes()), |x, how| x.sum(how.axes()), Var::clone)
}

pub(crate) fn mean<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let of_ints = |x: &Tensor<i64>, how: &Folded| {
        let count = (how.count as i64).max(1);
        x.sum(how.axes()).map(|sum| sum / count)
    };
    fold(call, |x, how| x.mean(how.axes()), of_ints, Var::clone)
}

pub(crate) fn prod<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    fold(call, |x, how| x.prod(how.axes()), |x, how| x.prod(how.axes()), Var::clone)
}

pub(crate) fn max<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    extreme(call, |x, axes| x.max(axes), |x, axes| x.max(axes), |x, axes| x.any(axes), i64::MIN)
}

pub(crate) fn min<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    extreme(call, |x, axes| x.min(axes), |x, axes| x.min(axes), |x, axes| x.all(axes), i64::MAX)
}

/// Of nothing, the extreme is the other end of the type.
fn extreme<T: Float>(
    call: &Call<'_, T>,
    of_floats: impl Fn(&Var<T>, Axes) -> Var<T>,
    of_ints: impl Fn(&Tensor<i64>, Axes) -> Tensor<i64>,
    of_masks: impl Fn(&Tensor<bool>, Axes) -> Tensor<bool>,
    end: i64,
) -> Outputs<T> {
    if let Value::Mask(x) = call.value(0)? {
        let reduced = folded(call)?.map_or_else(|| x.clone(), |how| of_masks(x, how.axes()));
        return Ok(vec![Value::Mask(reduced)]);
    }
    let limits = match call.value(0)? {
        Value::Ints(_, whole) => whole.limits(),
        _ => (i64::MIN, i64::MAX),
    };
    let of_ints = |x: &Tensor<i64>, how: &Folded| {
        of_ints(x, how.axes()).map(|x| if x == end { x.clamp(limits.0, limits.1) } else { x })
    };
    fold(call, |x, how| of_floats(x, how.axes()), of_ints, Var::clone)
}

pub(crate) fn sum_square<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let of_ints = |x: &Tensor<i64>, how: &Folded| x.map(|x| x.wrapping_mul(x)).sum(how.axes());
    fold(call, |x, how| x.square().sum(how.axes()), of_ints, Var::square)
}

pub(crate) fn l1<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let of_ints = |x: &Tensor<i64>, how: &Folded| x.map(i64::wrapping_abs).sum(how.axes());
    fold(call, |x, how| x.abs().sum(how.axes()), of_ints, Var::abs)
}

pub(crate) fn l2<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    fold(call, |x, how| x.norm(how.axes()), |x, how| through_floats(x, |x| x.norm(how.axes())), Var::abs)
}

pub(crate) fn log_sum<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let of_ints = |x: &Tensor<i64>, how: &Folded| through_floats(x, |x| x.sum(how.axes()).ln());
    fold(call, |x, how| x.sum(how.axes()).ln(), of_ints, Var::ln)
}

pub(crate) fn log_sum_exp<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let of_ints = |x: &Tensor<i64>, how: &Folded| through_floats(x, |x| x.logsumexp(how.axes()));
    fold(call, |x, how| x.logsumexp(how.axes()), of_ints, Var::clone)
}

/// Applies a function along an axis. Before opset 13 it was applied to all axes from there on together.
fn along<T: Float>(call: &Call<'_, T>, of: impl Fn(&Var<T>, isize) -> Result<Var<T>, String>) -> Outputs<T> {
    let x = call.floats(0)?;
    if call.opset >= 13 {
        let axis = place(call.int("axis", -1)?, x.ndim().max(1))?;
        if x.ndim() == 0 {
            return Err("takes one axis or more, found a single number".to_owned());
        }
        return floats(of(x, axis as isize)?);
    }
    let axis = call.int("axis", 1)?;
    let axis = if axis == x.ndim() as i64 { x.ndim() } else { place(axis, x.ndim())? };
    let columns: usize = x.shape()[axis..].iter().product();
    let rows: usize = x.shape()[..axis].iter().product();
    floats(of(&x.reshape([rows, columns]), 1)?.reshape(x.shape()))
}

pub(crate) fn softmax<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    along(call, |x, axis| Ok(x.softmax(axis)))
}

pub(crate) fn log_softmax<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    along(call, |x, axis| Ok(x.log_softmax(axis)))
}

/// 1 at the first of the largest along an axis, else 0.
pub(crate) fn hardmax<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    along(call, |x, axis| {
        let length = x.shape()[axis as usize];
        if x.shape().size() == 0 {
            return Ok(x.clone());
        }
        let hot = x.value().argmax(axis).one_hot::<T>(length);
        // The axis that is new is the last.
        let mut order: Vec<isize> = (0..x.ndim() as isize - 1).collect();
        order.insert(axis as usize, x.ndim() as isize - 1);
        Ok(Var::from(hot.permute(order)))
    })
}

fn arg<T: Float>(
    call: &Call<'_, T>,
    of_floats: impl Fn(&Tensor<T>, isize) -> Tensor<i64>,
    of_ints: impl Fn(&Tensor<i64>, isize) -> Tensor<i64>,
) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.int("axis", 0)?, x.shape().len())?;
    let length = x.shape()[axis];
    if length == 0 {
        return Err(format!("axis {axis} of {} has no elements", x.shape()));
    }
    // The last of equal ones is the first from the other end.
    let last = call.flag("select_last_index", false)?;
    let turned = if last { super::value::each!(x, x => x.flip(axis as isize)) } else { x.clone() };
    let places = match &turned {
        Value::Floats(x) => of_floats(x.value(), axis as isize),
        Value::Ints(x, _) => of_ints(x, axis as isize),
        Value::Mask(_) => return Err("does not take masks".to_owned()),
    };
    let places = if last { places.map(|place| length as i64 - 1 - place) } else { places };
    let places = if call.flag("keepdims", true)? { places.unsqueeze(axis as isize) } else { places };
    ints(&places, Whole::I64)
}

pub(crate) fn arg_max<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    arg(call, |x, axis| x.argmax(axis), |x, axis| x.argmax(axis))
}

pub(crate) fn arg_min<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    arg(call, |x, axis| x.argmin(axis), |x, axis| x.argmin(axis))
}

/// Sums of all elements up to each, along an axis.
pub(crate) fn cum_sum<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.number(1)?, x.shape().len())? as isize;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    match x {
        Value::Floats(x) => {
            let turned = if reverse { x.flip(axis) } else { x.clone() };
            let sums = turned.cumsum(axis);
            let sums = if exclusive { sums - turned } else { sums };
            floats(if reverse { sums.flip(axis) } else { sums })
        }
        Value::Ints(x, whole) => {
            let turned = if reverse { x.flip(axis) } else { x.clone() };
            let sums = turned.cumsum(axis);
            let sums = if exclusive { sums.zip_map(turned, i64::wrapping_sub) } else { sums };
            ints(&if reverse { sums.flip(axis) } else { sums }, *whole)
        }
        Value::Mask(_) => Err("does not take masks".to_owned()),
    }
}

/// Products of all elements up to each, along an axis.
pub(crate) fn cum_prod<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.number(1)?, x.shape().len())?;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    let length = x.shape()[axis];
    let part = |index: usize| x.slice(axis, index, index + 1, 1);
    let order: Vec<usize> = if reverse { (0..length).rev().collect() } else { (0..length).collect() };
    let mut products: Vec<Value<T>> = Vec::with_capacity(length);
    let mut before: Option<Value<T>> = None;
    for index in order {
        let product = match (&before, &part(index)) {
            (None, part) => part.clone(),
            (Some(Value::Floats(a)), Value::Floats(b)) => Value::Floats(a * b),
            (Some(Value::Ints(a, whole)), Value::Ints(b, _)) => whole.of(&a.clone().zip_map(b, i64::wrapping_mul)),
            _ => return Err("takes numbers".to_owned()),
        };
        products.push(if exclusive { before.unwrap_or_else(|| one_like(&product)) } else { product.clone() });
        before = Some(product);
    }
    if reverse {
        products.reverse();
    }
    match products.is_empty() {
        true => Ok(vec![x.clone()]),
        false => Ok(vec![super::value::concat(&products.iter().collect::<Vec<_>>(), axis)?]),
    }
}

/// Ones of the kind and shape of a value.
fn one_like<T: Float>(value: &Value<T>) -> Value<T> {
    match value {
        Value::Floats(x) => Value::Floats(Var::from(x.value().ones_like())),
        Value::Ints(x, whole) => Value::Ints(x.ones_like(), *whole),
        Value::Mask(x) => Value::Mask(x.map(|_| true)),
    }
}

/// The `k` largest or smallest along an axis, the first of equal ones first.
pub(crate) fn top_k<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    let axis = place(call.int("axis", -1)?, x.shape().len())?;
    let k = if call.has("k") { call.int("k", 0)? } else { call.number(1)? };
    let length = x.shape()[axis];
    let Some(k) = usize::try_from(k).ok().filter(|k| *k <= length) else {
        return Err(format!("takes {k} of {length} elements"));
    };
    let largest = call.flag("largest", true)?;
    let order = match x {
        Value::Floats(x) if largest => x.value().topk(axis as isize, k).1,
        Value::Ints(x, _) if largest => x.topk(axis as isize, k).1,
        Value::Floats(x) => x.value().argsort(axis as isize),
        Value::Ints(x, _) => x.argsort(axis as isize),
        Value::Mask(_) => return Err("does not take masks".to_owned()),
    };
    let places = order.slice(axis as isize, ..k).contiguous();
    let values = super::value::each!(x, x => x.gather(axis as isize, &places));
    Ok(vec![values, Value::longs(places)])
}

/// The axes from `first` on, which become one.
pub(crate) fn from_axis(shape: &Shape, first: usize) -> Vec<isize> {
    (first..shape.len()).map(|axis| axis as isize).collect()
}
