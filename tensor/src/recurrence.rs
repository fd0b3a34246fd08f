//! What a recurrence is: its cell, the functions of its gates, and how it walks along a sequence.

use std::fmt;
use std::sync::Arc;

use crate::element::Float;
use crate::pointwise::Pointwise;
use crate::tensor::Tensor;

/// The recurrent cells, with Keras's formulas and Keras's order of the gates in the weights.
///
/// x is the input of a step, h and c are the states before it, W the kernel, U the recurrent kernel, b the bias; a is the
/// activation, s the recurrent activation, · the product of matrices and * that of elements.
///
/// ```
/// use gradus_tensor::RecurrentCell;
/// let gru = RecurrentCell::Gru { reset_after: true };
/// assert_eq!((RecurrentCell::Lstm.gates(), gru.gates()), (4, 3)); // Columns of the kernels for each unit.
/// assert_eq!((RecurrentCell::Lstm.states(), gru.states()), (2, 1));
/// assert_eq!(gru.bias_shape(8), [2, 24]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentCell {
    /// h' = a(x·W + h·U + b)
    Simple,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997), with gates i, f, c, o:
    /// c' = s(f) * c + s(i) * a(g), h' = s(o) * a(c'), where [i, f, g, o] = x·W + h·U + b.
    Lstm,
    /// The gated recurrent unit (Cho et al., arXiv:1406.1078), with gates z, r, h: h' = s(z) * h + (1 - s(z)) * a(candidate).
    Gru {
        /// Whether the reset gate multiplies after the product, as cuDNN does: candidate = x·W + b + s(r) * (h·U + b'). The bias
        /// is `[2, 3 units]` then, b and b'. Otherwise candidate = x·W + (s(r) * h)·U + b.
        reset_after: bool,
    },
}

impl RecurrentCell {
    /// The number of gates: the columns of the weights for each unit.
    pub fn gates(self) -> usize {
        match self {
            RecurrentCell::Simple => 1,
            RecurrentCell::Lstm => 4,
            RecurrentCell::Gru { .. } => 3,
        }
    }

    /// The number of states: two for an LSTM, h and c, else one.
    pub fn states(self) -> usize {
        if self == RecurrentCell::Lstm { 2 } else { 1 }
    }

    /// The shape of the bias.
    pub fn bias_shape(self, units: usize) -> crate::Shape {
        match self {
            RecurrentCell::Gru { reset_after: true } => [2, 3 * units].into(),
            _ => [self.gates() * units].into(),
        }
    }
}

/// A function of a gate: of rows of numbers, with a derivative.
///
/// ```
/// use gradus_tensor::{CellFunction, Differentiable, Float, Recurrence, RecurrentInputs, Tensor};
/// use std::sync::Arc;
///
/// /// x / 2
/// struct Half;
///
/// impl<T: Float> Differentiable<T> for Half {
///     fn value(&self, x: Tensor<T>) -> Tensor<T> {
///         x * T::of(0.5)
///     }
///
///     fn gradient(&self, _x: Tensor<T>, g: Tensor<T>) -> Tensor<T> {
///         g * T::of(0.5)
///     }
/// }
///
/// // h' = (x + h) / 2
/// let (x, one) = (Tensor::new([[[4.0], [1.0]]]), Tensor::new([[1.0]]));
/// let recurrence = Recurrence::simple().activation(CellFunction::Other(Arc::new(Half)));
/// let (outputs, _) = recurrence.of(&RecurrentInputs::new(&x, &one, &one));
/// assert_eq!(outputs.sequence(), Some(Tensor::new([[[2.0], [1.5]]])));
/// ```
pub trait Differentiable<T: Float>: Send + Sync {
    /// The function of `x`, whose shape is `[rows, units]`, in that shape.
    fn value(&self, x: Tensor<T>) -> Tensor<T>;
    /// The gradient by `x` of a loss whose gradient by the value is `g`.
    fn gradient(&self, x: Tensor<T>, g: Tensor<T>) -> Tensor<T>;
}

/// An elementwise function without parameters.
impl<T: Float> Differentiable<T> for &'static Pointwise {
    fn value(&self, x: Tensor<T>) -> Tensor<T> {
        self.of(&[&x], &[])
    }

    fn gradient(&self, x: Tensor<T>, g: Tensor<T>) -> Tensor<T> {
        let saved = Pointwise::saved(self, &[&x], &self.of(&[&x], &[]));
        Pointwise::gradient(self, g, saved, &[])
    }
}

/// The activation of a cell. With tanh as activation and the sigmoid as recurrent activation the gates are computed in one pass.
///
/// ```
/// use gradus_tensor::{CellFunction, Recurrence, RecurrentInputs, Tensor, functions};
/// use std::sync::Arc;
/// let relu = CellFunction::Other(Arc::new(&functions::RELU));
/// let (x, one) = (Tensor::new([[[2.0], [-5.0]]]), Tensor::new([[1.0]]));
/// let (outputs, _) = Recurrence::simple().activation(relu).of(&RecurrentInputs::new(&x, &one, &one));
/// assert_eq!(outputs.sequence(), Some(Tensor::new([[[2.0], [0.0]]])));
/// ```
#[derive(Clone)]
pub enum CellFunction<T: Float> {
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// Any function.
    Other(Arc<dyn Differentiable<T>>),
}

impl<T: Float> fmt::Debug for CellFunction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CellFunction::Tanh => "Tanh",
            CellFunction::Sigmoid => "Sigmoid",
            CellFunction::Other(_) => "Other",
        })
    }
}

/// A cell that walks along sequences. [`Recurrence::of`](Recurrence::of) computes it.
///
/// ```
/// use gradus_tensor::{Recurrence, RecurrentInputs, Tensor};
/// // h' = tanh(x + h / 2), over two steps from 0.
/// let (x, kernel) = (Tensor::new([[[1.0], [0.0]]]), Tensor::new([[1.0]]));
/// let recurrent_kernel = Tensor::new([[0.5]]);
/// let (outputs, _) = Recurrence::simple().of(&RecurrentInputs::new(&x, &kernel, &recurrent_kernel));
/// let (first, second) = (1.0_f32.tanh(), (1.0_f32.tanh() / 2.0).tanh());
/// assert!(outputs.sequence().unwrap().allclose(&Tensor::new([[[first], [second]]]), 1e-6, 1e-6));
/// assert!(outputs.state(0).allclose(&Tensor::new([[second]]), 1e-6, 1e-6));
/// ```
#[derive(Clone, Debug)]
pub struct Recurrence<T: Float> {
    pub(crate) cell: RecurrentCell,
    pub(crate) activation: CellFunction<T>,
    pub(crate) recurrent_activation: CellFunction<T>,
    pub(crate) go_backwards: bool,
    pub(crate) zero_output_for_mask: bool,
    pub(crate) sequences: bool,
}

impl<T: Float> Recurrence<T> {
    /// A recurrence of a cell, with tanh and the sigmoid, forwards, that gives the whole sequence of outputs.
    pub fn new(cell: RecurrentCell) -> Self {
        Recurrence {
            cell,
            activation: CellFunction::Tanh,
            recurrent_activation: CellFunction::Sigmoid,
            go_backwards: false,
            zero_output_for_mask: false,
            sequences: true,
        }
    }

    /// The recurrence of a [simple cell](RecurrentCell::Simple).
    pub fn simple() -> Self {
        Self::new(RecurrentCell::Simple)
    }

    /// The recurrence of an [LSTM](RecurrentCell::Lstm).
    pub fn lstm() -> Self {
        Self::new(RecurrentCell::Lstm)
    }

    /// The recurrence of a [GRU](RecurrentCell::Gru).
    pub fn gru(reset_after: bool) -> Self {
        Self::new(RecurrentCell::Gru { reset_after })
    }

    /// Sets the activation a.
    pub fn activation(self, activation: CellFunction<T>) -> Self {
        Recurrence { activation, ..self }
    }

    /// Sets the recurrent activation s, which a simple cell does not have.
    pub fn recurrent_activation(self, recurrent_activation: CellFunction<T>) -> Self {
        Recurrence { recurrent_activation, ..self }
    }

    /// Sets whether steps are taken from the last to the first. Outputs stand in the order in which they were computed, as in
    /// Keras.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        Recurrence { go_backwards, ..self }
    }

    /// Sets whether the output of a step that a mask leaves out is 0. Otherwise it is that of the step before, or the first state
    /// before the first step that is there.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Recurrence { zero_output_for_mask, ..self }
    }

    /// Sets whether the outputs of all steps are given, not only the last states.
    pub fn sequences(self, sequences: bool) -> Self {
        Recurrence { sequences, ..self }
    }

    /// The cell.
    pub fn cell(&self) -> RecurrentCell {
        self.cell
    }

    /// Whether the gates are computed in one pass.
    pub(crate) fn is_usual(&self) -> bool {
        matches!(self.activation, CellFunction::Tanh)
            && (self.cell == RecurrentCell::Simple || matches!(self.recurrent_activation, CellFunction::Sigmoid))
    }
}
