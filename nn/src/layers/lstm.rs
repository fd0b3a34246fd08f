//! Long short-term memory.

use gradus_tensor::RecurrentCell;

use super::support::prelude::*;
use super::support::recurrent::recurrent_options;

recurrent_options! {
    /// Long short-term memory: gates decide what a cell keeps, takes in and gives. Hochreiter and Schmidhuber 1997; Keras's `LSTM`,
    /// whose order of the gates is i, f, c, o.
    ///
    /// [i, f, g, o] = x·kernel + h·recurrent_kernel + bias; c' = s(f) c + s(i) a(g) and h' = s(o) a(c'), where a is the activation
    /// and s the recurrent activation.
    ///
    /// Shapes: `[n, steps, features]`, and optionally first states h and c `[n, units]` as further inputs, to the last output
    /// `[n, units]`, or to all of them `[n, steps, units]`. Weights: `kernel` `[features, 4 units]`, `recurrent_kernel`
    /// `[units, 4 units]`, `bias` `[4 units]`. Steps that a [mask](crate::MaskRule) leaves out change no state.
    ///
    /// ```
    /// use gradus_nn::{Activation, Dense, Embedding, LSTM, Model, Sequential};
    /// // Whether a sentence of ids praises or blames.
    /// let network = Sequential::new()
    ///     .add(Embedding::new(20_000, 64).mask_zero(true))
    ///     .add(LSTM::new(64).return_sequences(true))
    ///     .add(LSTM::new(32))
    ///     .add(Dense::new(1).activation(Activation::Sigmoid));
    /// let model = Model::build(network, [None], 42)?;
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct LSTM {
        /// The activation of the gates; the sigmoid by default.
        recurrent_activation: Activation = Activation::Sigmoid,
        /// Whether the bias of the forget gate begins at 1, as by default, so that a cell keeps what it has. Jozefowicz et al. 2015,
        /// "An Empirical Exploration of Recurrent Network Architectures".
        unit_forget_bias: bool = true,
    }
}

impl Layer for LSTM {
    const KIND: &'static str = "LSTM";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.recur(build, RecurrentCell::Lstm, self.recurrent_activation, self.unit_forget_bias)
    }
}
