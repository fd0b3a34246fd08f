//! Formulas: arithmetic written once, over numbers or over symbols.
//!
//! A formula is a function that is generic over [`Real`]. Called with f32 or f64 it computes; called with [`Symbol`]s it
//! records itself as an [`Expression`].

mod display;
mod expression;
mod real;
mod symbol;

pub use expression::{Comparison, Expression, Function, Node, Operation};
pub use real::{Arithmetic, Real, Scalar};
pub use symbol::{Condition, Symbol};
