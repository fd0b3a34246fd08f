//! A layer held by another.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::layer::{AnyLayer, Layer};

/// A layer or network of any kind, as a field of another layer: [`Residual`](crate::Residual)'s body.
///
/// It is built by [`Build::child`](crate::Build::child), and read with the program's own kinds of layer by
/// [`LayerReader::nested`](crate::LayerReader::nested). By `Deserialize` alone, this crate's kinds are known.
#[derive(Clone)]
pub struct Nested(Arc<dyn AnyLayer>);

/// What is written: the kind and the data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NestedRecord {
    pub layer: String,
    pub config: Value,
}

impl Nested {
    /// This layer or network.
    pub fn new(layer: impl Layer) -> Self {
        Nested(layer.into_any())
    }
}

impl Deref for Nested {
    type Target = dyn AnyLayer;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl From<Arc<dyn AnyLayer>> for Nested {
    fn from(layer: Arc<dyn AnyLayer>) -> Self {
        Nested(layer)
    }
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let config = self.0.config().map_err(serde::ser::Error::custom)?;
        NestedRecord { layer: self.0.kind().to_owned(), config }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::registry::deserialize_nested(deserializer)
    }
}
