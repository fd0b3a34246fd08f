//! N-dimensional arrays: views, broadcasting, vectorised kernels, GEMM.
//!
//! The one concrete type, [`Tensor`], has a shared buffer and a layout over it. Views share the buffer, writes copy it only if it
//! is shared, and results are the same bits for any number of threads.
//!
//! ```
//! use gradus_tensor::Tensor;
//! let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
//! let y = (&x * 2.0).matmul(&x.t()).softmax(-1);
//! assert_eq!(y.shape(), &[2, 2]);
//! ```
// The one crate that may: buffers, vector kernels and the worker team live here.
#![allow(unsafe_code)]

mod atomic_file;
mod attention;
mod buffer;
mod bytes;
mod cache;
mod columns;
mod convolution;
mod create;
mod display;
mod einsum;
mod element;
mod formula;
mod grid;
mod huge_pages;
mod kernels;
mod layout;
mod memory;
pub mod npy;
mod ops;
mod png;
mod pointwise;
mod pooling;
pub mod random;
mod recurrence;
#[cfg(feature = "safetensors")]
pub mod safetensors;
mod samples;
mod serialize;
mod shape;
pub mod simd;
mod standardization;
mod stored;
pub mod team;
mod tensor;
mod views;
mod windows;

pub use atomic_file::write_atomically;
pub use attention::Attention;
pub use columns::{AnyTensor, Columns};
pub use convolution::Convolution;
pub use create::NestedArray;
pub use element::{Element, Float, Integer, Number, PerFloat};
pub use formula::{Arithmetic, Comparison, Condition, Expression, Function, Node, Operation, Real, Scalar, Symbol};
pub use kernels::math::Math;
pub use memory::release_memory;
pub use ops::{
    AttentionSums, Decoded, Interpolation, LinalgError, Lu, Moments, Operand, PadMode, RECURRENT_GRADIENTS,
    RecurrentInputs, RecurrentOutputs, RecurrentParts, RecurrentTrace, update,
};
pub use pointwise::functions::{SELU_ALPHA, SELU_SCALE};
#[doc(hidden)]
pub use pointwise::parts;
pub use pointwise::{Pointwise, Saved, functions};
pub use pooling::Pooling;
pub use random::Generator;
pub use recurrence::{CellFunction, Differentiable, Recurrence, RecurrentCell};
pub use samples::{SampleType, Samples};
pub use shape::{Axes, Shape, ShapeError, broadcast_shapes, keepdims, normalize_axis};
pub use standardization::Standardization;
pub use stored::StoredType;
pub use tensor::Tensor;
pub use views::{IntoSlice, Slice, step};
