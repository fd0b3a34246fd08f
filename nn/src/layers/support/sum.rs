//! The sum of several inputs.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Tensor};

/// The sum of two inputs or more, element by element, in the first one's memory where that is free.
pub(in crate::layers) fn sum<T: Float>(inputs: Vec<Var<T>>) -> Var<T> {
    if !inputs.iter().any(Var::is_recorded) {
        return Var::from(total(inputs.into_iter().map(Var::into_value)));
    }
    let value = total(inputs.iter().map(|input| input.value().clone()));
    inputs.iter().fold(Op::new("sum of inputs", value), |op, input| op.input(input, |g| g)).finish()
}

fn total<T: Float>(tensors: impl Iterator<Item = Tensor<T>>) -> Tensor<T> {
    tensors.reduce(|sum, tensor| sum + tensor).expect("build saw two inputs or more")
}
