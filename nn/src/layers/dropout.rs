//! Elements dropped at random while training.

use super::support::prelude::*;

options! {
    /// While training, each element is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
    ///
    /// Shape: unchanged. Srivastava et al., Journal of Machine Learning Research 15, 2014.
    ///
    /// ```
    /// use gradus_nn::{Dropout, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(Dropout::new(0.5)), [3], 42)?;
    /// // It drops while a trainer trains. A prediction drops nothing.
    /// let x = Tensor::new([[1.0, 2.0, 3.0]]);
    /// assert_eq!(model.predict(&x)?, x);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Dropout {
        /// A layer that drops this share of the elements.
        pub fn new(#[check(checks::rate)] rate: f64);
    }
}

impl Layer for Dropout {
    const KIND: &'static str = "Dropout";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let rate = self.rate;
        let built = Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) if rate > 0.0 => x.dropout(rate, generator.next_u64()),
            _ => x.clone(),
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
