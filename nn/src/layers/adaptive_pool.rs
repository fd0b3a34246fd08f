//! The maximum or the mean of as many windows as the output has places, whatever the size of the input.

use gradus_autograd::Var;

use super::support::prelude::*;
use super::support::{places_shape, ranks};

options! {
    /// The maximum of each window over N axes, with as many windows as `output_size` says. [`AdaptiveMaxPooling1D`],
    /// [`AdaptiveMaxPooling2D`] and [`AdaptiveMaxPooling3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, size.., channels]`.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveMaxPooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Two windows over five places: places 0 to 2 and 2 to 4. `AdaptiveMaxPooling1D` is `AdaptiveMaxPooling<1>`.
    /// let model = Model::build(Sequential::new().add(AdaptiveMaxPooling::<1>::new(2)), [5, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[4.0], [1.0], [2.0], [3.0], [0.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[4.0], [3.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"))]
    pub struct AdaptiveMaxPooling<const N: usize> {
        /// A layer whose output has these lengths. Neighbouring windows share elements where a length does not divide the
        /// input's.
        pub fn new(
            output_size: [usize; N],
        );
    }
}

impl<const N: usize> AdaptiveMaxPooling<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        build_adaptive(build, self.output_size, Var::adaptive_max_pool)
    }
}

ranks! { AdaptiveMaxPooling:
    /// The maximum of each window of a sequence, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, length, channels]` to `[n, size, channels]`.
    AdaptiveMaxPooling1D = 1;
    /// The maximum of each window of a picture, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, size, size, channels]`.
    AdaptiveMaxPooling2D = 2;
    /// The maximum of each window of a volume, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, size, size, size, channels]`.
    AdaptiveMaxPooling3D = 3;
}

options! {
    /// The mean of each window over N axes, with as many windows as `output_size` says. [`AdaptiveAveragePooling1D`],
    /// [`AdaptiveAveragePooling2D`] and [`AdaptiveAveragePooling3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, size.., channels]`.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveAveragePooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `AdaptiveAveragePooling1D` is `AdaptiveAveragePooling<1>`.
    /// let model = Model::build(Sequential::new().add(AdaptiveAveragePooling::<1>::new(2)), [4, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0], [3.0], [6.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[1.5], [4.5]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"))]
    pub struct AdaptiveAveragePooling<const N: usize> {
        /// A layer whose output has these lengths. Neighbouring windows share elements where a length does not divide the
        /// input's.
        pub fn new(
            output_size: [usize; N],
        );
    }
}

impl<const N: usize> AdaptiveAveragePooling<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        build_adaptive(build, self.output_size, Var::adaptive_average_pool)
    }
}

ranks! { AdaptiveAveragePooling:
    /// The mean of each window of a sequence, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, length, channels]` to `[n, size, channels]`.
    AdaptiveAveragePooling1D = 1;
    /// The mean of each window of a picture, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, size, size, channels]`. Window i of m over n places is from i n / m
    /// rounded down to (i + 1) n / m rounded up, as in PyTorch.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveAveragePooling2D, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(AdaptiveAveragePooling2D::new(7)), [30, 45, 8], 0)?;
    /// assert_eq!(model.output_shape(), &[7, 7, 8]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    AdaptiveAveragePooling2D = 2;
    /// The mean of each window of a volume, with as many windows as `output_size` says.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, size, size, size, channels]`.
    AdaptiveAveragePooling3D = 3;
}

/// The layer that pools its input to this size.
fn build_adaptive<T: Float, const N: usize>(
    build: &Build<'_, T>,
    output_size: [usize; N],
    pool: fn(&Var<T>, &[usize]) -> Var<T>,
) -> Result<Built<T>> {
    let input = places_shape(build, N)?;
    if output_size.contains(&0) {
        let problem = format!("output_size must be 1 or more along each axis, found {output_size:?}");
        return Err(build.error(problem, "1 is one window over all"));
    }
    Ok(Built::new([&output_size[..], &input[N..]].concat(), move |_, x| pool(x, &output_size)))
}
