//! An activation function as a layer of its own.

use super::support::prelude::*;
pub use crate::activation::Activation;
use crate::epilogue::Epilogue;

/// y = activation(x). Shape: unchanged. Keras's `Activation` layer: `network.add(Activation::Relu)`.
impl Layer for Activation {
    const KIND: &'static str = "Activation";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Activation::check(*self).map_err(|(problem, hint)| build.error(problem, hint))?;
        if self.is_along_last_axis() {
            build.features()?;
        }
        let activation = *self;
        let shape = build.input()?;
        let rule = MaskRule::kept_if(!self.is_along_last_axis() || shape.len() > 1);
        let built = Built::new(shape, move |_, x| activation.apply(x)).mask_rule(rule);
        Ok(if activation == Activation::Relu { built.or_epilogue(|_| Some(Epilogue::RELU)) } else { built })
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        if *self == Activation::Linear { inputs.to_vec() } else { vec![Some(*self)] }
    }
}
