//! Whole channels dropped at random while training.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::dropout::check_rate;
use super::windows::check_lengths;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that drops its channels.
fn build_dropout<T: Float>(rate: f64, rank: usize, build: &Build<'_, T>) -> Result<Built<T>> {
    let input = check_lengths(build, rank)?;
    let keep = 1.0 - check_rate(rate, build)?;
    Ok(Built::new(input, move |context, x| match context.training() {
        Some(generator) if keep < 1.0 => {
            let mut shape = x.shape().clone();
            shape[1..=rank].fill(1);
            let kept = generator.bernoulli(&shape, keep);
            x * &(kept.to::<T>() * T::of(1.0 / keep))
        }
        _ => x.clone(),
    }))
}

macro_rules! spatial_dropout {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            rate: f64,
        }

        impl $Name {
            /// With this share of the channels dropped.
            pub fn new(rate: f64) -> Self {
                $Name { rate }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_dropout(self.rate, $rank, build)
            }
        }
    };
}

spatial_dropout! {
    /// While training, each channel of a sequence is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    /// Neighbouring places tell so much of each other that dropping some of them alone drops little.
    ///
    /// Shape: unchanged, `[n, length, channels]`. Tompson et al., arXiv:1411.4280.
    SpatialDropout1D, 1, "SpatialDropout1D"
}
spatial_dropout! {
    /// While training, each channel of a picture is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    ///
    /// Shape: unchanged, `[n, height, width, channels]`. Tompson et al., arXiv:1411.4280.
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Sequential, SpatialDropout2D};
    /// let network = Sequential::new().add(Conv2D::new(32, [3, 3])).add(SpatialDropout2D::new(0.2));
    /// ```
    SpatialDropout2D, 2, "SpatialDropout2D"
}
spatial_dropout! {
    /// While training, each channel of a volume is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    ///
    /// Shape: unchanged, `[n, depth, height, width, channels]`. Tompson et al., arXiv:1411.4280.
    SpatialDropout3D, 3, "SpatialDropout3D"
}
