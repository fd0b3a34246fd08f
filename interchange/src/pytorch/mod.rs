//! Weights of PyTorch: read from what `torch.save` and safetensors write, taken into a model, and written.
//!
//! [`StateDict`] opens a file, and runs nothing of what it holds. [`load_weights`] and [`build`] take its tensors as the weights of a
//! model, by a [`Mapping`] of modules to layers; [`save`] writes them.

mod checkpoint;
mod elements;
mod mapping;
mod modules;
mod order;
mod pickle;
mod state_dict;
mod weights;

pub use mapping::{LoadReport, Mapping};
pub use state_dict::StateDict;
pub use weights::{build, load_weights, save};
