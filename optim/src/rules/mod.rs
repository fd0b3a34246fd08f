//! The rules, one file each.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod lion;
mod nadam;
mod rmsprop;
mod sgd;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use lion::Lion;
pub use nadam::Nadam;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

/// 1 - beta^step: how much of a moving average that began at 0 is made of values seen since.
fn correction(beta: f64, step: u64) -> f64 {
    1.0 - beta.powf(step as f64)
}
