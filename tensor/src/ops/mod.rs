//! Ops: the public methods that compute. Each checks its input, allocates its result and calls one kernel.

mod accumulate;
mod arithmetic;
mod assign;
mod attention;
mod biased;
mod compare;
mod conv;
mod conv_input_gradient;
mod conv_pooled;
mod conv_winograd;
mod ctc;
mod ctc_decode;
mod depthwise;
mod dropout;
mod einsum;
mod in_units;
mod index;
mod join;
mod linalg;
mod matmul;

mod moments;
mod normalize;
mod order;
mod pool;
mod recurrence;
mod reduce;
mod resize;
mod softmax;
mod standardize;
mod standardize_with;
#[cfg(test)]
mod testing;
mod unfold;

use crate::element::Element;
use crate::shape::{Shape, ShapeError};
use crate::tensor::Tensor;

pub use arithmetic::Operand;
pub(crate) use arithmetic::zip_owned_by;
pub use assign::update;
pub use attention::AttentionSums;
pub use ctc_decode::Decoded;
pub use join::PadMode;
pub use linalg::{LinalgError, Lu};
pub use recurrence::{RECURRENT_GRADIENTS, RecurrentInputs, RecurrentOutputs, RecurrentParts, RecurrentTrace};
pub use resize::Interpolation;
pub use standardize::Moments;

/// The elements of a contiguous tensor.
fn elements<T: Element>(x: &Tensor<T>) -> &[T] {
    x.as_slice().expect("just made contiguous")
}

/// The shape of an input `[n, spatial.., c]` after its spatial axes are changed to these lengths.
fn with_lengths(input: &Shape, lengths: &[usize]) -> Result<Shape, ShapeError> {
    let fits = input.len() == lengths.len() + 2 && (1..=3).contains(&lengths.len());
    if !fits || lengths.iter().chain(spatial(input)).any(|&length| length == 0) {
        let problem = format!("each of one to three spatial axes needs a length of 1 or more: {input} to {lengths:?}");
        return Err(ShapeError::new(problem));
    }
    Shape::from(input[0]).join(lengths).join(&input[lengths.len() + 1..]).checked()
}

/// The spatial lengths: those of the axes between batch and channels.
fn spatial(shape: &Shape) -> &[usize] {
    shape.get(1..shape.len().saturating_sub(1)).unwrap_or(&[])
}

/// Panics unless `what` has the shape of the output.
#[track_caller]
fn expect_output_shape(op: &str, what: &str, found: &Shape, output: &Shape) {
    if found != output {
        panic_output_shape(op, what, found, output);
    }
}

#[cold]
#[track_caller]
fn panic_output_shape(op: &str, what: &str, found: &Shape, output: &Shape) -> ! {
    panic!("{op}: {what} must have the output's shape {output}, found {found}")
}
