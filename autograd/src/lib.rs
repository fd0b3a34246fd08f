//! Reverse-mode automatic differentiation over tensors.
#![forbid(unsafe_code)]
