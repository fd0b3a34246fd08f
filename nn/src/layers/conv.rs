//! Convolutions over one, two and three axes.

use gradus_tensor::Float;
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

/// Checks the input and returns the layer that convolves it.
fn build_conv<T: Float>(
    build: &mut Build<'_, T>,
    geometry: &Geometry<'_>,
    [filters, groups]: [usize; 2],
    kernel: (Initializer, Option<Regularizer>),
    finish: impl FnOnce(&mut Build<'_, T>) -> Result<Finish>,
) -> Result<Built<T>> {
    let input = geometry.check(build)?;
    let channels = input[input.len() - 1];
    check_filters(filters, build)?;
    if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        let problem = format!("{groups} groups must divide the {channels} input channels and the {filters} filters");
        return Err(build.error(problem, "choose a number of groups that divides both"));
    }
    let (convolution, lengths) = geometry.convolution(&input, groups, build)?;
    let (initializer, regularizer) = kernel;
    let shape = [geometry.kernel_size, &[channels / groups, filters]].concat();
    let kernel = build.weight("kernel", shape, initializer)?;
    build.penalty(kernel, regularizer);
    let finish = finish(build)?;
    let output = lengths.join(&[filters]);
    Ok(finish.convolution(output, convolution, move |context, x| (x.clone(), context.weight(kernel).clone())))
}

macro_rules! conv {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            filters: usize,
            kernel_size: [usize; $rank],
            strides: [usize; $rank],
            padding: Padding,
            dilation_rate: [usize; $rank],
            groups: usize,
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
                    dilation_rate: [1; $rank],
                    groups: 1,
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
            /// With channels in groups, each convolved by itself.
            groups: usize;
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
                let kernel = (self.kernel_initializer, self.kernel_regularizer);
                build_conv(build, &geometry, [self.filters, self.groups], kernel, |build| {
                    let bias = self.use_bias.then_some(self.bias_initializer);
                    Finish::new(self.filters, bias, self.bias_regularizer, self.activation, build)
                })
            }
        }
    };
}

conv! {
    /// A convolution over one axis: y = activation(x * kernel + bias), along sequences.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`. Weights: `kernel` `[size, channels / groups, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros. Channels come last; sequences that hold them first are turned by
    /// [`Permute::new([2, 1])`](crate::Permute).
    ///
    /// ```
    /// use gradus_nn::{Activation, Conv1D, Padding};
    /// let of_text = Conv1D::new(64, [5]).padding(Padding::Causal).activation(Activation::Relu);
    /// ```
    Conv1D, 1, "Conv1D"
}
conv! {
    /// A convolution over two axes: y = activation(x * kernel + bias), over pictures.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`. Weights: `kernel`
    /// `[height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros. Channels come last;
    /// pictures that hold them first are turned by [`Permute::new([2, 3, 1])`](crate::Permute).
    ///
    /// ```
    /// use gradus_nn::{Activation, Conv2D};
    /// let edges = Conv2D::new(32, [3, 3]).activation(Activation::Relu);
    /// ```
    Conv2D, 2, "Conv2D"
}
conv! {
    /// A convolution over three axes: y = activation(x * kernel + bias), over volumes or films.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, out, out, out, filters]`. Weights: `kernel`
    /// `[depth, height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros. Channels come
    /// last; volumes that hold them first are turned by [`Permute::new([2, 3, 4, 1])`](crate::Permute).
    ///
    /// ```
    /// use gradus_nn::Conv3D;
    /// let of_scans = Conv3D::new(8, [3, 3, 3]).strides([2, 2, 2]);
    /// ```
    Conv3D, 3, "Conv3D"
}
