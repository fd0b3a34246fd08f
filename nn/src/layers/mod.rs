//! The layers, one file each.

mod activation;
mod dense;
mod flatten;

pub use activation::ActivationLayer;
pub use dense::Dense;
pub use flatten::Flatten;
