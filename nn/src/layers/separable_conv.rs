//! Convolutions in two steps: of each channel by itself, then across channels at each place.

use gradus_tensor::{Convolution, Float};
use serde::{Deserialize, Serialize};

use super::convolving::{Geometry, check_channels, check_filters, shared_options};
use super::depthwise_conv::DepthwiseKernel;
use super::finish::Finish;
use super::options::options;
use super::windows::Padding;
use crate::activation::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};
use crate::regularizers::Regularizer;

/// Checks the input and returns the layer that convolves it in two steps.
fn build_separable<T: Float>(
    build: &mut Build<'_, T>,
    geometry: &Geometry<'_>,
    filters: usize,
    depthwise: &DepthwiseKernel,
    pointwise: (Initializer, Option<Regularizer>),
    finish: impl FnOnce(&mut Build<'_, T>) -> Result<Finish>,
) -> Result<Built<T>> {
    let input = geometry.check(build)?;
    let (rank, channels) = (geometry.kernel_size.len(), input[input.len() - 1]);
    check_filters(filters, build)?;
    check_channels(channels, build)?;
    let (convolution, lengths) = geometry.convolution(&input, channels, build)?;
    let inner = channels * depthwise.multiplier;
    let depthwise = depthwise.build(geometry.kernel_size, channels, build)?;
    let shape = [&vec![1; rank][..], &[inner, filters]].concat();
    let (initializer, regularizer) = pointwise;
    let pointwise = build.weight("pointwise_kernel", shape, initializer)?;
    build.penalty(pointwise, regularizer);
    let finish = finish(build)?;
    let (grouped, across) = ([geometry.kernel_size, &[1, inner]].concat(), Convolution::new(rank));
    Ok(finish.convolution(lengths.join(&[filters]), across, move |context, x| {
        let y = x.convolve(&context.weight(depthwise).reshape(&grouped[..]), &convolution);
        (y, context.weight(pointwise).clone())
    }))
}

macro_rules! separable_conv {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            filters: usize,
            kernel_size: [usize; $rank],
            strides: [usize; $rank],
            padding: Padding,
            depth_multiplier: usize,
            dilation_rate: [usize; $rank],
            activation: Activation,
            use_bias: bool,
            depthwise_initializer: Initializer,
            pointwise_initializer: Initializer,
            bias_initializer: Initializer,
            depthwise_regularizer: Option<Regularizer>,
            pointwise_regularizer: Option<Regularizer>,
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
                    depth_multiplier: 1,
                    dilation_rate: [1; $rank],
                    activation: Activation::Linear,
                    use_bias: true,
                    depthwise_initializer: Initializer::GlorotUniform,
                    pointwise_initializer: Initializer::GlorotUniform,
                    bias_initializer: Initializer::Zeros,
                    depthwise_regularizer: None,
                    pointwise_regularizer: None,
                    bias_regularizer: None,
                }
            }
        }

        shared_options!($Name, $rank);
        options! { $Name:
            /// With so many filters for each channel in the first step.
            depth_multiplier: usize;
            /// With the kernel of the first step drawn from this distribution.
            depthwise_initializer: Initializer;
            /// With the kernel of the second step drawn from this distribution.
            pointwise_initializer: Initializer;
            /// With this penalty on the kernel of the first step.
            depthwise_regularizer: Regularizer;
            /// With this penalty on the kernel of the second step.
            pointwise_regularizer: Regularizer;
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
                let depthwise = DepthwiseKernel {
                    name: "depthwise_kernel",
                    multiplier: self.depth_multiplier,
                    initializer: self.depthwise_initializer,
                    regularizer: self.depthwise_regularizer,
                };
                let pointwise = (self.pointwise_initializer, self.pointwise_regularizer);
                build_separable(build, &geometry, self.filters, &depthwise, pointwise, |build| {
                    let bias = self.use_bias.then_some(self.bias_initializer);
                    Finish::new(self.filters, bias, self.bias_regularizer, self.activation, build)
                })
            }
        }
    };
}

separable_conv! {
    /// A convolution of sequences in two steps: of each channel by itself, then across channels at each place.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`. Weights: `depthwise_kernel`
    /// `[size, channels, depth_multiplier]` and `pointwise_kernel` `[1, channels * depth_multiplier, filters]`, Glorot
    /// uniform, and `bias` `[filters]`, zeros.
    SeparableConv1D, 1, "SeparableConv1D"
}
separable_conv! {
    /// A convolution of pictures in two steps: of each channel by itself, then across channels at each place. It takes
    /// a fraction of the weights and products of [`Conv2D`](crate::Conv2D). Chollet, arXiv:1610.02357.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`. Weights: `depthwise_kernel`
    /// `[height, width, channels, depth_multiplier]` and `pointwise_kernel` `[1, 1, channels * depth_multiplier, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Activation, Padding, SeparableConv2D};
    /// let light = SeparableConv2D::new(64, [3, 3]).padding(Padding::Same).activation(Activation::Relu);
    /// ```
    SeparableConv2D, 2, "SeparableConv2D"
}
