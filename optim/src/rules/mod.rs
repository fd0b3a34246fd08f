//! The rules, one file each.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

/// 1 - beta^step: how much of a moving average that began at 0 is made of values seen since.
fn correction(beta: f64, step: u64) -> f64 {
    1.0 - beta.powf(step as f64)
}
