//! Data sets, batches and the readers that fill them.
#![forbid(unsafe_code)]
