//! Pooling over one, two or three axes, and its derivatives. Channels come last.

use super::elements;
use crate::convolution;
use crate::element::Float;
use crate::kernels::pool::Windows;
use crate::pooling::Pooling;
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The largest element of each window, channel by channel: `[n, spatial.., c]` to `[n, out.., c]`. NaN where a window
    /// holds one.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn max_pool(&self, pooling: &Pooling) -> Tensor<T> {
        let tables = Tables::new("max_pool", self.shape(), pooling);
        let x = tables.padded(self, T::LOWEST);
        Tensor::written(tables.output.clone(), |out| tables.windows().max(elements(&x), out))
    }

    /// The gradient of [`max_pool`](Tensor::max_pool) with respect to this, its input, for its output and the gradient of
    /// that: of equal elements the first gets it all.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn max_pool_gradient(&self, output: &Tensor<T>, gradient: &Tensor<T>, pooling: &Pooling) -> Tensor<T> {
        let tables = Tables::new("max_pool_gradient", self.shape(), pooling);
        tables.expect("max_pool_gradient", output.shape());
        tables.expect("max_pool_gradient", gradient.shape());
        let (x, y, g) = (tables.padded(self, T::LOWEST), output.contiguous(), gradient.contiguous());
        let dx = Tensor::written(x.shape().clone(), |dx| {
            tables.windows().max_gradient(elements(&x), elements(&y), elements(&g), dx);
        });
        tables.inside(dx)
    }

    /// The mean of each window, channel by channel: `[n, spatial.., c]` to `[n, out.., c]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn average_pool(&self, pooling: &Pooling) -> Tensor<T> {
        let tables = Tables::new("average_pool", self.shape(), pooling);
        let (x, scales) = (tables.padded(self, T::ZERO), tables.scales(pooling));
        Tensor::written(tables.output.clone(), |out| tables.windows().sum(elements(&x), &scales, out))
    }

    /// The gradient of [`average_pool`](Tensor::average_pool) with respect to its input, of shape `input`, where `self` is
    /// that of its output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn average_pool_gradient(&self, input: &Shape, pooling: &Pooling) -> Tensor<T> {
        let tables = Tables::new("average_pool_gradient", input, pooling);
        tables.expect("average_pool_gradient", self.shape());
        let (g, scales) = (self.contiguous(), tables.scales(pooling));
        let dx = Tensor::written(tables.windows.padded.clone(), |dx| {
            tables.windows().sum_gradient(elements(&g), &scales, dx);
        });
        tables.inside(dx)
    }
}

/// Where a pooling reads and writes.
struct Tables {
    input: Shape,
    output: Shape,
    windows: convolution::Windows,
}

impl Tables {
    #[track_caller]
    fn new(op: &str, input: &Shape, pooling: &Pooling) -> Self {
        let output = expect_shape(op, pooling.output_shape(input));
        let windows = pooling.windows.windows(input, &output[1..=pooling.size.len()], &pooling.size);
        Tables { input: input.clone(), output, windows }
    }

    fn windows(&self) -> Windows<'_> {
        let convolution::Windows { padded, starts, places, .. } = &self.windows;
        Windows { step: padded[1..].iter().product(), starts, places, channels: padded[padded.len() - 1] }
    }

    fn padded<T: Float>(&self, x: &Tensor<T>, value: T) -> Tensor<T> {
        x.pad(&self.windows.widths, value).contiguous()
    }

    /// Without what was padded.
    fn inside<T: Float>(&self, x: Tensor<T>) -> Tensor<T> {
        let inside = |x: Tensor<T>, axis: usize| {
            let before = self.windows.widths[axis].0;
            x.slice(axis as isize, before..before + self.input[axis])
        };
        (1..self.input.len() - 1).fold(x, inside)
    }

    /// For each window one over the number of its elements that lie in the input.
    fn scales<T: Float>(&self, pooling: &Pooling) -> Vec<T> {
        let mut counts = vec![1];
        for (axis, &size) in pooling.size.iter().enumerate() {
            let (before, length) = (self.windows.widths[axis + 1].0, self.input[axis + 1]);
            let count = |window: usize| {
                let start = window * pooling.windows.strides[axis];
                (start + size).min(before + length).saturating_sub(start.max(before))
            };
            let along: Vec<usize> = (0..self.output[axis + 1]).map(count).collect();
            counts = counts.iter().flat_map(|all| along.iter().map(move |count| all * count)).collect();
        }
        counts.into_iter().map(|count: usize| T::of(1.0 / count.max(1) as f64)).collect()
    }

    #[track_caller]
    fn expect(&self, op: &str, found: &Shape) {
        if *found != self.output {
            panic_output(op, found, &self.output);
        }
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
