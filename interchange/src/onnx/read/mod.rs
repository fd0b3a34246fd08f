//! ONNX files read: the graph as a program of operators.

mod attention;
mod call;
mod control;
mod convolution;
mod elementwise;
mod file;
#[cfg(test)]
mod gradients;
mod inline;
mod layer;
mod matrix;
mod node;
mod normalization;
mod plan;
mod pooling;
mod program;
mod recurrent;
mod reduction;
mod resize;
mod selection;
mod shapes;
mod table;
mod value;

pub use file::{OnnxFile, ValueInfo, load, read_tensor};
pub use program::Program;
