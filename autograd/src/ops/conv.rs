//! Convolution and pooling. Channels come last: `[n, spatial.., c]`.

use gradus_tensor::{Convolution, Float, Pooling, Shape, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The convolution of `[n, spatial.., c]` with a kernel `[spatial.., c / groups, filters]`: `[n, out.., filters]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other; see [`Convolution::output_shape`].
    #[track_caller]
    pub fn convolve(&self, kernel: &Var<T>, convolution: &Convolution) -> Var<T> {
        self.convolved(kernel, convolution, self.value().convolve(kernel.value(), convolution))
    }

    /// The [convolution](Var::convolve) plus a bias `[filters]`, of which what is negative becomes 0 if `relu`: computed
    /// in one pass over the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_biased(&self, kernel: &Var<T>, bias: &Var<T>, relu: bool, convolution: &Convolution) -> Var<T> {
        let y = self.value().convolve_biased(kernel.value(), bias.value(), relu, convolution);
        // On the way back these are up to three ops. The first ones have the result in place of values of their own, which
        // no derivative asks for.
        let product = self.convolved(kernel, convolution, y);
        finished("convolve_biased", product, Some(bias), relu)
    }

    /// The largest of each window over the [convolution](Var::convolve), plus a bias `[filters]` if there is one, and 0
    /// instead of what is negative if `relu`: computed in one pass, in which the convolution's output is never written. Of
    /// equal elements the first gets the gradient.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or a window has more than 256 elements.
    #[track_caller]
    pub fn convolve_pooled(
        &self,
        kernel: &Var<T>,
        bias: Option<&Var<T>>,
        relu: bool,
        convolution: &Convolution,
        pooling: &Pooling,
    ) -> Var<T> {
        let (x, w) = (self.value(), kernel.value());
        let (y, places) = x.convolve_pooled(w, bias.map(Var::value), relu, convolution, pooling);
        let convolved = convolution.output_shape(x.shape(), w.shape()).expect("it has just been convolved");
        let (seen, pooling) = (pooling.seen(&convolved), pooling.clone());
        // The bias and what is made 0 are the same for all of a window, so they come last, where there is least of them.
        let product = self.convolved(kernel, convolution, Tensor::scalar(T::ZERO).broadcast_to(&seen));
        let unpool = move |g: Tensor<T>| g.max_unpool(&places, &seen, &pooling);
        let pooled = Op::new("convolve_pooled", y).input(&product, unpool).finish();
        finished("convolve_pooled", pooled, bias, relu)
    }

    /// The op of a convolution; `y` has the shape of its output and stands in for it.
    #[track_caller]
    fn convolved(&self, kernel: &Var<T>, convolution: &Convolution, y: Tensor<T>) -> Var<T> {
        let (x, w, shape) = (self.value().clone(), kernel.value().clone(), kernel.shape().clone());
        let (input, by_input, by_kernel) = (x.shape().clone(), convolution.clone(), convolution.clone());
        Op::new("convolve", y)
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

/// The op that adds a bias and makes what is negative 0, where that has been done already in the value.
fn finished<T: Float>(op: &'static str, value: Var<T>, bias: Option<&Var<T>>, relu: bool) -> Var<T> {
    let y = value.value().clone();
    let sum = match bias {
        Some(bias) => Op::new(op, y.clone()).input(&value, |g| g).input(bias, |g| g).finish(),
        None => value,
    };
    if !relu {
        return sum;
    }
    let derivative = |g: Tensor<T>| {
        g.zip_map(
            y,
            #[inline(always)]
            |g, y| if y > T::ZERO { g } else { T::ZERO },
        )
    };
    Op::new(op, sum.value().clone()).input(&sum, derivative).finish()
}
