//! Transposed convolutions over one, two and three axes: from the shape of a convolution's output to that of its input.

use super::support::prelude::*;
use super::support::{BiasActivation, Padding, Spatial, places_shape, ranks};

options! {
    /// The transpose of a convolution over N axes. [`Conv1DTranspose`], [`Conv2DTranspose`] and [`Conv3DTranspose`] are its
    /// names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., filters]`. With [`Padding::Same`] `out` is length times stride; with
    /// `Valid` it is (length - 1) stride + kernel, and no less than length times stride. Padding shortens the output.
    /// Weights: `kernel` `[size.., filters, channels]`, Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{ConvTranspose, Initializer, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Each element twice: a kernel of two ones, placed at every second place. `Conv1DTranspose` is `ConvTranspose<1>`.
    /// let twice = ConvTranspose::<1>::new(1, 2).strides(2).kernel_initializer(Initializer::Ones);
    /// let model = Model::build(Sequential::new().add(twice), [2, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[1.0], [1.0], [2.0], [2.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"))]
    pub struct ConvTranspose<const N: usize> {
        /// A layer with this number of filters and kernel size; linear, with a bias and without padding.
        pub fn new(
            #[check(checks::filters)]
            filters: usize,
            #[check(checks::per_axis)]
            kernel_size: [usize; N],
        );
        /// The step between the places of neighbouring inputs in the output, along each axis; 1 by default.
        #[check(checks::per_axis)]
        strides: [usize; N] = [1; N],
        /// The padding of the transposed convolution, which is cut off the output; [`Padding::Valid`] by default.
        padding: Padding = Padding::Valid,
        /// The number of elements that the output is longer than the shortest that the padding allows, less than the
        /// strides. Without it, the output is as long as Keras makes it.
        output_padding: Option<[usize; N]> = None,
        /// The step between neighbouring elements of a window along each axis; 1 by default.
        #[check(checks::per_axis)]
        dilation_rate: [usize; N] = [1; N],
        /// The activation; linear by default.
        activation: Activation = Activation::Linear,
        /// Whether a bias is added, as by default.
        use_bias: bool = true,
        /// The distribution of the kernel's first values; Glorot uniform by default.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the bias's first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// The penalty on the kernel; none by default.
        kernel_regularizer: Option<Regularizer> = None,
        /// The penalty on the bias; none by default.
        bias_regularizer: Option<Regularizer> = None,
        /// The constraint on the kernel; none by default.
        kernel_constraint: Option<Constraint> = None,
        /// The constraint on the bias; none by default.
        bias_constraint: Option<Constraint> = None,
    }
}

impl<const N: usize> ConvTranspose<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        self.check(build)?;
        let windows = Spatial::new(self.kernel_size, self.strides, &self.padding, self.dilation_rate);
        let (convolution, lengths) = windows.transposed(&input, self.output_padding, build)?;
        let shape = [&self.kernel_size[..], &[self.filters, input[N]]].concat();
        let options = (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint.clone());
        let kernel = weight_with_options(build, "kernel", shape, options)?;
        let bias = self.use_bias.then(|| (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()));
        let ending = BiasActivation::new(build, self.filters, bias, self.activation)?;
        let output = lengths.join(&[self.filters]);
        Ok(ending.computed(output.clone(), move |context, x| {
            let shape = output.with_axis(0, x.shape()[0]);
            x.convolve_transposed(context.weight(kernel), shape, &convolution)
        }))
    }
}

ranks! { ConvTranspose (activation):
    /// The transpose of a convolution over one axis: makes sequences longer.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`, where `out` is length times stride with `Padding::Same`,
    /// and (length - 1) stride + kernel, but no less than length times stride, with `Valid`. Padding shortens the output.
    /// Weights: `kernel` `[size, filters, channels]`, Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv1DTranspose, Padding};
    /// let twice_as_long = Conv1DTranspose::new(16, 4).strides(2).padding(Padding::Same);
    /// ```
    Conv1DTranspose = 1;
    /// The transpose of a convolution over two axes: makes pictures larger.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`, lengths as of
    /// [`Conv1DTranspose`]. Weights: `kernel` `[height, width, filters, channels]`, Glorot uniform, and `bias`
    /// `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv2DTranspose, Model, Padding, Sequential};
    /// let larger = Conv2DTranspose::new(3, 4).strides(2).padding(Padding::Same);
    /// let model = Model::build(Sequential::new().add(larger), [7, 7, 16], 42)?;
    /// assert_eq!(model.output_shape(), &[14, 14, 3]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Conv2DTranspose = 2;
    /// The transpose of a convolution over three axes: makes volumes larger.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, out, out, out, filters]`, lengths as of
    /// [`Conv1DTranspose`]. Weights: `kernel` `[depth, height, width, filters, channels]`, Glorot uniform, and `bias`
    /// `[filters]`, zeros.
    Conv3DTranspose = 3;
}
