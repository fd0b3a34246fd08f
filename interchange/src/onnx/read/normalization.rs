//! Normalising operators.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Standardization, Tensor, keepdims};

use super::call::{Call, Outputs, broadcast, floats, place};
use super::reduction::from_axis;
use super::value::{Kind, Value};

/// The channels last, where ours are, and back.
pub(crate) fn channels_last<T: Float>(x: &Var<T>) -> Var<T> {
    let rank = x.ndim() as isize;
    x.permute([0].into_iter().chain(2..rank).chain([1]).collect::<Vec<isize>>())
}

pub(crate) fn channels_first<T: Float>(x: &Var<T>) -> Var<T> {
    let rank = x.ndim() as isize;
    x.permute([0, rank - 1].into_iter().chain(1..rank - 1).collect::<Vec<isize>>())
}

fn with_channels<'a, T: Float>(call: &Call<'a, T>) -> Result<(&'a Var<T>, usize), String> {
    let x = call.floats(0)?;
    match x.shape().get(1) {
        Some(&channels) => Ok((x, channels)),
        None => Err(format!("takes [n, channels, ..], found {}", x.shape())),
    }
}

/// An input that has a number for each channel.
fn of_channels<'a, T: Float>(call: &Call<'a, T>, index: usize, channels: usize) -> Result<&'a Var<T>, String> {
    let numbers = call.floats(index)?;
    if numbers.shape() == &[channels] {
        return Ok(numbers);
    }
    Err(format!("input {index} should have the shape [{channels}], found {}", numbers.shape()))
}

/// In inference: scale (x - mean) / sqrt(variance + epsilon) + bias for each channel.
pub(crate) fn batch<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    if call.flag("training_mode", false)? || (1..5).any(|output| call.wants(output)) {
        return Err("training_mode is not read: export the network in inference mode".to_owned());
    }
    if !call.flag("spatial", true)? {
        return Err("spatial = 0 is not read".to_owned());
    }
    // A batch of single numbers is one channel.
    let x = call.floats(0)?;
    let channels = x.shape().get(1).copied().unwrap_or(1);
    let [scale, bias] = [of_channels(call, 1, channels)?, of_channels(call, 2, channels)?];
    let [mean, variance] = [of_channels(call, 3, channels)?, of_channels(call, 4, channels)?];
    let factor = scale * (variance + T::of(call.float("epsilon", 1e-5)?)).rsqrt();
    let shift = bias - mean * &factor;
    if let Some(y) = call.outline(x.shape()) {
        return Ok(vec![y]);
    }
    if x.ndim() < 2 {
        return floats(x * factor + shift);
    }
    floats(channels_first(&channels_last(x).affine(&factor, &shift, false)))
}

/// Each channel of each sample to mean 0 and variance 1.
pub(crate) fn instance<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, channels) = with_channels(call)?;
    grouped(call, x, channels, of_channels(call, 1, channels)?, of_channels(call, 2, channels)?)
}

pub(crate) fn group<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, channels) = with_channels(call)?;
    let groups = usize::try_from(call.int("num_groups", 0)?).unwrap_or(0);
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(format!("{channels} channels are no {groups} groups of one size"));
    }
    // Before opset 21 there was a number for each group.
    let count = if call.opset < 21 { groups } else { channels };
    let numbers = |index| -> Result<Var<T>, String> {
        let numbers = of_channels(call, index, count)?;
        Ok(if count == channels { numbers.clone() } else { repeated(numbers, channels / groups) })
    };
    grouped(call, x, groups, &numbers(1)?, &numbers(2)?)
}

/// Each number so often.
fn repeated<T: Float>(numbers: &Var<T>, times: usize) -> Var<T> {
    let count = numbers.shape()[0];
    numbers.reshape([count, 1]).broadcast_to([count, times]).reshape([count * times])
}

fn grouped<T: Float>(call: &Call<'_, T>, x: &Var<T>, groups: usize, scale: &Var<T>, bias: &Var<T>) -> Outputs<T> {
    if x.shape().size() == 0 {
        return floats(x.clone());
    }
    let how = Standardization::of_groups(groups).epsilon(call.float("epsilon", 1e-5)?);
    floats(channels_first(&channels_last(x).standardize(scale, bias, &how).0))
}

/// The axes from `axis` on to mean 0 and variance 1, and if they are asked for the means and the inverse deviations.
pub(crate) fn layer<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let first = place(call.int("axis", -1)?, x.ndim())?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let (scale, bias) = (call.floats(1)?, call.optional_floats(2)?);
    check_broadcast(x, scale)?;
    bias.map_or(Ok(()), |bias| check_broadcast(x, bias))?;
    let row = Shape::from(&x.shape()[first..]);
    if let Some(y) = call.outline(x.shape()) {
        let moments = Value::zeros(Kind::Floats, &Shape::from(&x.shape()[..first]).join(&vec![1; row.len()]));
        return Ok(vec![y, moments.clone(), moments]);
    }
    let is_row = |numbers: &Var<T>| numbers.shape() == &row;
    if is_row(scale) && bias.is_none_or(is_row) && !call.wants(1) && !call.wants(2) && row.size() > 0 {
        let rows: usize = x.shape()[..first].iter().product();
        let zeros = Var::from(Tensor::zeros([row.size()]));
        let bias = bias.map_or(zeros, |bias| bias.reshape([row.size()]));
        let how = Standardization::of_rows().epsilon(epsilon);
        let y = x.reshape([rows, row.size()]).standardize(&scale.reshape([row.size()]), &bias, &how).0;
        return floats(y.reshape(x.shape()));
    }
    let axes = from_axis(x.shape(), first);
    let mean = x.mean(keepdims(&axes[..]));
    let centred = x - &mean;
    let inverse = (centred.square().mean(keepdims(&axes[..])) + T::of(epsilon)).rsqrt();
    let y = &centred * &inverse * scale;
    let y = bias.map_or_else(|| y.clone(), |bias| &y + bias);
    Ok(vec![Value::Floats(y), Value::Floats(mean), Value::Floats(inverse)])
}

fn check_broadcast<T: Float>(x: &Var<T>, numbers: &Var<T>) -> Result<(), String> {
    if &broadcast(x.shape(), numbers.shape())? == x.shape() {
        return Ok(());
    }
    Err(format!("scale or bias of shape {} do not broadcast to {}", numbers.shape(), x.shape()))
}

/// The axes from `axis` on to a mean square of 1.
pub(crate) fn rms<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, scale) = (call.floats(0)?, call.floats(1)?);
    check_broadcast(x, scale)?;
    let axes = from_axis(x.shape(), place(call.int("axis", -1)?, x.ndim())?);
    let square = x.square().mean(keepdims(&axes[..])) + T::of(call.float("epsilon", 1e-5)?);
    floats(x * square.rsqrt() * scale)
}

/// x / its norm along an axis; 0 where the norm is 0.
pub(crate) fn lp<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let axis = place(call.int("axis", -1)?, x.ndim())? as isize;
    let norm = match call.int("p", 2)? {
        1 => x.abs().sum(keepdims(axis)),
        2 => x.norm(keepdims(axis)),
        other => return Err(format!("p should be 1 or 2, found {other}")),
    };
    let is_zero = norm.value().equal(T::ZERO);
    floats(x / Var::where_(&is_zero, T::ONE, norm))
}

/// (x - mean) / deviation over these axes.
pub(crate) fn mean_variance<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let axes = call.numbers("axes")?.map_or_else(|| vec![0, 2, 3], <[i64]>::to_vec);
    let axes = call.places(Some(axes), x.ndim())?.unwrap_or_default();
    let axes: Vec<isize> = axes.into_iter().map(|axis| axis as isize).collect();
    let mean = x.mean(keepdims(&axes[..]));
    let centred = x - mean;
    let deviation = centred.square().mean(keepdims(&axes[..])).sqrt();
    floats(centred / (deviation + T::of(1e-9)))
}

/// x / (bias + alpha / size sum of squares of `size` neighbouring channels)^beta
pub(crate) fn lrn<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, channels) = with_channels(call)?;
    let size = usize::try_from(call.int("size", 0)?).unwrap_or(0);
    if size == 0 {
        return Err("the size is missing".to_owned());
    }
    let (alpha, beta, bias) = (call.float("alpha", 1e-4)?, call.float("beta", 0.75)?, call.float("bias", 1.0)?);
    let (before, after) = ((size - 1) / 2, size / 2);
    let mut widths = vec![(0, 0); x.ndim()];
    widths[1] = (before.min(channels), after.min(channels));
    let padded = x.square().pad(&widths, T::ZERO);
    // Channels farther away than there are any add nothing.
    let offsets = widths[1].0 + widths[1].1 + 1;
    let mut sum = padded.slice(1, 0..channels);
    for offset in 1..offsets {
        sum = sum + padded.slice(1, offset..offset + channels);
    }
    floats(x / (sum * T::of(alpha / size as f64) + T::of(bias)).pow(T::of(beta)))
}
