//! The rules, one file each.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod ftrl;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod rmsprop;
mod sgd;

// Names that the files of the rules have by `use super::*`.
use gradus_tensor::Real;

use crate::check::{fraction, not_negative, not_positive, positive};
use crate::elementwise::ElementwiseRule;
use crate::options::options;

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use ftrl::Ftrl;
pub use lamb::Lamb;
pub use lion::Lion;
pub use muon::Muon;
pub use nadam::Nadam;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

/// keep average + (1 - keep) x: a moving average that keeps this much of itself.
#[inline(always)]
fn moving_average<N: Real>(keep: f64, average: N, x: N) -> N {
    N::of(keep) * average + N::of(1.0 - keep) * x
}

/// 1 - beta^step: the share that the values since the beginning have in a moving average that began at 0.
fn correction(beta: f64, step: u64) -> f64 {
    1.0 - beta.powf(step as f64)
}
