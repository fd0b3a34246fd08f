//! The maximum or the mean of windows, over one, two and three axes.

use super::support::prelude::*;
use super::support::{Padding, Spatial, places_shape, ranks};
use crate::epilogue::Epilogue;

options! {
    /// The maximum of each window over N axes. [`MaxPooling1D`], [`MaxPooling2D`] and [`MaxPooling3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., channels]`.
    ///
    /// ```
    /// use gradus_nn::{MaxPooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `MaxPooling1D` is `MaxPooling<1>`.
    /// let model = Model::build(Sequential::new().add(MaxPooling::<1>::new(2)), [4, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [5.0], [3.0], [2.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[5.0], [3.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("MaxPool1d", "MaxPool2d", "MaxPool3d"))]
    pub struct MaxPooling<const N: usize> {
        /// A layer with windows of this size side by side, without padding.
        pub fn new(
            #[check(checks::per_axis)]
            pool_size: [usize; N],
        );
        /// The step between neighbouring windows along each axis; the size of a window by default.
        #[check(checks::per_axis)]
        strides: [usize; N] = pool_size,
        /// The padding of the input, which never counts; [`Padding::Valid`] by default.
        padding: Padding = Padding::Valid,
    }
}

options! {
    /// The mean of each window over N axes. [`AveragePooling1D`], [`AveragePooling2D`] and [`AveragePooling3D`] are its
    /// names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, out.., channels]`.
    ///
    /// ```
    /// use gradus_nn::{AveragePooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Windows that overlap. `AveragePooling1D` is `AveragePooling<1>`.
    /// let model = Model::build(Sequential::new().add(AveragePooling::<1>::new(2).strides(1)), [3, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [5.0], [3.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[3.0], [4.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("AvgPool1d", "AvgPool2d", "AvgPool3d"))]
    pub struct AveragePooling<const N: usize> {
        /// A layer with windows of this size side by side, without padding.
        pub fn new(
            #[check(checks::per_axis)]
            pool_size: [usize; N],
        );
        /// The step between neighbouring windows along each axis; the size of a window by default.
        #[check(checks::per_axis)]
        strides: [usize; N] = pool_size,
        /// The padding of the input, which never counts; [`Padding::Valid`] by default.
        padding: Padding = Padding::Valid,
    }
}

impl<const N: usize> MaxPooling<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        self.check(build)?;
        let windows = Spatial::new(self.pool_size, self.strides, &self.padding, [1; N]);
        let (pooling, output) = windows.pooling(&input, build)?;
        // A convolution pools its own output if a byte can number the elements of a window.
        let as_epilogue = pooling.fits_a_byte().then(|| pooling.clone());
        let built = Built::new(output, move |_, x| x.max_pool(&pooling));
        Ok(match as_epilogue {
            Some(pooling) => {
                built.or_epilogue(move |_| Some(Epilogue { pooling: Some(pooling.clone()), ..Epilogue::IDENTITY }))
            }
            None => built,
        })
    }
}

impl<const N: usize> AveragePooling<N> {
    fn build_spatial<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, N)?;
        self.check(build)?;
        let windows = Spatial::new(self.pool_size, self.strides, &self.padding, [1; N]);
        let (pooling, output) = windows.pooling(&input, build)?;
        Ok(Built::new(output, move |_, x| x.average_pool(&pooling)))
    }
}

ranks! { MaxPooling:
    /// The maximum of each window of a sequence. Shapes: `[n, length, channels]` to `[n, out, channels]`.
    MaxPooling1D = 1;
    /// The maximum of each window of a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, channels]`.
    ///
    /// ```
    /// use gradus_nn::MaxPooling2D;
    /// let half = MaxPooling2D::new(2);
    /// let overlapping = MaxPooling2D::new(3).strides(2);
    /// ```
    MaxPooling2D = 2;
    /// The maximum of each window of a volume. Shapes: `[n, depth, height, width, channels]` to the same with shorter
    /// spatial axes.
    MaxPooling3D = 3;
}

ranks! { AveragePooling:
    /// The mean of each window of a sequence. Shapes: `[n, length, channels]` to `[n, out, channels]`.
    AveragePooling1D = 1;
    /// The mean of each window of a picture. Shapes: `[n, height, width, channels]` to `[n, out, out, channels]`.
    AveragePooling2D = 2;
    /// The mean of each window of a volume. Shapes: `[n, depth, height, width, channels]` to the same with shorter spatial
    /// axes.
    AveragePooling3D = 3;
}
