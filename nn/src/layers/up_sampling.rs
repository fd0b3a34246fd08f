//! Sequences, pictures and volumes made larger by whole factors.

pub use gradus_tensor::Interpolation;

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::windows::check_full;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that enlarges it so.
fn build_up_sampling<T: Float>(build: &Build<'_, T>, size: &[usize], interpolation: Interpolation) -> Result<Built<T>> {
    let input = check_full(build, size.len())?;
    if size.contains(&0) {
        let problem = format!("the size must be 1 or more along each axis, found {size:?}");
        return Err(build.error(problem, "1 leaves an axis as it is"));
    }
    let mut output = input.clone();
    for (length, &factor) in output.iter_mut().zip(size) {
        *length = length.checked_mul(factor).ok_or_else(|| {
            let problem = format!("no memory holds samples of shape {input} enlarged by {size:?}");
            build.error(problem, "enlarge them by less")
        })?;
    }
    let lengths = output[..size.len()].to_vec();
    Ok(Built::new(output, move |_, x| x.resize(&lengths, interpolation)))
}

macro_rules! up_sampling {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            size: [usize; $rank],
            interpolation: Interpolation,
        }

        impl $Name {
            /// So many times as long along each axis, each element repeated.
            pub fn new(size: [usize; $rank]) -> Self {
                $Name { size, interpolation: Interpolation::Nearest }
            }

            /// With this put between elements.
            pub fn interpolation(self, interpolation: Interpolation) -> Self {
                $Name { interpolation, ..self }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_up_sampling(build, &self.size, self.interpolation)
            }
        }
    };
}

up_sampling! {
    /// A sequence made longer. Shapes: `[n, length, channels]` to `[n, length size, channels]`.
    UpSampling1D, 1, "UpSampling1D"
}
up_sampling! {
    /// A picture made larger, by repeating each element or, bilinearly, by lines between them.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, height size, width size, channels]`. Elements lie in the middle of
    /// their parts of the picture, as in Keras and in PyTorch with `align_corners=False`.
    ///
    /// ```
    /// use gradus_nn::{Interpolation, UpSampling2D};
    /// let twice = UpSampling2D::new([2, 2]);
    /// let smooth = UpSampling2D::new([2, 2]).interpolation(Interpolation::Linear);
    /// ```
    UpSampling2D, 2, "UpSampling2D"
}
up_sampling! {
    /// A volume made larger. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    UpSampling3D, 3, "UpSampling3D"
}
