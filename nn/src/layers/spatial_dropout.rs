//! Whole channels dropped at random while training.

use super::support::prelude::*;
use super::support::{ranks, spatial_shape};

options! {
    /// While training, each channel over N axes is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    /// [`SpatialDropout1D`], [`SpatialDropout2D`] and [`SpatialDropout3D`] are its names.
    ///
    /// Shape: unchanged, `[n, spatial.., channels]`. Tompson et al., arXiv:1411.4280.
    ///
    /// ```
    /// use gradus_nn::{Conv1D, Model, Sequential, SpatialDropout};
    /// let network = Sequential::new().add(Conv1D::new(8, 3)).add(SpatialDropout::<1>::new(0.2));
    /// assert_eq!(Model::build(network, [10, 4], 42)?.output_shape(), &[8, 8]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("Dropout1d", "Dropout2d", "Dropout3d"))]
    pub struct SpatialDropout<const N: usize> {
        /// A layer that drops this share of the channels.
        pub fn new(#[check(checks::rate)] rate: f64);
    }
}

impl<const N: usize> SpatialDropout<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        let input = spatial_shape(build, N)?;
        self.check(build)?;
        let keep = 1.0 - self.rate;
        let built = Built::new(input, move |context, x| match context.training() {
            Some(generator) if keep < 1.0 => {
                let mut shape = x.shape().clone();
                shape[1..=N].fill(1);
                let kept = generator.bernoulli(&shape, keep);
                x * &(kept.to::<T>() * T::of(1.0 / keep))
            }
            _ => x.clone(),
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }
}

ranks! { SpatialDropout:
    /// While training, each channel of a sequence is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    /// Neighbouring places tell so much of each other that dropping some of them alone drops little.
    ///
    /// Shape: unchanged, `[n, length, channels]`. Tompson et al., arXiv:1411.4280.
    SpatialDropout1D = 1;
    /// While training, each channel of a picture is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    ///
    /// Shape: unchanged, `[n, height, width, channels]`. Tompson et al., arXiv:1411.4280.
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Sequential, SpatialDropout2D};
    /// let network = Sequential::new().add(Conv2D::new(32, 3)).add(SpatialDropout2D::new(0.2));
    /// ```
    SpatialDropout2D = 2;
    /// While training, each channel of a volume is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    ///
    /// Shape: unchanged, `[n, depth, height, width, channels]`. Tompson et al., arXiv:1411.4280.
    SpatialDropout3D = 3;
}
