//! Convolutions and their gradients, dense, grouped and depthwise, against their definition.

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

/// A case with `channels` and `filters` of one group.
fn case(axes: &[AxisCase], samples: usize, [channels, filters, groups]: [usize; 3]) -> Case {
    let of = |f: fn(&AxisCase) -> usize| axes.iter().map(f).collect();
    let (input, kernel): (Vec<_>, Vec<_>) = (of(|a| a.0), of(|a| a.1));
    let (strides, dilation): (Vec<_>, Vec<_>) = (of(|a| a.2), of(|a| a.3));
    let padding: Vec<_> = axes.iter().map(|a| a.4).collect();
    let convolution =
        Convolution::new(axes.len()).strides(&strides).dilation(&dilation).padding(&padding).groups(groups);
    Case { samples, input, kernel, channels, filters, convolution }
}

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
            let case = case(&axes, samples, [channels, filters, groups]);
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

/// Depthwise convolutions with lines long enough for all numbers of places and of channels that are computed together.
fn depthwise_cases() -> impl Strategy<Value = Case> {
    let long = (1_usize..40, 1_usize..8, 1_usize..4, 1_usize..3, (0_usize..4, 0_usize..4));
    let short = (1_usize..6, 1_usize..5, 1_usize..3, 1_usize..3, (0_usize..3, 0_usize..3));
    let axes = (prop::collection::vec(short, 0..3), long);
    (axes, 0_usize..3, 1_usize..3, prop_oneof![2_usize..40, 60_usize..90]).prop_filter_map(
        "the kernel does not fit",
        |((mut axes, long), samples, filters, groups)| {
            axes.push(long);
            let case = case(&axes, samples, [1, filters, groups]);
            case.convolution.output_shape(&case.input(), &case.kernel()).ok().map(|_| case)
        },
    )
}

fn assert_as_the_definition_says(case: &Case, ways: [usize; 4]) {
    let (x, kernel) = (integers(case.input(), 1), integers(case.kernel(), 2));
    let shape = case.convolution.output_shape(x.shape(), kernel.shape()).unwrap();
    let bias = integers([shape[shape.len() - 1]], 4);
    let gradient = integers(shape.clone(), 3);
    let (mut y, mut dx, mut dk) = (Tensor::zeros(shape), x.zeros_like(), kernel.zeros_like());
    visit(case, |i, k, o| {
        let (i, k, o) = (place(x.shape(), i), place(kernel.shape(), k), place(gradient.shape(), o));
        let (xs, ks, gs) = (x.as_slice().unwrap(), kernel.as_slice().unwrap(), gradient.as_slice().unwrap());
        y.as_mut_slice()[o] += xs[i] * ks[k];
        dx.as_mut_slice()[i] += gs[o] * ks[k];
        dk.as_mut_slice()[k] += gs[o] * xs[i];
    });
    let biased = &y + &bias;
    let expected = [y, dx, dk, biased.clone(), biased.relu()];
    let operands = [x, kernel, gradient, bias];
    assert_eq!(&found::<f64>(&operands, ways, &case.convolution), &expected);
    assert_eq!(&found::<f32>(&operands, ways, &case.convolution), &expected);
}

proptest! {
    #[test]
    fn as_the_definition_says(case in cases(), ways in [0..WAYS, 0..WAYS, 0..WAYS, 0..WAYS]) {
        assert_as_the_definition_says(&case, ways);
    }

}

proptest! {
    // Few, because they are large.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn depthwise_as_the_definition_says(case in depthwise_cases(), ways in [0..WAYS, 0..WAYS, 0..WAYS, 0..WAYS]) {
        assert_as_the_definition_says(&case, ways);
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
fn depthwise_over_three_axes() {
    // 5 x 5 lines of 2 positions.
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

#[test]
fn a_long_axis_of_few_samples() {
    // The gradient of the input is cut into parts along the axis, and windows reach across two of them.
    let convolution = Convolution::new(1).padding(&[(1, 1)]);
    for (channels, filters) in [(8, 20), (20, 4)] {
        let (x, kernel) = (integers([2, 100, channels], 1), integers([3, channels, filters], 2));
        let y = x.convolve(&kernel, &convolution);
        let squares = (&y * &y).sum(..).item();
        assert_eq!((y.convolve_input_gradient(&kernel, x.shape(), &convolution) * &x).sum(..).item(), squares);
        assert_eq!((x.convolve_kernel_gradient(&y, kernel.shape(), &convolution) * &kernel).sum(..).item(), squares);
    }
}

#[test]
fn padded_samples_of_any_size() {
    // One sample that several tasks pad in parts, along one axis and two; small ones that are padded several at a time; and a
    // gradient that is folded, because it would meet mostly zeros.
    for (samples, input, kernel, stride, channels, filters) in [
        (1, vec![9001], vec![5], 2, 9, 8),
        (1, vec![130, 61], vec![3, 3], 1, 9, 17),
        (40, vec![9, 7], vec![3, 2], 3, 16, 20),
        (3, vec![9, 9], vec![7, 7], 1, 16, 33),
    ] {
        let rank = input.len();
        let convolution = Convolution::new(rank).strides(&vec![stride; rank]).padding(&vec![(1, 2); rank]);
        let case = Case { samples, input, kernel, channels, filters, convolution };
        let (x, kernel) = (integers(case.input(), 1), integers(case.kernel(), 2));
        let y = x.convolve(&kernel, &case.convolution);
        let dk = x.convolve_kernel_gradient(&y, kernel.shape(), &case.convolution);
        let dx = y.convolve_input_gradient(&kernel, x.shape(), &case.convolution);
        let squares = (&y * &y).sum(..).item();
        assert_eq!((&x * &dx).sum(..).item(), squares);
        assert_eq!((&kernel * &dk).sum(..).item(), squares);
        // A padded copy has the same windows.
        let widths: Vec<_> = std::iter::once((0, 0)).chain(vec![(1, 2); rank]).chain([(0, 0)]).collect();
        let plain = Convolution::new(rank).strides(&vec![stride; rank]);
        let padded = x.pad(&widths, 0.0);
        assert_eq!(padded.convolve(&kernel, &plain), y);
        assert_eq!(padded.convolve_kernel_gradient(&y, kernel.shape(), &plain), dk);
        let mut inside = y.convolve_input_gradient(&kernel, padded.shape(), &plain);
        for axis in 1..=rank {
            inside = inside.slice(axis as isize, 1..1 + x.shape()[axis]);
        }
        assert_eq!(inside, dx);
    }
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
        (waves(&[7, 7, 1, 16], 2), Convolution::new(2).padding(&[(3, 3), (3, 3)]).groups(16)),
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
