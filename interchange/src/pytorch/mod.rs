//! Weights of PyTorch: read from what `torch.save` and safetensors write, taken into a model, and written.
//!
//! [`StateDict`] opens a file, and runs nothing of what it holds. [`load_weights`] and [`build`] take its tensors as the weights of a
//! model, by a [`Mapping`] of modules to layers; [`save`] writes them.
//!
//! | layer | module of PyTorch |
//! |---|---|
//! | `Dense` | `Linear` |
//! | `Conv1D` to `Conv3D`, `Conv1DTranspose` to `Conv3DTranspose` | `Conv1d` .., `ConvTranspose1d` .. |
//! | `DepthwiseConv1D`, `DepthwiseConv2D` | `Conv1d`, `Conv2d` with `groups` of the channels |
//! | `SeparableConv1D`, `SeparableConv2D` | two of them: `depthwise` without a bias, `pointwise` of size 1 |
//! | `BatchNormalization`, `LayerNormalization`, `GroupNormalization`, `InstanceNormalization`, `RMSNormalization` | `BatchNorm1d` .., `LayerNorm`, `GroupNorm`, `InstanceNorm1d` .. with `affine`, `RMSNorm` |
//! | `Embedding`, `ReversibleEmbedding`, `PositionEmbedding` | `Embedding` |
//! | `TokenAndPositionEmbedding` | two of them: `token_embedding`, `position_embedding` |
//! | `LSTM`, `GRU`, `SimpleRNN`, also in `Bidirectional` | a layer of `LSTM`, `GRU`, `RNN` |
//! | `MultiHeadAttention` | `MultiheadAttention`, also with `kdim` and `vdim` |
//! | `TransformerEncoder`, `TransformerDecoder` | `TransformerEncoderLayer`, `TransformerDecoderLayer` |
//! | `PReLU` with `shared_axes` | `PReLU` |
//!
//! Other layers with weights are refused with their names; [`Mapping::tensor`] takes a weight as it is.

mod checkpoint;
mod elements;
mod mapping;
mod modules;
mod order;
mod pickle;
mod state_dict;
mod weights;

pub(crate) use checkpoint::OLD_FORM;
pub use mapping::{LoadReport, Mapping};
pub use state_dict::StateDict;
pub use weights::{build, load_weights, save};
