//! Reverse-mode automatic differentiation over tensors.
//!
//! A [`Var`] is a tensor that may have a place on a [`Tape`]. Ops on vars compute at once and, if an input has a place,
//! append a node with its derivatives. A backward sweep walks the nodes in reverse and consumes them.
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
//!
//! For gradients with respect to anything else, such as an input image, make it a variable of a tape:
//!
//! ```
//! use gradus_autograd::{Tape, Var};
//! use gradus_tensor::Tensor;
//!
//! // The same function computes with constants, which record nothing, and with variables.
//! fn distance(a: &Var, b: &Var) -> Var {
//!     (a - b).norm(..)
//! }
//!
//! let (a, b) = (Tensor::new([3.0, 4.0]), Tensor::new([0.0, 0.0]));
//! assert_eq!(distance(&Var::from(&a), &Var::from(&b)).value().item(), 5.0);
//!
//! let tape = Tape::new();
//! let (x, y) = (tape.var(a), tape.var(b));
//! let gradients = tape.backward(&distance(&x, &y));
//! assert_eq!(gradients.of(&x), Tensor::new([0.6, 0.8]));
//! assert_eq!(gradients.of(&y), Tensor::new([-0.6, -0.8]));
//! ```
//!
//! The ops are methods of [`Var`] and are named as the tensor's. A function that is not among them is written with
//! [`Op`] in a few lines, and [`gradcheck`] tells whether its derivatives are right.
//!
//! Where a function has no derivative, one is chosen. Equal extremes share the gradient equally ([`Var::max`],
//! [`Var::maximum`] and their like); lengths and absolute values have none at 0 ([`Var::norm`], [`Var::std`],
//! [`Var::abs`], [`Var::relu`]); [`Var::clamp`] passes it at both ends.
#![forbid(unsafe_code)]

mod constraint;
mod grad;
mod gradcheck;
mod op;
mod ops;
mod params;
mod recurrent;
mod tape;
mod var;

pub use constraint::Constraint;
pub use grad::{
    Grads, StateUpdates, checked_value_and_grad, grad, grads_as_they_come, try_value_and_grad, value_and_grad,
};
pub use gradcheck::{GradientMismatch, gradcheck};
pub use op::Op;
pub use params::{Param, Params, ParamsMismatch, Role};
pub use recurrent::{Recurred, RecurrentVars};
pub use tape::{Fault, Gradients, Tape};
pub use var::Var;
