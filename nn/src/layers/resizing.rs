//! Pictures of another size.

use super::support::prelude::*;
use super::support::{Proportions, places_shape, resized};
use crate::layers::up_sampling::Interpolation;

options! {
    /// Pictures brought to this height and width: `[n, height, width, channels]` to the same with these.
    ///
    /// ```
    /// use gradus_nn::{Model, Resizing, Sequential};
    /// let model = Model::build(Sequential::new().add(Resizing::new(32, 32)), [28, 30, 1], 0)?;
    /// assert_eq!(model.output_shape(), &[32, 32, 1]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias("Resize", "interpolate"))]
    pub struct Resizing {
        /// A layer whose output has this height and width.
        pub fn new(
            #[check(checks::at_least_one("row", "give the height of the output"))]
            height: usize,
            #[check(checks::at_least_one("column", "give the width of the output"))]
            width: usize,
        );
        /// The values between elements; [`Interpolation::Linear`] by default (Keras's `"bilinear"`), without smoothing where a picture
        /// is made smaller.
        interpolation: Interpolation = Interpolation::Linear,
        /// Whether the picture keeps its proportions, and loses of its longer axis what is too much, as much on either side.
        crop_to_aspect_ratio: bool = false,
        /// Whether the picture keeps its proportions, and has as much of `fill_value` on either side of its shorter axis as makes
        /// up for it.
        pad_to_aspect_ratio: bool = false,
        /// The value beside a picture with `pad_to_aspect_ratio`; 0 by default.
        #[check(checks::finite)]
        fill_value: f64 = 0.0,
    }
}

impl Layer for Resizing {
    const KIND: &'static str = "Resizing";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = places_shape(build, 2)?;
        self.check(build)?;
        let (whole, size) = ([input[0], input[1]], [self.height, self.width]);
        let (interpolation, output) = (self.interpolation, [self.height, self.width, input[2]]);
        let proportions = match (self.crop_to_aspect_ratio, self.pad_to_aspect_ratio) {
            (false, false) => Proportions::Changed,
            (true, false) => Proportions::Cropped,
            (false, true) => Proportions::Padded(self.fill_value),
            (true, true) => {
                let problem = "crop_to_aspect_ratio and pad_to_aspect_ratio are both set";
                return Err(build.error(problem, "set one of them"));
            }
        };
        Ok(Built::new(output, move |_, x| resized(x, whole, size, interpolation, proportions)))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
