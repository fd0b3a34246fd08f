//! Helpers that several layers share; no file here is a layer.

mod activations;
mod attend;
mod bias_activation;
pub(super) mod checks;
mod options;
mod padding;
pub(super) mod prelude;
mod ranks;
pub(super) mod record;
pub(super) mod recurrent;
mod resized;
mod rotate;
mod sequence_windows;
mod spatial;
mod standardize;
mod sum;
mod transposed;
mod weights;

pub(super) use activations::{after_affine, common, of_sum};
pub(super) use attend::{AttentionOptions, attention_layer};
pub(super) use bias_activation::BiasActivation;
pub use padding::Padding;
pub use ranks::PerAxis;
pub(super) use ranks::ranks;
pub(super) use resized::{Proportions, middle, resized};
pub(super) use rotate::{Angles, rotated};
pub(super) use spatial::{Spatial, places_shape, some_channels, spatial_shape};
pub(super) use standardize::{FeatureAxes, GammaBeta, Normalizer};
pub(super) use sum::sum;
pub(super) use weights::shared_along;
