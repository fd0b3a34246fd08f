//! Data sets, batches and the readers that fill them.
#![forbid(unsafe_code)]

mod batches;
mod dataset;
mod error;
mod folder;
mod generator;
pub mod idx;
pub mod mnist;
mod order;
mod prefetch;
mod rows;
mod source;
mod splits;

pub use batches::{Batch, Batches};
pub use dataset::Dataset;
pub use error::{DatasetError, Place, Result};
pub use folder::{DATA_VARIABLE, DataFiles, FoundFiles};
pub use order::{Order, Randomness};
pub use prefetch::Prefetch;
pub use source::Source;
pub use splits::Splits;
