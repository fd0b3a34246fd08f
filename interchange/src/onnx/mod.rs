//! Networks as ONNX files.

mod proto;
mod read;
mod wire;
mod write;

pub use read::{OnnxFile, Program, ValueInfo, load, read_tensor};
pub use write::{save, to_bytes};
