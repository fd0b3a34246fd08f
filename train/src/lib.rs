//! Fit and evaluate: the trainer, metrics, callbacks and history.
//!
//! A [`Trainer`] joins a model, a loss, an optimiser and metrics; [`Trainer::fit`] trains on a data set and returns a
//! [`History`]. A handwritten loop calls [`train_step`], as `fit` does, and gives the same bits. [`TrainingState`] is
//! the state of a run as plain data.
#![forbid(unsafe_code)]

mod background;
pub mod callbacks;
mod checkpoints;
mod divergence;
mod error;
mod examination;
mod finding;
mod fit;
mod history;
mod history_svg;
mod measured;
pub mod metrics;
mod number;
mod parts;
mod prepare;
mod ranks;
mod resume;
mod snapshot;
pub mod state;
mod step;
mod tensorboard;
mod trainer;
mod training_loop;

pub use callbacks::{Callback, Run};
pub use error::{Error, Result};
pub use examination::{Examination, Examine};
pub use finding::{Finding, FindingKind};
pub use fit::Fit;
pub use history::{History, Logs};
pub use metrics::Metric;
pub use ranks::{Ranks, Traffic};
pub use resume::Resumed;
pub use snapshot::Snapshot;
pub use state::TrainingState;
pub use step::{Step, train_step};
pub use tensorboard::{LogPosition, SummaryWriter};
pub use trainer::Trainer;
