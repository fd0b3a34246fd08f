//! Winograd's algorithm against the direct way in f64, for shapes on both sides of a tile.

use proptest::prelude::*;

use super::*;
use crate::Generator;
use crate::kernels::winograd::Winograd;
#[cfg(feature = "parallel")]
use crate::ops::testing::assert_same_on_threads;
use crate::ops::testing::{WAYS, lying};

/// A convolution that fits the algorithm: the shapes of input and kernel, and the options.
#[derive(Debug, Clone)]
struct Case {
    input: Shape,
    kernel: Shape,
    convolution: Convolution,
}

impl Case {
    fn new(samples: usize, lengths: &[usize], taps: usize, channels: [usize; 2], padding: &[(usize, usize)]) -> Self {
        let rank = lengths.len();
        let mut sizes = vec![3; rank];
        if rank == 3 {
            sizes[0] = taps;
        }
        Case {
            input: Shape::from(samples).join(lengths).join(&[channels[0]]),
            kernel: Shape::from(&sizes[..]).join(&channels),
            convolution: Convolution::new(rank).padding(padding),
        }
    }

    fn output(&self) -> Option<Shape> {
        self.convolution.output_shape(&self.input, &self.kernel).ok()
    }

    /// Uniform operands: input, kernel, bias and gradient.
    fn operands(&self) -> [Tensor; 4] {
        let mut random = Generator::new(5);
        let output = self.output().unwrap();
        let bias = Shape::from(output[output.len() - 1]);
        [&self.input, &self.kernel, &bias, &output].map(|shape| random.uniform(shape.clone(), -1.0..1.0))
    }

    /// Whatever Winograd's algorithm gives, be it worth while or not: the convolution with a bias, without and with ReLU, and
    /// the gradients by the input and by the kernel.
    fn found(&self, [x, kernel, bias, gradient]: [&Tensor; 4]) -> [Option<Tensor>; 4] {
        let shape = self.output().unwrap();
        let forward = forward_tiling(x.shape(), kernel.shape(), &shape, &self.convolution).expect("the shapes fit");
        let backward = input_gradient_tiling(gradient.shape(), kernel.shape(), x.shape(), &self.convolution).unwrap();
        [
            by_tiles(&forward, x, kernel, Some(bias), false, &shape),
            by_tiles(&forward, x, kernel, Some(bias), true, &shape),
            by_tiles(&backward, gradient, &turned(kernel), None, false, x.shape()),
            kernel_gradient_by_tiles(&forward, x, gradient, kernel.shape()),
        ]
    }

    /// The same in the direct way, which f64 always takes.
    fn expected(&self, operands: [&Tensor; 4]) -> [Tensor<f64>; 4] {
        let [x, kernel, bias, gradient] = operands.map(Tensor::to::<f64>);
        let y = x.convolve_biased(&kernel, &bias, false, &self.convolution);
        let by_input = gradient.convolve_input_gradient(&kernel, x.shape(), &self.convolution);
        [y.clone(), y.relu(), by_input, x.convolve_kernel_gradient(&gradient, kernel.shape(), &self.convolution)]
    }
}

fn largest(results: &Tensor<f64>) -> f64 {
    results.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()))
}

/// Root mean square and largest error, relative to `largest`.
fn errors(found: &Tensor, exact: &Tensor<f64>, largest: f64) -> [f64; 2] {
    let errors: Vec<_> = found.iter().zip(exact.iter()).map(|(x, y)| (f64::from(x) - y).abs() / largest).collect();
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    [(squares / errors.len().max(1) as f64).sqrt(), errors.iter().fold(0.0, |most, &error| most.max(error))]
}

fn cases() -> impl Strategy<Value = Case> {
    let axis = (1_usize..14, (0_usize..5, 0_usize..5));
    let axes = (1_usize..4).prop_flat_map(move |rank| prop::collection::vec(axis.clone(), rank));
    // Some vectors, and parts of vectors.
    let channels = || prop_oneof![1_usize..40, Just(16), Just(32), Just(48)];
    (axes, 1_usize..4, 1_usize..4, channels(), channels()).prop_filter_map(
        "the kernel does not fit",
        |(axes, samples, taps, channels, filters)| {
            let (lengths, padding): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let case = Case::new(samples, &lengths, taps, [channels, filters], &padding);
            case.output().map(|_| case)
        },
    )
}

proptest! {
    #[test]
    fn as_the_direct_way(case in cases(), ways in [0..WAYS, 0..WAYS, 0..WAYS, 0..WAYS]) {
        if !f32::has_winograd() {
            return Ok(());
        }
        let operands = case.operands();
        let views: [_; 4] = std::array::from_fn(|i| lying(&operands[i], ways[i]));
        let expected = case.expected(operands.each_ref());
        // A few results may all be small, where large terms cancel. So errors are compared with the sums of the terms' magnitudes.
        let magnitudes = case.expected(operands.each_ref().map(Tensor::abs).each_ref());
        for ((found, expected), magnitudes) in case.found(views.each_ref()).iter().zip(&expected).zip(&magnitudes) {
            let [_, most] = errors(found.as_ref().expect("finite"), expected, largest(magnitudes));
            prop_assert!(most < 2e-6, "{most}");
        }
    }
}

#[test]
fn the_error_is_about_twice_that_of_the_direct_way() {
    if !f32::has_winograd() {
        return;
    }
    // KERNELS.md has these figures.
    let case = Case::new(2, &[32, 32], 1, [64, 64], &[(1, 1), (1, 1)]);
    let operands = case.operands();
    let expected = case.expected(operands.each_ref());
    for (found, expected) in case.found(operands.each_ref()).iter().zip(&expected) {
        let [mean, most] = errors(found.as_ref().expect("finite"), expected, largest(expected));
        assert!(mean < 3e-7 && most < 2e-6, "{mean} {most}");
    }
}

#[test]
fn elements_that_are_not_finite_reach_the_results_of_their_windows_alone() {
    for (place, value) in [(0, f32::INFINITY), (777, f32::NAN), (3000, f32::NEG_INFINITY), (4000, f32::MAX)] {
        let case = Case::new(3, &[9, 10], 1, [16, 24], &[(1, 1), (1, 0)]);
        let [mut x, kernel, bias, mut gradient] = case.operands();
        x.as_mut_slice()[place] = value;
        gradient.as_mut_slice()[place] = value;
        let expected = case.expected([&x, &kernel, &bias, &gradient]);
        let found = [
            x.convolve_biased(&kernel, &bias, false, &case.convolution),
            x.convolve_biased(&kernel, &bias, true, &case.convolution),
            gradient.convolve_input_gradient(&kernel, x.shape(), &case.convolution),
            x.convolve_kernel_gradient(&gradient, kernel.shape(), &case.convolution),
        ];
        for (found, expected) in found.iter().zip(&expected) {
            for (x, y) in found.iter().zip(expected.iter()) {
                let y = y as f32;
                let same =
                    if y.is_finite() { (x - y).abs() <= 1e-5 * y.abs().max(10.0) } else { x.to_bits() == y.to_bits() };
                assert!(same || x.is_nan() && y.is_nan(), "{x} for {y}");
            }
        }
        if f32::has_winograd() {
            let found = case.found([&x, &kernel, &bias, &gradient]);
            assert!(found.iter().all(Option::is_none), "{value} must be noticed");
        }
    }
}

#[test]
fn where_it_pays() {
    let pays = |samples, lengths: &[usize], channels| {
        let case = Case::new(samples, lengths, 3, channels, &vec![(1, 1); lengths.len()]);
        forward_tiling(&case.input, &case.kernel, &case.output().unwrap(), &case.convolution).unwrap().is_worth_while()
    };
    assert!(pays(128, &[32, 32], [16, 16]) && pays(128, &[8, 8], [64, 64]) && pays(8, &[8, 16, 16], [16, 32]));
    // Pictures, tiles that are mostly empty, and kernels that take longer to transform than the products.
    assert!(!pays(128, &[32, 32], [3, 16]) && !pays(128, &[5, 5], [64, 64]) && !pays(1, &[7, 7], [512, 512]));
    let case = Case::new(1, &[32, 32], 1, [16, 16], &[(0, 0); 2]);
    for other in [Convolution::new(2).strides(&[1, 2]), Convolution::new(2).dilation(&[2, 1])] {
        let output = other.output_shape(&case.input, &case.kernel).unwrap();
        assert!(forward_tiling(&case.input, &case.kernel, &output, &other).is_none());
    }
}

#[cfg(feature = "parallel")]
#[test]
fn the_same_bits_for_any_number_of_threads() {
    for case in [
        Case::new(40, &[13, 14], 1, [32, 40], &[(1, 1), (1, 1)]),
        Case::new(20, &[200], 1, [64, 64], &[(1, 1)]),
        Case::new(4, &[7, 12, 12], 3, [16, 24], &[(1, 1), (0, 1), (1, 1)]),
    ] {
        let operands = case.operands();
        assert_same_on_threads(|| case.found(operands.each_ref()).into_iter().flatten().collect());
    }
}
