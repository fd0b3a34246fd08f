//! What a recurrence takes beside its sequences, and what it gives.

use gradus_tensor::{Float, Tensor};

use crate::var::Var;

/// The weights, the first states and the masks of a [recurrence](Var::recurrence); [`RecurrentInputs`](gradus_tensor::RecurrentInputs)
/// says what their shapes are.
#[derive(Clone, Copy)]
pub struct RecurrentVars<'a, T: Float> {
    /// The kernel W.
    pub kernel: &'a Var<T>,
    /// The recurrent kernel U.
    pub recurrent_kernel: &'a Var<T>,
    /// The bias, if there is one.
    pub bias: Option<&'a Var<T>>,
    /// The first states h and, for an LSTM, c; none for 0.
    pub states: [Option<&'a Var<T>>; 2],
    /// Whether there is something at each step.
    pub mask: Option<&'a Tensor<bool>>,
    /// What the state h is multiplied with before each product.
    pub recurrent_dropout: Option<&'a Tensor<T>>,
}

impl<'a, T: Float> RecurrentVars<'a, T> {
    /// Kernels, without a bias, a mask and dropout, from states of 0.
    pub fn new(kernel: &'a Var<T>, recurrent_kernel: &'a Var<T>) -> Self {
        let (bias, states) = (None, [None; 2]);
        RecurrentVars { kernel, recurrent_kernel, bias, states, mask: None, recurrent_dropout: None }
    }
}

/// What a [recurrence](Var::recurrence) gives.
pub struct Recurred<T: Float> {
    /// The outputs of all steps `[n, steps, units]`, if they were asked for.
    pub sequence: Option<Var<T>>,
    /// The last states `[n, units]`: h and, for an LSTM, c.
    pub states: Vec<Var<T>>,
}
