//! Convolutions in two steps: of each channel by itself, then across channels at each place.

use gradus_tensor::Convolution;

use super::support::prelude::*;
use super::support::{BiasActivation, Padding, Spatial, places_shape, ranks, some_channels};

options! {
    /// A convolution over N axes in two steps: of each channel by itself, then across channels at each place.
    /// [`SeparableConv1D`] and [`SeparableConv2D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., filters]`. Weights: `depthwise_kernel`
    /// `[size.., channels, depth_multiplier]` and `pointwise_kernel` `[1.., channels * depth_multiplier, filters]`, Glorot
    /// uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Model, Padding, SeparableConv, Sequential};
    /// // `SeparableConv2D` is `SeparableConv<2>`.
    /// let layer = SeparableConv::<2>::new(64, 3).padding(Padding::Same);
    /// let model = Model::build(Sequential::new().add(layer), [28, 28, 32], 42)?;
    /// // 3 x 3 x 32 for the channels, 32 x 64 across them, 64 of bias. A Conv2D has 3 x 3 x 32 x 64 + 64 = 18,496.
    /// assert_eq!(model.summary().total_params, 288 + 2048 + 64);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct SeparableConv<const N: usize> {
        /// A layer with this number of filters and kernel size; linear, with a bias and without padding.
        pub fn new(
            #[check(checks::filters)]
            filters: usize,
            #[check(checks::per_axis)]
            kernel_size: [usize; N],
        );
        /// The step between neighbouring windows along each axis; 1 by default.
        #[check(checks::per_axis)]
        strides: [usize; N] = [1; N],
        /// The padding of the input; [`Padding::Valid`] by default.
        padding: Padding = Padding::Valid,
        /// The number of filters for each channel in the first step; 1 by default.
        #[check(checks::depth_multiplier)]
        depth_multiplier: usize = 1,
        /// The step between neighbouring elements of a window along each axis; 1 by default.
        #[check(checks::per_axis)]
        dilation_rate: [usize; N] = [1; N],
        /// The activation; linear by default.
        activation: Activation = Activation::Linear,
        /// Whether a bias is added, as by default.
        use_bias: bool = true,
        /// The distribution of the first values of the first step's kernel; Glorot uniform by default.
        depthwise_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the first values of the second step's kernel; Glorot uniform by default.
        pointwise_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the bias's first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// The penalty on the first step's kernel; none by default.
        depthwise_regularizer: Option<Regularizer> = None,
        /// The penalty on the second step's kernel; none by default.
        pointwise_regularizer: Option<Regularizer> = None,
        /// The penalty on the bias; none by default.
        bias_regularizer: Option<Regularizer> = None,
        /// The constraint on the first step's kernel; none by default.
        depthwise_constraint: Option<Constraint> = None,
        /// The constraint on the second step's kernel; none by default.
        pointwise_constraint: Option<Constraint> = None,
        /// The constraint on the bias; none by default.
        bias_constraint: Option<Constraint> = None,
    }
}

impl<const N: usize> SeparableConv<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        let channels = some_channels(&input, build)?;
        self.check(build)?;
        let windows = Spatial::new(self.kernel_size, self.strides, &self.padding, self.dilation_rate);
        let (convolution, lengths) = windows.convolution(&input, channels, build)?;
        let (size, inner) = (&self.kernel_size[..], channels.saturating_mul(self.depth_multiplier));
        let (shape, grouped) = ([size, &[channels, self.depth_multiplier]].concat(), [size, &[1, inner]].concat());
        let options = (self.depthwise_initializer, self.depthwise_regularizer, self.depthwise_constraint.clone());
        let depthwise = weight_with_options(build, "depthwise_kernel", shape, options)?;
        let shape = [&[1; N][..], &[inner, self.filters]].concat();
        let options = (self.pointwise_initializer, self.pointwise_regularizer, self.pointwise_constraint.clone());
        let pointwise = weight_with_options(build, "pointwise_kernel", shape, options)?;
        let bias = self.use_bias.then(|| (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()));
        let ending = BiasActivation::new(build, self.filters, bias, self.activation)?;
        let built = ending.convolution(lengths.join(&[self.filters]), Convolution::new(N), move |context, x| {
            let y = x.convolve(&context.weight(depthwise).reshape(&grouped[..]), &convolution);
            (y, context.weight(pointwise).clone())
        });
        windows.over_sequences(&lengths, built, build)
    }
}

ranks! { SeparableConv (activation):
    /// A convolution of sequences in two steps: of each channel by itself, then across channels at each place.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`. Weights: `depthwise_kernel`
    /// `[size, channels, depth_multiplier]` and `pointwise_kernel` `[1, channels * depth_multiplier, filters]`, Glorot
    /// uniform, and `bias` `[filters]`, zeros. [Masks](crate::MaskRule) as for [`Conv1D`](crate::Conv1D).
    SeparableConv1D = 1;
    /// A convolution of pictures in two steps: of each channel by itself, then across channels at each place. It takes
    /// a fraction of the weights and products of [`Conv2D`](crate::Conv2D). Chollet, arXiv:1610.02357.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`. Weights: `depthwise_kernel`
    /// `[height, width, channels, depth_multiplier]` and `pointwise_kernel` `[1, 1, channels * depth_multiplier, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Activation, Padding, SeparableConv2D};
    /// let light = SeparableConv2D::new(64, 3).padding(Padding::Same).activation(Activation::Relu);
    /// ```
    SeparableConv2D = 2;
}
