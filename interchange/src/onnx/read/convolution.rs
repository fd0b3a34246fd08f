//! Convolutions. In the file channels come first, here last; a transpose is a view.

use gradus_autograd::Var;
use gradus_tensor::{Convolution, Float, Shape};

use super::call::{Call, Outputs, floats, sized};
use super::normalization::{channels_first, channels_last};

/// What the windows of convolutions and poolings have in common, for each spatial axis.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub size: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    pub pads: Vec<(usize, usize)>,
    /// Whether lengths are rounded up, by places beyond the padding at the end.
    pub ceil: bool,
}

impl Windows {
    /// The windows of a call on spatial axes of these lengths.
    pub fn of<T: Float>(call: &Call<'_, T>, lengths: &[usize], size: &[usize]) -> Result<Self, String> {
        let rank = lengths.len();
        let strides = steps(call, "strides", rank)?;
        let dilations = steps(call, "dilations", rank)?;
        if size.contains(&0) {
            return Err(format!("windows of {size:?} have no elements"));
        }
        let reach: Vec<usize> = size
            .iter()
            .zip(&dilations)
            .map(|(size, dilation)| (size - 1).saturating_mul(*dilation).saturating_add(1))
            .collect();
        let ceil = call.flag("ceil_mode", false)?;
        let auto = call.text("auto_pad", "NOTSET")?;
        let pads = match auto {
            "NOTSET" => pads(call, rank)?,
            "VALID" => vec![(0, 0); rank],
            "SAME_UPPER" | "SAME_LOWER" => {
                let axis = |axis: usize| {
                    let outputs = lengths[axis].div_ceil(strides[axis]);
                    let reached = outputs.saturating_sub(1).saturating_mul(strides[axis]).saturating_add(reach[axis]);
                    let total = reached.saturating_sub(lengths[axis]);
                    let less = total / 2;
                    if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) }
                };
                (0..rank).map(axis).collect()
            }
            other => return Err(format!("auto_pad {other:?} is not known")),
        };
        let windows = Windows { size: size.to_vec(), strides, dilations, pads, ceil };
        let padded =
            lengths.iter().zip(&windows.pads).map(|(length, (a, b))| length.saturating_add(*a).saturating_add(*b));
        let padded: Shape = padded.collect();
        sized(&padded)?;
        match (0..rank).find(|&axis| reach[axis] > padded[axis]) {
            None => Ok(windows),
            Some(axis) => Err(format!(
                "a window of {} places does not fit an axis of {} with its padding",
                reach[axis], lengths[axis]
            )),
        }
    }

    /// The number of windows along an axis of this length.
    pub fn count(&self, axis: usize, length: usize) -> usize {
        let (before, after) = self.pads[axis];
        let (stride, reach) = (self.strides[axis], (self.size[axis] - 1) * self.dilations[axis] + 1);
        let steps = length + before + after - reach;
        let count = if self.ceil { steps.div_ceil(stride) } else { steps / stride } + 1;
        // A window that is rounded up begins before the padding at the end.
        if self.ceil && (count - 1) * stride >= length + before { count - 1 } else { count }
    }
}

/// A number of 1 or more for each axis.
pub(crate) fn steps<T: Float>(call: &Call<'_, T>, name: &str, rank: usize) -> Result<Vec<usize>, String> {
    let Some(numbers) = call.numbers(name)? else { return Ok(vec![1; rank]) };
    let steps: Option<Vec<usize>> =
        numbers.iter().map(|&n| usize::try_from(n).ok().filter(|n| (1..1 << 31).contains(n))).collect();
    steps
        .filter(|steps| steps.len() == rank)
        .ok_or_else(|| format!("{name} should be a number of 1 or more for each of {rank} axes, found {numbers:?}"))
}

/// The padding before and after each axis.
pub(crate) fn pads<T: Float>(call: &Call<'_, T>, rank: usize) -> Result<Vec<(usize, usize)>, String> {
    let Some(numbers) = call.numbers("pads")? else { return Ok(vec![(0, 0); rank]) };
    let all: Option<Vec<usize>> = numbers.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n < 1 << 31)).collect();
    match all {
        Some(all) if all.len() == 2 * rank => Ok((0..rank).map(|axis| (all[axis], all[axis + rank])).collect()),
        _ => Err(format!("pads should be two numbers of 0 or more for each of {rank} axes, found {numbers:?}")),
    }
}

/// The input, the kernel and the number of spatial axes.
fn operands<'a, T: Float>(call: &Call<'a, T>) -> Result<(&'a Var<T>, &'a Var<T>, usize), String> {
    let (x, kernel) = (call.floats(0)?, call.floats(1)?);
    let rank = x.ndim().saturating_sub(2);
    if !(1..=3).contains(&rank) || kernel.ndim() != x.ndim() {
        return Err(format!("takes one to three spatial axes, found {} and a kernel {}", x.shape(), kernel.shape()));
    }
    let size = &kernel.shape()[2..];
    if let Some(said) = call.numbers("kernel_shape")?
        && !said.iter().copied().eq(size.iter().map(|&length| length as i64))
    {
        return Err(format!("kernel_shape is {said:?}, the kernel's is {size:?}"));
    }
    Ok((x, kernel, rank))
}

fn groups<T: Float>(call: &Call<'_, T>) -> Result<usize, String> {
    let groups = call.int("group", 1)?;
    usize::try_from(groups).ok().filter(|groups| *groups > 0).ok_or_else(|| format!("{groups} groups are none"))
}

fn bias<'a, T: Float>(call: &Call<'a, T>, filters: usize) -> Result<Option<&'a Var<T>>, String> {
    match call.optional_floats(2)? {
        Some(bias) if bias.shape() != &[filters] => {
            Err(format!("the bias should have the shape [{filters}], found {}", bias.shape()))
        }
        bias => Ok(bias),
    }
}

/// The order of axes that puts the channels, the last, behind the samples.
fn to_front(rank: usize) -> Vec<isize> {
    let last = rank as isize + 1;
    [0, last].into_iter().chain(1..last).collect()
}

pub(crate) fn conv<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, kernel, rank) = operands(call)?;
    let windows = Windows::of(call, &x.shape()[2..], &kernel.shape()[2..])?;
    let convolution = Convolution::new(rank)
        .strides(&windows.strides)
        .dilation(&windows.dilations)
        .padding(&windows.pads)
        .groups(groups(call)?);
    let x = channels_last(x);
    // [filters, channels / groups, spatial..] to [spatial.., channels / groups, filters].
    let kernel = kernel.permute((2..rank as isize + 2).chain([1, 0]).collect::<Vec<isize>>());
    let output = sized(&convolution.output_shape(x.shape(), kernel.shape()).map_err(|error| error.to_string())?)?;
    let bias = bias(call, kernel.shape()[rank + 1])?;
    if let Some(y) = call.outline(&output) {
        return Ok(vec![y.permute(&to_front(rank))]);
    }
    let y = match bias {
        Some(bias) => x.convolve_biased(&kernel, bias, false, &convolution),
        None => x.convolve(&kernel, &convolution),
    };
    floats(channels_first(&y))
}

pub(crate) fn conv_transpose<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, kernel, rank) = operands(call)?;
    let (groups, lengths, size) = (groups(call)?, &x.shape()[2..], &kernel.shape()[2..]);
    let (strides, dilations) = (steps(call, "strides", rank)?, steps(call, "dilations", rank)?);
    let extra = match call.numbers("output_padding")? {
        None => vec![0; rank],
        Some(extra) => {
            let given: Option<Vec<usize>> =
                extra.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n < 1 << 31)).collect();
            given
                .filter(|given| given.len() == rank)
                .ok_or_else(|| format!("output_padding {extra:?} does not fit {rank} axes"))?
        }
    };
    if x.shape().contains(&0) || size.contains(&0) {
        return Err("takes inputs and kernels with elements".to_owned());
    }
    let whole = |axis: usize| {
        let reach = (size[axis] - 1).saturating_mul(dilations[axis]).saturating_add(1);
        (lengths[axis] - 1).saturating_mul(strides[axis]).saturating_add(reach).saturating_add(extra[axis])
    };
    let auto = call.text("auto_pad", "NOTSET")?;
    let asked: Option<Vec<usize>> = match (call.numbers("output_shape")?, auto) {
        (Some(shape), _) => {
            let spatial = &shape[shape.len().saturating_sub(rank)..];
            let lengths: Option<Vec<usize>> = spatial.iter().map(|&n| usize::try_from(n).ok()).collect();
            Some(
                lengths
                    .filter(|lengths| lengths.len() == rank)
                    .ok_or_else(|| format!("output_shape {shape:?} is none"))?,
            )
        }
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some((0..rank).map(|axis| lengths[axis].saturating_mul(strides[axis])).collect())
        }
        (None, "NOTSET" | "VALID") => None,
        (None, other) => return Err(format!("auto_pad {other:?} is not known")),
    };
    // What the whole output is cut by at the beginning of each axis, and its length behind that.
    let (cuts, outputs): (Vec<usize>, Vec<usize>) = match asked {
        Some(asked) => (0..rank)
            .map(|axis| {
                let total = whole(axis).saturating_sub(asked[axis]);
                let before = if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 };
                (before, asked[axis])
            })
            .unzip(),
        None => {
            let pads = if auto == "VALID" { vec![(0, 0); rank] } else { pads(call, rank)? };
            (0..rank)
                .map(|axis| (pads[axis].0, whole(axis).saturating_sub(pads[axis].0.saturating_add(pads[axis].1))))
                .unzip()
        }
    };
    if outputs.contains(&0) {
        return Err("the padding leaves no output".to_owned());
    }
    let channels = kernel.shape()[0];
    let filters = kernel.shape()[1].saturating_mul(groups);
    if x.shape()[1] != channels || !channels.is_multiple_of(groups) {
        return Err(format!("{groups} groups must divide {channels} channels, those of the input {}", x.shape()));
    }
    // The whole output first, as the reverse of a convolution without padding, then cut.
    let reach = |axis: usize| (size[axis] - 1) * dilations[axis] + 1;
    let full: Vec<usize> = (0..rank).map(|axis| (lengths[axis] - 1) * strides[axis] + reach(axis)).collect();
    let convolution = Convolution::new(rank).strides(&strides).dilation(&dilations).groups(groups);
    let shape = sized(&Shape::from(x.shape()[0]).join(&full).join(&[filters]))?;
    let output = sized(&Shape::from(x.shape()[0]).join(&outputs).join(&[filters]))?;
    let bias = bias(call, filters)?;
    if let Some(y) = call.outline(&output) {
        return Ok(vec![y.permute(&to_front(rank))]);
    }
    // [channels, filters / groups, spatial..] to [spatial.., filters / groups, channels].
    let kernel = kernel.permute((2..rank as isize + 2).chain([1, 0]).collect::<Vec<isize>>());
    let mut y = channels_last(x).convolve_transposed(&kernel, shape, &convolution);
    let mut widths = vec![(0, 0); rank + 2];
    for axis in 0..rank {
        let end = (cuts[axis] + outputs[axis]).min(full[axis]);
        y = y.slice(axis as isize + 1, cuts[axis].min(end)..end);
        widths[axis + 1] = (0, outputs[axis] - y.shape()[axis + 1]);
    }
    let y = if widths.iter().all(|width| *width == (0, 0)) { y } else { y.pad(&widths, T::ZERO) };
    let y = match bias {
        Some(bias) => y + bias,
        None => y,
    };
    floats(channels_first(&y))
}
