//! Layers, activations, initialisers, losses and models.
//!
//! A [`Layer`] is plain data plus one function, a network is layers in a row ([`Sequential`]) or with
//! branches ([`Graph`]), a [`Model`] is a network
//! with weights.
#![forbid(unsafe_code)]

mod activation;
mod beam_search;
mod build;
mod built;
mod check;
mod context;
mod epilogue;
mod error;
mod feed;
mod finite;
mod free;
mod generation;
mod graph;
mod graph_json;
mod info;
mod initializers;
mod inputs;
mod layer;
mod layers;
pub mod losses;
mod mask;
mod memory;
mod model;
mod model_file;
mod observer;
mod origin;
mod parts;
mod preprocessing;
mod regularizers;
mod sampling;
mod sequential;
mod shard;
mod stateful;
mod steps;
mod sub_model;
mod summary;
mod value;
mod weight_source;
mod weights_file;

pub use activation::Activation;
pub use beam_search::{Beam, BeamSearch, Hypothesis};
pub use build::{AnyLayer, Build};
pub use built::{Built, Forward};
pub use check::{LayerCheck, check_layer};
pub use context::{Context, ParamId};
pub use error::{Error, Result};
pub use generation::Generation;
pub use gradus_autograd::Constraint;
pub use gradus_tensor::safetensors::{StorageLoss, Stored};
pub use graph::{Graph, GraphBuilder, Node, OutputNode};
pub use info::ModelInfo;
pub use initializers::Initializer;
pub use inputs::{Input, InputInfo, Inputs, OutputInfo, PartialShape};
pub use layer::{IntoLayer, Layer, LayerHandle, LayerKinds, LayerReader};
pub use layers::*;
pub use losses::{Loss, Losses, Objective};
pub use mask::{MaskRule, Positions};
pub use model::{Evaluation, Model, Pass};
pub use observer::{Observations, Observed, Observer};
pub use origin::Origin;
pub use parts::PartRule;
pub use regularizers::Regularizer;
pub use sampling::Sampler;
pub use sequential::Sequential;
pub use shard::{Merge, Shard};
pub use stateful::SequenceStates;
pub use summary::{LayerSummary, Summary};
pub use value::{Spec, Value, ValueKind, Values};
pub use weight_source::WeightSource;
pub use weights_file::{LoadedWeights, Matching};
