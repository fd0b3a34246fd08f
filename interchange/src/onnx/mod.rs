//! Networks as ONNX files.

mod proto;
mod wire;
