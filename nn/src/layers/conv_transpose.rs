//! Transposed convolutions over one, two and three axes: from what a convolution yields back to what it takes.

use gradus_tensor::{Convolution, Float, Shape};
use serde::{Deserialize, Serialize};

use super::convolving::{Geometry, check_filters, shared_options};
use super::finish::Finish;
use super::options::options;
use super::windows::Padding;
use crate::activation::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};
use crate::regularizers::Regularizer;

/// Along one axis the length of the output, and what the convolution that takes it back is padded with; none if nothing
/// is left of the output, or it would be longer than can be said.
///
/// Of the lengths that the convolution makes the input's of, the output's is as long as TensorFlow and Keras make it.
fn output_axis(
    geometry: &Geometry<'_>,
    extra: Option<&[usize]>,
    axis: usize,
    input: usize,
) -> Option<(usize, (usize, usize))> {
    let (stride, extra) = (geometry.strides[axis], extra.map(|extra| extra[axis]));
    let reach = (geometry.kernel_size[axis] - 1).checked_mul(geometry.dilation_rate[axis])?.checked_add(1)?;
    let steps = input.checked_sub(1)?.checked_mul(stride)?;
    let whole = steps.checked_add(reach)?;
    let (length, widths) = match geometry.padding {
        Padding::Valid => (whole.checked_add(extra.unwrap_or(stride.saturating_sub(reach)))?, (0, 0)),
        Padding::Same => {
            let length = match extra {
                Some(extra) => steps.checked_add(reach % 2)?.checked_add(extra)?,
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

/// Checks the input and returns the layer that convolves it backwards.
fn build_transposed<T: Float>(
    build: &mut Build<'_, T>,
    geometry: &Geometry<'_>,
    filters: usize,
    extra: Option<&[usize]>,
    kernel: (Initializer, Option<Regularizer>),
    finish: impl FnOnce(&mut Build<'_, T>) -> Result<Finish>,
) -> Result<Built<T>> {
    let input = geometry.check(build)?;
    let rank = geometry.kernel_size.len();
    check_filters(filters, build)?;
    if *geometry.padding == Padding::Causal {
        return Err(build.error("cannot be padded causally", "take Padding::Valid, Same or Explicit"));
    }
    if let Some(extra) = extra.filter(|extra| extra.iter().zip(geometry.strides).any(|(extra, stride)| extra >= stride))
    {
        let problem = format!("output_padding must be less than the strides {:?}, found {extra:?}", geometry.strides);
        return Err(build.error(problem, "it says which of the lengths that a stride merges is meant"));
    }
    let (mut lengths, mut padding) = (Shape::default(), Vec::with_capacity(rank));
    for axis in 0..rank {
        let Some((length, widths)) = output_axis(geometry, extra, axis, input[axis]) else {
            let problem = format!(
                "padding {:?} leaves nothing of the output for an input {:?}",
                geometry.padding,
                &input[..rank]
            );
            return Err(build.error(problem, "pad by less, or give a larger input"));
        };
        lengths.push(length);
        padding.push(widths);
    }
    let convolution =
        Convolution::new(rank).strides(geometry.strides).dilation(geometry.dilation_rate).padding(&padding);
    let (initializer, regularizer) = kernel;
    let shape = [geometry.kernel_size, &[filters, input[rank]]].concat();
    let kernel = build.weight("kernel", shape, initializer)?;
    build.penalty(kernel, regularizer);
    let finish = finish(build)?;
    let output = lengths.join(&[filters]);
    Ok(finish.computed(output.clone(), move |context, x| {
        let shape = output.with_axis(0, x.shape()[0]);
        x.convolve_transposed(context.weight(kernel), shape, &convolution)
    }))
}

macro_rules! conv_transpose {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            filters: usize,
            kernel_size: [usize; $rank],
            strides: [usize; $rank],
            padding: Padding,
            output_padding: Option<[usize; $rank]>,
            dilation_rate: [usize; $rank],
            activation: Activation,
            use_bias: bool,
            kernel_initializer: Initializer,
            bias_initializer: Initializer,
            kernel_regularizer: Option<Regularizer>,
            bias_regularizer: Option<Regularizer>,
        }

        impl $Name {
            /// A layer of `filters` outputs at each place, linear, with a bias and without padding.
            pub fn new(filters: usize, kernel_size: [usize; $rank]) -> Self {
                $Name {
                    filters,
                    kernel_size,
                    strides: [1; $rank],
                    padding: Padding::Valid,
                    output_padding: None,
                    dilation_rate: [1; $rank],
                    activation: Activation::Linear,
                    use_bias: true,
                    kernel_initializer: Initializer::GlorotUniform,
                    bias_initializer: Initializer::Zeros,
                    kernel_regularizer: None,
                    bias_regularizer: None,
                }
            }
        }

        shared_options!($Name, $rank);
        options! { $Name:
            /// With an output so much longer than the shortest that the padding allows, less than the strides. Without it,
            /// `Valid` makes it no shorter than input times stride, and `Same` just that.
            output_padding: [usize; $rank];
            /// With the kernel drawn from this distribution.
            kernel_initializer: Initializer;
            /// With this penalty on the kernel.
            kernel_regularizer: Regularizer;
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                let geometry = Geometry {
                    kernel_size: &self.kernel_size,
                    strides: &self.strides,
                    padding: &self.padding,
                    dilation_rate: &self.dilation_rate,
                };
                let extra = self.output_padding.as_ref().map(|extra| &extra[..]);
                let kernel = (self.kernel_initializer, self.kernel_regularizer);
                build_transposed(build, &geometry, self.filters, extra, kernel, |build| {
                    let bias = self.use_bias.then_some(self.bias_initializer);
                    Finish::new(self.filters, bias, self.bias_regularizer, self.activation, build)
                })
            }
        }
    };
}

conv_transpose! {
    /// The transpose of a convolution over one axis: makes sequences longer.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`, where `out` is length times stride with `Padding::Same`,
    /// and (length - 1) stride + kernel, but no less than length times stride, with `Valid`. What is padded is taken off
    /// the output. Weights: `kernel` `[size, filters, channels]`, Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv1DTranspose, Padding};
    /// let twice_as_long = Conv1DTranspose::new(16, [4]).strides([2]).padding(Padding::Same);
    /// ```
    Conv1DTranspose, 1, "Conv1DTranspose"
}
conv_transpose! {
    /// The transpose of a convolution over two axes: makes pictures larger.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`, lengths as of
    /// [`Conv1DTranspose`]. Weights: `kernel` `[height, width, filters, channels]`, Glorot uniform, and `bias`
    /// `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv2DTranspose, Model, Padding, Sequential};
    /// let larger = Conv2DTranspose::new(3, [4, 4]).strides([2, 2]).padding(Padding::Same);
    /// let model = Model::build(Sequential::new().add(larger), [7, 7, 16], 42)?;
    /// assert_eq!(model.output_shape(), &[14, 14, 3]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Conv2DTranspose, 2, "Conv2DTranspose"
}
conv_transpose! {
    /// The transpose of a convolution over three axes: makes volumes larger.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, out, out, out, filters]`, lengths as of
    /// [`Conv1DTranspose`]. Weights: `kernel` `[depth, height, width, filters, channels]`, Glorot uniform, and `bias`
    /// `[filters]`, zeros.
    Conv3DTranspose, 3, "Conv3DTranspose"
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
                let geometry =
                    Geometry { kernel_size: &[size], strides: &[stride], padding, dilation_rate: &[dilation] };
                for extra in [None].into_iter().chain((0..stride).map(Some)) {
                    let extra = extra.as_ref().map(std::slice::from_ref);
                    let Some((length, widths)) = output_axis(&geometry, extra, 0, input) else { continue };
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
