//! Ops: the public methods that compute. Each checks its input, allocates its result and calls one kernel.

mod accumulate;
mod arithmetic;
mod assign;
mod compare;
mod conv;
mod conv_input_gradient;
mod conv_pooled;
mod depthwise;
mod index;
mod join;
mod matmul;
mod order;
mod pool;
mod reduce;
mod resize;
mod softmax;
mod standardize;
pub(crate) mod unary;
mod unfold;

use crate::element::Element;
use crate::tensor::Tensor;

pub use arithmetic::Operand;
pub use assign::update;
pub use join::PadMode;
pub use resize::Interpolation;
pub use standardize::Moments;
pub use unary::{SELU_ALPHA, SELU_SCALE};

/// The elements of a tensor that has been made contiguous.
fn elements<T: Element>(x: &Tensor<T>) -> &[T] {
    x.as_slice().expect("just made contiguous")
}
