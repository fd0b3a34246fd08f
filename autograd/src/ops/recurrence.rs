//! Recurrences, one op for all the steps of a cell over sequences.

use gradus_tensor::{Float, RECURRENT_GRADIENTS, Recurrence, RecurrentInputs, Tensor};

use crate::op::Op;
use crate::recurrent::{Recurred, RecurrentVars};
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The outputs and the last states of a cell that walks along sequences `[n, steps, features]`, which this var is. Gradients
    /// reach the sequences, the weights and the first states, through the outputs and through the last states.
    ///
    /// ```
    /// use gradus_autograd::{RecurrentVars, Var};
    /// use gradus_tensor::{Recurrence, Tensor};
    /// let x = Var::from(Tensor::new([[[1.0], [2.0]]]));
    /// let (kernel, recurrent_kernel) = (Var::from(Tensor::new([[0.5]])), Var::from(Tensor::new([[0.0]])));
    /// let given = x.recurrence(&Recurrence::simple(), &RecurrentVars::new(&kernel, &recurrent_kernel));
    /// assert_eq!(given.sequence.unwrap().value(), &Tensor::new([[[0.5], [1.0]]]).tanh());
    /// assert_eq!(given.states[0].value(), &Tensor::new([[1.0]]).tanh());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn recurrence(&self, how: &Recurrence<T>, vars: &RecurrentVars<'_, T>) -> Recurred<T> {
        let RecurrentVars { kernel, recurrent_kernel, bias, states, mask, recurrent_dropout } = *vars;
        let inputs = RecurrentInputs {
            x: self.value(),
            kernel: kernel.value(),
            recurrent_kernel: recurrent_kernel.value(),
            bias: bias.map(Var::value),
            states: states.map(|state| state.map(Var::value)),
            mask,
            recurrent_dropout,
        };
        let (outputs, trace) = how.of(&inputs);
        // A constant stands for what is not given.
        let nothing = Var::from(Tensor::zeros([0]));
        let given = |var: Option<&'_ Var<T>>| var.unwrap_or(&nothing).clone();
        let (bias, [h, c]) = (given(bias), states.map(given));
        let weights = [kernel, recurrent_kernel].map(|weight| weight.value().clone());
        let how_back = how.clone();
        let derivative = move |g: Tensor<T>, wanted: [bool; RECURRENT_GRADIENTS]| {
            how_back.gradient(&weights[0], &weights[1], trace, &g, wanted)
        };
        let inputs = [self, kernel, recurrent_kernel, &bias, &h, &c];
        let packed = Op::new("recurrence", outputs.packed).joint(inputs, derivative).finish();
        let sequence =
            outputs.parts.sequence().map(|(range, shape)| packed.slice(0, range).reshape(shape).permute([1, 0, 2]));
        let states = (0..how.cell().states()).map(|index| {
            let (range, shape) = outputs.parts.state(index);
            packed.slice(0, range).reshape(shape)
        });
        let states = states.collect();
        Recurred { sequence, states }
    }
}
