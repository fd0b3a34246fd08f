//! Ops: the public methods that compute. Each checks its input, allocates its result and calls one kernel.

mod accumulate;
mod arithmetic;
mod assign;
mod compare;
mod conv;
mod index;
mod join;
mod matmul;
mod order;
mod pool;
mod reduce;
mod softmax;
pub(crate) mod unary;

pub use arithmetic::Operand;
pub use assign::update;
pub use join::PadMode;
pub use unary::{SELU_ALPHA, SELU_SCALE};
