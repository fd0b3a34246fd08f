//! The geometry of transposed convolutions: lengths of the output, and the convolution that goes from it to the input.

use gradus_tensor::{Convolution, Float, Shape};

use super::padding::Padding;
use super::spatial::Spatial;
use crate::error::Result;
use crate::layer::Build;

impl<const N: usize> Spatial<'_, N> {
    /// The convolution whose transpose takes an input of this shape, and the spatial lengths of the transpose's output.
    ///
    /// `output_padding` picks one of the lengths from which the convolution, by its strides, makes that of the input.
    pub fn transposed<T: Float>(
        &self,
        input: &Shape,
        output_padding: Option<[usize; N]>,
        build: &Build<'_, T>,
    ) -> Result<(Convolution, Shape)> {
        self.padding.check(N, build)?;
        if *self.padding == Padding::Causal {
            return Err(build.error("cannot be padded causally", "take Padding::Valid, Same or Explicit"));
        }
        if let Some(extra) =
            output_padding.filter(|extra| extra.iter().zip(self.strides).any(|(&e, stride)| e >= stride))
        {
            let problem = format!("output_padding must be less than the strides {:?}, found {extra:?}", self.strides);
            return Err(build.error(problem, "it says which of the lengths that a stride merges is meant"));
        }
        let (mut lengths, mut widths) = (Shape::default(), Vec::with_capacity(N));
        for axis in 0..N {
            let Some((length, width)) = self.transposed_axis(output_padding, axis, input[axis]) else {
                let (padding, input) = (self.padding, &input[..N]);
                let problem = format!("padding {padding:?} leaves nothing of the output for an input {input:?}");
                return Err(build.error(problem, "pad by less, or give a larger input"));
            };
            lengths.push(length);
            widths.push(width);
        }
        Ok((self.unpadded().padding(&widths), lengths))
    }

    /// The length of the output along an axis where the input has length `input`, and the widths (before, after) of the
    /// convolution's padding of it. `None` if the output has no elements, or more than can be counted.
    ///
    /// Without output padding the length is that of TensorFlow and Keras.
    fn transposed_axis(
        &self,
        output_padding: Option<[usize; N]>,
        axis: usize,
        input: usize,
    ) -> Option<(usize, (usize, usize))> {
        let (stride, extra) = (self.strides[axis], output_padding.map(|extra| extra[axis]));
        let window = (self.size[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)?;
        let steps = input.checked_sub(1)?.checked_mul(stride)?;
        let whole = steps.checked_add(window)?;
        let (length, widths) = match self.padding {
            Padding::Valid => (whole.checked_add(extra.unwrap_or(stride.saturating_sub(window)))?, (0, 0)),
            Padding::Same => {
                let length = match extra {
                    Some(extra) => steps.checked_add(window % 2)?.checked_add(extra)?,
                    None => input.checked_mul(stride)?,
                };
                let total = whole.saturating_sub(length);
                (length, (total / 2, total.div_ceil(2)))
            }
            Padding::Explicit(widths) => {
                let (before, after) = widths[axis];
                (whole.checked_add(extra.unwrap_or(0))?.checked_sub(before)?.checked_sub(after)?, (before, after))
            }
            Padding::Causal => return None,
        };
        (length > 0).then_some((length, widths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convolution_takes_every_output_back() {
        let mut found = 0;
        let paddings =
            [Padding::Valid, Padding::Same, Padding::Explicit(vec![(2, 1)]), Padding::Explicit(vec![(0, 3)])];
        for case in 0..5 * 5 * 4 * 3_usize {
            let (input, size, stride, dilation) = (1 + case % 5, 1 + case / 5 % 5, 1 + case / 25 % 4, 1 + case / 100);
            for padding in &paddings {
                let windows = Spatial::new([size], [stride], padding, [dilation]);
                for extra in [None].into_iter().chain((0..stride).map(Some)) {
                    let extra = extra.map(|extra| [extra]);
                    let Some((length, widths)) = windows.transposed_axis(extra, 0, input) else { continue };
                    let convolution = Convolution::new(1).strides(&[stride]).dilation(&[dilation]).padding(&[widths]);
                    let back = convolution.output_lengths(&[length], &[size]);
                    let case = format!("{input} to {length} by {size}, {stride}, {dilation}, {padding:?}, {extra:?}");
                    assert_eq!(back.map(|back| back[0]), Ok(input), "{case}");
                    found += 1;
                }
            }
        }
        assert!(found > 2000, "{found}");
    }
}
