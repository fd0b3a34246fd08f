//! What a recurrence takes beside its sequences, and what it gives.

use gradus_tensor::{Float, Tensor};

use crate::var::Var;

/// The weights, the first states and the masks of a [recurrence](Var::recurrence); [`RecurrentInputs`](gradus_tensor::RecurrentInputs)
/// says what their shapes are.
///
/// ```
/// use gradus_autograd::{RecurrentVars, Var};
/// use gradus_tensor::{Recurrence, Tensor};
/// let x = Var::from(Tensor::new([[[0.0]]]));
/// let (kernel, recurrent_kernel) = (Var::from(Tensor::new([[1.0]])), Var::from(Tensor::new([[2.0]])));
/// let first = Var::from(Tensor::new([[0.25]]));
/// let vars = RecurrentVars { states: [Some(&first), None], ..RecurrentVars::new(&kernel, &recurrent_kernel) };
/// // One step from a state of 0.25: tanh(0 x 1 + 0.25 x 2).
/// let given = x.recurrence(&Recurrence::simple(), &vars);
/// assert_eq!(given.states[0].value(), &Tensor::new([[0.5]]).tanh());
/// ```
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
///
/// ```
/// use gradus_autograd::{RecurrentVars, Var};
/// use gradus_tensor::{Recurrence, Tensor};
/// // An LSTM of 2 units over 3 steps of one feature: its kernels have 4 x 2 columns.
/// let x = Var::from(Tensor::<f32>::zeros([1, 3, 1]));
/// let (kernel, recurrent_kernel) = (Var::from(Tensor::zeros([1, 8])), Var::from(Tensor::zeros([2, 8])));
/// let given = x.recurrence(&Recurrence::lstm(), &RecurrentVars::new(&kernel, &recurrent_kernel));
/// assert_eq!(given.sequence.unwrap().shape(), &[1, 3, 2]);
/// assert_eq!(given.states.len(), 2); // h and c
/// ```
pub struct Recurred<T: Float> {
    /// The outputs of all steps `[n, steps, units]`, if they were asked for.
    pub sequence: Option<Var<T>>,
    /// The last states `[n, units]`: h and, for an LSTM, c.
    pub states: Vec<Var<T>>,
}
