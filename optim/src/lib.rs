//! Optimisers, schedules and gradient transforms.
//!
//! A [`Rule`] such as [`Sgd`] or [`Adam`] computes how one weight changes along its gradient. An [`Optimizer`] drives it:
//! it keeps the rule's slots for every weight, counts the steps, asks the [`Schedule`] for the learning rate, and clips
//! gradients and decays weights if told to.
//!
//! ```
//! use gradus_autograd::{Params, value_and_grad};
//! use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
//! use gradus_tensor::Tensor;
//!
//! let mut params = Params::new();
//! params.add("x", Tensor::new([3.0, -4.0]));
//! let mut optimizer = Sgd::default().momentum(0.5).learning_rate(0.1);
//! for _ in 0..100 {
//!     let (_loss, grads) = value_and_grad(&params, |vars| (&vars[0] * &vars[0]).sum(..));
//!     optimizer.step(&mut params, &grads);
//! }
//! assert!(params[0].value.norm(..).item() < 1e-6);
//! ```
#![forbid(unsafe_code)]

mod check;
mod elementwise;
mod ema;
mod error;
mod optimizer;
mod options;
mod rule;
mod rules;
mod schedules;
mod settings;
mod state;
mod transform;

pub use elementwise::{ElementwiseRule, MAX_SLOTS, Scalars};
pub use error::{RestoreError, StepError};
pub use optimizer::{IntoOptimizer, Optimizer};
pub use rule::{Rule, Slot, Weight};
pub use rules::*;
pub use schedules::*;
pub use settings::Settings;
pub use state::State;
