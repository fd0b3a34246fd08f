//! The differentiable ops: each forward call with its derivatives beside it.

mod arithmetic;
mod linear;
mod reduce;
mod unary;
mod views;
