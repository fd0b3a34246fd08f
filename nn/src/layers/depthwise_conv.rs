//! Convolutions of each channel by itself.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::convolving::{Geometry, check_channels, shared_options};
use super::finish::Finish;
use super::options::options;
use super::windows::Padding;
use crate::activation::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer, ParamId};
use crate::regularizers::Regularizer;

/// Of the kernel of a depthwise convolution: its name, how many filters each channel has, and what it is made by.
pub(super) struct DepthwiseKernel {
    pub name: &'static str,
    pub multiplier: usize,
    pub initializer: Initializer,
    pub regularizer: Option<Regularizer>,
}

impl DepthwiseKernel {
    /// Registers the kernel `[spatial.., channels, multiplier]`.
    pub fn build<T: Float>(&self, kernel_size: &[usize], channels: usize, build: &mut Build<'_, T>) -> Result<ParamId> {
        if self.multiplier == 0 {
            let problem = "the depth_multiplier must be 1 or more, found 0";
            return Err(build.error(problem, "it is the number of filters for each channel"));
        }
        let shape = [kernel_size, &[channels, self.multiplier]].concat();
        let kernel = build.weight(self.name, shape, self.initializer)?;
        build.penalty(kernel, self.regularizer);
        Ok(kernel)
    }
}

/// Checks the input and returns the layer that convolves its channels.
fn build_depthwise<T: Float>(
    build: &mut Build<'_, T>,
    geometry: &Geometry<'_>,
    kernel: &DepthwiseKernel,
    finish: impl FnOnce(usize, &mut Build<'_, T>) -> Result<Finish>,
) -> Result<Built<T>> {
    let input = geometry.check(build)?;
    let channels = input[input.len() - 1];
    check_channels(channels, build)?;
    let (convolution, lengths) = geometry.convolution(&input, channels, build)?;
    let filters = channels * kernel.multiplier;
    let kernel = kernel.build(geometry.kernel_size, channels, build)?;
    let finish = finish(filters, build)?;
    let grouped = [geometry.kernel_size, &[1, filters]].concat();
    Ok(finish.convolution(lengths.join(&[filters]), convolution, move |context, x| {
        (x.clone(), context.weight(kernel).reshape(&grouped[..]))
    }))
}

macro_rules! depthwise_conv {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            kernel_size: [usize; $rank],
            strides: [usize; $rank],
            padding: Padding,
            depth_multiplier: usize,
            dilation_rate: [usize; $rank],
            activation: Activation,
            use_bias: bool,
            depthwise_initializer: Initializer,
            bias_initializer: Initializer,
            depthwise_regularizer: Option<Regularizer>,
            bias_regularizer: Option<Regularizer>,
        }

        impl $Name {
            /// A layer of one filter for each channel, linear, with a bias and without padding.
            pub fn new(kernel_size: [usize; $rank]) -> Self {
                $Name {
                    kernel_size,
                    strides: [1; $rank],
                    padding: Padding::Valid,
                    depth_multiplier: 1,
                    dilation_rate: [1; $rank],
                    activation: Activation::Linear,
                    use_bias: true,
                    depthwise_initializer: Initializer::GlorotUniform,
                    bias_initializer: Initializer::Zeros,
                    depthwise_regularizer: None,
                    bias_regularizer: None,
                }
            }
        }

        shared_options!($Name, $rank);
        options! { $Name:
            /// With so many filters for each channel, side by side in the output.
            depth_multiplier: usize;
            /// With the kernel drawn from this distribution.
            depthwise_initializer: Initializer;
            /// With this penalty on the kernel.
            depthwise_regularizer: Regularizer;
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
                let kernel = DepthwiseKernel {
                    name: "kernel",
                    multiplier: self.depth_multiplier,
                    initializer: self.depthwise_initializer,
                    regularizer: self.depthwise_regularizer,
                };
                build_depthwise(build, &geometry, &kernel, |filters, build| {
                    let bias = self.use_bias.then_some(self.bias_initializer);
                    Finish::new(filters, bias, self.bias_regularizer, self.activation, build)
                })
            }
        }
    };
}

depthwise_conv! {
    /// A convolution of each channel of a sequence by itself.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, channels * depth_multiplier]`. Weights: `kernel`
    /// `[size, channels, depth_multiplier]`, Glorot uniform, and `bias`, zeros.
    DepthwiseConv1D, 1, "DepthwiseConv1D"
}
depthwise_conv! {
    /// A convolution of each channel of a picture by itself.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, channels * depth_multiplier]`. Weights: `kernel`
    /// `[height, width, channels, depth_multiplier]`, Glorot uniform, and `bias`, zeros.
    ///
    /// ```
    /// use gradus_nn::{DepthwiseConv2D, Padding};
    /// let of_each = DepthwiseConv2D::new([3, 3]).padding(Padding::Same).use_bias(false);
    /// ```
    DepthwiseConv2D, 2, "DepthwiseConv2D"
}
