//! What the layers that convolve have in common.

use gradus_tensor::{Convolution, Float, Shape};

use super::windows::{Padding, check_full};
use crate::error::Result;
use crate::layer::Build;

/// How the windows of a layer lie.
pub(super) struct Geometry<'a> {
    pub kernel_size: &'a [usize],
    pub strides: &'a [usize],
    pub padding: &'a Padding,
    pub dilation_rate: &'a [usize],
}

impl Geometry<'_> {
    /// The input's shape, once that and the layer's numbers are found to make sense.
    pub fn check<T: Float>(&self, build: &Build<'_, T>) -> Result<Shape> {
        let rank = self.kernel_size.len();
        let input = check_full(build, rank)?;
        let sizes =
            [("kernel_size", self.kernel_size), ("strides", self.strides), ("dilation_rate", self.dilation_rate)];
        for (name, numbers) in sizes {
            if numbers.contains(&0) {
                let problem = format!("{name} must be 1 or more along each axis, found {numbers:?}");
                return Err(build.error(problem, "1 is the least"));
            }
        }
        self.padding.check(rank, build)?;
        Ok(input)
    }

    /// The convolution of an input of this shape, and the spatial lengths of its output.
    pub fn convolution<T: Float>(
        &self,
        input: &Shape,
        groups: usize,
        build: &Build<'_, T>,
    ) -> Result<(Convolution, Shape)> {
        let rank = self.kernel_size.len();
        let padding = self.padding.widths(&input[..rank], self.kernel_size, self.strides, self.dilation_rate);
        let convolution =
            Convolution::new(rank).strides(self.strides).dilation(self.dilation_rate).padding(&padding).groups(groups);
        let lengths = convolution.output_lengths(&input[..rank], self.kernel_size).map_err(|error| {
            build.error(error.to_string(), "make the kernel or the dilation smaller, or pad with Padding::Same")
        })?;
        Ok((convolution, lengths))
    }
}

/// Refuses a layer without outputs.
pub(super) fn check_filters<T: Float>(filters: usize, build: &Build<'_, T>) -> Result<()> {
    if filters == 0 {
        return Err(build.error("needs at least one filter, found 0", "give the number of output channels"));
    }
    Ok(())
}

/// Refuses samples without channels, of which each would be a group.
pub(super) fn check_channels<T: Float>(channels: usize, build: &Build<'_, T>) -> Result<()> {
    if channels == 0 {
        return Err(build.error("needs at least one input channel, found 0", "give it samples that hold some"));
    }
    Ok(())
}

/// The options of every layer that convolves over so many axes.
macro_rules! shared_options {
    ($Name:ident, $rank:literal) => {
        crate::layers::options::options! { $Name:
            /// With windows so far apart.
            strides: [usize; $rank];
            /// With this padding.
            padding: Padding;
            /// With the elements of a window so far apart.
            dilation_rate: [usize; $rank];
            /// With this activation.
            activation: Activation;
            /// With or without a bias.
            use_bias: bool;
            /// With the bias drawn from this distribution.
            bias_initializer: Initializer;
            /// With this penalty on the bias.
            bias_regularizer: Regularizer;
        }
    };
}
pub(super) use shared_options;
