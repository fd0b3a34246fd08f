//! An activation function as a layer of its own.

use gradus_tensor::Float;

use crate::activation::Activation;
use crate::error::Result;
use crate::fusion::Channelwise;
use crate::layer::{Build, Built, Layer};

/// y = activation(x). Shape: unchanged. Keras's `Activation` layer: `network.add(Activation::Relu)`.
impl Layer for Activation {
    const KIND: &'static str = "Activation";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        if self.is_along_last_axis() {
            build.features()?;
        }
        let activation = *self;
        let built = Built::new(build.input()?, move |_, x| activation.apply(x));
        Ok(if activation == Activation::Relu { built.following(|_| Some(Channelwise::RELU)) } else { built })
    }
}
