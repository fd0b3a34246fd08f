//! What a program that trains a network needs: `use gradus::prelude::*`.

pub use gradus_datasets::{Dataset, mnist};
pub use gradus_nn::losses::*;
pub use gradus_nn::*;
pub use gradus_optim::*;
pub use gradus_tensor::{Generator, Tensor, keepdims, step};
pub use gradus_train::callbacks::*;
pub use gradus_train::metrics::*;
pub use gradus_train::{Fit, History, Trainer, train_step};

/// A result of a program: any error, printed as its message when `main` returns it.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
