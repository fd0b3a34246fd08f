//! Einstein sums.

use gradus_tensor::{Float, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The Einstein sum of an equation: `"ij,jk->ik"` is the matrix product. [`Tensor::einsum`] explains the notation.
    ///
    /// The gradient by an operand is an Einstein sum of the output's gradient and the other operands.
    ///
    /// ```
    /// use gradus_autograd::{Tape, Var};
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var(Tensor::new([1.0, 2.0])), tape.var(Tensor::new([3.0, 4.0])));
    /// let dot = Var::einsum("i,i", &[&a, &b]);
    /// assert_eq!(dot.value().item(), 11.0);
    /// assert_eq!(tape.backward(&dot).of(&a), Tensor::new([3.0, 4.0]));
    /// ```
    ///
    /// # Panics
    /// If the text is no equation, or the operands do not fit it.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Var<T>]) -> Var<T> {
        let values: Vec<&Tensor<T>> = operands.iter().map(|operand| operand.value()).collect();
        let mut op = Op::new("einsum", Tensor::einsum(equation, &values));
        for (which, operand) in operands.iter().enumerate().filter(|(_, operand)| operand.is_recorded()) {
            let equation = equation.to_owned();
            let values: Vec<Tensor<T>> = values.iter().map(|&value| value.clone()).collect();
            op = op.input(operand, move |g| {
                let values: Vec<&Tensor<T>> = values.iter().collect();
                Tensor::einsum_gradient(&equation, &values, which, &g)
            });
        }
        op.finish()
    }
}
