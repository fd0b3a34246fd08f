//! The layers, one file each.

mod activation;
mod batch_norm;
mod conv;
mod dense;
mod dropout;
mod elu;
mod embedding;
mod flatten;
mod gaussian;
#[cfg(test)]
mod keras;
mod layer_norm;
mod leaky_relu;
mod normalization;
mod normalize;
mod permute;
mod pool;
mod prelu;
mod relu;
mod repeat_vector;
mod rescaling;
mod reshape;
mod softmax;
mod windows;

pub use batch_norm::BatchNorm;
pub use conv::{Conv1D, Conv2D, Conv3D};
pub use dense::Dense;
pub use dropout::Dropout;
pub use elu::ELU;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gaussian::{GaussianDropout, GaussianNoise};
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyReLU;
pub use normalization::Normalization;
pub use permute::Permute;
pub use pool::{AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D};
pub use prelu::PReLU;
pub use relu::ReLU;
pub use repeat_vector::RepeatVector;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use softmax::Softmax;
pub use windows::Padding;
