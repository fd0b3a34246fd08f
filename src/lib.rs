//! Deep learning in Rust: preprocess, build, fit, evaluate and predict on the CPU.
#![forbid(unsafe_code)]

pub mod prelude;

pub use gradus_autograd as autograd;
pub use gradus_datasets as datasets;
pub use gradus_nn as nn;
pub use gradus_optim as optim;
pub use gradus_tensor as tensor;
pub use gradus_train as train;
