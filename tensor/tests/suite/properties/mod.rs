//! Ops against their definitions, written out index by index, over shapes with 0 and 1 and over strided, transposed,
//! flipped, offset and broadcast views. Convolution, pooling, resizing and unfolding are so tested beside their source.

mod elementwise;
mod index;
mod join;
mod matmul;
mod naive;
mod reductions;
mod views;
