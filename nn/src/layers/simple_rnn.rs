//! The fully connected recurrent layer.

use gradus_tensor::RecurrentCell;

use super::support::prelude::*;
use super::support::recurrent::recurrent_options;

recurrent_options! {
    /// The output of each step goes into the next one: h' = activation(x·kernel + h·recurrent_kernel + bias). Keras's `SimpleRNN`.
    ///
    /// Shapes: `[n, steps, features]`, and optionally first states `[n, units]` as a second input, to the last output `[n, units]`,
    /// or to all of them `[n, steps, units]`. Weights: `kernel` `[features, units]`, `recurrent_kernel` `[units, units]`, `bias`
    /// `[units]`. Steps that a [mask](crate::MaskRule) leaves out change no state.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential, SimpleRNN};
    /// let network = Sequential::new().add(SimpleRNN::new(32)).add(Dense::new(1));
    /// // Of any number of steps, with 4 features each.
    /// let model = Model::build(network, [None, Some(4)], 42)?;
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct SimpleRNN {}
}

impl Layer for SimpleRNN {
    const KIND: &'static str = "SimpleRNN";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.recur(build, RecurrentCell::Simple, Activation::Linear, false)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(self.activation)]
    }
}
