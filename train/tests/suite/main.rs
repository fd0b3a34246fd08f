//! The tests of training, as one program: what they have in common is compiled once. Those that need a process of their own stand
//! beside this folder.
//!
//!     cargo test --workspace --test suite -- resume::     # those of one file

mod common;
#[path = "common/events.rs"]
mod events;
#[path = "common/pictures.rs"]
mod pictures;

mod augment;
mod bits;
mod bucketed;
mod callbacks;
mod checkpoint;
mod columns;
mod distributed;
mod doctor;
mod fit;
mod history;
mod lazy;
mod masks;
mod metrics;
mod model_info;
mod refusals;
mod resume;
mod settings;
mod tensorboard;
mod text_metrics;
mod translation;
