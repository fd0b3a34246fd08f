//! The rectified linear unit with a slope below 0.

use super::support::prelude::*;

options! {
    /// x where positive, else `negative_slope` x. Shape: unchanged.
    pub struct LeakyReLU {
        /// A layer with this slope below 0; 0.3 by `default`, as Keras's layer.
        pub fn new(negative_slope: f64 = 0.3);
    }
}

impl Layer for LeakyReLU {
    const KIND: &'static str = "LeakyReLU";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Activation::LeakyRelu { negative_slope: self.negative_slope }.build(build)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::LeakyRelu { negative_slope: self.negative_slope })]
    }
}
