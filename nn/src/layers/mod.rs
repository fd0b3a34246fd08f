//! The layers, one file each.

mod activation;
mod adaptive_pool;
mod batch_norm;
mod concatenate;
mod conv;
mod conv_transpose;
mod convolving;
mod cropping;
mod dense;
mod depthwise_conv;
mod dropout;
mod elu;
mod embedding;
mod finish;
mod flatten;
mod gaussian;
mod global_pool;
mod group_norm;
mod instance_norm;
#[cfg(test)]
mod keras;
mod layer_norm;
mod leaky_relu;
mod merge;
mod normalization;
mod normalize;
mod options;
mod padding;
mod permute;
mod pool;
mod prelu;
mod relu;
mod repeat_vector;
mod rescaling;
mod reshape;
mod residual;
mod rms_norm;
mod separable_conv;
mod softmax;
mod spatial_dropout;
mod up_sampling;
mod windows;

pub use adaptive_pool::{
    AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D, AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D, AdaptiveMaxPooling3D,
};
pub use batch_norm::BatchNorm;
pub use concatenate::Concatenate;
pub use conv::{Conv1D, Conv2D, Conv3D};
pub use conv_transpose::{Conv1DTranspose, Conv2DTranspose, Conv3DTranspose};
pub use cropping::{Cropping1D, Cropping2D, Cropping3D};
pub use dense::Dense;
pub use depthwise_conv::{DepthwiseConv1D, DepthwiseConv2D};
pub use dropout::Dropout;
pub use elu::ELU;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gaussian::{GaussianDropout, GaussianNoise};
pub use global_pool::{
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D, GlobalMaxPooling1D, GlobalMaxPooling2D,
    GlobalMaxPooling3D,
};
pub use group_norm::GroupNorm;
pub use instance_norm::InstanceNorm;
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyReLU;
pub use merge::{Add, Average, Maximum, Minimum, Multiply, Subtract};
pub use normalization::Normalization;
pub use padding::{
    ReflectionPadding1D, ReflectionPadding2D, ReflectionPadding3D, ReplicationPadding1D, ReplicationPadding2D,
    ReplicationPadding3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D,
};
pub use permute::Permute;
pub use pool::{AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D};
pub use prelu::PReLU;
pub use relu::ReLU;
pub use repeat_vector::RepeatVector;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use residual::Residual;
pub use rms_norm::RMSNorm;
pub use separable_conv::{SeparableConv1D, SeparableConv2D};
pub use softmax::Softmax;
pub use spatial_dropout::{SpatialDropout1D, SpatialDropout2D, SpatialDropout3D};
pub use up_sampling::{Interpolation, UpSampling1D, UpSampling2D, UpSampling3D};
pub use windows::Padding;
