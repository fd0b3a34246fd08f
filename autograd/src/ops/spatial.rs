//! Adaptive pooling, resizing and unfolded windows. Channels come last: `[n, spatial.., c]`.

use gradus_tensor::{Convolution, Float, Interpolation, Shape};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// Adaptive maximum pooling: each spatial axis is divided into `lengths` windows, and the largest element of each is
    /// kept. Of equal elements the first gets the gradient.
    /// See [`Tensor::adaptive_max_pool`](gradus_tensor::Tensor::adaptive_max_pool).
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn adaptive_max_pool(&self, lengths: &[usize]) -> Var<T> {
        let x = self.value().clone();
        let y = x.adaptive_max_pool(lengths);
        Op::new("adaptive_max_pool", y.clone()).input(self, move |g| x.adaptive_max_pool_gradient(&y, &g)).finish()
    }

    /// Adaptive average pooling: each spatial axis is divided into `lengths` windows, and the mean of each is kept.
    /// See [`Tensor::adaptive_max_pool`](gradus_tensor::Tensor::adaptive_max_pool) for where the windows lie.
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn adaptive_average_pool(&self, lengths: &[usize]) -> Var<T> {
        let input = self.shape().clone();
        Op::new("adaptive_average_pool", self.value().adaptive_average_pool(lengths))
            .input(self, move |g| g.adaptive_average_pool_gradient(&input))
            .finish()
    }

    /// Resized to these spatial lengths: `[n, spatial.., c]` to `[n, lengths.., c]`.
    /// See [`Tensor::resize`](gradus_tensor::Tensor::resize).
    ///
    /// # Panics
    /// If there is not a length for each of one to three spatial axes, or one of these, given or present, is 0.
    #[track_caller]
    pub fn resize(&self, lengths: &[usize], interpolation: Interpolation) -> Var<T> {
        let input = self.shape().clone();
        Op::new("resize", self.value().resize(lengths, interpolation))
            .input(self, move |g| g.resize_gradient(&input, interpolation))
            .finish()
    }

    /// The elements of each window of a convolution in a row (im2col): `[n, spatial.., c]` to `[n, out.., positions c]`,
    /// with one position for each element of the kernel.
    /// See [`Tensor::unfold`](gradus_tensor::Tensor::unfold).
    ///
    /// # Panics
    /// If there are not one to three spatial axes, or a window does not fit its padded input.
    #[track_caller]
    pub fn unfold(&self, size: &[usize], convolution: &Convolution) -> Var<T> {
        let (input, kernel, windows) = (self.shape().clone(), size.to_vec(), convolution.clone());
        Op::new("unfold", self.value().unfold(size, convolution))
            .input(self, move |g| g.fold(&input, &kernel, &windows))
            .finish()
    }

    /// The elements of all windows added at the places of `output` that they came from (col2im): the adjoint of
    /// [`unfold`](Var::unfold).
    ///
    /// # Panics
    /// If this is not of the shape that `unfold` would make of `output`.
    #[track_caller]
    pub fn fold(&self, output: &Shape, size: &[usize], convolution: &Convolution) -> Var<T> {
        let (kernel, windows) = (size.to_vec(), convolution.clone());
        Op::new("fold", self.value().fold(output, size, convolution))
            .input(self, move |g| g.unfold(&kernel, &windows))
            .finish()
    }
}
