//! What targets and their seeds have in common.

mod ask;
mod data;
mod file;
mod training;

pub use ask::ask;
pub use data::{Read, lazy, same, same_stream};
pub use file::FuzzFile;
pub use training::{data, fit, trainer};
