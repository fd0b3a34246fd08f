//! Convolution and pooling. Channels come last: `[n, spatial.., c]`.

use gradus_tensor::{Convolution, Float, Pooling, Shape};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The convolution of `[n, spatial.., c]` with a kernel `[spatial.., c / groups, filters]`: `[n, out.., filters]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Convolution::output_shape`].
    #[track_caller]
    pub fn convolve(&self, kernel: &Var<T>, convolution: &Convolution) -> Var<T> {
        let (x, w, shape) = (self.value().clone(), kernel.value().clone(), kernel.shape().clone());
        let (input, by_input, by_kernel) = (x.shape().clone(), convolution.clone(), convolution.clone());
        Op::new("convolve", x.convolve(&w, convolution))
            .input(self, move |g| g.convolve_input_gradient(&w, &input, &by_input))
            .input(kernel, move |g| x.convolve_kernel_gradient(&g, &shape, &by_kernel))
            .finish()
    }

    /// The transposed convolution: what [`convolve`](Var::convolve) passes back from its output to an input of shape
    /// `output`. The kernel is `[spatial.., channels of the result / groups, channels of this]`.
    ///
    /// # Panics
    /// If this is not of the shape that `convolve` would make of `output`.
    #[track_caller]
    pub fn convolve_transposed(&self, kernel: &Var<T>, output: impl Into<Shape>, convolution: &Convolution) -> Var<T> {
        let (x, w, shape) = (self.value().clone(), kernel.value().clone(), kernel.shape().clone());
        let (output, by_input, by_kernel) = (output.into(), convolution.clone(), convolution.clone());
        Op::new("convolve_transposed", x.convolve_input_gradient(&w, &output, convolution))
            .input(self, move |g| g.convolve(&w, &by_input))
            .input(kernel, move |g| g.convolve_kernel_gradient(&x, &shape, &by_kernel))
            .finish()
    }

    /// The largest element of each window, channel by channel; of equal ones the first gets the gradient.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn max_pool(&self, pooling: &Pooling) -> Var<T> {
        let (x, pooling) = (self.value().clone(), pooling.clone());
        let y = x.max_pool(&pooling);
        Op::new("max_pool", y.clone()).input(self, move |g| x.max_pool_gradient(&y, &g, &pooling)).finish()
    }

    /// The mean of each window, channel by channel.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Pooling::output_shape`].
    #[track_caller]
    pub fn average_pool(&self, pooling: &Pooling) -> Var<T> {
        let (input, pooling) = (self.shape().clone(), pooling.clone());
        Op::new("average_pool", self.value().average_pool(&pooling))
            .input(self, move |g| g.average_pool_gradient(&input, &pooling))
            .finish()
    }
}
