//! Networks and weights of others: Keras, PyTorch, safetensors, ONNX, NumPy.
#![forbid(unsafe_code)]
#![allow(dead_code)] // Until all readers and writers are there.

mod archive;
mod hdf5;
pub mod keras;
#[cfg(feature = "ndarray")]
pub mod ndarray;
mod network;
pub mod npz;
pub mod onnx;
pub mod pytorch;
