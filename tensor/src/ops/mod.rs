//! Ops: the public methods that compute. Each checks its input, allocates its result and calls one kernel.

mod arithmetic;
mod compare;
mod matmul;
mod reduce;
mod softmax;
mod unary;

pub use arithmetic::Operand;
pub use unary::{SELU_ALPHA, SELU_SCALE};
