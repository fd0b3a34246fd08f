//! A fixed scale and offset.

use gradus_autograd::Var;

use super::support::after_affine;
use super::support::prelude::*;

options! {
    /// y = x scale + offset. Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::Rescaling;
    /// let to_unit = Rescaling::new(1.0 / 255.0); // bytes to 0..=1
    /// let to_signed = Rescaling::new(1.0 / 127.5).offset(-1.0); // bytes to -1..=1
    /// ```
    pub struct Rescaling {
        /// A layer that multiplies by this factor.
        pub fn new(scale: f64);
        /// The number added; 0 by default.
        offset: f64 = 0.0,
    }
}

impl Layer for Rescaling {
    const KIND: &'static str = "Rescaling";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        if !(self.scale.is_finite() && self.offset.is_finite()) {
            let problem = format!("the scale and the offset must be finite, found {} and {}", self.scale, self.offset);
            return Err(build.error(problem, "check how they were computed"));
        }
        let (scale, offset) = (T::of(self.scale), T::of(self.offset));
        let rescale = move |x: &Var<T>| if offset == T::ZERO { x * scale } else { x * scale + offset };
        Ok(Built::new(build.input()?, move |_, x| rescale(x)).mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        after_affine(inputs)
    }
}
