//! The names that nearly every layer's file uses: `use super::support::prelude::*;`.

pub(in crate::layers) use gradus_autograd::Constraint;
pub(in crate::layers) use gradus_tensor::Float;

pub(in crate::layers) use super::checks;
pub(in crate::layers) use super::options::options;
pub(in crate::layers) use super::weights::weight_with_options;
pub(in crate::layers) use crate::activation::Activation;
pub(in crate::layers) use crate::error::Result;
pub(in crate::layers) use crate::initializers::Initializer;
pub(in crate::layers) use crate::layer::{Build, Built, Layer, compiled_here};
pub(in crate::layers) use crate::mask::MaskRule;
pub(in crate::layers) use crate::parts::PartRule;
pub(in crate::layers) use crate::regularizers::Regularizer;
pub(in crate::layers) use crate::value::{Spec, Values};
