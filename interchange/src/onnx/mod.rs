//! Networks as ONNX files.

mod proto;
mod wire;
mod write;

pub use write::{save, to_bytes};
