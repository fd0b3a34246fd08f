//! Helpers that several layers share; no file here is a layer.

pub(super) mod axes;
pub(super) mod bias_activation;
pub(super) mod checks;
pub(super) mod options;
pub(super) mod padding;
pub(super) mod prelude;
pub(super) mod ranks;
pub(super) mod spatial;
pub(super) mod standardize;
pub(super) mod sum;
mod transposed;
pub(super) mod weights;
