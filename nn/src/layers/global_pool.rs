//! The maximum or the mean of each channel over all places.

use gradus_autograd::Var;
use gradus_tensor::{Axes, Shape, Tensor, keepdims};

use super::support::prelude::*;
use super::support::{places_shape, ranks};

options! {
    /// The maximum of each channel over all places of N axes. [`GlobalMaxPooling1D`], [`GlobalMaxPooling2D`] and
    /// [`GlobalMaxPooling3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, channels]`.
    ///
    /// ```
    /// use gradus_nn::{GlobalMaxPooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `GlobalMaxPooling1D` is `GlobalMaxPooling<1>`.
    /// let model = Model::build(Sequential::new().add(GlobalMaxPooling::<1>::new()), [2, 2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[[1.0, 8.0], [3.0, 4.0]]]))?, Tensor::new([[3.0, 8.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct GlobalMaxPooling<const N: usize> {
        /// A layer whose output has no spatial axes.
        pub fn new();
        /// Whether the output keeps the spatial axes, each of length 1; false by default.
        keepdims: bool = false,
    }
}

impl<const N: usize> GlobalMaxPooling<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        let lowest = |x: &Var<T>, mask: &Tensor<bool>| Var::where_(mask, x, T::neg_infinity()).max(keepdims(1));
        // The maximum of nothing is 0.
        let masked =
            move |x: &Var<T>, mask: &Tensor<bool>| Var::where_(&mask.any(keepdims(1)), lowest(x, mask), T::ZERO);
        build_global(build, N, self.keepdims, |x, axes| x.max(axes), masked)
    }
}

ranks! { GlobalMaxPooling:
    /// The maximum of each channel of a sequence; equal elements share the gradient. With a mask it is that of the positions
    /// that are there, and 0 where there are none.
    ///
    /// Shapes: `[n, length, channels]` to `[n, channels]`.
    GlobalMaxPooling1D = 1;
    /// The maximum of each channel of a picture; equal elements share the gradient.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, channels]`.
    GlobalMaxPooling2D = 2;
    /// The maximum of each channel of a volume; equal elements share the gradient.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, channels]`.
    GlobalMaxPooling3D = 3;
}

options! {
    /// The mean of each channel over all places of N axes. [`GlobalAveragePooling1D`], [`GlobalAveragePooling2D`] and
    /// [`GlobalAveragePooling3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to `[n, channels]`.
    ///
    /// ```
    /// use gradus_nn::{GlobalAveragePooling, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // `GlobalAveragePooling1D` is `GlobalAveragePooling<1>`.
    /// let model = Model::build(Sequential::new().add(GlobalAveragePooling::<1>::new()), [2, 2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[[1.0, 8.0], [3.0, 4.0]]]))?, Tensor::new([[2.0, 6.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct GlobalAveragePooling<const N: usize> {
        /// A layer whose output has no spatial axes.
        pub fn new();
        /// Whether the output keeps the spatial axes, each of length 1; false by default.
        keepdims: bool = false,
    }
}

impl<const N: usize> GlobalAveragePooling<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        let masked = |x: &Var<T>, mask: &Tensor<bool>| {
            let count = mask.to::<T>().sum(keepdims(1)).maximum(T::ONE);
            Var::where_(mask, x, T::ZERO).sum(keepdims(1)) / &count
        };
        build_global(build, N, self.keepdims, |x, axes| x.mean(axes), masked)
    }
}

ranks! { GlobalAveragePooling:
    /// The mean of each channel of a sequence. With a mask it is that of the positions that are there, and 0 where there are
    /// none. Shapes: `[n, length, channels]` to `[n, channels]`.
    GlobalAveragePooling1D = 1;
    /// The mean of each channel of a picture. Shapes: `[n, height, width, channels]` to `[n, channels]`.
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Dense, GlobalAveragePooling2D, Model, Sequential};
    /// // The pictures' size is left open but for the data that the network is built for.
    /// let network = Sequential::new().add(Conv2D::new(16, 3)).add(GlobalAveragePooling2D::new()).add(Dense::new(10));
    /// let model = Model::build(network, [28, 28, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[10]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    GlobalAveragePooling2D = 2;
    /// The mean of each channel of a volume. Shapes: `[n, depth, height, width, channels]` to `[n, channels]`.
    GlobalAveragePooling3D = 3;
}

/// The layer that reduces its `rank` spatial axes by `pool`; sequences with a mask `[n, length, 1]` by `masked`, to
/// `[n, 1, channels]`.
fn build_global<T: Float>(
    build: &Build<'_, T>,
    rank: usize,
    keep: bool,
    pool: fn(&Var<T>, Axes) -> Var<T>,
    masked: impl Fn(&Var<T>, &Tensor<bool>) -> Var<T> + Send + Sync + 'static,
) -> Result<Built<T>> {
    let input = places_shape(build, rank)?;
    let axes = Axes::from(&[1_usize, 2, 3][..rank]);
    let (axes, ones) = if keep { (keepdims(axes), rank) } else { (axes, 0) };
    let output: Shape = std::iter::repeat_n(1, ones).chain([input[rank]]).collect();
    // Of pictures only the first axis could have a mask, and they are refused with one.
    let rule = if rank == 1 { MaskRule::Known } else { MaskRule::Unsaid };
    let built = Built::of_values(vec![Spec::floats(output)], move |_, inputs| {
        let x = inputs[0].floats();
        let Some(mask) = inputs.mask(0) else { return pool(x, axes.clone()).into() };
        let pooled = masked(x, &mask.unsqueeze(-1));
        if keep { pooled.into() } else { pooled.squeeze(1).into() }
    });
    Ok(built.mask_rule(rule))
}
