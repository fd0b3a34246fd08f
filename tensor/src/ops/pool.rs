//! Pooling over one, two or three axes, and its derivatives. Channels come last.

use super::elements;
use crate::element::Float;
use crate::kernels::windows::{Axis, Rule, Windows};
use crate::pooling::Pooling;
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, expect_shape};

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

    /// The gradient of [`max_pool`](Tensor::max_pool) with respect to this, its input, for its output and the gradient of
    /// that: of equal elements the first gets it all.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn max_pool_gradient(&self, output: &Tensor<T>, gradient: &Tensor<T>, pooling: &Pooling) -> Tensor<T> {
        let shape = expect_shape("max_pool_gradient", pooling.output_shape(self.shape()));
        expect_output("max_pool_gradient", output.shape(), &shape);
        expect_output("max_pool_gradient", gradient.shape(), &shape);
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

    /// The gradient of [`average_pool`](Tensor::average_pool) with respect to its input, of shape `input`, where `self` is
    /// that of its output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn average_pool_gradient(&self, input: &Shape, pooling: &Pooling) -> Tensor<T> {
        let shape = expect_shape("average_pool_gradient", pooling.output_shape(input));
        expect_output("average_pool_gradient", self.shape(), &shape);
        mean_gradient(self, pooling.windows(input, &shape), input)
    }

    /// The largest element of each of so many windows along each spatial axis: `[n, spatial.., c]` to `[n, lengths.., c]`.
    /// Window i of m over n places is from i n / m rounded down to (i + 1) n / m rounded up, as in PyTorch: of equal
    /// size where m divides n, else overlapping by a place at most.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([[[1.0], [4.0], [2.0], [0.0], [3.0]]]);
    /// assert_eq!(x.adaptive_max_pool(&[2]), Tensor::new([[[4.0], [3.0]]]));
    /// assert_eq!(x.adaptive_average_pool(&[1]), Tensor::new([[[2.0]]]));
    /// ```
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn adaptive_max_pool(&self, lengths: &[usize]) -> Tensor<T> {
        let output = expect_shape("adaptive_max_pool", adaptive_shape(self.shape(), lengths));
        largest(self, adaptive(self.shape(), lengths), output)
    }

    /// The gradient of [`adaptive_max_pool`](Tensor::adaptive_max_pool) with respect to this, its input, for its output
    /// and the gradient of that: of equal elements the first gets it all.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn adaptive_max_pool_gradient(&self, output: &Tensor<T>, gradient: &Tensor<T>) -> Tensor<T> {
        let lengths = spatial(output.shape());
        let shape = expect_shape("adaptive_max_pool_gradient", adaptive_shape(self.shape(), lengths));
        expect_output("adaptive_max_pool_gradient", output.shape(), &shape);
        expect_output("adaptive_max_pool_gradient", gradient.shape(), &shape);
        largest_gradient(self, output, gradient, adaptive(self.shape(), lengths))
    }

    /// The mean of each of so many windows along each spatial axis, which lie as those of
    /// [`adaptive_max_pool`](Tensor::adaptive_max_pool).
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn adaptive_average_pool(&self, lengths: &[usize]) -> Tensor<T> {
        let output = expect_shape("adaptive_average_pool", adaptive_shape(self.shape(), lengths));
        mean(self, adaptive(self.shape(), lengths), output)
    }

    /// The gradient of [`adaptive_average_pool`](Tensor::adaptive_average_pool) with respect to its input, of shape
    /// `input`, where `self` is that of its output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn adaptive_average_pool_gradient(&self, input: &Shape) -> Tensor<T> {
        let lengths = spatial(self.shape());
        let shape = expect_shape("adaptive_average_pool_gradient", adaptive_shape(input, lengths));
        expect_output("adaptive_average_pool_gradient", self.shape(), &shape);
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

/// The axes between that of the batch and that of the channels.
fn spatial(shape: &Shape) -> &[usize] {
    shape.get(1..shape.len().saturating_sub(1)).unwrap_or(&[])
}

/// The output's shape of adaptive pooling.
fn adaptive_shape(input: &Shape, lengths: &[usize]) -> Result<Shape, ShapeError> {
    let fits = input.len() == lengths.len() + 2 && (1..=3).contains(&lengths.len());
    if !fits || lengths.iter().chain(spatial(input)).any(|&length| length == 0) {
        let problem = format!("each of one to three spatial axes needs a length of 1 or more: {input} to {lengths:?}");
        return Err(ShapeError::new(problem));
    }
    Ok(Shape::from(input[0]).join(lengths).join(&input[lengths.len() + 1..]))
}

fn adaptive(input: &Shape, lengths: &[usize]) -> Windows {
    let axis = |(&length, &windows): (&usize, &usize)| Axis { length, windows, rule: Rule::Adaptive };
    Windows::new(spatial(input).iter().zip(lengths).map(axis), input[input.len() - 1])
}

#[track_caller]
fn expect_output(op: &str, found: &Shape, expected: &Shape) {
    if found != expected {
        panic_output(op, found, expected);
    }
}

#[cold]
#[track_caller]
fn panic_output(op: &str, found: &Shape, expected: &Shape) -> ! {
    panic!("{op}: output and gradient must have the shape {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(shape: Shape) -> Tensor<f64> {
        let value = |i: usize| ((i.wrapping_mul(0x9E37_79B9) >> 7) % 100) as f64 - 50.0;
        Tensor::from_vec((0..shape.size()).map(value).collect(), shape).unwrap()
    }

    /// The elements of each window that lie in the input: of sample n and channel c, window [i, j].
    fn window(x: &Tensor<f64>, pooling: &Pooling, [n, i, j, c]: [usize; 4]) -> Vec<f64> {
        let mut found = Vec::new();
        let along = |axis: usize, window: usize| {
            let start = window * pooling.windows.strides[axis];
            let place = move |k: usize| (start + k).checked_sub(pooling.windows.padding[axis].0);
            let length = x.shape()[axis + 1];
            (0..pooling.size[axis]).filter_map(place).filter(move |&place| place < length).collect::<Vec<_>>()
        };
        for row in along(0, i) {
            for column in along(1, j) {
                found.push(x.get([n, row, column, c]));
            }
        }
        found
    }

    proptest! {
        #[test]
        fn as_the_definition_says(
            (n, h, w) in (0_usize..3, 1_usize..8, 1_usize..8), c in prop_oneof![0_usize..4, Just(70)],
            size in [1_usize..4, 1_usize..4],
            strides in [1_usize..4, 1_usize..4],
            padding in [(0_usize..3, 0_usize..3), (0_usize..3, 0_usize..3)],
        ) {
            prop_assume!(padding.iter().zip(size).all(|(&(a, b), size)| a.max(b) < size));
            let pooling = Pooling::new(&size).strides(&strides).padding(&padding);
            let x = values([n, h, w, c].into());
            let Ok(shape) = pooling.output_shape(x.shape()) else { return Ok(()) };
            let (largest, mean) = (x.max_pool(&pooling), x.average_pool(&pooling));
            prop_assert_eq!(largest.shape(), &shape);
            let flipped = x.flip(1).flip(1);
            prop_assert_eq!(flipped.max_pool(&pooling), largest.clone());
            for place in 0..shape.size() {
                let (c, rest) = (place % shape[3], place / shape[3]);
                let index = [rest / shape[2] / shape[1], rest / shape[2] % shape[1], rest % shape[2], c];
                let elements = window(&x, &pooling, index);
                prop_assert_eq!(largest.get(index), elements.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                let expected = elements.iter().sum::<f64>() / elements.len() as f64;
                prop_assert!((mean.get(index) - expected).abs() < 1e-12);
            }
        }
    }

    /// The definition of adaptive windows: [begin, end) along an axis.
    fn adaptive_range(window: usize, windows: usize, length: usize) -> std::ops::Range<usize> {
        window * length / windows..((window + 1) * length).div_ceil(windows)
    }

    proptest! {
        #[test]
        fn gradients_are_what_each_window_passes_back(
            (n, h, w) in (0_usize..3, 1_usize..8, 1_usize..8), c in prop_oneof![0_usize..4, Just(9), Just(42)],
            size in [1_usize..4, 1_usize..4],
            strides in [1_usize..4, 1_usize..4],
            padding in [(0_usize..3, 0_usize..3), (0_usize..3, 0_usize..3)],
        ) {
            prop_assume!(padding.iter().zip(size).all(|(&(a, b), size)| a.max(b) < size));
            let pooling = Pooling::new(&size).strides(&strides).padding(&padding);
            let x = values([n, w, h, c].into()).permute([0, 2, 1, 3]).flip(2);
            let Ok(shape) = pooling.output_shape(x.shape()) else { return Ok(()) };
            let (y, g) = (x.max_pool(&pooling), values(shape.clone()));
            let mut expected = Tensor::<f64>::zeros(x.shape());
            for window in 0..shape.size() {
                let (c, rest) = (window % shape[3], window / shape[3]);
                let (n, i, j) = (rest / shape[2] / shape[1], rest / shape[2] % shape[1], rest % shape[2]);
                let inside = |axis: usize, window: usize| {
                    let taps = (0..size[axis]).filter_map(move |tap| {
                        (window * strides[axis] + tap).checked_sub(padding[axis].0)
                    });
                    taps.take_while(|&place| place < x.shape()[axis + 1]).collect::<Vec<_>>()
                };
                let (rows, columns) = (inside(0, i), inside(1, j));
                let places = rows.iter().flat_map(|&row| columns.iter().map(move |&column| [n, row, column, c]));
                let first = places.clone().find(|&place| x.get(place) == y.get([n, i, j, c])).expect("the largest");
                let at = ((first[0] * h + first[1]) * w + first[2]) * x.shape()[3] + first[3];
                expected.as_mut_slice()[at] += g.get([n, i, j, c]);
            }
            prop_assert_eq!(x.max_pool_gradient(&y, &g, &pooling), expected);
            // The mean is linear: its gradient is its adjoint.
            let dx = g.average_pool_gradient(x.shape(), &pooling);
            let (there, back) = ((x.average_pool(&pooling) * &g).sum(..).item(), (dx * x).sum(..).item());
            prop_assert!((there - back).abs() < 1e-9 * (1.0 + there.abs()));
        }

        #[test]
        fn adaptive_windows_cover_everything(
            (n, h, w, c) in (0_usize..3, 1_usize..9, 1_usize..9, 0_usize..4), lengths in [1_usize..9, 1_usize..9],
        ) {
            let x = values([n, w, h, c].into()).permute([0, 2, 1, 3]).flip(2);
            let (largest, mean) = (x.adaptive_max_pool(&lengths), x.adaptive_average_pool(&lengths));
            prop_assert_eq!(largest.shape(), &[n, lengths[0], lengths[1], c]);
            for place in 0..largest.size() {
                let (channel, j) = (place % c, place / c % lengths[1]);
                let (i, n) = (place / c / lengths[1] % lengths[0], place / c / lengths[1] / lengths[0]);
                let mut elements = Vec::new();
                for row in adaptive_range(i, lengths[0], h) {
                    elements.extend(adaptive_range(j, lengths[1], w).map(|column| x.get([n, row, column, channel])));
                }
                prop_assert_eq!(largest.get([n, i, j, channel]), elements.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                prop_assert!((mean.get([n, i, j, channel]) - elements.iter().sum::<f64>() / elements.len() as f64).abs() < 1e-12);
            }
            let g = values(mean.shape().clone());
            let dx = g.adaptive_average_pool_gradient(x.shape());
            let (there, back) = ((mean * &g).sum(..).item(), (dx * &x).sum(..).item());
            prop_assert!((there - back).abs() < 1e-9 * (1.0 + there.abs()));
            // All that a window gets it passes on.
            let dx = x.adaptive_max_pool_gradient(&largest, &g);
            prop_assert!((dx.sum(..).item() - g.sum(..).item()).abs() < 1e-9);
            prop_assert!(((dx * &x).sum(..).item() - (largest * g).sum(..).item()).abs() < 1e-9);
        }
    }

    #[test]
    fn volumes_are_pooled_plane_by_plane() {
        let x = values([2, 5, 4, 3, 2].into());
        let pooling = Pooling::new(&[2, 1, 1]).strides(&[1, 1, 1]);
        let planes = x.reshape([2, 5, 12, 2]);
        let flat = Pooling::new(&[2, 1]).strides(&[1, 1]);
        assert_eq!(x.max_pool(&pooling).reshape([2, 4, 12, 2]), planes.max_pool(&flat));
        assert_eq!(x.average_pool(&pooling).reshape([2, 4, 12, 2]), planes.average_pool(&flat));
        let rows = Pooling::new(&[1, 3, 2]).padding(&[(0, 0), (1, 1), (0, 1)]);
        let each = x.reshape([10, 4, 3, 2]).max_pool(&Pooling::new(&[3, 2]).padding(&[(1, 1), (0, 1)]));
        assert_eq!(x.max_pool(&rows).reshape(each.shape()), each);
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
        // Together more than is taken for cached, each by itself less.
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
        let x = values([2, 90, 60, 40].into());
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
        let all = || {
            let y = x.average_pool(&pooling);
            let dx =
                y.average_pool_gradient(x.shape(), &pooling) + x.max_pool_gradient(&x.max_pool(&pooling), &y, &pooling);
            (
                y.to_vec(),
                dx.to_vec(),
                x.adaptive_average_pool(&[7, 7]).adaptive_average_pool_gradient(x.shape()).to_vec(),
            )
        };
        let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
        let one = with(1);
        assert!(with(2) == one && with(3) == one);
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
    #[should_panic(expected = "max_pool: a kernel of [4] (dilation [1]) does not fit the input [3]")]
    fn a_window_larger_than_its_input() {
        Tensor::<f32>::zeros([1, 3, 1]).max_pool(&Pooling::new(&[4]));
    }
}
