//! Reverse-mode automatic differentiation over tensors.
//!
//! A [`Var`] is a tensor that may have a place on a [`Tape`]. Ops on vars compute at once and, if an input has a place,
//! append a node with one derivative per input. A backward sweep walks the nodes in reverse and consumes them.
//!
//! Most programs keep their weights in [`Params`] and use [`value_and_grad`]:
//!
//! ```
//! use gradus_autograd::{Params, value_and_grad};
//! use gradus_tensor::Tensor;
//!
//! let mut params = Params::new();
//! params.add("w", Tensor::new([1.0, 2.0]));
//! // The sum of squares, and its gradient 2 w.
//! let (loss, grads) = value_and_grad(&params, |weights| weights[0].square().sum(..));
//! assert_eq!(loss, 5.0);
//! assert_eq!(grads[0], Some(Tensor::new([2.0, 4.0])));
//! ```
#![forbid(unsafe_code)]

mod grad;
mod gradcheck;
mod op;
mod ops;
mod params;
mod tape;
mod var;

pub use grad::{grad, value_and_grad, value_and_grad_with};
pub use gradcheck::{GradientMismatch, gradcheck};
pub use op::Op;
pub use params::{Grads, Param, Params, ParamsMismatch, Role};
pub use tape::{Gradients, Tape};
pub use var::Var;
