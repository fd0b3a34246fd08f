//! Poolings over windows, and over all places.

use gradus_autograd::Var;
use gradus_tensor::{Float, Pooling, Shape, Tensor, keepdims, step};

use super::call::{Call, Outputs, floats, sized};
use super::convolution::Windows;
use super::normalization::{channels_first, channels_last};
use super::value::{Kind, Value, Whole};

fn windows<T: Float>(call: &Call<'_, T>, x: &Var<T>) -> Result<Windows, String> {
    let rank = x.ndim().saturating_sub(2);
    if !(1..=3).contains(&rank) {
        return Err(format!("takes one to three spatial axes, found {}", x.shape()));
    }
    if x.shape().contains(&0) {
        return Err(format!("takes inputs with elements, found {}", x.shape()));
    }
    if !call.has("kernel_shape") {
        return Err("the kernel_shape is missing".to_owned());
    }
    let windows = Windows::of(call, &x.shape()[2..], &super::convolution::steps(call, "kernel_shape", rank)?)?;
    sized(&windows.output(x))?;
    Ok(windows)
}

impl Windows {
    /// The shape of a pooling's output.
    fn output<T: Float>(&self, x: &Var<T>) -> Shape {
        let lengths = x.shape()[2..].iter().enumerate();
        Shape::from(&x.shape()[..2]).join(&lengths.map(|(axis, &length)| self.count(axis, length)).collect::<Vec<_>>())
    }

    /// As a pooling of ours, whose padded places never count; `None` if there is none for it.
    fn pooling(&self, lengths: &[usize]) -> Option<Pooling> {
        if self.dilations.iter().any(|&dilation| dilation != 1) {
            return None;
        }
        let pads = self.reaching_pads(lengths);
        let fits = pads.iter().zip(&self.size).all(|((before, after), size)| before.max(after) < size);
        fits.then(|| Pooling::new(&self.size).strides(&self.strides).padding(&pads))
    }

    /// The padding, with the places beyond it that windows reach which are rounded up.
    fn reaching_pads(&self, lengths: &[usize]) -> Vec<(usize, usize)> {
        let axis = |(axis, &length): (usize, &usize)| {
            let (before, after) = self.pads[axis];
            let reach = (self.size[axis] - 1) * self.dilations[axis] + 1;
            let end = (self.count(axis, length) - 1) * self.strides[axis] + reach;
            (before, end.saturating_sub(length + before).max(if self.ceil { 0 } else { after }))
        };
        lengths.iter().enumerate().map(axis).collect()
    }

    /// For each place of a window the elements there of all windows, of a padded `[n, c, spatial..]`.
    fn elements<T: Float>(&self, padded: &Var<T>, lengths: &[usize]) -> Vec<Var<T>> {
        let mut parts = vec![padded.clone()];
        for (axis, &length) in lengths.iter().enumerate() {
            let (count, stride) = (self.count(axis, length), self.strides[axis]);
            let part = |x: &Var<T>, place: usize| {
                let start = place * self.dilations[axis];
                x.slice(axis as isize + 2, step(start..start + (count - 1) * stride + 1, stride as isize))
            };
            parts = parts.iter().flat_map(|x| (0..self.size[axis]).map(move |place| part(x, place))).collect();
        }
        parts
    }

    /// `[n, c, spatial..]` with this value around.
    fn padded<T: Float>(&self, x: &Var<T>, value: T) -> Var<T> {
        let mut widths = vec![(0, 0); 2];
        widths.extend(self.reaching_pads(&x.shape()[2..]));
        x.pad(&widths, value)
    }
}

/// The largest of each window, and if it is asked for its place in the whole input.
pub(crate) fn max<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let ints = match call.value(0)? {
        Value::Ints(x, whole) if whole.bits() <= 8 => Some((Var::from(x.to::<T>()), *whole)),
        _ => None,
    };
    let x = ints.as_ref().map_or_else(|| call.floats(0), |(x, _)| Ok(x))?;
    let windows = windows(call, x)?;
    let lengths = &x.shape()[2..];
    let by_columns = call.flag("storage_order", false)?;
    let output = windows.output(x);
    if ints.is_none()
        && let Some(y) = call.outline(&output)
    {
        return Ok(vec![y, Value::zeros(Kind::Ints(Whole::I64), &output)]);
    }
    if !call.wants(1)
        && let Some(pooling) = windows.pooling(lengths)
    {
        let y = channels_first(&channels_last(x).max_pool(&pooling));
        return Ok(vec![match ints {
            Some((_, whole)) => Value::Ints(y.value().to(), whole),
            None => Value::Floats(y),
        }]);
    }
    let parts = windows.elements(&windows.padded(x, T::LOWEST), lengths);
    let mut y = parts[0].clone();
    for part in &parts[1..] {
        y = y.maximum(part);
    }
    let mut outputs = vec![match ints {
        Some((_, whole)) => Value::Ints(y.value().to(), whole),
        None => Value::Floats(y.clone()),
    }];
    if call.wants(1) {
        outputs.push(Value::longs(places(&windows, x, &y, &parts, by_columns)));
    }
    Ok(outputs)
}

/// The place in the whole input of the first element of each window that is the largest.
fn places<T: Float>(windows: &Windows, x: &Var<T>, y: &Var<T>, parts: &[Var<T>], by_columns: bool) -> Tensor<i64> {
    let lengths = &x.shape()[2..];
    let rank = lengths.len();
    // The steps of the spatial axes in the numbering.
    let step_of = |axis: usize| -> usize {
        if by_columns { lengths[..axis].iter().product() } else { lengths[axis + 1..].iter().product() }
    };
    let counts: Vec<usize> = y.shape()[2..].to_vec();
    let planes = y.shape()[0] * y.shape()[1];
    let windows_in_plane: usize = counts.iter().product();
    let plane: usize = lengths.iter().product();
    let parts: Vec<Vec<T>> = parts.iter().map(|part| part.value().to_vec()).collect();
    let largest = y.value().to_vec();
    let mut places = Vec::with_capacity(largest.len());
    for index in 0..planes * windows_in_plane {
        let (number, mut rest) = (index / windows_in_plane, index % windows_in_plane);
        let mut window = vec![0; rank];
        for axis in (0..rank).rev() {
            (rest, window[axis]) = (rest / counts[axis], rest % counts[axis]);
        }
        let found =
            parts.iter().position(|part| part[index] == largest[index] || part[index].is_nan_value()).unwrap_or(0);
        let (mut found, mut place) = (found, 0);
        for axis in (0..rank).rev() {
            let tap = found % windows.size[axis];
            found /= windows.size[axis];
            let at = (window[axis] * windows.strides[axis] + tap * windows.dilations[axis])
                .saturating_sub(windows.pads[axis].0);
            place += at.min(lengths[axis] - 1) * step_of(axis);
        }
        places.push((number * plane + place) as i64);
    }
    places.into_iter().collect::<Tensor<i64>>().reshape(y.shape())
}

/// The mean of each window. Padded places count if the file says so, those by which lengths are rounded up do not.
pub(crate) fn average<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let windows = windows(call, x)?;
    let lengths = &x.shape()[2..];
    let counted = call.flag("count_include_pad", false)?;
    if let Some(y) = call.outline(&windows.output(x)) {
        return Ok(vec![y]);
    }
    let is_padded = windows.pads.iter().any(|pads| *pads != (0, 0));
    if !(counted && is_padded)
        && let Some(pooling) = windows.pooling(lengths)
    {
        return floats(channels_first(&channels_last(x).average_pool(&pooling)));
    }
    let sum = sum_of(&windows.elements(&windows.padded(x, T::ZERO), lengths));
    let mut counts = Tensor::scalar(T::ONE);
    for (axis, &length) in lengths.iter().enumerate() {
        let (before, after) = windows.pads[axis];
        let there = if counted { 0..before + length + after } else { before..before + length };
        let count = |window: usize| {
            let places =
                (0..windows.size[axis]).map(|tap| window * windows.strides[axis] + tap * windows.dilations[axis]);
            T::of(places.filter(|place| there.contains(place)).count().max(1) as f64)
        };
        let along: Tensor<T> = (0..windows.count(axis, length)).map(count).collect();
        counts = counts.unsqueeze(-1) * along;
    }
    floats(sum / Var::from(counts))
}

fn sum_of<T: Float>(parts: &[Var<T>]) -> Var<T> {
    let mut sum = parts[0].clone();
    for part in &parts[1..] {
        sum = sum + part;
    }
    sum
}

/// (sum of |x|^p)^(1/p) of each window.
pub(crate) fn lp<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    let windows = windows(call, x)?;
    let p = T::of(power(call)?);
    if let Some(y) = call.outline(&windows.output(x)) {
        return Ok(vec![y]);
    }
    let sum = sum_of(&windows.elements(&windows.padded(&x.abs().pow(p), T::ZERO), &x.shape()[2..]));
    floats(sum.pow(T::ONE / p))
}

fn power<T: Float>(call: &Call<'_, T>) -> Result<f64, String> {
    let p = call.int("p", 2)?;
    if p < 1 { Err(format!("p should be 1 or more, found {p}")) } else { Ok(p as f64) }
}

/// The spatial axes of `[n, c, spatial..]`.
fn spatial<'a, T: Float>(call: &Call<'a, T>) -> Result<(&'a Var<T>, Vec<isize>), String> {
    let x = call.floats(0)?;
    if x.ndim() < 2 || x.shape().contains(&0) {
        return Err(format!("takes [n, channels, ..] with elements, found {}", x.shape()));
    }
    Ok((x, super::reduction::from_axis(x.shape(), 2)))
}

pub(crate) fn global_average<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, axes) = spatial(call)?;
    floats(x.mean(keepdims(&axes[..])))
}

pub(crate) fn global_max<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, axes) = spatial(call)?;
    floats(x.max(keepdims(&axes[..])))
}

pub(crate) fn global_lp<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, axes) = spatial(call)?;
    let p = T::of(power(call)?);
    floats(x.abs().pow(p).sum(keepdims(&axes[..])).pow(T::ONE / p))
}
