//! Pooling over one, two or three axes, and its derivatives. Channels come last.

use super::{elements, expect_output_shape, spatial, with_lengths};
use crate::element::Float;
use crate::pooling::Pooling;
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};
use crate::windows::{Spacing, WindowAxis, Windows};

impl<T: Float> Tensor<T> {
    /// The largest element of each window, channel by channel: `[n, spatial.., c]` to `[n, out.., c]`. NaN where a window
    /// holds one.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn max_pool(&self, pooling: &Pooling) -> Tensor<T> {
        let output = expect_shape("max_pool", pooling.output_shape(self.shape()));
        largest(self, pooling.windows(self.shape(), &output), output)
    }

    /// The gradient of [`max_pool`](Tensor::max_pool) with respect to this tensor (its input), from its output and the output's
    /// gradient. The first of equal elements gets all of it.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn max_pool_gradient(&self, output: &Tensor<T>, gradient: &Tensor<T>, pooling: &Pooling) -> Tensor<T> {
        let shape = expect_shape("max_pool_gradient", pooling.output_shape(self.shape()));
        expect_output_shape("max_pool_gradient", "output and gradient", output.shape(), &shape);
        expect_output_shape("max_pool_gradient", "output and gradient", gradient.shape(), &shape);
        largest_gradient(self, output, gradient, pooling.windows(self.shape(), &shape))
    }

    /// The mean of each window, channel by channel: `[n, spatial.., c]` to `[n, out.., c]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn average_pool(&self, pooling: &Pooling) -> Tensor<T> {
        let output = expect_shape("average_pool", pooling.output_shape(self.shape()));
        mean(self, pooling.windows(self.shape(), &output), output)
    }

    /// The gradient of [`average_pool`](Tensor::average_pool) with respect to its input, which has the shape `input`. `self` is the
    /// gradient with respect to the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn average_pool_gradient(&self, input: &Shape, pooling: &Pooling) -> Tensor<T> {
        let shape = expect_shape("average_pool_gradient", pooling.output_shape(input));
        expect_output_shape("average_pool_gradient", "the gradient", self.shape(), &shape);
        mean_gradient(self, pooling.windows(input, &shape), input)
    }

    /// The largest element of each of `lengths` windows along each spatial axis: `[n, spatial.., c]` to `[n, lengths.., c]`. Window i
    /// of m over n places reaches from i n / m rounded down to (i + 1) n / m rounded up, as in PyTorch. Windows have one size if m
    /// divides n, else neighbours may overlap by one place.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([[[1.0], [4.0], [2.0], [0.0], [3.0]]]);
    /// assert_eq!(x.adaptive_max_pool(&[2]), Tensor::new([[[4.0], [3.0]]]));
    /// assert_eq!(x.adaptive_average_pool(&[1]), Tensor::new([[[2.0]]]));
    /// ```
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or a length of the input or the output is 0.
    #[track_caller]
    pub fn adaptive_max_pool(&self, lengths: &[usize]) -> Tensor<T> {
        let output = expect_shape("adaptive_max_pool", with_lengths(self.shape(), lengths));
        largest(self, adaptive(self.shape(), lengths), output)
    }

    /// The gradient of [`adaptive_max_pool`](Tensor::adaptive_max_pool) with respect to this tensor (its input), from its output and
    /// the output's gradient. The first of equal elements gets all of it.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn adaptive_max_pool_gradient(&self, output: &Tensor<T>, gradient: &Tensor<T>) -> Tensor<T> {
        let lengths = spatial(output.shape());
        let shape = expect_shape("adaptive_max_pool_gradient", with_lengths(self.shape(), lengths));
        expect_output_shape("adaptive_max_pool_gradient", "output and gradient", output.shape(), &shape);
        expect_output_shape("adaptive_max_pool_gradient", "output and gradient", gradient.shape(), &shape);
        largest_gradient(self, output, gradient, adaptive(self.shape(), lengths))
    }

    /// The mean of each of `lengths` windows along each spatial axis, the windows of
    /// [`adaptive_max_pool`](Tensor::adaptive_max_pool).
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or a length of the input or the output is 0.
    #[track_caller]
    pub fn adaptive_average_pool(&self, lengths: &[usize]) -> Tensor<T> {
        let output = expect_shape("adaptive_average_pool", with_lengths(self.shape(), lengths));
        mean(self, adaptive(self.shape(), lengths), output)
    }

    /// The gradient of [`adaptive_average_pool`](Tensor::adaptive_average_pool) with respect to its input, which has the shape
    /// `input`. `self` is the gradient with respect to the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn adaptive_average_pool_gradient(&self, input: &Shape) -> Tensor<T> {
        let lengths = spatial(self.shape());
        let shape = expect_shape("adaptive_average_pool_gradient", with_lengths(input, lengths));
        expect_output_shape("adaptive_average_pool_gradient", "the gradient", self.shape(), &shape);
        mean_gradient(self, adaptive(input, lengths), input)
    }
}

fn largest<T: Float>(x: &Tensor<T>, windows: Windows, output: Shape) -> Tensor<T> {
    let x = x.contiguous();
    Tensor::written(output, |out| windows.max(elements(&x), out))
}

fn largest_gradient<T: Float>(x: &Tensor<T>, y: &Tensor<T>, g: &Tensor<T>, windows: Windows) -> Tensor<T> {
    let (x, y, g) = (x.contiguous(), y.contiguous(), g.contiguous());
    Tensor::written(x.shape().clone(), |dx| windows.max_gradient(elements(&x), elements(&y), elements(&g), dx))
}

fn mean<T: Float>(x: &Tensor<T>, windows: Windows, output: Shape) -> Tensor<T> {
    let x = x.contiguous();
    Tensor::written(output, |out| windows.mean(elements(&x), out))
}

fn mean_gradient<T: Float>(g: &Tensor<T>, windows: Windows, input: &Shape) -> Tensor<T> {
    let g = g.contiguous();
    Tensor::written(input.clone(), |dx| windows.mean_gradient(elements(&g), dx))
}

fn adaptive(input: &Shape, lengths: &[usize]) -> Windows {
    let axis = |(&length, &windows): (&usize, &usize)| WindowAxis { length, windows, spacing: Spacing::Adaptive };
    Windows::new(spatial(input).iter().zip(lengths).map(axis), input[input.len() - 1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    #[cfg(feature = "parallel")]
    use crate::ops::testing::assert_same_on_threads;
    use crate::ops::testing::{WAYS, choices, indices, integers, lying, place};

    fn values(shape: impl Into<Shape>) -> Tensor<f64> {
        let shape = shape.into();
        let value = |i: usize| ((i.wrapping_mul(0x9E37_79B9) >> 7) % 100) as f64 - 50.0;
        Tensor::from_vec((0..shape.size()).map(value).collect(), shape).unwrap()
    }

    /// For each axis its length, the size of the windows, their stride and their padding.
    type Axes = Vec<(usize, usize, usize, (usize, usize))>;

    /// One to three axes, and channels in blocks of each size.
    fn axes() -> impl Strategy<Value = (Axes, usize)> {
        let axes = (1_usize..4).prop_flat_map(|rank| {
            let lengths = 0..[10_usize, 8, 5][rank - 1];
            prop::collection::vec((lengths, 1_usize..4, 1_usize..4, (0_usize..3, 0_usize..3)), rank)
        });
        (axes, prop_oneof![0_usize..4, Just(9), Just(42), Just(70)])
    }

    /// The largest element and the mean of each window, given its places along each axis, and the gradients of both for g.
    fn expected(x: &Tensor<f64>, g: &Tensor<f64>, seen: impl Fn(usize, usize) -> Vec<usize>) -> [Tensor<f64>; 4] {
        let (mut largest, mut mean) = (Vec::new(), Vec::new());
        let (mut by_largest, mut by_mean) = (x.zeros_like(), x.zeros_like());
        let channels = x.ndim() - 1;
        for window in indices(g.shape()) {
            let mut axes = vec![vec![window[0]]];
            axes.extend((1..channels).map(|axis| seen(axis - 1, window[axis])));
            axes.push(vec![window[channels]]);
            let (places, g) = (choices(&axes), g.get(&window));
            let elements: Vec<f64> = places.iter().map(|index| x.get(index)).collect();
            let greatest = elements.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            largest.push(greatest);
            mean.push(elements.iter().sum::<f64>() / elements.len() as f64);
            // Of equals the first gets it all.
            let first = elements.iter().position(|&element| element == greatest).expect("no window is empty");
            by_largest.as_mut_slice()[place(x.shape(), &places[first])] += g;
            for index in &places {
                by_mean.as_mut_slice()[place(x.shape(), index)] += g / elements.len() as f64;
            }
        }
        let outputs = [largest, mean].map(|output| Tensor::from_vec(output, g.shape()).unwrap());
        let [largest, mean] = outputs;
        [largest, mean, by_largest, by_mean]
    }

    /// Sums of whole numbers are exact, means are not.
    fn agree(found: [Tensor<f64>; 4], expected: &[Tensor<f64>; 4], tolerance: f64) -> Result<(), TestCaseError> {
        for (which, (found, expected)) in found.iter().zip(expected).enumerate() {
            prop_assert_eq!(found.shape(), expected.shape());
            let tolerance = if which % 2 == 0 { 0.0 } else { tolerance };
            prop_assert!(found.allclose(expected, tolerance, tolerance), "{}: {:?} {:?}", which, found, expected);
        }
        Ok(())
    }

    fn pooled<T: Float>(x: &Tensor<f64>, g: &Tensor<f64>, ways: [usize; 3], pooling: &Pooling) -> [Tensor<f64>; 4] {
        let (x, g) = (lying(&x.to::<T>(), ways[0]), lying(&g.to::<T>(), ways[1]));
        let y = x.max_pool(pooling);
        let by_largest = x.max_pool_gradient(&lying(&y, ways[2]), &g, pooling);
        [y, x.average_pool(pooling), by_largest, g.average_pool_gradient(x.shape(), pooling)].map(|y| y.to())
    }

    fn adaptively<T: Float>(x: &Tensor<f64>, g: &Tensor<f64>, ways: [usize; 3]) -> [Tensor<f64>; 4] {
        let lengths = spatial(g.shape());
        let (x, g) = (lying(&x.to::<T>(), ways[0]), lying(&g.to::<T>(), ways[1]));
        let y = x.adaptive_max_pool(lengths);
        let by_largest = x.adaptive_max_pool_gradient(&lying(&y, ways[2]), &g);
        [y, x.adaptive_average_pool(lengths), by_largest, g.adaptive_average_pool_gradient(x.shape())].map(|y| y.to())
    }

    proptest! {
        #[test]
        fn as_the_definition_says(n in 0_usize..3, (axes, c) in axes(), ways in [0..WAYS, 0..WAYS, 0..WAYS]) {
            prop_assume!(axes.iter().all(|&(_, size, _, (before, after))| before.max(after) < size));
            let lengths: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let sizes: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let strides: Vec<usize> = axes.iter().map(|axis| axis.2).collect();
            let padding: Vec<(usize, usize)> = axes.iter().map(|axis| axis.3).collect();
            let pooling = Pooling::new(&sizes).strides(&strides).padding(&padding);
            let x = values([&[n], &lengths[..], &[c]].concat());
            let fits = axes.iter().all(|&(length, size, _, (a, b))| length > 0 && a + length + b >= size);
            let shape = pooling.output_shape(x.shape());
            prop_assert_eq!(shape.is_ok(), fits);
            let Ok(shape) = shape else { return Ok(()) };
            let g = integers(shape, 3);
            let seen = |axis: usize, window: usize| {
                let (length, size, stride, (before, _)) = axes[axis];
                let place = |tap: usize| (window * stride + tap).checked_sub(before);
                (0..size).filter_map(place).filter(|&place| place < length).collect()
            };
            let expected = expected(&x, &g, seen);
            agree(pooled::<f64>(&x, &g, ways, &pooling), &expected, 1e-12)?;
            agree(pooled::<f32>(&x, &g, ways, &pooling), &expected, 1e-4)?;
        }

        #[test]
        fn adaptive_windows_are_those_of_their_definition(
            n in 0_usize..3, (axes, c) in axes(), lengths in [1_usize..9, 1_usize..9, 1_usize..5],
            ways in [0..WAYS, 0..WAYS, 0..WAYS],
        ) {
            let from: Vec<usize> = axes.iter().map(|axis| axis.0.max(1)).collect();
            let to = &lengths[..from.len()];
            let x = values([&[n], &from[..], &[c]].concat());
            let g = integers([&[n], to, &[c]].concat(), 3);
            let seen = |axis: usize, window: usize| {
                let (from, to) = (from[axis], to[axis]);
                (window * from / to..((window + 1) * from).div_ceil(to)).collect()
            };
            let expected = expected(&x, &g, seen);
            agree(adaptively::<f64>(&x, &g, ways), &expected, 1e-12)?;
            agree(adaptively::<f32>(&x, &g, ways), &expected, 1e-4)?;
        }
    }

    #[test]
    #[should_panic(
        expected = "adaptive_max_pool: each of one to three spatial axes needs a length of 1 or more: [1, 3, 1] to [0]"
    )]
    fn no_windows_at_all() {
        Tensor::<f32>::zeros([1, 3, 1]).adaptive_max_pool(&[0]);
    }

    #[test]
    #[should_panic(expected = "pooling: one to three axes need a size of 1 or more each, found [2, 0]")]
    fn windows_of_nothing() {
        Pooling::new(&[2, 0]);
    }

    #[test]
    fn large_batches_are_pooled_as_their_samples_are() {
        // The batch is larger than a cache, each sample smaller.
        let x: Tensor<f64> = crate::Generator::new(1).uniform([2, 260, 250, 35], -1.0..1.0);
        let pooling = Pooling::new(&[3, 2]).strides(&[2, 3]).padding(&[(0, 1), (1, 0)]);
        let each = |sample: usize| x.slice(0, sample..sample + 1);
        assert_eq!(x.max_pool(&pooling), Tensor::concat(&[0, 1].map(|sample| each(sample).max_pool(&pooling)), 0));
        assert_eq!(
            x.average_pool(&pooling),
            Tensor::concat(&[0, 1].map(|sample| each(sample).average_pool(&pooling)), 0)
        );
    }

    #[test]
    fn windows_across_the_parts_of_tasks_give_to_both() {
        // Several tasks for each sample. Whole numbers, so that sums are exact in any order.
        let x = values([2, 90, 60, 40]);
        let pooling = Pooling::new(&[4, 3]).strides(&[1, 2]).padding(&[(2, 1), (0, 1)]);
        let y = x.max_pool(&pooling);
        let g = values(y.shape().clone());
        let dx = x.max_pool_gradient(&y, &g, &pooling);
        assert_eq!((dx.sum(..).item(), (dx * &x).sum(..).item()), (g.sum(..).item(), (&y * &g).sum(..).item()));
        let dx = g.average_pool_gradient(x.shape(), &pooling);
        let (there, back) = ((x.average_pool(&pooling) * &g).sum(..).item(), (dx * &x).sum(..).item());
        assert!((there - back).abs() < 1e-9 * there.abs(), "{there} and {back}");
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let x: Tensor = crate::Generator::new(1).uniform([3, 60, 50, 40], -1.0..1.0);
        let pooling = Pooling::new(&[3, 3]).strides(&[2, 2]).padding(&[(1, 0), (0, 1)]);
        assert_same_on_threads(|| {
            let y = x.average_pool(&pooling);
            let by_mean = y.average_pool_gradient(x.shape(), &pooling);
            let by_largest = x.max_pool_gradient(&x.max_pool(&pooling), &y, &pooling);
            vec![y, by_mean, by_largest, x.adaptive_average_pool(&[7, 7]).adaptive_average_pool_gradient(x.shape())]
        });
    }

    #[test]
    fn nan_wins_and_the_first_of_equals_gets_the_gradient() {
        let pooling = Pooling::new(&[3]);
        let x = Tensor::new([[[1.0], [f32::NAN], [2.0], [5.0], [5.0], [4.0]]]);
        let y = x.max_pool(&pooling);
        assert!(y.get([0, 0, 0]).is_nan() && y.get([0, 1, 0]) == 5.0);
        let gradient = x.max_pool_gradient(&y, &Tensor::new([[[1.0], [1.0]]]), &pooling);
        assert_eq!(gradient.select(0, 0).slice(0, 3..), Tensor::new([[1.0], [0.0], [0.0]]));
    }

    #[test]
    #[should_panic(expected = "max_pool: windows of [4] do not fit the input [3] (padding [(0, 0)])")]
    fn a_window_larger_than_its_input() {
        Tensor::<f32>::zeros([1, 3, 1]).max_pool(&Pooling::new(&[4]));
    }
}
