//! A convolution and the maximum pooling after it in one pass: the convolution's output, several times as large as the
//! pooled result, is never written.

use super::conv::{ConvGrids, expect_bias};
use super::elements;
use crate::convolution::Convolution;
use crate::element::Float;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::implicit::{Addend, ImplicitMatrix};
use crate::kernels::gemm::pooled::{chunks, pooled_products};
use crate::pooling::Pooling;
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The maximum pooling of the [convolution](Tensor::convolve) plus a bias `[filters]`, if there is one, with max(y, 0) in
    /// place of each result y if `relu`: `[n, out.., filters]`. With it comes the position of each result in its window,
    /// counted in row-major order: the first position of equal elements, the last position of NaN.
    ///
    /// ```
    /// use gradus_tensor::{Convolution, Pooling, Tensor};
    /// let x = Tensor::new([[[1.0], [5.0], [2.0], [2.0], [9.0]]]);
    /// let double = Tensor::new([[[2.0]]]);
    /// let (y, places) = x.convolve_pooled(&double, None, false, &Convolution::new(1), &Pooling::new(&[2]));
    /// assert_eq!(y, Tensor::new([[[10.0], [4.0]]]));
    /// assert_eq!(places, Tensor::from([[[1_u8], [0]]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or a window has more than 256 elements.
    #[track_caller]
    pub fn convolve_pooled(
        &self,
        kernel: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        relu: bool,
        convolution: &Convolution,
        pooling: &Pooling,
    ) -> (Tensor<T>, Tensor<u8>) {
        let op = "convolve_pooled";
        let convolved = expect_shape(op, convolution.output_shape(self.shape(), kernel.shape()));
        let output = expect_shape(op, pooling.output_shape(&convolved));
        expect_counted(op, pooling);
        if let Some(bias) = bias {
            expect_bias(op, bias, kernel);
        }
        let covered = pooling.covered_shape(&convolved);
        let windows = pooling.windows(&covered, &output);
        let filters = kernel.shape()[kernel.ndim() - 1];
        let mut places = Tensor::written(output.clone(), |_| {});
        let Some(chunks) = chunks::<T>(&windows, filters).filter(|_| convolution.groups == 1) else {
            let y = self.convolved(kernel, bias, false, convolution, convolved.clone());
            let windows = pooling.windows(&convolved, &output);
            let y = Tensor::written(output, |out| windows.largest(elements(&y), relu, out, places.as_mut_slice()));
            return (y, places);
        };
        let grids = ConvGrids::new(self.shape(), kernel.shape(), &covered, convolution);
        let (x, kernel, bias) = (self.contiguous(), kernel.contiguous(), bias.map(Tensor::contiguous));
        let y = Tensor::written(output, |out| {
            let patches = ImplicitMatrix::new(grids.of_input(&x), grids.samples, &grids.windows, &grids.columns);
            let weights = Mat::new(elements(&kernel), 0, [grids.columns.len(), filters], [filters as isize, 1]);
            let addend = bias.as_ref().map_or(Addend::Zero, |bias| Addend::Row(elements(bias)));
            pooled_products(patches, weights, addend, relu, (&windows, &chunks), (out, places.as_mut_slice()));
        });
        (y, places)
    }

    /// The gradient of a maximum pooling with respect to its input, from the positions of the largest elements:
    /// `[n, out.., c]` to the shape `input`, for which [`Pooling::covered_shape`] is enough.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or a window has more than 256 elements.
    #[track_caller]
    pub fn max_unpool(&self, places: &Tensor<u8>, input: &Shape, pooling: &Pooling) -> Tensor<T> {
        let output = expect_shape("max_unpool", pooling.output_shape(input));
        expect_counted("max_unpool", pooling);
        if *self.shape() != output || *places.shape() != output {
            panic_unpool(self.shape(), places.shape(), &output);
        }
        let (windows, g, places) = (pooling.windows(input, &output), self.contiguous(), places.contiguous());
        Tensor::written(input.clone(), |dx| windows.largest_gradient(elements(&g), elements(&places), dx))
    }
}

#[track_caller]
fn expect_counted(op: &str, pooling: &Pooling) {
    if !pooling.fits_a_byte() {
        panic_counted(op, pooling);
    }
}

#[cold]
#[track_caller]
fn panic_counted(op: &str, pooling: &Pooling) -> ! {
    panic!("{op}: windows of more than 256 elements need a pooling of their own, found {:?}", &pooling.size[..])
}

#[cold]
#[track_caller]
fn panic_unpool(gradient: &Shape, places: &Shape, output: &Shape) -> ! {
    panic!("max_unpool: gradient and places must have the output's shape {output}: {gradient} and {places}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Convolution, Generator, Pooling, Shape, Tensor};

    /// Of one axis: length, kernel, the convolution's stride and padding, and the pooling's size, stride and padding.
    type AxisCase = (usize, usize, usize, (usize, usize), usize, usize, usize);

    fn axes() -> impl Strategy<Value = Vec<AxisCase>> {
        let axis = (1_usize..12, 1_usize..4, 1_usize..3, (0_usize..2, 0_usize..2), 1_usize..4, 1_usize..5, 0_usize..3);
        (1_usize..4).prop_flat_map(move |rank| prop::collection::vec(axis.clone(), rank))
    }

    proptest! {
        #[test]
        fn as_a_convolution_and_a_pooling(
            axes in axes(), samples in 0_usize..3, channels in 1_usize..4, filters in 1_usize..40,
            groups in prop_oneof![4 => Just(1_usize), 1 => 2_usize..4], relu: bool, biased: bool,
        ) {
            let of = |f: fn(&AxisCase) -> usize| axes.iter().map(f).collect::<Vec<_>>();
            let padding: Vec<_> = axes.iter().map(|axis| axis.3).collect();
            let convolution = Convolution::new(axes.len()).strides(&of(|a| a.2)).padding(&padding).groups(groups);
            let beyond: Vec<_> = axes.iter().map(|axis| (axis.6.min(axis.4 - 1), axis.6.min(axis.4 - 1))).collect();
            let pooling = Pooling::new(&of(|a| a.4)).strides(&of(|a| a.5)).padding(&beyond);
            let input = Shape::from(samples).join(&of(|a| a.0)).join(&[channels * groups]);
            let kernel = Shape::from(&of(|a| a.1)[..]).join(&[channels, filters * groups]);
            let Ok(convolved) = convolution.output_shape(&input, &kernel) else { return Ok(()) };
            let Ok(output) = pooling.output_shape(&convolved) else { return Ok(()) };

            // Small integers, so that sums are exact and some elements equal.
            let mut random = Generator::new(7);
            let mut integers = |shape: &Shape| random.integers(shape.clone(), -2..3).to::<f32>();
            let (x, w, b) = (integers(&input), integers(&kernel), integers(&Shape::from(filters * groups)));
            let bias = biased.then_some(&b);
            let between = match bias {
                Some(bias) => x.convolve_biased(&w, bias, relu, &convolution),
                None if relu => x.convolve(&w, &convolution).relu(),
                None => x.convolve(&w, &convolution),
            };
            let expected = between.max_pool(&pooling);
            // From views with other layouts.
            let (columns, turned) = (x.flip(0).contiguous().flip(0), w.t().contiguous().t());
            let (y, places) = columns.convolve_pooled(&turned, bias, relu, &convolution, &pooling);
            prop_assert_eq!(&y, &expected);

            let g = integers(&output);
            let seen = pooling.covered_shape(&convolved);
            let given = g.max_unpool(&places, &seen, &pooling);
            let whole = g.max_unpool(&places, &convolved, &pooling);
            if !relu {
                prop_assert_eq!(&whole, &between.max_pool_gradient(&expected, &g, &pooling));
            }
            // Places that no window covers have gradient 0, and may be left out.
            let mut part = whole.clone();
            for axis in 1..=axes.len() {
                part = part.slice(axis as isize, 0..seen[axis]);
            }
            prop_assert_eq!(&given, &part);
            prop_assert_eq!(
                x.convolve_kernel_gradient(&given, &kernel, &convolution),
                x.convolve_kernel_gradient(&whole, &kernel, &convolution)
            );
            prop_assert_eq!(
                given.convolve_input_gradient(&w, &input, &convolution),
                whole.convolve_input_gradient(&w, &input, &convolution)
            );
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_same_bits_for_any_number_of_threads() {
        let mut random = Generator::new(3);
        let (x, w): (Tensor, Tensor) =
            (random.uniform([5, 30, 31, 3], -1.0..1.0), random.uniform([3, 3, 3, 40], -1.0..1.0));
        let (convolution, pooling) = (Convolution::new(2), Pooling::new(&[2, 3]));
        let bits = |threads| {
            let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (y, places) = x.convolve_pooled(&w, None, true, &convolution, &pooling);
                let seen = Shape::from([5, 28, 27, 40]);
                (y.iter().map(f32::to_bits).collect::<Vec<_>>(), y.max_unpool(&places, &seen, &pooling).to_vec())
            })
        };
        let one = bits(1);
        assert!(one == bits(2) && one == bits(3));
    }

    #[test]
    #[should_panic(
        expected = "convolve_pooled: windows of more than 256 elements need a pooling of their own, found [300]"
    )]
    fn large_windows_are_refused() {
        let (x, w): (Tensor, Tensor) = (Tensor::ones([1, 400, 1]), Tensor::ones([1, 1, 1]));
        x.convolve_pooled(&w, None, false, &Convolution::new(1), &Pooling::new(&[300]));
    }
}
