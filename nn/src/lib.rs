//! Layers, activations, initialisers, losses and models.
//!
//! A [`Layer`] is plain data plus one function, a network is layers in a row ([`Sequential`]) or with
//! branches ([`Graph`]), a [`Model`] is a network
//! with weights.
#![forbid(unsafe_code)]

mod activation;
mod check;
mod epilogue;
mod error;
mod graph;
mod graph_json;
mod initializers;
mod layer;
mod layers;
pub mod losses;
mod model;
mod nested;
mod registry;
mod regularizers;
mod sequential;
mod summary;

pub use activation::Activation;
pub use check::{LayerCheck, check_layer};
pub use error::{Error, Result};
pub use graph::{Graph, GraphBuilder, Node};
pub use initializers::Initializer;
pub use layer::{AnyLayer, Build, Built, Context, Forward, Layer, ParamId};
pub use layers::*;
pub use losses::Loss;
pub use model::{Model, Pass};
pub use nested::Nested;
pub use registry::{LayerKinds, LayerReader};
pub use regularizers::Regularizer;
pub use sequential::Sequential;
pub use summary::{LayerSummary, Summary};
