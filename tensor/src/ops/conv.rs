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
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The convolution of `[n, spatial.., c]` with a kernel `[spatial.., c / groups, filters]`: `[n, out.., filters]`,
    /// where element `[n, o.., f]` is the sum over k.. and c of `x[n, o stride + k dilation - padding.., c]` times
    /// `kernel[k.., c, f]`. (A cross-correlation, as in all of deep learning: the kernel is not flipped.)
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
        let grids = ConvGrids::new(self.shape(), kernel.shape(), &shape, convolution);
        let (padded, kernel, bias) = (grids.padded(self), kernel.contiguous(), bias.map(Tensor::contiguous));
        let (x, w) = (elements(&padded), elements(&kernel));
        Tensor::written(shape, |out| {
            for group in 0..convolution.groups {
                let (columns, results) = (grids.columns(group), grids.results(group));
                let patches = ImplicitMatrix::new(x, grids.samples, grids.input_step, &grids.windows, &columns);
                let (first, filters) = (group * grids.filters, grids.filters);
                let weights = Mat::new(w, first, [columns.len(), filters], [grids.all_filters as isize, 1]);
                let addend =
                    bias.as_ref().map_or(Addend::Zero, |bias| Addend::Row(&elements(bias)[first..first + filters]));
                let results = ResultRows { step: grids.output_step, rows: &results };
                products(Products { a: patches, b: weights, results }, out, addend, relu);
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
        let grids = ConvGrids::new(self.shape(), kernel, gradient.shape(), convolution);
        let (padded, gradient) = (grids.padded(self), gradient.contiguous());
        let (x, g) = (elements(&padded), elements(&gradient));
        let (groups, filters) = (convolution.groups, grids.filters);
        let (positions, per_group) = (grids.windows.len(), grids.columns.len());
        let partial = partial_sums(grids.samples, [per_group, positions, filters]);
        let mut partial = Tensor::written(partial.into(), |_| {});
        let by_group = Tensor::written([groups, per_group, filters].into(), |out| {
            for group in 0..groups {
                let columns = grids.columns(group);
                let patches = ImplicitMatrix::new(x, grids.samples, grids.input_step, &columns, &grids.windows);
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
    /// The padding of each axis, those of batch and channels included.
    widths: SmallVec<[(usize, usize); 5]>,
    pub samples: usize,
    /// The elements of a padded sample.
    pub input_step: usize,
    /// The elements of a sample of the output.
    output_step: usize,
    /// The channels and the filters of a group.
    channels: usize,
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
        let mut widths = SmallVec::from_elem((0, 0), rank + 2);
        widths[1..=rank].copy_from_slice(&convolution.padding);
        let padded: Shape = input.iter().zip(&widths).map(|(&length, &(a, b))| a + length + b).collect();
        let steps = steps(&padded[1..]);
        let (mut windows, mut columns) = (Grid::new(0), Grid::new(0));
        for axis in 0..rank {
            windows = windows.axis(output[axis + 1], convolution.strides[axis] * steps[axis]);
            columns = columns.axis(kernel[axis], convolution.dilation[axis] * steps[axis]);
        }
        ConvGrids {
            widths,
            samples: input[0],
            input_step: padded[1..].iter().product(),
            output_step: output[1..].iter().product(),
            channels: kernel[rank],
            filters: kernel[rank + 1] / convolution.groups,
            all_filters: kernel[rank + 1],
            windows,
            columns: columns.axis(kernel[rank], 1),
        }
    }

    /// The input with its padding, contiguous.
    pub fn padded<T: Float>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.pad(&self.widths, T::ZERO).contiguous()
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    #[cfg(feature = "parallel")]
    use crate::ops::testing::assert_same_on_threads;
    use crate::ops::testing::{WAYS, indices, integers, lying, place};

    /// A convolution to test: spatial lengths of input and kernel, and the options.
    #[derive(Debug, Clone)]
    struct Case {
        samples: usize,
        input: Vec<usize>,
        kernel: Vec<usize>,
        /// Channels and filters of one group.
        channels: usize,
        filters: usize,
        convolution: Convolution,
    }

    impl Case {
        fn input(&self) -> Shape {
            Shape::from(self.samples).join(&self.input).join(&[self.channels * self.convolution.groups])
        }

        fn kernel(&self) -> Shape {
            Shape::from(&self.kernel[..]).join(&[self.channels, self.filters * self.convolution.groups])
        }
    }

    /// Of one axis: length, kernel, stride, dilation and padding.
    type AxisCase = (usize, usize, usize, usize, (usize, usize));

    fn cases() -> impl Strategy<Value = Case> {
        let axis = (0_usize..8, 1_usize..4, 1_usize..4, 1_usize..3, (0_usize..3, 0_usize..3));
        let axes = (1_usize..4).prop_flat_map(move |rank| prop::collection::vec(axis.clone(), rank));
        // Few channels and filters, and many of one of them, which take other paths.
        let sizes = prop_oneof![
            2 => (0_usize..4, 0_usize..20, prop_oneof![1_usize..3, Just(21)]),
            1 => (0_usize..6, 16_usize..40, 1_usize..3),
            1 => (16_usize..40, 0_usize..6, 1_usize..3),
        ];
        (axes, 0_usize..3, sizes).prop_filter_map(
            "the kernel does not fit",
            |(axes, samples, (channels, filters, groups))| {
                let of = |f: fn(&AxisCase) -> usize| axes.iter().map(f).collect();
                let (input, kernel): (Vec<_>, Vec<_>) = (of(|a| a.0), of(|a| a.1));
                let (strides, dilation): (Vec<_>, Vec<_>) = (of(|a| a.2), of(|a| a.3));
                let padding: Vec<_> = axes.iter().map(|a| a.4).collect();
                let convolution =
                    Convolution::new(axes.len()).strides(&strides).dilation(&dilation).padding(&padding).groups(groups);
                let case = Case { samples, input, kernel, channels, filters, convolution };
                case.convolution.output_shape(&case.input(), &case.kernel()).ok().map(|_| case)
            },
        )
    }

    /// Calls `visit` with the indices into x, the kernel and the output of each product in the definition.
    fn visit(case: &Case, mut visit: impl FnMut(&[usize], &[usize], &[usize])) {
        let convolution = &case.convolution;
        let (input, kernel) = (case.input(), case.kernel());
        let output = convolution.output_shape(&input, &kernel).unwrap();
        let rank = convolution.rank();
        let kernels = indices(&kernel);
        for o in indices(&output) {
            let group = o[rank + 1] / case.filters;
            for k in kernels.iter().filter(|k| k[rank + 1] == o[rank + 1]) {
                let mut x = vec![o[0]];
                for axis in 0..rank {
                    let place = o[axis + 1] * convolution.strides[axis] + k[axis] * convolution.dilation[axis];
                    match place.checked_sub(convolution.padding[axis].0) {
                        Some(place) if place < input[axis + 1] => x.push(place),
                        _ => break,
                    }
                }
                if x.len() == rank + 1 {
                    x.push(group * case.channels + k[rank]);
                    visit(&x, k, &o);
                }
            }
        }
    }

    /// The convolution of x with a kernel, its gradients, and the convolution with a bias, without and with ReLU; each operand
    /// is a view of the given kind.
    fn found<T: Float>(operands: &[Tensor<f64>; 4], ways: [usize; 4], c: &Convolution) -> [Tensor<f64>; 5] {
        let [x, kernel, gradient, bias] = std::array::from_fn(|i| lying(&operands[i].to::<T>(), ways[i]));
        let all = [
            x.convolve(&kernel, c),
            gradient.convolve_input_gradient(&kernel, x.shape(), c),
            x.convolve_kernel_gradient(&gradient, kernel.shape(), c),
            x.convolve_biased(&kernel, &bias, false, c),
            x.convolve_biased(&kernel, &bias, true, c),
        ];
        all.map(|tensor| tensor.to())
    }

    proptest! {
        #[test]
        fn as_the_definition_says(case in cases(), ways in [0..WAYS, 0..WAYS, 0..WAYS, 0..WAYS]) {
            let (x, kernel) = (integers(case.input(), 1), integers(case.kernel(), 2));
            let shape = case.convolution.output_shape(x.shape(), kernel.shape()).unwrap();
            let bias = integers([shape[shape.len() - 1]], 4);
            let gradient = integers(shape.clone(), 3);
            let (mut y, mut dx, mut dk) = (Tensor::zeros(shape), x.zeros_like(), kernel.zeros_like());
            visit(&case, |i, k, o| {
                let (i, k, o) = (place(x.shape(), i), place(kernel.shape(), k), place(gradient.shape(), o));
                let (xs, ks, gs) = (x.as_slice().unwrap(), kernel.as_slice().unwrap(), gradient.as_slice().unwrap());
                y.as_mut_slice()[o] += xs[i] * ks[k];
                dx.as_mut_slice()[i] += gs[o] * ks[k];
                dk.as_mut_slice()[k] += gs[o] * xs[i];
            });
            let biased = &y + &bias;
            let expected = [y, dx, dk, biased.clone(), biased.relu()];
            let operands = [x, kernel, gradient, bias];
            prop_assert_eq!(&found::<f64>(&operands, ways, &case.convolution), &expected);
            prop_assert_eq!(&found::<f32>(&operands, ways, &case.convolution), &expected);
        }
    }

    #[test]
    fn large_enough_for_many_tasks() {
        // Sums of products in several parts, strips over the ends of samples, k in several blocks.
        let case = Case {
            samples: 9,
            input: vec![17, 15],
            kernel: vec![3, 3],
            channels: 33,
            filters: 35,
            convolution: Convolution::new(2).padding(&[(1, 1), (0, 2)]),
        };
        let (x, kernel) = (integers(case.input(), 1), integers(case.kernel(), 2));
        let y = x.convolve(&kernel, &case.convolution);
        let dk = x.convolve_kernel_gradient(&y, kernel.shape(), &case.convolution);
        let dx = y.convolve_input_gradient(&kernel, x.shape(), &case.convolution);
        // By the products' own identity: <y, y> = <x, dx> = <kernel, dk>.
        let squares = (&y * &y).sum(..).item();
        assert_eq!((&x * &dx).sum(..).item(), squares);
        assert_eq!((&kernel * &dk).sum(..).item(), squares);
        let mut sum = 0.0;
        visit(&Case { samples: 1, ..case.clone() }, |i, k, o| {
            if o == [0, 4, 5, 6] {
                sum += x.get(i) * kernel.get(k);
            }
        });
        assert_eq!(y.get([0, 4, 5, 6]), sum);
    }

    #[test]
    fn more_kernel_lines_than_one_pass_reads() {
        // Depthwise, with more lines than are read in one pass: 5 x 5 lines of 2 positions.
        let convolution = Convolution::new(3).padding(&[(2, 2), (1, 3), (0, 1)]).groups(3);
        let case = Case {
            samples: 2,
            input: vec![4, 5, 3],
            kernel: vec![5, 5, 2],
            channels: 1,
            filters: 1,
            convolution: convolution.clone(),
        };
        let (x, kernel, bias) = (integers(case.input(), 1), integers(case.kernel(), 2), integers([3], 3));
        let mut y = Tensor::zeros(convolution.output_shape(x.shape(), kernel.shape()).unwrap());
        visit(&case, |i, k, o| {
            let o = place(y.shape(), o);
            y.as_mut_slice()[o] += x.get(i) * kernel.get(k);
        });
        assert_eq!(x.convolve(&kernel, &convolution), y);
        assert_eq!(x.convolve_biased(&kernel, &bias, true, &convolution), (&y + &bias).relu());
        let squares = (&y * &y).sum(..).item();
        assert_eq!((y.convolve_input_gradient(&kernel, x.shape(), &convolution) * &x).sum(..).item(), squares);
        assert_eq!((x.convolve_kernel_gradient(&y, kernel.shape(), &convolution) * &kernel).sum(..).item(), squares);
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_same_bits_for_any_number_of_threads() {
        let waves = |shape: &[usize], seed| integers(shape, seed).to::<f32>().sin();
        let x = waves(&[8, 20, 20, 16], 1);
        let strided = || Convolution::new(2).strides(&[1, 2]);
        // One group, few filters, groups of two channels, groups of four, and depthwise with two filters for each channel.
        for (kernel, convolution) in [
            (waves(&[3, 3, 16, 24], 2), strided()),
            (waves(&[3, 3, 16, 3], 2), strided()),
            (waves(&[3, 3, 2, 128], 2), strided().groups(8)),
            (waves(&[3, 3, 4, 24], 2), strided().groups(4)),
            (waves(&[3, 3, 1, 32], 2), strided().groups(16)),
        ] {
            assert_same_on_threads(|| {
                let y = x.convolve(&kernel, &convolution);
                // The transposed convolution.
                let by_input = y.convolve_input_gradient(&kernel, x.shape(), &convolution);
                let by_kernel = x.convolve_kernel_gradient(&y, kernel.shape(), &convolution);
                vec![y, by_input, by_kernel]
            });
        }
    }

    #[test]
    fn a_rectified_convolution_keeps_what_is_not_a_number() {
        let x = Tensor::new([[[f32::NAN], [-1.0], [1.0]]]);
        let y = x.convolve_biased(&Tensor::new([[[2.0]]]), &Tensor::new([0.5]), true, &Convolution::new(1));
        assert!(y.get([0, 0, 0]).is_nan());
        assert_eq!(y.slice(1, 1..), Tensor::new([[[0.0], [2.5]]]));
    }

    #[test]
    #[should_panic(
        expected = "convolve_biased: the bias must have one element for each filter: bias [2], kernel [1, 1, 3]"
    )]
    fn a_bias_of_other_filters() {
        let (x, kernel) = (Tensor::<f32>::zeros([1, 3, 1]), Tensor::zeros([1, 1, 3]));
        x.convolve_biased(&kernel, &Tensor::zeros([2]), false, &Convolution::new(1));
    }

    #[test]
    #[should_panic(expected = "convolve: a kernel of [4] (dilation [1]) does not fit the input [3] (padding [(0, 0)])")]
    fn a_kernel_larger_than_its_input() {
        Tensor::<f32>::zeros([1, 3, 1]).convolve(&Tensor::zeros([4, 1, 1]), &Convolution::new(1));
    }
}
