//! The largest or the mean of as many windows as the output has places, whatever the size of the input.

use gradus_autograd::Var;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::windows::check_full;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that pools it to `output_size` by `pool`.
fn build_adaptive<T: Float>(
    build: &Build<'_, T>,
    output_size: &[usize],
    pool: fn(&Var<T>, &[usize]) -> Var<T>,
) -> Result<Built<T>> {
    let rank = output_size.len();
    let input = check_full(build, rank)?;
    if output_size.contains(&0) {
        let problem = format!("output_size must be 1 or more along each axis, found {output_size:?}");
        return Err(build.error(problem, "1 is one window over all"));
    }
    let lengths = output_size.to_vec();
    Ok(Built::new([output_size, &input[rank..]].concat(), move |_, x| pool(x, &lengths)))
}

macro_rules! adaptive_pool {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal, $pool:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            output_size: [usize; $rank],
        }

        impl $Name {
            /// To these lengths, which may be larger than the input's: then neighbours share elements.
            pub fn new(output_size: [usize; $rank]) -> Self {
                $Name { output_size }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_adaptive(build, &self.output_size, Var::$pool)
            }
        }
    };
}

adaptive_pool! {
    /// The largest of each of so many windows of a sequence. Shapes: `[n, length, channels]` to `[n, size, channels]`.
    AdaptiveMaxPooling1D, 1, "AdaptiveMaxPooling1D", adaptive_max_pool
}
adaptive_pool! {
    /// The largest of each of so many windows of a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, size, size, channels]`.
    AdaptiveMaxPooling2D, 2, "AdaptiveMaxPooling2D", adaptive_max_pool
}
adaptive_pool! {
    /// The largest of each of so many windows of a volume.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, size, size, size, channels]`.
    AdaptiveMaxPooling3D, 3, "AdaptiveMaxPooling3D", adaptive_max_pool
}
adaptive_pool! {
    /// The mean of each of so many windows of a sequence. Shapes: `[n, length, channels]` to `[n, size, channels]`.
    AdaptiveAveragePooling1D, 1, "AdaptiveAveragePooling1D", adaptive_average_pool
}
adaptive_pool! {
    /// The mean of each of so many windows of a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, size, size, channels]`. Window i of m over n places is from i n / m
    /// rounded down to (i + 1) n / m rounded up, as in PyTorch.
    ///
    /// ```
    /// use gradus_nn::{AdaptiveAveragePooling2D, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(AdaptiveAveragePooling2D::new([7, 7])), [30, 45, 8], 0)?;
    /// assert_eq!(model.output_shape(), &[7, 7, 8]);
    /// # Ok::<_, gradus_nn::Error>(())
    /// ```
    AdaptiveAveragePooling2D, 2, "AdaptiveAveragePooling2D", adaptive_average_pool
}
adaptive_pool! {
    /// The mean of each of so many windows of a volume.
    ///
    /// Shapes: `[n, depth, height, width, channels]` to `[n, size, size, size, channels]`.
    AdaptiveAveragePooling3D, 3, "AdaptiveAveragePooling3D", adaptive_average_pool
}
