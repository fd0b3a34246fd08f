//! Spatial axes made longer or shorter. Channels come last.

use serde::{Deserialize, Serialize};

use super::elements;
use crate::element::Float;
use crate::kernels::resize::Resize;
use crate::kernels::windows::{Axis, Rule, Windows};
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, expect_shape};

/// What [`Tensor::resize`] puts between the elements that there are.
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
    /// Resized to these spatial lengths: `[n, spatial.., c]` to `[n, lengths.., c]`.
    ///
    /// Elements stand for equal parts of an axis and lie in the middle of them: the centre of new element i of m lies at
    /// (i + 1/2) n / m - 1/2 among the n old ones. So does TensorFlow's `tf.image.resize`, and PyTorch's `interpolate` with
    /// `nearest-exact` or `align_corners=False`. Nothing is averaged where axes become shorter.
    ///
    /// ```
    /// use gradus_tensor::{Interpolation, Tensor};
    /// let x = Tensor::new([[[1.0], [5.0]]]);
    /// assert_eq!(x.resize(&[4], Interpolation::Nearest).flatten(), Tensor::new([1.0, 1.0, 5.0, 5.0]));
    /// assert_eq!(x.resize(&[4], Interpolation::Linear).flatten(), Tensor::new([1.0, 2.0, 4.0, 5.0]));
    /// ```
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn resize(&self, lengths: &[usize], interpolation: Interpolation) -> Tensor<T> {
        let output = expect_shape("resize", resized(self.shape(), lengths));
        match interpolation {
            Interpolation::Nearest => {
                let (x, windows) = (self.contiguous(), nearest(self.shape(), &output));
                Tensor::written(output, |out| windows.sum_gradient(elements(&x), out))
            }
            Interpolation::Linear => {
                // The last axis first: the others then have more to do side by side.
                (1..output.len() - 1).rev().fold(self.clone(), |x, axis| x.along(axis, output[axis], Resize::linear))
            }
        }
    }

    /// The gradient of [`resize`](Tensor::resize) with respect to its input, of shape `input`, where `self` is that of its
    /// output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn resize_gradient(&self, input: &Shape, interpolation: Interpolation) -> Tensor<T> {
        let lengths = self.shape().get(1..self.ndim().saturating_sub(1)).unwrap_or(&[]);
        let output = expect_shape("resize_gradient", resized(input, lengths));
        if *self.shape() != output {
            panic_gradient(self.shape(), &output);
        }
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

    /// With one axis resized, or such a gradient passed back.
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

fn resized(input: &Shape, lengths: &[usize]) -> Result<Shape, ShapeError> {
    let rank = lengths.len();
    if !(1..=3).contains(&rank) || input.len() != rank + 2 || input[1..=rank].iter().chain(lengths).any(|&n| n == 0) {
        let problem = format!("each of one to three spatial axes needs a length of 1 or more: {input} to {lengths:?}");
        return Err(ShapeError::new(problem));
    }
    Ok(Shape::from(input[0]).join(lengths).join(&input[rank + 1..]))
}

/// For each old element the new ones that it is nearest to.
fn nearest(input: &Shape, output: &Shape) -> Windows {
    let axis = |axis: usize| Axis { length: output[axis], windows: input[axis], rule: Rule::Nearest };
    Windows::new((1..input.len() - 1).map(axis), input[input.len() - 1])
}

#[cold]
#[track_caller]
fn panic_gradient(found: &Shape, expected: &Shape) -> ! {
    panic!("resize_gradient: the gradient must have the output's shape {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Generator;

    /// The definition, element by element.
    fn naive(x: &Tensor<f64>, [height, width]: [usize; 2], interpolation: Interpolation) -> Tensor<f64> {
        let [n, h, w, c] = [0, 1, 2, 3].map(|axis| x.shape()[axis]);
        // The elements along an axis that a new one is made of, with their weights.
        let parts = |place: usize, from: usize, to: usize| match interpolation {
            // In whole numbers, for what lies midway must not be left to rounding.
            Interpolation::Nearest => vec![((2 * place + 1) * from / (2 * to), 1.0)],
            Interpolation::Linear => {
                let centre = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, from as f64 - 1.0);
                let near = (0..from).map(|old| (old, 1.0 - (centre - old as f64).abs()));
                near.filter(|part| part.1 > 0.0).collect()
            }
        };
        let shape = Shape::from([n, height, width, c]);
        let element = |place: usize| {
            let (channel, column) = (place % c, place / c % width);
            let (row, sample) = (place / c / width % height, place / c / width / height);
            let mut sum = 0.0;
            for (i, a) in parts(row, h, height) {
                sum +=
                    parts(column, w, width).iter().map(|&(j, b)| a * b * x.get([sample, i, j, channel])).sum::<f64>();
            }
            sum
        };
        (0..shape.size()).map(element).collect::<Tensor<f64>>().reshape(shape)
    }

    proptest! {
        #[test]
        fn as_the_definition_says_and_the_gradient_is_the_adjoint(
            (n, h, w) in (0_usize..3, 1_usize..8, 1_usize..8),
            c in prop_oneof![0_usize..4, Just(11), Just(600)],
            lengths in [1_usize..12, 1_usize..12],
            linear in any::<bool>(),
        ) {
            let interpolation = if linear { Interpolation::Linear } else { Interpolation::Nearest };
            let mut generator = Generator::new(1);
            let x: Tensor<f64> = generator.uniform([n, w, h, c], -1.0..1.0).permute([0, 2, 1, 3]).flip(1);
            let y = x.resize(&lengths, interpolation);
            prop_assert_eq!(y.shape(), &[n, lengths[0], lengths[1], c]);
            prop_assert!(y.allclose(&naive(&x, lengths, interpolation), 1e-12, 1e-12));
            let g: Tensor<f64> = generator.uniform(y.shape(), -1.0..1.0);
            let dx = g.resize_gradient(x.shape(), interpolation);
            prop_assert!(((y * g).sum(..).item() - (dx * x).sum(..).item()).abs() < 1e-10);
        }
    }

    #[test]
    fn volumes_are_resized_along_each_axis() {
        // By hand: every other plane, row and column of twice as many.
        let x: Tensor<f64> = Generator::new(1).uniform([2, 3, 2, 4, 2], -1.0..1.0);
        for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
            let same = x.resize(&[3, 2, 4], interpolation);
            assert_eq!(same, x);
            let planes = x.reshape([2, 3, 8, 2]).resize(&[6, 8], interpolation).reshape([2, 6, 2, 4, 2]);
            assert_eq!(x.resize(&[6, 2, 4], interpolation), planes);
        }
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
