//! The gated recurrent unit.

use gradus_tensor::RecurrentCell;

use super::support::prelude::*;
use super::support::recurrent::recurrent_options;

recurrent_options! {
    /// The gated recurrent unit: one gate mixes the old state with a candidate, the other resets it. Cho et al., arXiv:1406.1078;
    /// Keras's `GRU`, whose order of the gates is z, r, h.
    ///
    /// [z, r] = x·kernel + h·recurrent_kernel + bias; h' = s(z) h + (1 - s(z)) a(candidate), where a is the activation and s the
    /// recurrent activation. With `reset_after`, candidate = x·kernel + bias + s(r) (h·recurrent_kernel + bias'); otherwise
    /// candidate = x·kernel + (s(r) h)·recurrent_kernel + bias.
    ///
    /// Shapes: `[n, steps, features]`, and optionally first states `[n, units]` as a second input, to the last output `[n, units]`,
    /// or to all of them `[n, steps, units]`. Weights: `kernel` `[features, 3 units]`, `recurrent_kernel` `[units, 3 units]`, `bias`
    /// `[2, 3 units]`, or `[3 units]` without `reset_after`. Steps that a [mask](crate::MaskRule) leaves out change no state.
    ///
    /// ```
    /// use gradus_nn::{Bidirectional, Dense, GRU, Model, Sequential};
    /// let network = Sequential::new().add(Bidirectional::new(GRU::new(32))).add(Dense::new(5));
    /// let model = Model::build(network, [None, Some(20)], 42)?;
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct GRU {
        /// The activation of the gates; the sigmoid by default.
        recurrent_activation: Activation = Activation::Sigmoid,
        /// Whether the reset gate multiplies after the product with the recurrent kernel, as by default and in cuDNN.
        reset_after: bool = true,
    }
}

impl Layer for GRU {
    const KIND: &'static str = "GRU";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let cell = RecurrentCell::Gru { reset_after: self.reset_after };
        self.recur(build, cell, self.recurrent_activation, false)
    }
}
