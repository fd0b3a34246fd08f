//! Sequences part by part: recurrent layers that go on where they stopped.

use gradus_tensor::{Columns, Float, Tensor};

use crate::context::LayerMemory;
use crate::error::{Error, Result};
use crate::model::Model;

/// What the recurrent layers of a model know of the sequences so far, between calls of [`predict_next`](Model::predict_next). A new one
/// stands for the beginning.
///
/// ```
/// use gradus_nn::{GRU, Model, RecurrentStates, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(GRU::new(8).return_sequences(true)).add(GRU::new(4));
/// let model = Model::build(network, [None, Some(2)], 42)?;
/// let whole = model.predict(&Tensor::new([[[1.0, 0.5], [0.0, -1.0], [2.0, 0.25]]]))?;
/// // The same, step by step.
/// let mut states = RecurrentStates::new();
/// model.predict_next(&Tensor::new([[[1.0, 0.5]]]), &mut states)?;
/// model.predict_next(&Tensor::new([[[0.0, -1.0]]]), &mut states)?;
/// let last = model.predict_next(&Tensor::new([[[2.0, 0.25]]]), &mut states)?;
/// assert!(last.allclose(&whole, 1e-6, 1e-6));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias = "stateful")]
#[derive(Clone, Debug)]
pub struct RecurrentStates<T: Float = f32> {
    memory: LayerMemory<T>,
    /// The number of sequences, once there are some.
    samples: Option<usize>,
}

impl<T: Float> RecurrentStates<T> {
    /// The states at the beginning of sequences.
    pub fn new() -> Self {
        RecurrentStates { memory: LayerMemory::new(), samples: None }
    }
}

impl<T: Float> Default for RecurrentStates<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Model<T> {
    /// The output for the next steps of sequences, one or more, `[n, steps, ..]`: Keras's stateful layers. Recurrent layers begin
    /// with the last states of the call before, and leave theirs in `states`. So a text is written word by word, and a signal read
    /// as it comes. The model is built for any number of steps: with `None` for their axis.
    ///
    /// Only layers that walk forwards remember; those that walk backwards, and those within `Bidirectional` or `TimeDistributed`, begin
    /// anew at each call. Layers that mix steps in other ways, such as convolutions, see only the steps of a call.
    ///
    /// # Errors
    /// As [`predict`](Model::predict), and if there are more or fewer sequences than before.
    pub fn predict_next(&self, inputs: impl Into<Columns>, states: &mut RecurrentStates<T>) -> Result<Tensor<T>> {
        let op = "predict_next";
        if self.outputs().len() != 1 {
            let problem = format!("the network has {} outputs", self.outputs().len());
            return Err(Error::new(op, problem, "cut the network down to one of them by sub_model"));
        }
        // Changed only where all goes well.
        let mut next = states.memory.clone();
        let inputs = inputs.into();
        let samples = self.samples(op, &inputs)?;
        if let Some(before) = states.samples.filter(|&before| before != samples) {
            let problem = format!("the states are those of {before} sequences, found {samples}");
            return Err(Error::new(
                op,
                problem,
                "begin with new RecurrentStates, or give the next steps of the same ones",
            ));
        }
        let mut outputs = self.outputs_after(op, &inputs, &mut next)?;
        *states = RecurrentStates { memory: next, samples: Some(samples) };
        Ok(outputs.swap_remove(0))
    }
}
