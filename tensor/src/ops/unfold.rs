//! The im2col matrix of a convolution (`unfold`) and its adjoint, col2im (`fold`). Channels come last.

use super::elements;
use crate::convolution::Convolution;
use crate::element::Float;
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The elements of each window of a convolution (im2col): `[n, spatial.., c]` to `[n, out.., positions c]`. The last axis holds
    /// the kernel positions of the window in row-major order, each with all its channels, with zeros beyond the ends. Groups make
    /// no difference.
    ///
    /// A convolution is a product with this matrix: `x.convolve(&kernel, &c)` is `x.unfold(&sizes, &c)` times the kernel as a matrix
    /// `[positions c, filters]`, computed without building it.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Tensor};
    /// let x = Tensor::new([[[1.0], [2.0], [3.0], [4.0]]]);
    /// let windows = x.unfold(&[3], &Convolution::new(1));
    /// assert_eq!(windows, Tensor::new([[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]]));
    /// ```
    ///
    /// # Panics
    /// If there are not as many spatial axes as the convolution has, or a window does not fit its padded input.
    #[track_caller]
    pub fn unfold(&self, size: &[usize], convolution: &Convolution) -> Tensor<T> {
        let output = expect_shape("unfold", unfolded(self.shape(), size, convolution));
        let (x, windows) = (self.contiguous(), convolution.windows(self.shape(), &output, size));
        Tensor::written(output, |out| windows.unfold(elements(&x), out))
    }

    /// The adjoint of [`unfold`](Tensor::unfold) (col2im): each element is the sum of its copies in all windows. `output` is the shape
    /// that was unfolded.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Tensor};
    /// let windows = Tensor::new([[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]]);
    /// let x = windows.fold(&[1, 4, 1].into(), &[3], &Convolution::new(1));
    /// assert_eq!(x, Tensor::new([[[1.0], [4.0], [6.0], [4.0]]]));
    /// ```
    ///
    /// # Panics
    /// If this does not have the shape of `unfold` for an input of shape `output`.
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
    if input.len() != rank + 2 || size.len() != rank {
        let problem = format!("{} axes are needed, {rank} of them spatial: {input} by windows of {size:?}", rank + 2);
        return Err(ShapeError::new(problem));
    }
    let Some(counts) = convolution.counts(&input[1..=rank], size)? else {
        return Err(ShapeError::new(format!(
            "windows of {size:?} (dilation {:?}) do not fit the input {:?} (padding {:?})",
            &convolution.dilation[..],
            &input[1..=rank],
            &convolution.padding[..],
        )));
    };
    let elements = size.iter().fold(input[rank + 1], |product, &size| product.saturating_mul(size));
    Shape::from(input[0]).join(&counts).join(&[elements]).checked()
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
    #[cfg(feature = "parallel")]
    use crate::ops::testing::assert_same_on_threads;
    use crate::ops::testing::{WAYS, indices, integers, lying, place};

    /// The definition, element by element: the windows of x, and what those in g hold of each place added up.
    fn naive(x: &Tensor<f64>, g: &Tensor<f64>, size: &[usize], convolution: &Convolution) -> [Tensor<f64>; 2] {
        let (mut windows, mut sum) = (g.zeros_like(), x.zeros_like());
        let (rank, channels) = (size.len(), x.shape()[size.len() + 1]);
        // What the last axis holds: the taps, each with its channels.
        let taps = indices(&[size, &[channels]].concat());
        for window in indices(&g.shape()[..=rank]) {
            for (within, tap) in taps.iter().enumerate() {
                let mut index = vec![window[0]];
                index.extend((0..rank).map_while(|axis| {
                    let (stride, dilation) = (convolution.strides[axis], convolution.dilation[axis]);
                    let place = window[axis + 1] * stride + tap[axis] * dilation;
                    place.checked_sub(convolution.padding[axis].0).filter(|&place| place < x.shape()[axis + 1])
                }));
                if index.len() == rank + 1 {
                    index.push(tap[rank]);
                    let out = place(g.shape(), &[&window[..], &[within]].concat());
                    windows.as_mut_slice()[out] = x.get(&index);
                    sum.as_mut_slice()[place(x.shape(), &index)] += g.as_slice().unwrap()[out];
                }
            }
        }
        [windows, sum]
    }

    fn found<T: Float>(
        operands: [&Tensor<f64>; 2],
        ways: [usize; 2],
        size: &[usize],
        convolution: &Convolution,
    ) -> [Tensor<f64>; 2] {
        let [x, g] = std::array::from_fn(|i| lying(&operands[i].to::<T>(), ways[i]));
        [x.unfold(size, convolution), g.fold(x.shape(), size, convolution)].map(|tensor| tensor.to())
    }

    /// Of one axis: length, size of the window, stride, dilation and padding.
    type AxisCase = (usize, usize, usize, usize, (usize, usize));

    fn axes() -> impl Strategy<Value = Vec<AxisCase>> {
        (1_usize..4).prop_flat_map(|rank| {
            let lengths = 0..[10_usize, 8, 5][rank - 1];
            prop::collection::vec((lengths, 1_usize..4, 1_usize..4, 1_usize..3, (0_usize..4, 0_usize..4)), rank)
        })
    }

    proptest! {
        #[test]
        fn as_the_definition_says(n in 0_usize..3, axes in axes(), c in 0_usize..4, ways in [0..WAYS, 0..WAYS]) {
            let of = |f: fn(&AxisCase) -> usize| axes.iter().map(f).collect::<Vec<_>>();
            let (lengths, size) = (of(|axis| axis.0), of(|axis| axis.1));
            let padding: Vec<_> = axes.iter().map(|axis| axis.4).collect();
            let convolution = Convolution::new(axes.len())
                .strides(&of(|axis| axis.2))
                .dilation(&of(|axis| axis.3))
                .padding(&padding);
            let x = integers([&[n], &lengths[..], &[c]].concat(), 1);
            let shape = unfolded(x.shape(), &size, &convolution);
            let fits = axes.iter().all(|&(length, size, _, dilation, (a, b))| a + length + b > (size - 1) * dilation);
            prop_assert_eq!(shape.is_ok(), fits);
            let Ok(shape) = shape else { return Ok(()) };
            let g = integers(shape, 2);
            let expected = naive(&x, &g, &size, &convolution);
            prop_assert_eq!(&found::<f64>([&x, &g], ways, &size, &convolution), &expected);
            prop_assert_eq!(&found::<f32>([&x, &g], ways, &size, &convolution), &expected);
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let x: Tensor = Generator::new(1).uniform([3, 40, 50, 6], -1.0..1.0);
        let convolution = Convolution::new(2).padding(&[(1, 1), (0, 2)]);
        assert_same_on_threads(|| {
            let windows = x.unfold(&[3, 3], &convolution);
            vec![windows.fold(x.shape(), &[3, 3], &convolution), windows]
        });
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
    #[should_panic(expected = "unfold: 4 axes are needed, 2 of them spatial: [4, 4, 1] by windows of [2, 2]")]
    fn a_tensor_without_a_batch() {
        Tensor::<f32>::zeros([4, 4, 1]).unfold(&[2, 2], &Convolution::new(2));
    }
}
