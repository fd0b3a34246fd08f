//! Convolution over one, two or three axes, and its derivatives.
//!
//! Channels come last: `[n, length, c]`, `[n, height, width, c]` or `[n, depth, height, width, c]`. So the channels of a
//! window's place are contiguous, and all three products (forward and the two derivatives) have an im2col matrix on the left
//! that is addressed implicitly: see [`implicit`](crate::kernels::gemm::implicit).

use smallvec::SmallVec;

use super::depthwise::is_depthwise;
use super::{elements, expect_output_shape};
use crate::convolution::{Convolution, steps};
use crate::element::Float;
use crate::grid::Grid;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::implicit::{Addend, ImplicitMatrix};
use crate::kernels::gemm::implicit_products::{Products, ResultRows, partial_sums, products, sum_of_products};
use crate::kernels::gemm::samples::{PaddedAxis, Samples};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The convolution of `[n, spatial.., c]` with a kernel `[spatial.., c / groups, filters]`: `[n, out.., filters]`,
    /// where element `[n, o.., f]` is the sum over k.. and c of `x[n, o stride + k dilation - padding.., c]` times
    /// `kernel[k.., c, f]`. (A cross-correlation, as in all of deep learning: the kernel is not flipped.)
    ///
    /// Convolutions of f32 with a kernel of 3, or 3 by 3, strides of 1 and some channels and filters are computed by Winograd's
    /// algorithm where that is faster, as the shapes tell. The error is then about twice as large: 2e-6 at most, relative to the
    /// largest result, for numbers of one size. It is relative to the largest elements in or beside a window, and whole numbers
    /// are rounded too. Elements that are not finite reach the results of their windows alone. f64 always takes the direct way.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Tensor};
    /// let x = Tensor::new([[[1.0], [2.0], [3.0], [4.0]]]);
    /// let difference = Tensor::new([[[-1.0]], [[1.0]]]);
    /// assert_eq!(x.convolve(&difference, &Convolution::new(1)), Tensor::new([[[1.0], [1.0], [1.0]]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Convolution::output_shape`].
    #[track_caller]
    pub fn convolve(&self, kernel: &Tensor<T>, convolution: &Convolution) -> Tensor<T> {
        let shape = expect_shape("convolve", convolution.output_shape(self.shape(), kernel.shape()));
        self.convolved(kernel, None, false, convolution, shape)
    }

    /// The [convolution](Tensor::convolve) plus a bias `[filters]`, and max(y, 0) in place of each result y if `relu`, in one
    /// pass over the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_biased(
        &self,
        kernel: &Tensor<T>,
        bias: &Tensor<T>,
        relu: bool,
        convolution: &Convolution,
    ) -> Tensor<T> {
        let shape = expect_shape("convolve_biased", convolution.output_shape(self.shape(), kernel.shape()));
        expect_bias("convolve_biased", bias, kernel);
        self.convolved(kernel, Some(bias), relu, convolution, shape)
    }

    /// The convolution of shape `shape`, with a bias and a ReLU (epilogue) if asked for.
    pub(super) fn convolved(
        &self,
        kernel: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        relu: bool,
        convolution: &Convolution,
        shape: Shape,
    ) -> Tensor<T> {
        if is_depthwise(kernel.shape(), convolution) {
            return self.depthwise(kernel, bias, relu, convolution, shape);
        }
        if let Some(y) = self.convolved_in_tiles(kernel, bias, relu, convolution, &shape) {
            return y;
        }
        let grids = ConvGrids::new(self.shape(), kernel.shape(), &shape, convolution);
        let (x, kernel, bias) = (self.contiguous(), kernel.contiguous(), bias.map(Tensor::contiguous));
        let (samples, w) = (grids.of_input(&x), elements(&kernel));
        Tensor::written(shape, |out| {
            for group in 0..convolution.groups {
                let (columns, results) = (grids.columns(group), grids.results(group));
                let patches = ImplicitMatrix::new(samples, grids.samples, &grids.windows, &columns);
                let (first, filters) = (group * grids.filters, grids.filters);
                let weights = Mat::new(w, first, [columns.len(), filters], [grids.all_filters as isize, 1]);
                let addend =
                    bias.as_ref().map_or(Addend::Zero, |bias| Addend::Row(&elements(bias)[first..first + filters]));
                let results = ResultRows { step: grids.output_step, rows: &results };
                products(&[Products { a: patches, b: weights, results }], out, addend, relu);
            }
        })
    }

    /// The gradient of [`convolve`](Tensor::convolve) with respect to its kernel, which has the shape `kernel`. `gradient` is
    /// the gradient with respect to the output; it may leave out the last windows along each axis, whose gradient is then 0.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_kernel_gradient(
        &self,
        gradient: &Tensor<T>,
        kernel: &Shape,
        convolution: &Convolution,
    ) -> Tensor<T> {
        let shape = expect_shape("convolve_kernel_gradient", convolution.output_shape(self.shape(), kernel));
        expect_gradient("convolve_kernel_gradient", gradient.shape(), &shape);
        if is_depthwise(kernel, convolution) {
            return self.depthwise_kernel_gradient(gradient, kernel, convolution);
        }
        if let Some(dk) = self.kernel_gradient_in_tiles(gradient, kernel, convolution) {
            return dk;
        }
        let grids = ConvGrids::new(self.shape(), kernel, gradient.shape(), convolution);
        let (x, gradient) = (self.contiguous(), gradient.contiguous());
        let (samples, g) = (grids.of_input(&x), elements(&gradient));
        let (groups, filters) = (convolution.groups, grids.filters);
        let (positions, per_group) = (grids.windows.len(), grids.columns.len());
        let partial = partial_sums(grids.samples, [per_group, positions, filters]);
        let mut partial = Tensor::written(partial.into(), |_| {});
        let by_group = Tensor::written([groups, per_group, filters].into(), |out| {
            for group in 0..groups {
                let columns = grids.columns(group);
                let patches = ImplicitMatrix::new(samples, grids.samples, &columns, &grids.windows);
                let of_sample = |sample: usize| {
                    let start = sample * grids.output_step + group * filters;
                    Mat::new(g, start, [positions, filters], [grids.all_filters as isize, 1])
                };
                let out = &mut out[group * per_group * filters..][..per_group * filters];
                sum_of_products(patches, of_sample, out, partial.as_mut_slice());
            }
        });
        by_group.permute([1, 0, 2]).reshape(kernel)
    }
}

/// The offsets at which a convolution reads and writes: those of the im2col matrix and of its result.
pub(super) struct ConvGrids {
    /// The spatial axes of the input.
    axes: SmallVec<[PaddedAxis; 3]>,
    pub samples: usize,
    /// The elements of a sample of the output.
    output_step: usize,
    /// The channels and the filters of a group.
    channels: usize,
    all_channels: usize,
    filters: usize,
    all_filters: usize,
    /// The offset of each window in a padded sample: the rows of the im2col matrix.
    pub windows: Grid,
    /// The offset of each element of the first group in a window: the columns of the im2col matrix.
    pub columns: Grid,
}

impl ConvGrids {
    pub fn new(input: &Shape, kernel: &Shape, output: &Shape, convolution: &Convolution) -> Self {
        let rank = convolution.rank();
        let padding = input[1..=rank].iter().zip(&convolution.padding);
        let axes: SmallVec<_> =
            padding.map(|(&length, &(before, after))| PaddedAxis { before, length, after }).collect();
        let padded: Shape = axes.iter().map(PaddedAxis::padded).chain([input[rank + 1]]).collect();
        let steps = steps(&padded);
        let (mut windows, mut columns) = (Grid::new(0), Grid::new(0));
        for axis in 0..rank {
            // Saturated: a step that overflows is that of a single window or position, and is not taken.
            windows = windows.axis(output[axis + 1], convolution.strides[axis].saturating_mul(steps[axis]));
            columns = columns.axis(kernel[axis], convolution.dilation[axis].saturating_mul(steps[axis]));
        }
        ConvGrids {
            axes,
            samples: input[0],
            output_step: output[1..].iter().product(),
            channels: kernel[rank],
            all_channels: input[rank + 1],
            filters: kernel[rank + 1] / convolution.groups,
            all_filters: kernel[rank + 1],
            windows,
            columns: columns.axis(kernel[rank], 1),
        }
    }

    /// The samples of the input, which is contiguous, with their padding.
    pub fn of_input<'a, T: Float>(&self, x: &'a Tensor<T>) -> Samples<'a, T> {
        Samples::new(elements(x), &self.axes, self.all_channels)
    }

    /// The offset of each element of a group in a window.
    pub fn columns(&self, group: usize) -> Grid {
        self.columns.clone().offset_by(group * self.channels)
    }

    /// The offset of each window's results of a group in a sample of the output.
    fn results(&self, group: usize) -> Grid {
        Grid::new(group * self.filters).axis(self.windows.len(), self.all_filters)
    }
}

#[track_caller]
pub(super) fn expect_bias<T: Float>(op: &str, bias: &Tensor<T>, kernel: &Tensor<T>) {
    if bias.shape()[..] != kernel.shape()[kernel.ndim() - 1..] {
        panic_bias(op, bias.shape(), kernel.shape());
    }
}

#[cold]
#[track_caller]
fn panic_bias(op: &str, bias: &Shape, kernel: &Shape) -> ! {
    panic!("{op}: the bias must have one element for each filter: bias {bias}, kernel {kernel}")
}

/// Panics unless `found` is the shape of a gradient by an output of shape `expected`; it may leave out the last windows along
/// each axis.
#[track_caller]
pub(super) fn expect_gradient(op: &str, found: &Shape, expected: &Shape) {
    let last = expected.len() - 1;
    let fits = |axis: usize| match axis {
        0 => found[axis] == expected[axis],
        _ if axis == last => found[axis] == expected[axis],
        _ => found[axis] <= expected[axis],
    };
    if found.len() != expected.len() || !(0..=last).all(fits) {
        expect_output_shape(op, "the gradient", found, expected);
    }
}

#[cfg(test)]
mod tests;
