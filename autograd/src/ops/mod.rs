//! The differentiable ops: each forward call with its derivatives beside it.

mod arithmetic;
mod attention;
mod choice;
mod conv;
mod ctc;
mod decompositions;
mod einsum;
mod index;
mod join;
mod linalg;
mod linear;
mod pointwise;
mod recurrence;
mod reduce;
mod softmax;
mod spatial;
mod standardize;
mod views;
