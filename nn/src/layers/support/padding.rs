//! The padding of convolutions and poolings.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::Build;

/// The padding of a convolution or a pooling: how far windows reach beyond the ends of the input. Keras's `padding`.
///
/// Padding is zeros for a convolution; for a pooling it counts neither for the maximum nor for the mean. It concerns the
/// spatial axes, those between the batch and the channels, which come last: Keras's `data_format="channels_last"`.
///
/// ```
/// use gradus_nn::{Conv1D, Model, Padding, Sequential};
/// let length = |padding| {
///     let network = Sequential::new().add(Conv1D::new(1, 3).padding(padding));
///     Model::build(network, [10, 1], 42).map(|model| model.output_shape()[0])
/// };
/// assert_eq!(length(Padding::Valid)?, Some(8));
/// assert_eq!(length(Padding::Same)?, Some(10));
/// assert_eq!(length(Padding::Causal)?, Some(10));
/// assert_eq!(length(Padding::Explicit(vec![(2, 2)]))?, Some(12));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// No padding: the output is shorter than the input.
    #[default]
    Valid,
    /// The padding by which the output is as long as the input divided by the stride, rounded up. An odd number of zeros
    /// has one more at the end.
    Same,
    /// Padding before the beginning alone, so that no output depends on later inputs. The output is as long as with
    /// `Same`.
    Causal,
    /// Pairs (before, after), one for each spatial axis.
    Explicit(Vec<(usize, usize)>),
}

impl Padding {
    /// The widths (before, after) for each spatial axis of an input of these lengths, given the size, the strides and the dilation of
    /// the windows, one number for each axis.
    ///
    /// ```
    /// use gradus_nn::Padding;
    /// // Windows of 3 that step by 2 over 6 elements: one element more is needed, at the end.
    /// assert_eq!(Padding::Same.widths(&[6], &[3], &[2], &[1]), [(0, 1)]);
    /// assert_eq!(Padding::Causal.widths(&[6], &[3], &[1], &[2]), [(4, 0)]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer numbers than axes, or a size or stride is 0.
    pub fn widths(
        &self,
        input: &[usize],
        size: &[usize],
        strides: &[usize],
        dilation: &[usize],
    ) -> Vec<(usize, usize)> {
        let total = |axis: usize| {
            // Widths beyond any memory are refused where the lengths of the output are computed.
            let extent = dilation[axis].saturating_mul(size[axis] - 1).saturating_add(1);
            let last = input[axis].div_ceil(strides[axis]).saturating_sub(1) * strides[axis];
            (last.saturating_add(extent).saturating_sub(input[axis]), extent)
        };
        match self {
            Padding::Valid => vec![(0, 0); input.len()],
            Padding::Same => (0..input.len()).map(|axis| (total(axis).0 / 2, total(axis).0.div_ceil(2))).collect(),
            Padding::Causal => (0..input.len()).map(|axis| (total(axis).1 - 1, 0)).collect(),
            Padding::Explicit(widths) => widths.clone(),
        }
    }

    /// Checks that explicit widths are one pair for each axis.
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

#[cfg(test)]
mod tests {
    use gradus_tensor::Convolution;

    use super::*;

    #[test]
    fn outputs_are_as_long_as_the_input_divided_by_the_stride() {
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
            // No more zeros than needed; as many on either side, or one more at the end.
            let (before, after) = same[0];
            assert!(after == before || after == before + 1, "{case}: {same:?}");
            if after > 0 {
                let less = lengths(&[(before, after - 1)]);
                assert!(less.is_err() || less.unwrap()[0] < input.div_ceil(stride), "{case}: {same:?}");
            }
            uneven += usize::from(after > before);
            // A causal window ends at its own place.
            assert_eq!(causal, [(dilation * (size - 1), 0)], "{case}");
        }
        assert!(uneven > 100);
    }
}
