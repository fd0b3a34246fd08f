//! Inputs with spatial axes, `[n, spatial.., channels]`, and windows over these axes.

use gradus_tensor::{Convolution, Float, Pooling, Shape};

use super::padding::Padding;
use crate::error::Result;
use crate::layer::Build;

/// The windows of a convolution or a pooling over N spatial axes.
pub(in crate::layers) struct Spatial<'a, const N: usize> {
    /// The length of a window along each axis: `kernel_size` or `pool_size`.
    pub size: [usize; N],
    /// The step from a window to the next.
    pub strides: [usize; N],
    /// How far windows reach beyond the ends of the input.
    pub padding: &'a Padding,
    /// The step from an element of a window to the next.
    pub dilation: [usize; N],
}

impl<'a, const N: usize> Spatial<'a, N> {
    /// The windows of a layer with these options, in Keras's order. Sizes, strides and dilation are 1 or more.
    pub fn new(size: [usize; N], strides: [usize; N], padding: &'a Padding, dilation: [usize; N]) -> Self {
        Spatial { size, strides, padding, dilation }
    }

    /// The convolution of an input of this shape, and the spatial lengths of its output.
    pub fn convolution<T: Float>(
        &self,
        input: &Shape,
        groups: usize,
        build: &Build<'_, T>,
    ) -> Result<(Convolution, Shape)> {
        let convolution = self.unpadded().padding(&self.widths(input, build)?).groups(groups);
        let lengths = convolution.output_lengths(&input[..N], &self.size).map_err(|error| {
            build.error(error.to_string(), "make the kernel or the dilation smaller, or pad with Padding::Same")
        })?;
        Ok((convolution, lengths))
    }

    /// The pooling of an input of this shape, and the shape of its output.
    pub fn pooling<T: Float>(&self, input: &Shape, build: &Build<'_, T>) -> Result<(Pooling, Shape)> {
        let (size, widths) = (self.size, self.widths(input, build)?);
        if widths.iter().zip(size).any(|(&(before, after), size)| before.max(after) >= size) {
            let problem = format!("windows of {size:?} must reach into their input, found a padding of {widths:?}");
            return Err(build.error(problem, "pad by less than the size of a window"));
        }
        let pooling = Pooling::new(&size).strides(&self.strides).padding(&widths);
        let lengths = pooling
            .output_lengths(&input[..N])
            .map_err(|error| build.error(error.to_string(), "make the windows smaller, or pad with Padding::Same"))?;
        Ok((pooling, lengths.join(&input[N..])))
    }

    /// The convolution without padding.
    pub(super) fn unpadded(&self) -> Convolution {
        Convolution::new(N).strides(&self.strides).dilation(&self.dilation)
    }

    /// The widths of the padding of an input of this shape.
    pub(super) fn widths<T: Float>(&self, input: &Shape, build: &Build<'_, T>) -> Result<Vec<(usize, usize)>> {
        self.padding.check(N, build)?;
        Ok(self.padding.widths(&input[..N], &self.size, &self.strides, &self.dilation))
    }
}

/// The shape of the input, `[spatial.., channels]`, of a layer over `rank` spatial axes.
pub(in crate::layers) fn spatial_shape<T: Float>(build: &Build<'_, T>, rank: usize) -> Result<Shape> {
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

/// [`spatial_shape`] for a layer that needs a place to look at: no spatial axis may be of length 0.
pub(in crate::layers) fn places_shape<T: Float>(build: &Build<'_, T>, rank: usize) -> Result<Shape> {
    let input = spatial_shape(build, rank)?;
    if input[..rank].contains(&0) {
        let problem = format!("there is nothing in samples of shape {input}");
        return Err(build.error(problem, "give samples without an axis of length 0"));
    }
    Ok(input)
}

/// The number of channels of an input of this shape, 1 or more: a convolution of each channel by itself has a group for
/// each.
pub(in crate::layers) fn some_channels<T: Float>(input: &Shape, build: &Build<'_, T>) -> Result<usize> {
    match input[input.len() - 1] {
        0 => Err(build.error("needs at least one input channel, found 0", "give it samples that hold some")),
        channels => Ok(channels),
    }
}
