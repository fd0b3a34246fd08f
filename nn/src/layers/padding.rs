//! Elements put around sequences, pictures and volumes: zeros, or elements of their own.

use gradus_tensor::{Float, PadMode};
use serde::{Deserialize, Serialize};

use super::windows::check_lengths;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that pads it so.
fn build_padding<T: Float>(build: &Build<'_, T>, padding: &[(usize, usize)], mode: PadMode<T>) -> Result<Built<T>> {
    let input = check_lengths(build, padding.len())?;
    let mut output = input.clone();
    for (length, &(before, after)) in output.iter_mut().zip(padding) {
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
    let widths = [&[(0, 0)], padding, &[(0, 0)]].concat();
    Ok(Built::new(output, move |_, x| x.pad(&widths, mode)))
}

macro_rules! padding {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal, $mode:expr) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            padding: [(usize, usize); $rank],
        }

        impl $Name {
            /// With so many elements before the beginning and after the end of each axis.
            pub fn new(padding: [(usize, usize); $rank]) -> Self {
                $Name { padding }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_padding(build, &self.padding, $mode)
            }
        }
    };
}

padding! {
    /// Zeros before and after a sequence. Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ZeroPadding1D, 1, "ZeroPadding1D", PadMode::Constant(T::ZERO)
}
padding! {
    /// Zeros around a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::ZeroPadding2D;
    /// let below_and_to_the_right = ZeroPadding2D::new([(0, 1), (0, 1)]);
    /// ```
    ZeroPadding2D, 2, "ZeroPadding2D", PadMode::Constant(T::ZERO)
}
padding! {
    /// Zeros around a volume. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    ZeroPadding3D, 3, "ZeroPadding3D", PadMode::Constant(T::ZERO)
}
padding! {
    /// A sequence continued by its mirror image: `3 2 [1 2 3] 2 1`.
    ///
    /// Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ReflectionPadding1D, 1, "ReflectionPadding1D", PadMode::Reflect
}
padding! {
    /// A picture continued by its mirror image, the edge itself not repeated. PyTorch's `ReflectionPad2d`.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes. Before a convolution without padding it
    /// is what other libraries call a padding mode of the convolution:
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Model, ReflectionPadding2D, Sequential};
    /// let network = Sequential::new().add(ReflectionPadding2D::new([(1, 1), (1, 1)])).add(Conv2D::new(8, [3, 3]));
    /// let model = Model::build(network, [28, 28, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[28, 28, 8]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    ReflectionPadding2D, 2, "ReflectionPadding2D", PadMode::Reflect
}
padding! {
    /// A volume continued by its mirror image. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial
    /// axes.
    ReflectionPadding3D, 3, "ReflectionPadding3D", PadMode::Reflect
}
padding! {
    /// A sequence continued by its first and its last element: `1 1 [1 2 3] 3 3`.
    ///
    /// Shapes: `[n, length, channels]` to `[n, before + length + after, channels]`.
    ReplicationPadding1D, 1, "ReplicationPadding1D", PadMode::Replicate
}
padding! {
    /// A picture continued by its edges. PyTorch's `ReplicationPad2d`.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with longer spatial axes.
    ReplicationPadding2D, 2, "ReplicationPadding2D", PadMode::Replicate
}
padding! {
    /// A volume continued by its faces. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    ReplicationPadding3D, 3, "ReplicationPadding3D", PadMode::Replicate
}
