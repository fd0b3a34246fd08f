//! The tests of the tape and of all gradients, as one program: what they have in common is compiled once.
//!
//!     cargo test --workspace --test suite -- gradients::     # those of one file

mod custom_op;
mod gradients;
mod tape;
