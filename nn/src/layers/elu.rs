//! The exponential linear unit.

use super::support::prelude::*;

options! {
    /// x where positive, else `alpha` (e^x - 1). Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::{ELU, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(ELU::new(2.0)), [2], 42)?;
    /// // Far below 0 it is -alpha.
    /// assert_eq!(model.predict(&Tensor::new([[3.0, -100.0]]))?, Tensor::new([[3.0, -2.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct ELU {
        /// A layer whose output approaches -alpha below 0; alpha is 1 by `default`.
        pub fn new(alpha: f64 = 1.0);
    }
}

impl Layer for ELU {
    const KIND: &'static str = "ELU";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Activation::Elu { alpha: self.alpha }.build(build)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Elu { alpha: self.alpha })]
    }
}
