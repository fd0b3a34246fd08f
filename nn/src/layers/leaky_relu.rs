//! The rectified linear unit with a slope below 0.

use super::support::prelude::*;

options! {
    /// x where positive, else `negative_slope` x. Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::{LeakyReLU, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(LeakyReLU::new(0.25)), [2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[3.0, -2.0]]))?, Tensor::new([[3.0, -0.5]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
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
