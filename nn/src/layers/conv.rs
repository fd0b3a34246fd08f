//! Convolutions over one, two and three axes.

use gradus_tensor::{Convolution, Float};
use serde::{Deserialize, Serialize};

use super::windows::{Padding, check_lengths};
use crate::activation::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};
use crate::regularizers::Regularizer;

/// What the convolutions have in common.
struct Parts<'a> {
    filters: usize,
    kernel_size: &'a [usize],
    strides: &'a [usize],
    padding: &'a Padding,
    dilation_rate: &'a [usize],
    groups: usize,
    activation: Activation,
    bias: Option<Initializer>,
    kernel_initializer: Initializer,
    regularizers: [Option<Regularizer>; 2],
}

impl Parts<'_> {
    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let rank = self.kernel_size.len();
        let input = check_lengths(build, rank)?;
        let sizes =
            [("kernel_size", self.kernel_size), ("strides", self.strides), ("dilation_rate", self.dilation_rate)];
        for (name, numbers) in sizes {
            if numbers.contains(&0) {
                let problem = format!("{name} must be 1 or more along each axis, found {numbers:?}");
                return Err(build.error(problem, "1 is the least"));
            }
        }
        let (channels, groups) = (input[rank], self.groups);
        if self.filters == 0 {
            return Err(build.error("needs at least one filter, found 0", "give the number of output channels"));
        }
        if groups == 0 || !channels.is_multiple_of(groups) || !self.filters.is_multiple_of(groups) {
            let problem =
                format!("{groups} groups must divide the {channels} input channels and the {} filters", self.filters);
            return Err(build.error(problem, "choose a number of groups that divides both"));
        }
        self.padding.check(rank, build)?;
        let padding = self.padding.widths(&input[..rank], self.kernel_size, self.strides, self.dilation_rate);
        let convolution =
            Convolution::new(rank).strides(self.strides).dilation(self.dilation_rate).padding(&padding).groups(groups);
        let lengths = convolution.output_lengths(&input[..rank], self.kernel_size).map_err(|error| {
            build.error(error.to_string(), "make the kernel or the dilation smaller, or pad with Padding::Same")
        })?;
        let output = lengths.join(&[self.filters]);

        let shape = [self.kernel_size, &[channels / groups, self.filters]].concat();
        let kernel = build.weight("kernel", shape, self.kernel_initializer)?;
        build.penalty(kernel, self.regularizers[0]);
        let bias = self.bias.map(|initializer| build.weight("bias", self.filters, initializer)).transpose()?;
        if let Some(bias) = bias {
            build.penalty(bias, self.regularizers[1]);
        }
        let activation = self.activation;
        Ok(Built::new(output, move |context, x| {
            let kernel = context.weight(kernel);
            match bias {
                Some(bias) if activation == Activation::Relu => {
                    x.convolve_biased(kernel, context.weight(bias), true, &convolution)
                }
                Some(bias) => activation.apply(&x.convolve_biased(kernel, context.weight(bias), false, &convolution)),
                None => activation.apply(&x.convolve(kernel, &convolution)),
            }
        }))
    }
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

            /// With windows so far apart.
            pub fn strides(self, strides: [usize; $rank]) -> Self {
                $Name { strides, ..self }
            }

            /// With this padding.
            pub fn padding(self, padding: Padding) -> Self {
                $Name { padding, ..self }
            }

            /// With the elements of a window so far apart.
            pub fn dilation_rate(self, dilation_rate: [usize; $rank]) -> Self {
                $Name { dilation_rate, ..self }
            }

            /// With channels in groups, each convolved by itself.
            pub fn groups(self, groups: usize) -> Self {
                $Name { groups, ..self }
            }

            /// With this activation.
            pub fn activation(self, activation: Activation) -> Self {
                $Name { activation, ..self }
            }

            /// With or without a bias.
            pub fn use_bias(self, use_bias: bool) -> Self {
                $Name { use_bias, ..self }
            }

            /// With the kernel drawn from this distribution.
            pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
                $Name { kernel_initializer, ..self }
            }

            /// With the bias drawn from this distribution.
            pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
                $Name { bias_initializer, ..self }
            }

            /// With this penalty on the kernel.
            pub fn kernel_regularizer(self, regularizer: Regularizer) -> Self {
                $Name { kernel_regularizer: Some(regularizer), ..self }
            }

            /// With this penalty on the bias.
            pub fn bias_regularizer(self, regularizer: Regularizer) -> Self {
                $Name { bias_regularizer: Some(regularizer), ..self }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                let parts = Parts {
                    filters: self.filters,
                    kernel_size: &self.kernel_size,
                    strides: &self.strides,
                    padding: &self.padding,
                    dilation_rate: &self.dilation_rate,
                    groups: self.groups,
                    activation: self.activation,
                    bias: self.use_bias.then_some(self.bias_initializer),
                    kernel_initializer: self.kernel_initializer,
                    regularizers: [self.kernel_regularizer, self.bias_regularizer],
                };
                parts.build(build)
            }
        }
    };
}

conv! {
    /// A convolution over one axis: y = activation(x * kernel + bias), along sequences.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`. Weights: `kernel` `[size, channels / groups, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros.
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
    /// `[height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros.
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
    /// `[depth, height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::Conv3D;
    /// let of_scans = Conv3D::new(8, [3, 3, 3]).strides([2, 2, 2]);
    /// ```
    Conv3D, 3, "Conv3D"
}
