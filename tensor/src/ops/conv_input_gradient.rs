//! The gradient of a convolution with respect to its input, which is also the transposed convolution.
//!
//! Each element of the input gathers its sum over all its windows: a convolution of the gradient, with zeros beyond its ends,
//! for each phase of the stride. Where this would multiply many zeros, the gradient at each window is multiplied with the
//! weights instead, and the products are folded (col2im): added up where windows overlap.

use smallvec::SmallVec;

use super::conv::expect_gradient;
use super::depthwise::is_depthwise;
use super::elements;
use crate::convolution::{Convolution, steps};
use crate::element::Float;
use crate::grid::Grid;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::folded::folded_products;
use crate::kernels::gemm::implicit::{Addend, ImplicitMatrix};
use crate::kernels::gemm::implicit_products::{Products, ResultRows, products};
use crate::kernels::gemm::samples::{PaddedAxis, Samples};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};
use crate::windows::Windows;

impl<T: Float> Tensor<T> {
    /// The gradient of [`convolve`](Tensor::convolve) with respect to its input, which has the shape `input`. `self` is the
    /// gradient with respect to the output; it may leave out the last windows along each axis, whose gradient is then 0.
    /// As an operation of its own this is the transposed convolution.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_input_gradient(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution) -> Tensor<T> {
        let shape = expect_shape("convolve_input_gradient", convolution.output_shape(input, kernel.shape()));
        expect_gradient("convolve_input_gradient", self.shape(), &shape);
        let (rank, groups, all_filters) = (convolution.rank(), convolution.groups, kernel.shape()[kernel.ndim() - 1]);
        if is_depthwise(kernel.shape(), convolution) {
            return self.depthwise_input_gradient(kernel, input, convolution);
        }
        if let Some(dx) = self.input_gradient_in_tiles(kernel, input, convolution) {
            return dx;
        }
        let (channels, filters) = (input[rank + 1] / groups, all_filters / groups);
        let windows = convolution.windows(input, self.shape(), &kernel.shape()[..rank]);
        let (gradient, kernel) = (self.contiguous(), kernel.contiguous());
        if windows.are_tiles() && windows.size() == 1 && groups == 1 {
            let [rows, columns] = [windows.axes.iter().map(|axis| axis.length).product(), channels];
            let g = Mat::new(elements(&gradient), 0, [input[0] * rows, filters], [filters as isize, 1]);
            let weights = Mat::new(elements(&kernel), 0, [filters, columns], [1, filters as isize]);
            return Tensor::written(input.clone(), |dx| T::gemm(g, weights, dx));
        }
        let axes: SmallVec<[Phases; 3]> = (0..rank)
            .map(|axis| Phases::new(convolution, axis, self.shape()[axis + 1], input[axis + 1], kernel.shape()[axis]))
            .collect();
        if is_gathered(&axes, &windows, filters) {
            return gradient.gathered(&kernel, input, convolution, &axes);
        }
        let (g, w, columns) = (elements(&gradient), elements(&kernel), windows.size() * channels);
        let sample: usize = self.shape()[1..].iter().product();
        let rows = Grid::new(0).axis(self.shape()[1..=rank].iter().product(), all_filters);
        Tensor::written(input.clone(), |dx| {
            for group in 0..groups {
                // A row for each filter: an element for each kernel position and channel.
                let weights = Mat::new(w, group * filters, [filters, columns], [1, all_filters as isize]);
                let (rows, columns) = (rows.clone().offset_by(group * filters), Grid::new(0).axis(filters, 1));
                let gradients = ImplicitMatrix::new(Samples::plain(g, sample), input[0], &rows, &columns);
                folded_products(gradients, weights, &windows, group * channels..(group + 1) * channels, group > 0, dx);
            }
        })
    }

    /// The same gradient by one product for each phase of the stride along each axis: a convolution of the padded gradient with
    /// those kernel positions that the phase meets, in reverse order. The operands are contiguous.
    fn gathered(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution, axes: &[Phases]) -> Tensor<T> {
        let (rank, groups) = (convolution.rank(), convolution.groups);
        let all_filters = kernel.shape()[rank + 1];
        let (channels, filters) = (input[rank + 1] / groups, all_filters / groups);
        let w = elements(kernel);
        let padded: SmallVec<[PaddedAxis; 3]> = axes.iter().map(|phases| phases.padded).collect();
        let lengths: Shape = padded.iter().map(PaddedAxis::padded).chain([all_filters]).collect();
        let (gradient_steps, input_steps, tap_steps) =
            (steps(&lengths), steps(&input[1..]), steps(&kernel.shape()[..rank]));
        let samples = Samples::new(elements(self), &padded, all_filters);

        // For each set: the offsets that are read, those that are written, and the weights. The weights are in reverse order,
        // because the last position meets the first window.
        let (mut grids, mut weights, mut turned) = (Vec::new(), Vec::new(), None);
        let all_taps: usize = kernel.shape()[..rank].iter().product();
        let sets = axes.iter().fold(vec![SmallVec::<[Phase; 3]>::new()], |sets, phases| {
            let join = |set: SmallVec<[Phase; 3]>| {
                phases.all.iter().map(move |&along| set.iter().copied().chain([along]).collect())
            };
            sets.into_iter().flat_map(join).collect()
        });
        for (set, group) in sets.iter().flat_map(|set| (0..groups).map(move |group| (set, group))) {
            let (mut rows, mut columns, mut results, mut taps) =
                (Grid::new(group * filters), Grid::new(0), Grid::new(group * channels), Grid::new(0));
            for (axis, along) in set.iter().enumerate() {
                let step = gradient_steps[axis];
                rows = rows.axis(along.count, step).offset_by(along.first_window * step);
                columns = columns.axis(along.taps, along.window_step.saturating_mul(step));
                results = results
                    .axis(along.count, along.stride.saturating_mul(input_steps[axis]))
                    .offset_by(along.first * input_steps[axis]);
                taps = taps
                    .axis(along.taps, along.tap_step.saturating_mul(tap_steps[axis]))
                    .offset_by(along.first_tap * tap_steps[axis]);
            }
            let (start, taps) = (weights.len(), taps.table());
            // Where the lanes of vectors run along k, they read a column of the weights at a time.
            let narrow = T::is_narrow(channels, columns.clone().axis(filters, 1).run());
            if narrow {
                for channel in 0..channels {
                    let row = |tap: usize| (tap * channels + channel) * all_filters + group * filters;
                    weights.extend(taps.iter().rev().flat_map(|&tap| &w[row(tap)..][..filters]));
                }
            } else {
                let turned = turned.get_or_insert_with(|| {
                    kernel.reshape([all_taps, channels, groups, filters]).permute([2, 0, 3, 1]).contiguous()
                });
                let size = filters * channels;
                let all = taps.iter().rev().map(|tap| (group * all_taps + tap) * size);
                all.for_each(|start| weights.extend_from_slice(&elements(turned)[start..][..size]));
            }
            let strides = if narrow { [1, (taps.len() * filters) as isize] } else { [channels as isize, 1] };
            grids.push((rows, columns.axis(filters, 1), results, (start, strides)));
        }
        let step = input[1..].iter().product();
        let products_of: Vec<_> = grids
            .iter()
            .map(|(rows, columns, results, (start, strides))| Products {
                a: ImplicitMatrix::new(samples, input[0], rows, columns),
                b: Mat::new(&weights, *start, [columns.len(), channels], *strides),
                results: ResultRows { step, rows: results },
            })
            .collect();
        Tensor::written(input.clone(), |dx| products(&products_of, dx, Addend::Zero, false))
    }
}

/// The multiply-adds that take as long as adding up one folded result.
const FOLDING: usize = 24;
/// The most products of a gathered gradient.
const MOST_SETS: usize = 64;

/// Whether a gradient is gathered: whether the products with zeros beyond the ends take less time than folding. (Many phases, and
/// zeros in larger numbers than elements, come with strides and dilations of unusual size.)
fn is_gathered(axes: &[Phases], windows: &Windows, filters: usize) -> bool {
    let all = |of: fn(&Phases) -> usize| axes.iter().map(of).fold(1, usize::saturating_mul);
    let [places, count] = [windows.axes.map(|axis| axis.length), windows.axes.map(|axis| axis.windows)]
        .map(|lengths| lengths.iter().product::<usize>());
    let few =
        all(|phases| phases.all.len()) <= MOST_SETS && all(|phases| phases.padded.padded()) / 4 <= places.max(count);
    let (gathered, folded) = (all(Phases::products), count * windows.size());
    few && gathered.saturating_mul(filters) <= folded.saturating_mul(filters + FOLDING)
}

/// The phases of the stride along one axis, and the gradient along it with the zeros beyond its ends that they read.
struct Phases {
    all: SmallVec<[Phase; 2]>,
    padded: PaddedAxis,
}

/// The elements of the input along one axis that meet the same kernel positions (taps): those at `first + i stride`.
///
/// Element p of the padded input meets window o at position k where p = o stride + k dilation. So element p + stride meets
/// window o + 1 at the same position.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Phase {
    first: usize,
    count: usize,
    stride: usize,
    /// The first position, the number of positions, and the step between them.
    first_tap: usize,
    taps: usize,
    tap_step: usize,
    /// The place in the padded gradient that the first element meets at its last position, and the step to the place at the
    /// position before.
    first_window: usize,
    window_step: usize,
}

impl Phases {
    fn new(convolution: &Convolution, axis: usize, windows: usize, input: usize, kernel: usize) -> Self {
        let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
        let (tap_step, window_step) = convolution.meeting_steps(axis);
        // For each phase: its elements, its positions, and the first window that it would meet, which may lie before the first.
        let phase = |first: usize| {
            let place = first + convolution.padding[axis].0;
            let meets = |tap: &usize| (place as isize - (tap * dilation) as isize) % stride as isize == 0;
            // Positions repeat after `tap_step`.
            let first_tap = (0..kernel.min(tap_step)).find(meets);
            let taps = first_tap.map_or(0, |tap| (kernel - tap).div_ceil(tap_step));
            let first_tap = first_tap.unwrap_or(0);
            let last_tap = first_tap + taps.saturating_sub(1) * tap_step;
            let window =
                if taps == 0 { 0 } else { (place as isize - (last_tap * dilation) as isize) / stride as isize };
            let count = (input - first).div_ceil(stride);
            (Phase { first, count, stride, first_tap, taps, tap_step, first_window: 0, window_step }, window)
        };
        let all: SmallVec<[_; 2]> = (0..stride.min(input)).map(phase).collect();
        let meeting = || all.iter().filter(|(phase, _)| phase.taps > 0);
        let before = meeting().map(|(_, window)| -window).max().unwrap_or(0).max(0);
        let end =
            |(phase, window): &(Phase, isize)| window + ((phase.taps - 1) * phase.window_step + phase.count) as isize;
        let after = meeting().map(|last| end(last) - windows as isize).max().unwrap_or(0).max(0);
        let place = |(phase, window): (Phase, isize)| Phase {
            first_window: if phase.taps == 0 { 0 } else { (window + before) as usize },
            ..phase
        };
        Phases {
            all: all.into_iter().map(place).collect(),
            padded: PaddedAxis { before: before as usize, length: windows, after: after as usize },
        }
    }

    /// The pairs of an element and a kernel position that are multiplied.
    fn products(&self) -> usize {
        self.all.iter().map(|phase| phase.count * phase.taps).sum()
    }
}
