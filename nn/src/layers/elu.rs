//! The exponential linear unit.

use super::support::prelude::*;

options! {
    /// x where positive, else `alpha` (e^x - 1). Shape: unchanged.
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
