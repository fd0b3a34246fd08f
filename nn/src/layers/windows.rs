//! What convolutions and poolings have in common: how their windows may reach beyond the ends.

use gradus_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::Build;

/// How far windows reach beyond the ends of their input, where there are zeros (for poolings: nothing). Keras's `padding`.
///
/// It concerns the axes between that of the batch and that of the channels, which is always the last: Keras's
/// `data_format="channels_last"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Not at all: the output is shorter than the input.
    #[default]
    Valid,
    /// So far that with strides of 1 the output is as long as the input; in general input / stride, rounded up. What is
    /// odd goes to the end.
    Same,
    /// Before the beginning alone, so that no output depends on later inputs; its length is as with `Same`.
    Causal,
    /// So far before the beginning and after the end of each axis between batch and channels.
    Explicit(Vec<(usize, usize)>),
}

impl Padding {
    /// The widths for each axis, none of which is of length 0.
    pub(super) fn widths(
        &self,
        input: &[usize],
        size: &[usize],
        strides: &[usize],
        dilation: &[usize],
    ) -> Vec<(usize, usize)> {
        let total = |axis: usize| {
            // What is larger than any memory is refused where the lengths of the output are computed.
            let extent = dilation[axis].saturating_mul(size[axis] - 1).saturating_add(1);
            let last = (input[axis].div_ceil(strides[axis]) - 1) * strides[axis];
            (last.saturating_add(extent).saturating_sub(input[axis]), extent)
        };
        match self {
            Padding::Valid => vec![(0, 0); input.len()],
            Padding::Same => (0..input.len()).map(|axis| (total(axis).0 / 2, total(axis).0.div_ceil(2))).collect(),
            Padding::Causal => (0..input.len()).map(|axis| (total(axis).1 - 1, 0)).collect(),
            Padding::Explicit(widths) => widths.clone(),
        }
    }

    /// Refuses explicit widths that are not one pair for each axis.
    pub(super) fn check<T: Float>(&self, rank: usize, build: &Build<'_, T>) -> Result<()> {
        match self {
            Padding::Explicit(widths) if widths.len() != rank => {
                let problem = format!("explicit padding needs {rank} pairs (before, after), found {widths:?}");
                Err(build.error(problem, "give one for each axis between the batch and the channels"))
            }
            _ => Ok(()),
        }
    }
}

/// The input's shape, once it is found to have `rank` spatial axes and one of channels.
pub(super) fn check_lengths<T: Float>(build: &Build<'_, T>, rank: usize) -> Result<Shape> {
    let input = build.input()?;
    if input.len() == rank + 1 {
        return Ok(input.clone());
    }
    let axes = ["length", "height, width", "depth, height, width"][rank - 1];
    let problem = format!("needs samples of shape [{axes}, channels], found {input}");
    let hint = if input.len() == rank {
        "add an axis of one channel: Reshape it, or unsqueeze(-1) the data"
    } else {
        "reshape the data, or take the layer for another number of axes"
    };
    Err(build.error(problem, hint))
}

/// As [`check_lengths`], where no spatial axis may be of length 0.
pub(super) fn check_full<T: Float>(build: &Build<'_, T>, rank: usize) -> Result<Shape> {
    let input = check_lengths(build, rank)?;
    if input[..rank].contains(&0) {
        let problem = format!("there is nothing in samples of shape {input}");
        return Err(build.error(problem, "give samples without an axis of length 0"));
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use gradus_tensor::Convolution;

    use super::*;

    #[test]
    fn outputs_are_as_long_as_input_by_stride() {
        let mut uneven = 0;
        for (input, size, stride, dilation) in
            (0..9 * 5 * 5 * 3).map(|case: usize| (1 + case % 9, 1 + case / 9 % 5, 1 + case / 45 % 5, 1 + case / 225))
        {
            let lengths = |widths: &[(usize, usize)]| {
                let convolution = Convolution::new(1).strides(&[stride]).dilation(&[dilation]).padding(widths);
                convolution.output_lengths(&[input], &[size])
            };
            let of = |padding: Padding| padding.widths(&[input], &[size], &[stride], &[dilation]);
            let case = format!("{input} by {size}, stride {stride}, dilation {dilation}");
            let (same, causal) = (of(Padding::Same), of(Padding::Causal));
            for widths in [&same, &causal] {
                assert_eq!(lengths(widths).unwrap()[0], input.div_ceil(stride), "{case}: {widths:?}");
            }
            // As few zeros as that takes, as many on either side, or one more at the end.
            let (before, after) = same[0];
            assert!(after == before || after == before + 1, "{case}: {same:?}");
            if after > 0 {
                let less = lengths(&[(before, after - 1)]);
                assert!(less.is_err() || less.unwrap()[0] < input.div_ceil(stride), "{case}: {same:?}");
            }
            uneven += usize::from(after > before);
            // All that a causal window sees lies at or before its own place.
            assert_eq!(causal, [(dilation * (size - 1), 0)], "{case}");
        }
        assert!(uneven > 100);
    }
}
