//! The gradient of a convolution with respect to its input, which is also the transposed convolution.
//!
//! In general the gradient at each window is multiplied with the weights, and the products are folded (col2im): added up where
//! windows overlap. Where the input has few channels, as pictures do, these products are small; then each element of the input
//! gathers its sum over all its windows in one product.

use smallvec::SmallVec;

use super::conv::expect_gradient;
use super::depthwise::is_depthwise;
use super::elements;
use crate::convolution::{Convolution, steps};
use crate::element::Float;
use crate::grid::Grid;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::folded::folded_products;
use crate::kernels::gemm::implicit::ImplicitMatrix;
use crate::kernels::gemm::implicit_products::{Products, ResultRows, products_together};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

/// The most kernel positions (taps) of a gathered gradient. Elements near the ends meet only some positions, and the weights
/// are copied for each such set of positions.
const MOST_TAPS: usize = 32;

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
        if windows.size() <= MOST_TAPS && T::is_narrow(channels, filters) {
            return gradient.gathered(&kernel, input, convolution);
        }
        let (g, w, columns) = (elements(&gradient), elements(&kernel), windows.size() * channels);
        let sample: usize = self.shape()[1..].iter().product();
        let rows = Grid::new(0).axis(self.shape()[1..=rank].iter().product(), all_filters);
        Tensor::written(input.clone(), |dx| {
            for group in 0..groups {
                // A row for each filter: an element for each kernel position and channel.
                let weights = Mat::new(w, group * filters, [filters, columns], [1, all_filters as isize]);
                if windows.are_tiles() && windows.size() == 1 && groups == 1 {
                    let rows = Mat::new(g, 0, [dx.len() / channels.max(1), filters], [filters as isize, 1]);
                    return T::gemm(rows, weights, dx);
                }
                let (rows, columns) = (rows.clone().offset_by(group * filters), Grid::new(0).axis(filters, 1));
                let gradients = ImplicitMatrix::new(g, input[0], sample, &rows, &columns);
                folded_products(gradients, weights, &windows, group * channels..(group + 1) * channels, group > 0, dx);
            }
        })
    }

    /// The same gradient by one product for each set of elements that meet the same kernel positions. The operands are
    /// contiguous.
    fn gathered(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution) -> Tensor<T> {
        let (rank, groups) = (convolution.rank(), convolution.groups);
        let all_filters = kernel.shape()[rank + 1];
        let (channels, filters) = (input[rank + 1] / groups, all_filters / groups);
        let (g, w) = (elements(self), elements(kernel));
        let (gradient_steps, input_steps) = (steps(&self.shape()[1..]), steps(&input[1..]));
        let tap_steps = steps(&kernel.shape()[..rank]);

        // For each set: the offsets that are read, those that are written, and the weights. The weights are in reverse order,
        // because the last position meets the first window.
        let (mut grids, mut weights) = (Vec::new(), Vec::new());
        let sets = sets(convolution, self.shape(), input, kernel.shape());
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
            let (start, k) = (weights.len(), taps.len() * filters);
            weights.resize(start + k * channels, T::ZERO);
            for channel in 0..channels {
                let of_channel = &mut weights[start + channel * k..][..k];
                for (target, tap) in of_channel.chunks_exact_mut(filters).rev().zip(taps.table()) {
                    target.copy_from_slice(&w[(tap * channels + channel) * all_filters + group * filters..][..filters]);
                }
            }
            grids.push((rows, columns.axis(filters, 1), results, start));
        }
        let (gradient_step, input_step) = (self.shape()[1..].iter().product(), input[1..].iter().product());
        let products: Vec<_> = grids
            .iter()
            .map(|(rows, columns, results, start)| {
                let k = columns.len();
                Products {
                    a: ImplicitMatrix::new(g, input[0], gradient_step, rows, columns),
                    b: Mat::new(&weights, *start, [k, channels], [1, k as isize]),
                    results: ResultRows { step: input_step, rows: results },
                }
            })
            .collect();
        Tensor::written(input.clone(), |dx| products_together(&products, dx))
    }
}

/// The elements of the input along one axis that meet the same kernel positions (taps): those at `first + i stride`.
///
/// Element p of the padded input meets window o at position k where p = o stride + k dilation. So element p + stride meets
/// window o + 1 at the same position.
#[derive(Clone, Copy, Debug, PartialEq)]
struct AxisSet {
    first: usize,
    count: usize,
    stride: usize,
    /// The first position, the number of positions, and the step between them.
    first_tap: usize,
    taps: usize,
    tap_step: usize,
    /// The window that the first element meets at its last position, and the step to the window at the position before.
    first_window: usize,
    window_step: usize,
}

impl AxisSet {
    fn all(convolution: &Convolution, axis: usize, windows: usize, input: usize, kernel: usize) -> Vec<AxisSet> {
        let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
        let (tap_step, window_step) = convolution.meeting_steps(axis);
        let mut all: Vec<AxisSet> = Vec::new();
        for phase in 0..stride.min(input) {
            let begin = all.len();
            for first in (phase..input).step_by(stride) {
                let place = first + convolution.padding[axis].0;
                let window = |tap: usize| {
                    let reach = place.checked_sub(tap * dilation)?;
                    (reach % stride == 0 && reach / stride < windows).then_some(reach / stride)
                };
                let mut taps = (0..kernel).filter(|&tap| window(tap).is_some());
                let first_tap = taps.next();
                let last_tap = taps.next_back().or(first_tap);
                let (first_tap, taps, first_window) = match (first_tap, last_tap) {
                    (Some(first), Some(last)) => (first, (last - first) / tap_step + 1, window(last).unwrap_or(0)),
                    _ => (0, 0, 0),
                };
                match all[begin..].last_mut() {
                    Some(last) if (last.first_tap, last.taps) == (first_tap, taps) => last.count += 1,
                    _ => all.push(AxisSet {
                        first,
                        count: 1,
                        stride,
                        first_tap,
                        taps,
                        tap_step,
                        first_window,
                        window_step,
                    }),
                }
            }
        }
        all
    }
}

/// The elements of the input that meet the same kernel positions along every axis.
type Set = SmallVec<[AxisSet; 3]>;

/// The sets, which hold each element of the input once.
fn sets(convolution: &Convolution, gradient: &Shape, input: &Shape, kernel: &Shape) -> Vec<Set> {
    (0..convolution.rank()).fold(vec![Set::new()], |sets, axis| {
        let along = AxisSet::all(convolution, axis, gradient[axis + 1], input[axis + 1], kernel[axis]);
        let join = |set: Set| along.iter().map(move |&along| set.iter().copied().chain([along]).collect());
        sets.into_iter().flat_map(join).collect()
    })
}
