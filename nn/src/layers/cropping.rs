//! Sequences, pictures and volumes without their edges.

use super::support::prelude::*;
use super::support::{ranks, spatial_shape};

options! {
    /// The input without its edges, along N axes. [`Cropping1D`], [`Cropping2D`] and [`Cropping3D`] are its names.
    ///
    /// Shapes: `[n, spatial.., channels]` to the same with shorter spatial axes.
    ///
    /// ```
    /// use gradus_nn::{Cropping, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// // Without the first element and the last two. `Cropping1D` is `Cropping<1>`.
    /// let model = Model::build(Sequential::new().add(Cropping::new([(1, 2)])), [5, 1], 42)?;
    /// let x = Tensor::new([[[1.0], [2.0], [3.0], [4.0], [5.0]]]);
    /// assert_eq!(model.predict(&x)?, Tensor::new([[[2.0], [3.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Cropping<const N: usize> {
        /// A layer that cuts these numbers of elements off the beginning and the end of each axis.
        pub fn new(
            cropping: [(usize, usize); N],
        );
    }
}

impl<const N: usize> Cropping<N> {
    fn build_spatial<T: Float>(&self, build: &Build<'_, T>) -> Result<Built<T>> {
        let input = spatial_shape(build, N)?;
        let (mut output, mut kept) = (input.clone(), Vec::new());
        for (axis, (length, &(before, after))) in output.iter_mut().zip(&self.cropping).enumerate() {
            let all = *length;
            *length = all.saturating_sub(before).saturating_sub(after);
            if *length == 0 {
                let problem = format!("nothing is left of samples of shape {input} without {:?}", self.cropping);
                return Err(build.error(problem, "crop less than there is along each axis"));
            }
            if *length < all {
                kept.push((axis as isize + 1, before..all - after));
            }
        }
        Ok(Built::new(output, move |_, x| {
            kept.iter().fold(x.clone(), |x, (axis, places)| x.slice(*axis, places.clone()))
        }))
    }
}

ranks! { Cropping:
    /// A sequence without its ends. Shapes: `[n, length, channels]` to `[n, length - before - after, channels]`.
    Cropping1D = 1;
    /// A picture without its margins.
    ///
    /// Shapes: `[n, height, width, channels]` to the same with shorter spatial axes.
    ///
    /// ```
    /// use gradus_nn::Cropping2D;
    /// let without_the_top_row = Cropping2D::new([(1, 0), (0, 0)]);
    /// ```
    Cropping2D = 2;
    /// A volume without its outside. Shapes: `[n, depth, height, width, channels]` to the same with shorter spatial axes.
    Cropping3D = 3;
}
