//! What a convolution passes back to its input, which is also the transposed convolution.

use super::conv::expect_gradient;
use super::depthwise::is_depthwise;
use super::elements;
use crate::convolution::Convolution;
use crate::element::Float;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::folded::{Rows, folded_products};
use crate::shape::Shape;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The gradient of [`convolve`](Tensor::convolve) with respect to its input, of shape `input`, where `self` is that
    /// of its output: of all, or of the first windows along each axis, where it is 0 for the others. Seen by itself it is
    /// the transposed convolution.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_input_gradient(&self, kernel: &Tensor<T>, input: &Shape, convolution: &Convolution) -> Tensor<T> {
        let shape = expect_shape("convolve_input_gradient", convolution.output_shape(input, kernel.shape()));
        expect_gradient("convolve_input_gradient", self.shape(), &shape);
        let (rank, groups, all_filters) = (convolution.rank(), convolution.groups, kernel.shape()[kernel.ndim() - 1]);
        if is_depthwise(kernel.shape(), convolution) {
            return self.depthwise_input_gradient(kernel, input, convolution);
        }
        let (channels, filters) = (input[rank + 1] / groups, all_filters / groups);
        let windows = convolution.windows(input, self.shape(), &kernel.shape()[..rank]);
        let (gradient, kernel) = (self.contiguous(), kernel.contiguous());
        let (g, w, columns) = (elements(&gradient), elements(&kernel), windows.size() * channels);
        Tensor::written(input.clone(), |dx| {
            for group in 0..groups {
                // Seen from a filter: an element for each tap and channel.
                let weights = Mat::new(w, group * filters, [filters, columns], [1, all_filters as isize]);
                if windows.are_tiles() && windows.size() == 1 && groups == 1 {
                    let rows = Mat::new(g, 0, [dx.len() / channels.max(1), filters], [filters as isize, 1]);
                    return T::gemm(rows, weights, dx);
                }
                let sample = self.shape()[1..].iter().product();
                let rows = Rows { data: g, first: group * filters, sample, window: all_filters };
                folded_products(&rows, weights, &windows, group * channels..(group + 1) * channels, group > 0, dx);
            }
        })
    }
}
