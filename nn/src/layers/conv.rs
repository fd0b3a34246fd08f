//! Convolutions over one, two and three axes.

use super::support::prelude::*;
use super::support::{BiasActivation, Padding, Spatial, places_shape, ranks};

options! {
    /// A convolution over N axes: y = activation(x * kernel + bias). [`Conv1D`], [`Conv2D`] and [`Conv3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., filters]`. Weights: `kernel` `[size.., channels / groups, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv, Initializer, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Sums of neighbours: a kernel of ones over two places. `Conv1D` is `Conv<1>`.
    /// let sums = Conv::<1>::new(1, 2).kernel_initializer(Initializer::Ones);
    /// let model = Model::build(Sequential::new().add(sums), [4, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0], [3.0], [4.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[3.0], [5.0], [7.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Conv<const N: usize> {
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
        /// The step between neighbouring elements of a window along each axis; 1 by default.
        #[check(checks::per_axis)]
        dilation_rate: [usize; N] = [1; N],
        /// The number of groups of channels, each convolved by itself with its share of the filters; 1 by default.
        groups: usize = 1,
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

impl<const N: usize> Conv<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        self.check(build)?;
        let (channels, filters, groups) = (input[N], self.filters, self.groups);
        if groups == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let problem =
                format!("{groups} groups must divide the {channels} input channels and the {filters} filters");
            return Err(build.error(problem, "choose a number of groups that divides both"));
        }
        let windows = Spatial::new(self.kernel_size, self.strides, &self.padding, self.dilation_rate);
        let (convolution, lengths) = windows.convolution(&input, groups, build)?;
        let shape = [&self.kernel_size[..], &[channels / groups, filters]].concat();
        let options = (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint.clone());
        let kernel = weight_with_options(build, "kernel", shape, options)?;
        let bias = self.use_bias.then(|| (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()));
        let ending = BiasActivation::new(build, filters, bias, self.activation)?;
        let built = ending.convolution(lengths.join(&[filters]), convolution, move |context, x| {
            (x.clone(), context.weight(kernel).clone())
        });
        windows.over_sequences(&lengths, built, build)
    }
}

ranks! { Conv (activation):
    /// A convolution over one axis: y = activation(x * kernel + bias), along sequences.
    ///
    /// Shapes: `[n, length, channels]` to `[n, out, filters]`. Weights: `kernel` `[size, channels / groups, filters]`,
    /// Glorot uniform, and `bias` `[filters]`, zeros. Channels come last; sequences that hold them first are turned by
    /// [`Permute::new([2, 1])`](crate::Permute).
    ///
    /// Positions that are padding, by a [mask](crate::MaskRule), are zeros to the windows, as what lies beyond the ends; the output
    /// has the mask of the input. That takes `Padding::Same` or `Padding::Causal` and a stride of 1. (Keras passes the mask on and
    /// convolves what stands there.)
    ///
    /// ```
    /// use gradus_nn::{Activation, Conv1D, Padding};
    /// let of_text = Conv1D::new(64, 5).padding(Padding::Causal).activation(Activation::Relu);
    /// ```
    Conv1D = 1;
    /// A convolution over two axes: y = activation(x * kernel + bias), over pictures.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, filters]`. Weights: `kernel`
    /// `[height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros. Channels come last;
    /// pictures that hold them first are turned by [`Permute::new([2, 3, 1])`](crate::Permute).
    ///
    /// ```
    /// use gradus_nn::{Activation, Conv2D};
    /// let edges = Conv2D::new(32, 3).activation(Activation::Relu);
    /// ```
    Conv2D = 2;
    /// A convolution over three axes: y = activation(x * kernel + bias), over volumes or films.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, out, out, out, filters]`. Weights: `kernel`
    /// `[depth, height, width, channels / groups, filters]`, Glorot uniform, and `bias` `[filters]`, zeros. Channels come
    /// last; volumes that hold them first are turned by [`Permute::new([2, 3, 4, 1])`](crate::Permute).
    ///
    /// ```
    /// use gradus_nn::Conv3D;
    /// let of_scans = Conv3D::new(8, 3).strides(2);
    /// ```
    Conv3D = 3;
}
