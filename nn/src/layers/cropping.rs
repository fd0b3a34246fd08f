//! The edges of sequences, pictures and volumes cut off.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::windows::check_lengths;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that crops it so.
fn build_cropping<T: Float>(build: &Build<'_, T>, cropping: &[(usize, usize)]) -> Result<Built<T>> {
    let input = check_lengths(build, cropping.len())?;
    let (mut output, mut kept) = (input.clone(), Vec::new());
    for (axis, (length, &(before, after))) in output.iter_mut().zip(cropping).enumerate() {
        let all = *length;
        *length = all.saturating_sub(before).saturating_sub(after);
        if *length == 0 {
            let problem = format!("nothing is left of samples of shape {input} without {cropping:?}");
            return Err(build.error(problem, "crop less than there is along each axis"));
        }
        if *length < all {
            kept.push((axis as isize + 1, before..all - after));
        }
    }
    Ok(Built::new(output, move |_, x| kept.iter().fold(x.clone(), |x, (axis, places)| x.slice(*axis, places.clone()))))
}

macro_rules! cropping {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            cropping: [(usize, usize); $rank],
        }

        impl $Name {
            /// With so many elements cut off the beginning and the end of each axis.
            pub fn new(cropping: [(usize, usize); $rank]) -> Self {
                $Name { cropping }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_cropping(build, &self.cropping)
            }
        }
    };
}

cropping! {
    /// A sequence without its ends. Shapes: `[n, length, channels]` to `[n, length - before - after, channels]`.
    Cropping1D, 1, "Cropping1D"
}
cropping! {
    /// A picture without its margins.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with shorter spatial axes.
    ///
    /// ```
    /// use gradus_nn::Cropping2D;
    /// let without_the_top_row = Cropping2D::new([(1, 0), (0, 0)]);
    /// ```
    Cropping2D, 2, "Cropping2D"
}
cropping! {
    /// A volume without its outside. Shapes: `[n, depth, height, width, channels]` to the same with shorter spatial axes.
    Cropping3D, 3, "Cropping3D"
}
