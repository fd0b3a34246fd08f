//! The tests of tensors, as one program: what they have in common is compiled once. Those that change the whole process are beside it.
//!
//!     cargo test --workspace --test suite -- linalg::     # those of one file

mod attention;
mod ctc;
mod display;
mod linalg;
mod npy;
mod pointwise;
mod properties;
mod recurrence;
mod safetensors;
mod sizes;
