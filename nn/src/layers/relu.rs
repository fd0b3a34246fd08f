//! The rectified linear unit with its options.

use super::support::prelude::*;
use crate::epilogue::Epilogue;

options! {
    /// max(x, 0), or with options: `max_value` where x reaches it, x from `threshold` on, and below that
    /// `negative_slope` (x - `threshold`). Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::ReLU;
    /// let relu6 = ReLU::new().max_value(6.0);
    /// ```
    pub struct ReLU {
        /// max(x, 0)
        pub fn new();
        /// The largest output; none by default.
        #[check(checks::none_or_not_negative)]
        max_value: Option<f64> = None,
        /// The slope below the threshold; 0 by default.
        #[check(checks::not_negative)]
        negative_slope: f64 = 0.0,
        /// The x from which on the output is x; 0 by default.
        #[check(checks::not_negative)]
        threshold: f64 = 0.0,
    }
}

impl Layer for ReLU {
    const KIND: &'static str = "ReLU";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?;
        self.check(build)?;
        if self.max_value.is_none() && self.negative_slope == 0.0 && self.threshold == 0.0 {
            let relu = Built::new(shape, |_, x| x.relu()).mask_rule(MaskRule::Kept);
            return Ok(relu.or_epilogue(|_| Some(Epilogue::RELU)));
        }
        let max = self.max_value.map_or(T::HIGHEST, T::of);
        let (slope, threshold) = (T::of(self.negative_slope), T::of(self.threshold));
        Ok(Built::new(shape, move |_, x| x.relu_with(max, slope, threshold)).mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        // One with other options may yield probabilities: from 0 to 1 by `max_value`.
        vec![
            (self.max_value.is_none() && self.negative_slope == 0.0 && self.threshold >= 0.0)
                .then_some(Activation::Relu),
        ]
    }
}
