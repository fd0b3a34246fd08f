//! Weights of PyTorch.
mod checkpoint;
mod elements;
mod pickle;
mod state_dict;

pub use state_dict::StateDict;
