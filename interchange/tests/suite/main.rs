//! What this crate reads and writes, held against what the programs of these formats make of it: one program, because it compiles
//! sooner than one for each file.

mod networks;

mod formats;
mod keras;
mod npz;
mod onnx_hostile;
mod onnx_read;
mod pytorch_files;
mod pytorch_models;
