//! The windows of a convolution written out, and added up again. Channels come last.

use super::elements;
use crate::convolution::Convolution;
use crate::element::Float;
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// What each window of a convolution sees: `[n, spatial.., c]` to `[n, out.., taps c]`, where the last axis holds the
    /// taps of the window in row-major order, each with all its channels, and zeros beyond the ends. Also called im2col.
    /// Groups make no difference.
    ///
    /// A convolution is a product with it: `x.convolve(&kernel, &c)` is `x.unfold(&sizes, &c)` times the kernel as a matrix
    /// `[taps c, filters]`, computed without writing all of this out.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Tensor};
    /// let x = Tensor::new([[[1.0], [2.0], [3.0], [4.0]]]);
    /// let windows = x.unfold(&[3], &Convolution::new(1));
    /// assert_eq!(windows, Tensor::new([[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]]));
    /// ```
    ///
    /// # Panics
    /// If there are not one to three spatial axes, or a window does not fit its padded input.
    #[track_caller]
    pub fn unfold(&self, size: &[usize], convolution: &Convolution) -> Tensor<T> {
        let output = expect_shape("unfold", unfolded(self.shape(), size, convolution));
        let (x, windows) = (self.contiguous(), convolution.windows(self.shape(), &output, size));
        Tensor::written(output, |out| windows.unfold(elements(&x), out))
    }

    /// The reverse of [`unfold`](Tensor::unfold), by which it is its adjoint: what all windows hold of a place is added up.
    /// `output` is the shape that was unfolded. Also called col2im.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Tensor};
    /// let windows = Tensor::new([[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]]);
    /// let x = windows.fold(&[1, 4, 1].into(), &[3], &Convolution::new(1));
    /// assert_eq!(x, Tensor::new([[[1.0], [4.0], [6.0], [4.0]]]));
    /// ```
    ///
    /// # Panics
    /// If this is not of the shape that `unfold` would make of `output`.
    #[track_caller]
    pub fn fold(&self, output: &Shape, size: &[usize], convolution: &Convolution) -> Tensor<T> {
        let expected = expect_shape("fold", unfolded(output, size, convolution));
        if *self.shape() != expected {
            panic_windows(self.shape(), &expected, output);
        }
        let (x, windows) = (self.contiguous(), convolution.windows(output, &expected, size));
        Tensor::written(output.clone(), |out| windows.add_up(elements(&x), out))
    }
}

/// The shape of unfolded windows.
fn unfolded(input: &Shape, size: &[usize], convolution: &Convolution) -> Result<Shape, ShapeError> {
    let rank = convolution.rank();
    if !(1..=3).contains(&rank) || input.len() != rank + 2 {
        let problem = format!("{} axes are needed, one to three of them spatial, found {input}", rank + 2);
        return Err(ShapeError::new(problem));
    }
    let lengths = convolution.output_lengths(&input[1..=rank], size)?;
    // What overflows is refused where memory is asked for.
    let elements = size.iter().fold(input[rank + 1], |product, &size| product.saturating_mul(size));
    Ok(Shape::from(input[0]).join(&lengths).join(&[elements]))
}

#[cold]
#[track_caller]
fn panic_windows(found: &Shape, expected: &Shape, output: &Shape) -> ! {
    panic!("fold: windows of {output} have the shape {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Generator;

    /// The definition, element by element.
    fn naive(x: &Tensor<f64>, size: [usize; 2], convolution: &Convolution, shape: &Shape) -> Tensor<f64> {
        let [_, height, width, channels] = [0, 1, 2, 3].map(|axis| x.shape()[axis]);
        let element = |place: usize| {
            let (within, window) = (place % shape[3], place / shape[3]);
            let (n, i, j) = (window / shape[2] / shape[1], window / shape[2] % shape[1], window % shape[2]);
            let (tap, c) = (within / channels, within % channels);
            let along = |axis: usize, window: usize, tap: usize| {
                (window * convolution.strides[axis] + tap * convolution.dilation[axis])
                    .checked_sub(convolution.padding[axis].0)
            };
            match (along(0, i, tap / size[1]), along(1, j, tap % size[1])) {
                (Some(row), Some(column)) if row < height && column < width => x.get([n, row, column, c]),
                _ => 0.0,
            }
        };
        (0..shape.size()).map(element).collect::<Tensor<f64>>().reshape(shape)
    }

    proptest! {
        #[test]
        fn as_the_definition_says_and_fold_is_the_adjoint(
            (n, h, w, c) in (0_usize..3, 1_usize..8, 1_usize..8, 0_usize..4),
            size in [1_usize..4, 1_usize..4],
            strides in [1_usize..4, 1_usize..4],
            dilation in [1_usize..3, 1_usize..3],
            padding in [(0_usize..4, 0_usize..4), (0_usize..4, 0_usize..4)],
        ) {
            let convolution = Convolution::new(2).strides(&strides).dilation(&dilation).padding(&padding);
            let mut generator = Generator::new(1);
            let x: Tensor<f64> = generator.uniform([n, w, h, c], -1.0..1.0).permute([0, 2, 1, 3]).flip(1);
            let Ok(shape) = unfolded(x.shape(), &size, &convolution) else { return Ok(()) };
            let windows = x.unfold(&size, &convolution);
            prop_assert_eq!(&windows, &naive(&x, size, &convolution, &shape));
            let g: Tensor<f64> = generator.uniform(shape, -1.0..1.0);
            let folded = g.fold(x.shape(), &size, &convolution);
            prop_assert!(((windows * g).sum(..).item() - (folded * x).sum(..).item()).abs() < 1e-11);
        }
    }

    #[test]
    fn a_convolution_is_a_product_with_the_windows() {
        let mut generator = Generator::new(2);
        let (x, kernel) =
            (generator.uniform([2, 6, 5, 4, 3], -1.0..1.0), generator.uniform([2, 3, 2, 3, 4], -1.0..1.0));
        let (x, kernel): (Tensor<f64>, Tensor<f64>) = (x, kernel);
        let convolution = Convolution::new(3).strides(&[2, 1, 1]).padding(&[(1, 0), (0, 2), (1, 1)]);
        let product = x.unfold(&[2, 3, 2], &convolution).matmul(&kernel.reshape([36, 4]));
        assert!(product.allclose(&x.convolve(&kernel, &convolution), 1e-12, 1e-12));
    }

    #[test]
    #[should_panic(expected = "fold: windows of [1, 4, 1] have the shape [1, 2, 3], found [1, 2, 4]")]
    fn windows_of_another_shape() {
        Tensor::<f32>::zeros([1, 2, 4]).fold(&[1, 4, 1].into(), &[3], &Convolution::new(1));
    }

    #[test]
    #[should_panic(expected = "unfold: 4 axes are needed, one to three of them spatial, found [4, 4, 1]")]
    fn a_tensor_without_a_batch() {
        Tensor::<f32>::zeros([4, 4, 1]).unfold(&[2, 2], &Convolution::new(2));
    }
}
