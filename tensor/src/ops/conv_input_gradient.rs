//! What a convolution passes back to its input, which is also the transposed convolution.
//!
//! Mostly each window's gradient is multiplied with the weights, and the products are folded: added up where windows
//! overlap. A window has few products where the input has few channels, as pictures do; then the elements of the input
//! gather what they get from all their windows in one product each.

use smallvec::SmallVec;

use super::conv::expect_gradient;
use super::depthwise::is_depthwise;
use super::elements;
use crate::convolution::{Convolution, steps};
use crate::element::Float;
use crate::grid::Grid;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::folded::folded_products;
use crate::kernels::gemm::spread::{Products, Rows, Spread, products_together};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

/// The most taps of a kernel whose products are gathered: near the ends elements see some of them, and for each such set
/// the weights are copied.
const MOST_TAPS: usize = 32;

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
        let (rank, groups, all_filters) = (convolution.rank(), convolution.groups, kernel.shape()[kernel.ndim() - 1]);
        if is_depthwise(kernel.shape(), convolution) {
            return self.depthwise_input_gradient(kernel, input, convolution);
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
                // Seen from a filter: an element for each tap and channel.
                let weights = Mat::new(w, group * filters, [filters, columns], [1, all_filters as isize]);
                if windows.are_tiles() && windows.size() == 1 && groups == 1 {
                    let rows = Mat::new(g, 0, [dx.len() / channels.max(1), filters], [filters as isize, 1]);
                    return T::gemm(rows, weights, dx);
                }
                let (rows, columns) = (rows.clone().moved(group * filters), Grid::new(0).axis(filters, 1));
                let gradients = Spread::new(g, input[0], sample, &rows, &columns);
                folded_products(gradients, weights, &windows, group * channels..(group + 1) * channels, group > 0, dx);
            }
        })
    }

    /// The same by a product for each set of elements that see the same taps; all are contiguous.
    fn gathered(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution) -> Tensor<T> {
        let (rank, groups) = (convolution.rank(), convolution.groups);
        let all_filters = kernel.shape()[rank + 1];
        let (channels, filters) = (input[rank + 1] / groups, all_filters / groups);
        let (g, w) = (elements(self), elements(kernel));
        let (gradient_steps, input_steps) = (steps(&self.shape()[1..]), steps(&input[1..]));
        let tap_steps = steps(&kernel.shape()[..rank]);

        // Where the elements of each set lie, what they see, and the weights, from the last tap, which meets the first
        // window, back to the first.
        let (mut grids, mut weights) = (Vec::new(), Vec::new());
        let sets = sets(convolution, self.shape(), input, kernel.shape());
        for (set, group) in sets.iter().flat_map(|set| (0..groups).map(move |group| (set, group))) {
            let (mut rows, mut columns, mut results, mut taps) =
                (Grid::new(group * filters), Grid::new(0), Grid::new(group * channels), Grid::new(0));
            for (axis, along) in set.iter().enumerate() {
                let step = gradient_steps[axis];
                rows = rows.axis(along.count, step).moved(along.first_window * step);
                columns = columns.axis(along.taps, along.window_step * step);
                results =
                    results.axis(along.count, along.stride * input_steps[axis]).moved(along.first * input_steps[axis]);
                taps = taps.axis(along.taps, along.tap_step * tap_steps[axis]).moved(along.first_tap * tap_steps[axis]);
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
                    a: Spread::new(g, input[0], gradient_step, rows, columns),
                    b: Mat::new(&weights, *start, [k, channels], [1, k as isize]),
                    places: Rows { step: input_step, rows: results },
                }
            })
            .collect();
        Tensor::written(input.clone(), |dx| products_together(&products, dx))
    }
}

/// Elements of the input along one axis that see the same taps of the kernel: those at `first + i stride`.
///
/// The padded input at p meets the window o through the tap k where p = o stride + k dilation. So to an element that is
/// so many strides further on belong, through the same taps, windows that are so many further on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Along {
    first: usize,
    count: usize,
    stride: usize,
    /// The first tap, how many there are, and how far they are apart.
    first_tap: usize,
    taps: usize,
    tap_step: usize,
    /// The window that the first element meets through its last tap, and how far it is to that of the tap before.
    first_window: usize,
    window_step: usize,
}

impl Along {
    fn all(convolution: &Convolution, axis: usize, windows: usize, input: usize, kernel: usize) -> Vec<Along> {
        let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
        let (tap_step, window_step) = convolution.meeting_steps(axis);
        let mut all: Vec<Along> = Vec::new();
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
                    _ => all.push(Along {
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

/// Elements of the input that see the same taps along every axis.
type Set = SmallVec<[Along; 3]>;

/// Every element in one set.
fn sets(convolution: &Convolution, gradient: &Shape, input: &Shape, kernel: &Shape) -> Vec<Set> {
    (0..convolution.rank()).fold(vec![Set::new()], |sets, axis| {
        let along = Along::all(convolution, axis, gradient[axis + 1], input[axis + 1], kernel[axis]);
        let join = |set: Set| along.iter().map(move |&along| set.iter().copied().chain([along]).collect());
        sets.into_iter().flat_map(join).collect()
    })
}
