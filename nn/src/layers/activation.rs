//! An activation function as a layer of its own.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = activation(x). Shape: unchanged. Keras's `Activation` layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActivationLayer(pub Activation);

impl Layer for ActivationLayer {
    const KIND: &'static str = "Activation";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let activation = self.0;
        Ok(Built::new(build.input()?, move |_, x| activation.apply(x)))
    }
}
