//! What a convolution passes back to its input, which is also the transposed convolution.

use std::ops::Range;

use smallvec::SmallVec;

use super::conv::expect_gradient;
use super::depthwise::is_depthwise;
use super::elements;
use crate::convolution::{Convolution, steps};
use crate::element::Float;
use crate::grid::Grid;
use crate::kernels::depthwise::Sweep;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::spread::{Base, Rows, Spread, products};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The gradient of [`convolve`](Tensor::convolve) with respect to its input, of shape `input`, where `self` is that
    /// of its output: of all, or of the first windows along each axis, where it is 0 for the others. Seen by itself it is
    /// the transposed convolution.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_input_gradient(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution) -> Tensor<T> {
        let shape = expect_shape("convolve_input_gradient", convolution.output_shape(input, kernel.shape()));
        expect_gradient("convolve_input_gradient", self.shape(), &shape);
        let shape = self.shape();
        let (rank, groups) = (convolution.rank(), convolution.groups);
        let (channels, filters) = (input[rank + 1] / groups, shape[rank + 1] / groups);
        if is_depthwise(kernel.shape(), convolution) {
            return self.depthwise_input_gradient(kernel, input, convolution);
        }
        // Zeros around the gradient, so that every window that is asked for exists.
        let mut widths: SmallVec<[(usize, usize); 5]> = SmallVec::from_elem((0, 0), rank + 2);
        for axis in 0..rank {
            let phases = || Phase::of_axis(convolution, axis, input, kernel.shape());
            let low = phases().map(|phase| phase.windows.start).min().unwrap_or(0).min(0);
            let high = phases().map(|phase| phase.windows.end).max().unwrap_or(0).max(shape[axis + 1] as isize);
            widths[axis + 1] = (low.unsigned_abs(), high as usize - shape[axis + 1]);
        }
        let padded = self.pad(&widths, T::ZERO).contiguous();
        let (gradient_steps, input_steps) = (steps(&padded.shape()[1..]), steps(&input[1..]));
        let (gradient_step, input_step) = (padded.shape()[1..].iter().product(), input[1..].iter().product());

        // For each group and tap a matrix [filters, channels], as the product wants it.
        let taps: usize = kernel.shape()[..rank].iter().product();
        let turned = kernel.reshape([taps, channels, groups, filters]).permute([2, 0, 3, 1]).contiguous();
        let (turned, tap_steps) = (elements(&turned), steps(&kernel.shape()[..rank]));
        Tensor::written(input.clone(), |out| {
            for phases in Phase::combinations(convolution, input, kernel.shape()) {
                let grid = || Grid::new(0);
                let (mut rows, mut columns, mut used, mut results) = (grid(), grid(), grid(), grid());
                for (axis, phase) in phases.iter().enumerate() {
                    let first = (phase.windows.start + widths[axis + 1].0 as isize) as usize;
                    rows = rows.axis(phase.count, gradient_steps[axis]).moved(first * gradient_steps[axis]);
                    columns = columns.axis(phase.taps, phase.window_step * gradient_steps[axis]);
                    // From the last tap, which meets the first window, back to the first.
                    used = used
                        .axis(phase.taps, phase.tap_step * tap_steps[axis])
                        .moved(phase.first_tap * tap_steps[axis]);
                    results = results.axis(phase.count, phase.stride * input_steps[axis]);
                    results = results.moved(phase.first * input_steps[axis]);
                }
                columns = columns.axis(filters, 1);
                let size = filters * channels;
                let mut weights = Tensor::written([used.len(), size].into(), |_| {});
                for group in 0..groups {
                    let of_group = &turned[group * taps * size..][..taps * size];
                    let mut matrices = weights.as_mut_slice().chunks_exact_mut(size.max(1)).rev();
                    for (matrix, tap) in matrices.by_ref().zip(used.iter(0..used.len())) {
                        matrix.copy_from_slice(&of_group[tap * size..][..size]);
                    }
                    let weights = Mat::new(elements(&weights), 0, [columns.len(), channels], [channels as isize, 1]);
                    let (columns, results) =
                        (columns.clone().moved(group * filters), results.clone().moved(group * channels));
                    let gradients = Spread::new(elements(&padded), input[0], gradient_step, &rows, &columns);
                    products(gradients, weights, out, Rows { step: input_step, rows: &results }, Base::Zero, false);
                }
            }
        })
    }
}

/// Elements of the input along one axis that meet windows in the same way: those at `first + q stride`.
///
/// The padded input at i meets the window o through the tap k where i = o stride + k dilation. With
/// i = place + stride q that is o = q + (place - k dilation) / stride, for those k that make it whole: so the gradient
/// of the elements of one phase is a convolution of stride 1.
pub(super) struct Phase {
    /// The first such element of the input, how many there are, and how far they are apart.
    first: usize,
    count: usize,
    stride: usize,
    /// The windows that they meet, before 0 and beyond the last where there are none.
    windows: Range<isize>,
    /// The taps of the kernel: the first of them, how many there are, how far they are apart, and the windows that two
    /// neighbours meet.
    first_tap: usize,
    taps: usize,
    tap_step: usize,
    window_step: usize,
}

impl Phase {
    /// Every combination of the phases of all axes.
    pub fn combinations(
        convolution: &Convolution,
        input: &Shape,
        kernel: &Shape,
    ) -> impl Iterator<Item = SmallVec<[Phase; 3]>> {
        let rank = convolution.rank();
        let count = move |axis: usize| convolution.strides[axis].min(input[axis + 1]);
        (0..(0..rank).map(count).product()).map(move |mut combination| {
            let phase = |axis: usize| {
                let first = combination % count(axis);
                combination /= count(axis);
                Phase::new(convolution, axis, first, input[axis + 1], kernel[axis])
            };
            let mut phases: SmallVec<[Phase; 3]> = (0..rank).rev().map(phase).collect();
            phases.reverse();
            phases
        })
    }

    /// The phases of an axis; those that no element has are left out.
    fn of_axis(convolution: &Convolution, axis: usize, input: &Shape, kernel: &Shape) -> impl Iterator<Item = Phase> {
        let count = convolution.strides[axis].min(input[axis + 1]);
        (0..count).map(move |first| Phase::new(convolution, axis, first, input[axis + 1], kernel[axis]))
    }

    fn new(convolution: &Convolution, axis: usize, first: usize, input: usize, kernel: usize) -> Phase {
        let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
        let place = (first + convolution.padding[axis].0) as isize;
        let divides = |divisor: &usize| stride % divisor == 0 && dilation % divisor == 0;
        let shared = (1..=stride).rev().find(divides).expect("1 divides all");
        let (tap_step, window_step) = (stride / shared, dilation / shared);
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
        Phase { first, count, stride, windows, first_tap, taps, tap_step, window_step }
    }

    /// The same as a sweep over a gradient of this length.
    pub fn sweep(&self, length: usize) -> Sweep {
        Sweep {
            count: self.count,
            first: self.first,
            apart: self.stride,
            length,
            start: self.windows.start,
            step: 1,
            taps: self.taps,
            distance: self.window_step,
            // From the last tap, which meets the first window, back to the first.
            weight: self.first_tap + self.taps.saturating_sub(1) * self.tap_step,
            weight_step: -(self.tap_step as isize),
        }
    }
}
