//! The largest or the mean of each channel over all places.

use gradus_autograd::Var;
use gradus_tensor::{Axes, Float, Shape, keepdims};
use serde::{Deserialize, Serialize};

use super::windows::check_full;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that reduces its `rank` spatial axes by `pool`.
fn build_global<T: Float>(
    build: &Build<'_, T>,
    rank: usize,
    keep: bool,
    pool: fn(&Var<T>, Axes) -> Var<T>,
) -> Result<Built<T>> {
    let input = check_full(build, rank)?;
    let axes = Axes::from(&[1_usize, 2, 3][..rank]);
    let (axes, ones) = if keep { (keepdims(axes), rank) } else { (axes, 0) };
    let output: Shape = std::iter::repeat_n(1, ones).chain([input[rank]]).collect();
    Ok(Built::new(output, move |_, x| pool(x, axes.clone())))
}

macro_rules! global_pool {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal, $pool:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            keepdims: bool,
        }

        impl $Name {
            /// Without the spatial axes in its output.
            pub fn new() -> Self {
                $Name::default()
            }

            /// With the spatial axes in its output, each of length 1, or without.
            pub fn keepdims(self, keepdims: bool) -> Self {
                $Name { keepdims }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_global(build, $rank, self.keepdims, |x, axes| x.$pool(axes))
            }
        }
    };
}

global_pool! {
    /// The largest of each channel of a sequence; equal ones share the gradient.
    ///
    /// Shapes: `[n, length, channels]` to `[n, channels]`.
    GlobalMaxPooling1D, 1, "GlobalMaxPooling1D", max
}
global_pool! {
    /// The largest of each channel of a picture; equal ones share the gradient.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, channels]`.
    GlobalMaxPooling2D, 2, "GlobalMaxPooling2D", max
}
global_pool! {
    /// The largest of each channel of a volume; equal ones share the gradient.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, channels]`.
    GlobalMaxPooling3D, 3, "GlobalMaxPooling3D", max
}
global_pool! {
    /// The mean of each channel of a sequence. Shapes: `[n, length, channels]` to `[n, channels]`.
    GlobalAveragePooling1D, 1, "GlobalAveragePooling1D", mean
}
global_pool! {
    /// The mean of each channel of a picture. Shapes: `[n, height, width, channels]` to `[n, channels]`.
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Dense, GlobalAveragePooling2D, Model, Sequential};
    /// // The pictures' size is left open but for the data that the network is built for.
    /// let network = Sequential::new().add(Conv2D::new(16, [3, 3])).add(GlobalAveragePooling2D::new()).add(Dense::new(10));
    /// let model = Model::build(network, [28, 28, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[10]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    GlobalAveragePooling2D, 2, "GlobalAveragePooling2D", mean
}
global_pool! {
    /// The mean of each channel of a volume. Shapes: `[n, depth, height, width, channels]` to `[n, channels]`.
    GlobalAveragePooling3D, 3, "GlobalAveragePooling3D", mean
}
