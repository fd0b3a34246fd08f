//! Sequences, pictures and volumes enlarged by whole factors.

pub use gradus_tensor::Interpolation;

use super::support::prelude::*;
use super::support::{places_shape, ranks};

options! {
    /// The input enlarged by a whole factor along each of N axes. [`UpSampling1D`], [`UpSampling2D`] and [`UpSampling3D`] are
    /// its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to the same with longer spatial axes.
    ///
    /// ```
    /// use gradus_nn::{Model, Sequential, UpSampling};
    /// use gradus_tensor::Tensor;
    /// // `UpSampling1D` is `UpSampling<1>`.
    /// let model = Model::build(Sequential::new().add(UpSampling::<1>::new([2])), [2, 1], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0], [2.0]]]))?;
    /// assert_eq!(y, Tensor::new([[[1.0], [1.0], [2.0], [2.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias = "Upsample")]
    pub struct UpSampling<const N: usize> {
        /// A layer that multiplies the length of each axis by these factors, by repeating each element.
        pub fn new(
            size: [usize; N],
        );
        /// The values between elements; [`Interpolation::Nearest`] by default.
        interpolation: Interpolation = Interpolation::Nearest,
    }
}

impl<const N: usize> UpSampling<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        let (input, size, interpolation) = (places_shape(build, N)?, self.size, self.interpolation);
        if size.contains(&0) {
            let problem = format!("the size must be 1 or more along each axis, found {size:?}");
            return Err(build.error(problem, "1 leaves an axis as it is"));
        }
        let mut output = input.clone();
        for (length, factor) in output.iter_mut().zip(size) {
            *length = length.checked_mul(factor).ok_or_else(|| {
                let problem = format!("no memory holds samples of shape {input} enlarged by {size:?}");
                build.error(problem, "enlarge them by less")
            })?;
        }
        let lengths = output[..N].to_vec();
        Ok(Built::new(output, move |_, x| x.resize(&lengths, interpolation)))
    }
}

ranks! { UpSampling:
    /// A sequence made longer. Shapes: `[n, length, channels]` to `[n, length size, channels]`.
    UpSampling1D = 1;
    /// A picture made larger, by repeating each element or by bilinear interpolation.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, height size, width size, channels]`. Elements stand for the middle of
    /// their part of the picture, as in Keras and in PyTorch with `align_corners=False`.
    ///
    /// ```
    /// use gradus_nn::{Interpolation, UpSampling2D};
    /// let twice = UpSampling2D::new(2);
    /// let smooth = UpSampling2D::new(2).interpolation(Interpolation::Linear);
    /// ```
    UpSampling2D = 2;
    /// A volume made larger. Shapes: `[n, depth, height, width, channels]` to the same with longer spatial axes.
    UpSampling3D = 3;
}
