//! N-dimensional arrays: views, broadcasting, vectorised kernels, GEMM.
// The one crate that may: buffers, vector kernels and the worker team live here.
#![allow(unsafe_code)]

mod kernels;
pub mod simd;
pub mod team;
