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
        let y = self.value().convolve(kernel.value(), convolution);
        record("convolve", y, [self, kernel], None, false, convolution, |g| g)
    }

    /// The [convolution](Var::convolve) plus a bias `[filters]`, of which what is negative becomes 0 if `relu`: computed
    /// in one pass over the output.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn convolve_biased(&self, kernel: &Var<T>, bias: &Var<T>, relu: bool, convolution: &Convolution) -> Var<T> {
        let y = self.value().convolve_biased(kernel.value(), bias.value(), relu, convolution);
        record("convolve_biased", y, [self, kernel], Some(bias), relu, convolution, |g| g)
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
        let (seen, pooling) = (pooling.covered_shape(&convolved), pooling.clone());
        let unpool = move |g: Tensor<T>| g.max_unpool(&places, &seen, &pooling);
        record("convolve_pooled", y, [self, kernel], bias, relu, convolution, unpool)
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

/// Records a convolution with all that its pass over the output did: maximum pooling, bias, ReLU.
///
/// `unpool` takes a gradient from the result back to the convolution's output. Bias and ReLU are the same for all elements
/// of a window, so their derivatives come first, where there are the fewest elements.
#[track_caller]
fn record<T: Float>(
    name: &'static str,
    y: Tensor<T>,
    [input, kernel]: [&Var<T>; 2],
    bias: Option<&Var<T>>,
    relu: bool,
    convolution: &Convolution,
    unpool: impl FnOnce(Tensor<T>) -> Tensor<T> + Send + 'static,
) -> Var<T> {
    let (input_shape, kernel_shape) = (input.shape().clone(), kernel.shape().clone());
    // A derivative by one of the two needs the other.
    let x = kernel.is_recorded().then(|| input.value().clone());
    let w = input.is_recorded().then(|| kernel.value().clone());
    let (kept, convolution) = (relu.then(|| y.clone()), convolution.clone());
    let derivative = move |g: Tensor<T>, [_, _, wants_bias]: [bool; 3]| {
        let g = match kept {
            Some(y) => g.zip_map(
                y,
                #[inline(always)]
                |g, y| if y > T::ZERO { g } else { T::ZERO },
            ),
            None => g,
        };
        let by_bias = wants_bias.then(|| g.clone());
        if x.is_none() && w.is_none() {
            return [None, None, by_bias];
        }
        let g = unpool(g);
        let by_input = w.map(|w| g.convolve_input_gradient(&w, &input_shape, &convolution));
        let by_kernel = x.map(|x| x.convolve_kernel_gradient(&g, &kernel_shape, &convolution));
        [by_input, by_kernel, by_bias]
    };
    let no_bias = Var::from(T::ZERO);
    Op::new(name, y).joint([input, kernel, bias.unwrap_or(&no_bias)], derivative).finish()
}
