//! Convolutions of each channel by itself.

use super::support::prelude::*;
use super::support::{BiasActivation, Padding, Spatial, places_shape, ranks, some_channels};

options! {
    /// A convolution of each channel by itself over N axes. [`DepthwiseConv1D`] and [`DepthwiseConv2D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., channels * depth_multiplier]`. Weights: `kernel`
    /// `[size.., channels, depth_multiplier]`, Glorot uniform, and `bias`, zeros.
    ///
    /// ```
    /// use gradus_nn::{DepthwiseConv, Initializer, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Each channel is summed over two places, by itself. `DepthwiseConv1D` is `DepthwiseConv<1>`.
    /// let sums = DepthwiseConv::<1>::new(2).depthwise_initializer(Initializer::Ones);
    /// let model = Model::build(Sequential::new().add(sums), [2, 2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[[1.0, 10.0], [2.0, 20.0]]]))?, Tensor::new([[[3.0, 30.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct DepthwiseConv<const N: usize> {
        /// A layer of one filter for each channel with kernels of this size; linear, with a bias and without padding.
        pub fn new(
            #[check(checks::per_axis)]
            kernel_size: [usize; N],
        );
        /// The step between neighbouring windows along each axis; 1 by default.
        #[check(checks::per_axis)]
        strides: [usize; N] = [1; N],
        /// The padding of the input; [`Padding::Valid`] by default.
        padding: Padding = Padding::Valid,
        /// The number of filters for each channel, side by side in the output; 1 by default.
        #[check(checks::depth_multiplier)]
        depth_multiplier: usize = 1,
        /// The step between neighbouring elements of a window along each axis; 1 by default.
        #[check(checks::per_axis)]
        dilation_rate: [usize; N] = [1; N],
        /// The activation; linear by default.
        activation: Activation = Activation::Linear,
        /// Whether a bias is added, as by default.
        use_bias: bool = true,
        /// The distribution of the kernel's first values; Glorot uniform by default.
        depthwise_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the bias's first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// The penalty on the kernel; none by default.
        depthwise_regularizer: Option<Regularizer> = None,
        /// The penalty on the bias; none by default.
        bias_regularizer: Option<Regularizer> = None,
        /// The constraint on the kernel; none by default.
        depthwise_constraint: Option<Constraint> = None,
        /// The constraint on the bias; none by default.
        bias_constraint: Option<Constraint> = None,
    }
}

impl<const N: usize> DepthwiseConv<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        let channels = some_channels(&input, build)?;
        self.check(build)?;
        let windows = Spatial::new(self.kernel_size, self.strides, &self.padding, self.dilation_rate);
        let (convolution, lengths) = windows.convolution(&input, channels, build)?;
        let (size, filters) = (&self.kernel_size[..], channels.saturating_mul(self.depth_multiplier));
        let (shape, grouped) = ([size, &[channels, self.depth_multiplier]].concat(), [size, &[1, filters]].concat());
        let options = (self.depthwise_initializer, self.depthwise_regularizer, self.depthwise_constraint.clone());
        let kernel = weight_with_options(build, "kernel", shape, options)?;
        let bias = self.use_bias.then(|| (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()));
        let ending = BiasActivation::new(build, filters, bias, self.activation)?;
        let built = ending.convolution(lengths.join(&[filters]), convolution, move |context, x| {
            (x.clone(), context.weight(kernel).reshape(&grouped[..]))
        });
        windows.over_sequences(&lengths, built, build)
    }
}

ranks! { DepthwiseConv (activation):
    /// A convolution of each channel of a sequence by itself.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, channels * depth_multiplier]`. Weights: `kernel`
    /// `[size, channels, depth_multiplier]`, Glorot uniform, and `bias`, zeros. [Masks](crate::MaskRule) as for
    /// [`Conv1D`](crate::Conv1D).
    DepthwiseConv1D = 1;
    /// A convolution of each channel of a picture by itself.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, channels * depth_multiplier]`. Weights: `kernel`
    /// `[height, width, channels, depth_multiplier]`, Glorot uniform, and `bias`, zeros.
    ///
    /// ```
    /// use gradus_nn::{DepthwiseConv2D, Padding};
    /// let of_each = DepthwiseConv2D::new(3).padding(Padding::Same).use_bias(false);
    /// ```
    DepthwiseConv2D = 2;
}
