//! Resizing of spatial axes. Channels come last.

use serde::{Deserialize, Serialize};

use super::{elements, expect_output_shape, spatial, with_lengths};
use crate::element::Float;
use crate::kernels::resize::Resize;
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};
use crate::windows::{Spacing, WindowAxis, Windows};

/// The interpolation between elements by [`Tensor::resize`].
///
/// ```
/// use gradus_tensor::{Interpolation, Tensor};
/// let x = Tensor::new([[[1.0], [3.0]]]); // [n, length, channels]
/// assert_eq!(x.resize(&[4], Interpolation::Nearest), Tensor::new([[[1.0], [1.0], [3.0], [3.0]]]));
/// assert_eq!(x.resize(&[4], Interpolation::Linear), Tensor::new([[[1.0], [1.5], [2.5], [3.0]]]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest element.
    #[default]
    Nearest,
    /// The mean of the two nearest elements along each axis, weighted by how near they are: bilinear over two axes,
    /// trilinear over three.
    Linear,
}

impl<T: Float> Tensor<T> {
    /// This tensor resized to these spatial lengths: `[n, spatial.., c]` to `[n, lengths.., c]`.
    ///
    /// Each element stands for an equal part of its axis and lies in the middle of it: the centre of new element i of m is at
    /// (i + 1/2) n / m - 1/2 among the n old elements. TensorFlow's `tf.image.resize` does the same, and PyTorch's `interpolate`
    /// with `nearest-exact` or `align_corners=False`. Shorter axes are sampled, not averaged.
    ///
    /// ```
    /// use gradus_tensor::{Interpolation, Tensor};
    /// let x = Tensor::new([[[1.0], [5.0]]]);
    /// assert_eq!(x.resize(&[4], Interpolation::Nearest).flatten(), Tensor::new([1.0, 1.0, 5.0, 5.0]));
    /// assert_eq!(x.resize(&[4], Interpolation::Linear).flatten(), Tensor::new([1.0, 2.0, 4.0, 5.0]));
    /// ```
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or a length of the input or the output is 0.
    #[track_caller]
    pub fn resize(&self, lengths: &[usize], interpolation: Interpolation) -> Tensor<T> {
        let output = expect_shape("resize", with_lengths(self.shape(), lengths));
        match interpolation {
            Interpolation::Nearest => {
                let (x, windows) = (self.contiguous(), nearest(self.shape(), &output));
                Tensor::written(output, |out| windows.sum_gradient(elements(&x), out))
            }
            Interpolation::Linear => {
                // The last axis first: longer rows are then left for the other axes.
                (1..output.len() - 1).rev().fold(self.clone(), |x, axis| x.along(axis, output[axis], Resize::linear))
            }
        }
    }

    /// The gradient of [`resize`](Tensor::resize) with respect to its input, which has the shape `input`. `self` is the gradient with
    /// respect to the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn resize_gradient(&self, input: &Shape, interpolation: Interpolation) -> Tensor<T> {
        let output = expect_shape("resize_gradient", with_lengths(input, spatial(self.shape())));
        expect_output_shape("resize_gradient", "the gradient", self.shape(), &output);
        match interpolation {
            Interpolation::Nearest => {
                let (g, windows) = (self.contiguous(), nearest(input, &output));
                Tensor::written(input.clone(), |dx| windows.sum(elements(&g), dx))
            }
            Interpolation::Linear => {
                (1..input.len() - 1).fold(self.clone(), |g, axis| g.along(axis, input[axis], Resize::linear_gradient))
            }
        }
    }

    /// This tensor with one axis resized by a kernel, or by the kernel of the gradient.
    fn along(&self, axis: usize, length: usize, by: fn(&Resize, &[T], &mut [T])) -> Tensor<T> {
        let mut shape = self.shape().clone();
        if shape[axis] == length {
            return self.clone();
        }
        shape[axis] = length;
        let resize = Resize { before: self.shape()[axis], after: length, inner: shape[axis + 1..].iter().product() };
        let x = self.contiguous();
        Tensor::written(shape, |out| by(&resize, elements(&x), out))
    }
}

/// For each old element a window over the new elements that it is nearest to.
fn nearest(input: &Shape, output: &Shape) -> Windows {
    let axis = |axis: usize| WindowAxis { length: output[axis], windows: input[axis], spacing: Spacing::Nearest };
    Windows::new((1..input.len() - 1).map(axis), input[input.len() - 1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Generator;
    #[cfg(feature = "parallel")]
    use crate::ops::testing::assert_same_on_threads;
    use crate::ops::testing::{WAYS, indices, lying, place};

    /// The elements along an axis that a new one is made of, with their weights.
    fn parts(place: usize, [from, to]: [usize; 2], interpolation: Interpolation) -> Vec<(usize, f64)> {
        match interpolation {
            // In whole numbers, because rounding must not decide between two elements that are equally near.
            Interpolation::Nearest => vec![((2 * place + 1) * from / (2 * to), 1.0)],
            Interpolation::Linear => {
                let centre = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, from as f64 - 1.0);
                let near = (0..from).map(|old| (old, 1.0 - (centre - old as f64).abs()));
                near.filter(|part| part.1 > 0.0).collect()
            }
        }
    }

    /// The definition, element by element: x resized to the shape of g, and what that passes back of g.
    fn naive(x: &Tensor<f64>, g: &Tensor<f64>, interpolation: Interpolation) -> [Tensor<f64>; 2] {
        let (mut y, mut dx) = (g.zeros_like(), x.zeros_like());
        for (out, new) in indices(g.shape()).iter().enumerate() {
            let of_axis = |axis: usize| match axis {
                0 => vec![(new[0], 1.0)],
                axis if axis == x.ndim() - 1 => vec![(new[axis], 1.0)],
                axis => parts(new[axis], [x.shape()[axis], g.shape()[axis]], interpolation),
            };
            let axes: Vec<Vec<(usize, f64)>> = (0..x.ndim()).map(of_axis).collect();
            for choice in indices(&axes.iter().map(Vec::len).collect::<Vec<_>>()) {
                let chosen = || choice.iter().zip(&axes).map(|(&i, axis)| axis[i]);
                let weight: f64 = chosen().map(|part| part.1).product();
                let old = place(x.shape(), &chosen().map(|part| part.0).collect::<Vec<_>>());
                y.as_mut_slice()[out] += weight * x.as_slice().unwrap()[old];
                dx.as_mut_slice()[old] += weight * g.as_slice().unwrap()[out];
            }
        }
        [y, dx]
    }

    fn found<T: Float>(operands: [&Tensor<f64>; 2], ways: [usize; 2], how: Interpolation) -> [Tensor<f64>; 2] {
        let [x, g] = std::array::from_fn(|i| lying(&operands[i].to::<T>(), ways[i]));
        [x.resize(spatial(g.shape()), how), g.resize_gradient(x.shape(), how)].map(|tensor| tensor.to())
    }

    proptest! {
        #[test]
        fn as_the_definition_says(
            n in 0_usize..3,
            axes in prop_oneof![
                prop::collection::vec((1_usize..10, 1_usize..12), 1),
                prop::collection::vec((1_usize..8, 1_usize..12), 2),
                prop::collection::vec((1_usize..5, 1_usize..6), 3),
            ],
            c in prop_oneof![0_usize..4, Just(11), Just(600)],
            linear in any::<bool>(),
            ways in [0..WAYS, 0..WAYS],
        ) {
            let interpolation = if linear { Interpolation::Linear } else { Interpolation::Nearest };
            // As many channels over more than one axis would take long.
            let c = if axes.len() > 1 { c.min(40) } else { c };
            let [from, to]: [Vec<usize>; 2] =
                [axes.iter().map(|axis| axis.0).collect(), axes.iter().map(|axis| axis.1).collect()];
            let mut generator = Generator::new(1);
            let x: Tensor<f64> = generator.uniform([&[n], &from[..], &[c]].concat(), -1.0..1.0);
            let g: Tensor<f64> = generator.uniform([&[n], &to[..], &[c]].concat(), -1.0..1.0);
            let expected = naive(&x, &g, interpolation);
            let of_f64 = found::<f64>([&x, &g], ways, interpolation);
            let of_f32 = found::<f32>([&x, &g], ways, interpolation);
            for (expected, (of_f64, of_f32)) in expected.iter().zip(of_f64.iter().zip(&of_f32)) {
                prop_assert!(of_f64.shape() == expected.shape() && of_f64.allclose(expected, 1e-12, 1e-12));
                prop_assert!(of_f32.shape() == expected.shape() && of_f32.allclose(expected, 1e-4, 1e-4));
            }
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let x: Tensor = Generator::new(1).uniform([3, 40, 50, 20], -1.0..1.0);
        assert_same_on_threads(|| {
            let both = [Interpolation::Nearest, Interpolation::Linear].map(|how| {
                let y = x.resize(&[90, 33], how);
                [y.resize_gradient(x.shape(), how), y]
            });
            both.into_iter().flatten().collect()
        });
    }

    #[test]
    #[should_panic(
        expected = "resize: each of one to three spatial axes needs a length of 1 or more: [1, 2, 0, 3] to [2, 2]"
    )]
    fn nothing_has_no_nearest() {
        Tensor::<f32>::zeros([1, 2, 0, 3]).resize(&[2, 2], Interpolation::Nearest);
    }

    #[test]
    #[should_panic(expected = "resize_gradient: the gradient must have the output's shape [1, 4, 2], found [1, 4, 1]")]
    fn a_gradient_of_another_shape() {
        Tensor::<f32>::zeros([1, 4, 1]).resize_gradient(&[1, 2, 2].into(), Interpolation::Linear);
    }
}
