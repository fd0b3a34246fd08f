//! Elements around sequences, pictures and volumes: zeros, mirror images or copies of the edges.

use gradus_tensor::PadMode;

use super::support::prelude::*;
use super::support::{ranks, spatial_shape};

options! {
    /// Zeros around the input, along N axes. [`ZeroPadding1D`], [`ZeroPadding2D`] and [`ZeroPadding3D`] are its
    /// names.
    ///
    /// Shapes: `[n, spatial.., channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::{Model, Sequential, ZeroPadding};
    /// use gradus_tensor::Tensor;
    /// // One zero before, two after. `ZeroPadding1D` is `ZeroPadding<1>`.
    /// let model = Model::build(Sequential::new().add(ZeroPadding::new([(1, 2)])), [2, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[7.0], [8.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[0.0], [7.0], [8.0], [0.0], [0.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("ZeroPad1d", "ZeroPad2d", "ZeroPad3d"))]
    pub struct ZeroPadding<const N: usize> {
        /// A layer that pads each axis by these numbers of elements, before the beginning and after the end.
        pub fn new(
            padding: [(usize, usize); N],
        );
    }
}

impl<const N: usize> ZeroPadding<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        build_padding(build, self.padding, PadMode::Constant(T::ZERO))
    }
}

ranks! { ZeroPadding:
    /// Zeros before and after a sequence. Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ZeroPadding1D = 1;
    /// Zeros around a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::ZeroPadding2D;
    /// let below_and_to_the_right = ZeroPadding2D::new([(0, 1), (0, 1)]);
    /// ```
    ZeroPadding2D = 2;
    /// Zeros around a volume. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    ZeroPadding3D = 3;
}

options! {
    /// The mirror image of the input around it, along N axes. [`ReflectionPadding1D`], [`ReflectionPadding2D`] and
    /// [`ReflectionPadding3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::{Model, ReflectionPadding, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `ReflectionPadding1D` is `ReflectionPadding<1>`.
    /// let model = Model::build(Sequential::new().add(ReflectionPadding::new([(2, 1)])), [3, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0], [3.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[3.0], [2.0], [1.0], [2.0], [3.0], [2.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d"))]
    pub struct ReflectionPadding<const N: usize> {
        /// A layer that pads each axis by these numbers of elements, before the beginning and after the end.
        pub fn new(
            padding: [(usize, usize); N],
        );
    }
}

impl<const N: usize> ReflectionPadding<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        build_padding(build, self.padding, PadMode::Reflect)
    }
}

ranks! { ReflectionPadding:
    /// A sequence continued by its mirror image: `3 2 [1 2 3] 2 1`.
    ///
    /// Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ReflectionPadding1D = 1;
    /// A picture continued by its mirror image, the edge itself not repeated. PyTorch's `ReflectionPad2d`.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes. Before a convolution without padding it
    /// is what other libraries call a padding mode of the convolution:
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Model, ReflectionPadding2D, Sequential};
    /// let network = Sequential::new().add(ReflectionPadding2D::new([(1, 1), (1, 1)])).add(Conv2D::new(8, 3));
    /// let model = Model::build(network, [28, 28, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[28, 28, 8]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    ReflectionPadding2D = 2;
    /// A volume continued by its mirror image. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial
    /// axes.
    ReflectionPadding3D = 3;
}

options! {
    /// The edges of the input repeated around it, along N axes. [`ReplicationPadding1D`], [`ReplicationPadding2D`] and
    /// [`ReplicationPadding3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::{Model, ReplicationPadding, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `ReplicationPadding1D` is `ReplicationPadding<1>`.
    /// let model = Model::build(Sequential::new().add(ReplicationPadding::new([(2, 1)])), [3, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0], [3.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[1.0], [1.0], [1.0], [2.0], [3.0], [3.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d"))]
    pub struct ReplicationPadding<const N: usize> {
        /// A layer that pads each axis by these numbers of elements, before the beginning and after the end.
        pub fn new(
            padding: [(usize, usize); N],
        );
    }
}

impl<const N: usize> ReplicationPadding<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        build_padding(build, self.padding, PadMode::Replicate)
    }
}

ranks! { ReplicationPadding:
    /// A sequence continued by its first and its last element: `1 1 [1 2 3] 3 3`.
    ///
    /// Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ReplicationPadding1D = 1;
    /// A picture continued by its edges. PyTorch's `ReplicationPad2d`.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes.
    ReplicationPadding2D = 2;
    /// A volume continued by its faces. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    ReplicationPadding3D = 3;
}

/// The layer that pads its input by these widths.
fn build_padding<T: Float, const N: usize>(
    build: &Build<'_, T>,
    padding: [(usize, usize); N],
    mode: PadMode<T>,
) -> Result<Built<T>> {
    let input = spatial_shape(build, N)?;
    let mut output = input.clone();
    for (length, &(before, after)) in output.iter_mut().zip(&padding) {
        let hint = match mode {
            PadMode::Reflect if before.max(after) >= *length => {
                Some("pad by less than the length of each axis: the edge itself is not repeated")
            }
            PadMode::Replicate if *length == 0 => Some("give samples that have an edge to repeat"),
            _ => None,
        };
        if let Some(hint) = hint {
            let problem = format!("samples of shape {input} are too small to be continued by {padding:?}");
            return Err(build.error(problem, hint));
        }
        let padded = length.checked_add(before).and_then(|length| length.checked_add(after));
        *length = padded.ok_or_else(|| {
            let problem = format!("no memory holds samples of shape {input} padded by {padding:?}");
            build.error(problem, "pad by less")
        })?;
    }
    let widths = [&[(0, 0)], &padding[..], &[(0, 0)]].concat();
    Ok(Built::new(output, move |_, x| x.pad(&widths, mode)))
}
