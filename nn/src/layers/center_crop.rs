//! The middle of pictures.

use super::support::prelude::*;
use super::support::{Proportions, middle, places_shape, resized};
use crate::layers::up_sampling::Interpolation;

options! {
    /// The middle of each picture: `[n, height, width, channels]` to the same with this height and width.
    ///
    /// A picture that is smaller along an axis is brought to this size as by [`Resizing`](crate::Resizing) with
    /// `crop_to_aspect_ratio`, as in Keras.
    ///
    /// ```
    /// use gradus_nn::{CenterCrop, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(CenterCrop::new(24, 24)), [28, 30, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[24, 24, 1]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct CenterCrop {
        /// A layer whose output has this height and width.
        pub fn new(
            #[check(checks::at_least_one("row", "give the height that is to be left"))]
            height: usize,
            #[check(checks::at_least_one("column", "give the width that is to be left"))]
            width: usize,
        );
    }
}

impl Layer for CenterCrop {
    const KIND: &'static str = "CenterCrop";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, 2)?;
        self.check(build)?;
        let (whole, size) = ([input[0], input[1]], [self.height, self.width]);
        let is_smaller = input[0] < self.height || input[1] < self.width;
        Ok(Built::new([self.height, self.width, input[2]], move |_, x| {
            if is_smaller {
                resized(x, whole, size, Interpolation::Linear, Proportions::Cropped)
            } else {
                middle(x, whole, size)
            }
        }))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
