//! Every op against its definition, written out index by index, over shapes with 0 and 1 and over strided, transposed,
//! flipped, offset and broadcast views.

mod elementwise;
mod index;
mod join;
mod naive;
mod reductions;
mod views;
