//! Depthwise convolution, whose groups are single channels: computed by a kernel of its own, not by a matrix product.

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::elements;
use crate::convolution::Convolution;
use crate::element::Float;
use crate::kernels::depthwise::{Axis, Depthwise, Sweep};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Whether each group of a convolution with this kernel is a single channel of several.
pub(super) fn is_depthwise(kernel: &Shape, convolution: &Convolution) -> bool {
    convolution.groups > 1 && kernel[convolution.rank()] == 1
}

impl<T: Float> Tensor<T> {
    /// [`convolve`](Tensor::convolve) with result shape `shape`, plus a bias if there is one, and with a ReLU if `relu`.
    pub(super) fn depthwise(
        &self,
        kernel: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        relu: bool,
        convolution: &Convolution,
        shape: Shape,
    ) -> Tensor<T> {
        let axes = forward(convolution, self.shape(), kernel.shape(), &shape);
        let depthwise = depthwise(&axes, &shape, kernel.shape());
        let (x, kernel) = (self.repeated(shape[shape.len() - 1]), kernel.contiguous());
        let bias = bias.map(Tensor::contiguous);
        Tensor::written(shape.clone(), |out| {
            depthwise.convolve(elements(&x), elements(&kernel), bias.as_ref().map(elements), relu, out);
        })
    }

    /// [`convolve_kernel_gradient`](Tensor::convolve_kernel_gradient).
    pub(super) fn depthwise_kernel_gradient(
        &self,
        gradient: &Tensor<T>,
        kernel: &Shape,
        convolution: &Convolution,
    ) -> Tensor<T> {
        let output = gradient.shape();
        let axes = forward(convolution, self.shape(), kernel, output);
        let depthwise = depthwise(&axes, output, kernel);
        let (x, gradient) = (self.repeated(output[output.len() - 1]), gradient.contiguous());
        let mut partial = Tensor::written(depthwise.partial_sums().into(), |_| {});
        Tensor::written(kernel.clone(), |out| {
            depthwise.kernel_gradient(elements(&x), elements(&gradient), out, partial.as_mut_slice());
        })
    }

    /// [`convolve_input_gradient`](Tensor::convolve_input_gradient).
    pub(super) fn depthwise_input_gradient(
        &self,
        kernel: &Tensor<T>,
        input: &Shape,
        convolution: &Convolution,
    ) -> Tensor<T> {
        let rank = convolution.rank();
        let (channels, filters) = (input[rank + 1], self.shape()[rank + 1]);
        let (g, kernel) = (self.contiguous(), kernel.contiguous());
        let wide = with_channels(input, filters);
        let axes = (0..rank).map(|axis| {
            let count = convolution.strides[axis].min(input[axis + 1]);
            let phases =
                (0..count).map(|first| Phase::new(convolution, axis, first, input[axis + 1], kernel.shape()[axis]));
            phases.map(|phase| phase.sweep(self.shape()[axis + 1])).collect()
        });
        let axes: SmallVec<[Axis; 3]> = axes.collect();
        let depthwise = depthwise(&axes, &wide, kernel.shape());
        let by_filter = Tensor::written(wide.clone(), |out| {
            depthwise.convolve(elements(&g), elements(&kernel), None, false, out);
        });
        if filters == channels {
            return by_filter;
        }
        let by_channel = input.join(&[filters / channels]);
        by_filter.reshape(&by_channel).sum(-1)
    }

    /// The input with each channel repeated once for each of its filters.
    fn repeated(&self, filters: usize) -> Tensor<T> {
        let channels = self.shape()[self.ndim() - 1];
        if channels == filters {
            return self.contiguous();
        }
        let times = self.shape().join(&[filters / channels]);
        self.unsqueeze(-1).broadcast_to(&times).reshape(with_channels(self.shape(), filters))
    }
}

/// A phase: the elements `first + q stride` of the input along one axis, which meet windows at the same kernel positions (taps).
///
/// Element i of the padded input meets window o at position k where i = o stride + k dilation. With i = place + stride q, that is
/// o = q + (place - k dilation) / stride, for those k that make it a whole number. So the gradient of the elements of one phase
/// is a convolution of stride 1.
struct Phase {
    /// The number of elements.
    count: usize,
    /// The windows that they meet; the range may begin before window 0 and end after the last window.
    windows: Range<isize>,
    /// The first position, the number of positions, the step between them, and the step between the windows that they meet.
    first_tap: usize,
    taps: usize,
    tap_step: usize,
    window_step: usize,
}

impl Phase {
    fn new(convolution: &Convolution, axis: usize, first: usize, input: usize, kernel: usize) -> Phase {
        let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
        let place = (first + convolution.padding[axis].0) as isize;
        let (tap_step, window_step) = convolution.meeting_steps(axis);
        let window = |tap: usize| (place - (tap * dilation) as isize) / stride as isize;
        let meets = |tap: &usize| (place - (tap * dilation) as isize) % stride as isize == 0;
        let count = (input - first).div_ceil(stride);
        let (first_tap, taps, windows) = match (0..kernel.min(tap_step)).find(meets) {
            Some(tap) => {
                let taps = (kernel - tap).div_ceil(tap_step);
                (tap, taps, window(tap + (taps - 1) * tap_step)..window(tap) + count as isize)
            }
            None => (0, 0, 0..count as isize),
        };
        Phase { count, windows, first_tap, taps, tap_step, window_step }
    }

    /// The sweep that computes this phase from a gradient of this length.
    fn sweep(&self, length: usize) -> Sweep {
        Sweep {
            count: self.count,
            length,
            start: self.windows.start,
            step: 1,
            taps: self.taps,
            distance: taken(self.window_step, self.taps),
            // In reverse order, because the last position meets the first window.
            weight: self.first_tap + self.taps.saturating_sub(1) * self.tap_step,
            weight_step: -(self.tap_step as isize),
        }
    }
}

/// A step between `count` places; 1 where it is not taken, because it may be so long that products with it overflow.
fn taken(step: usize, count: usize) -> usize {
    if count > 1 { step } else { 1 }
}

/// The axes of a forward convolution.
fn forward(convolution: &Convolution, input: &Shape, kernel: &Shape, output: &Shape) -> SmallVec<[Axis; 3]> {
    let sweep = |axis: usize| Sweep {
        count: output[axis + 1],
        length: input[axis + 1],
        start: -(convolution.padding[axis].0 as isize),
        step: taken(convolution.strides[axis], output[axis + 1]),
        taps: kernel[axis],
        distance: taken(convolution.dilation[axis], kernel[axis]),
        weight: 0,
        weight_step: 1,
    };
    (0..convolution.rank()).map(|axis| smallvec![sweep(axis)]).collect()
}

/// The depthwise convolution with these axes and a result of shape `output`.
fn depthwise<'a>(axes: &'a [Axis], output: &'a Shape, kernel: &'a Shape) -> Depthwise<'a> {
    let rank = axes.len();
    Depthwise {
        samples: output[0],
        channels: output[rank + 1],
        axes,
        output: &output[1..=rank],
        kernel: &kernel[..rank],
    }
}

fn with_channels(shape: &Shape, channels: usize) -> Shape {
    let mut shape = shape.clone();
    *shape.last_mut().expect("there is an axis of channels") = channels;
    shape
}
