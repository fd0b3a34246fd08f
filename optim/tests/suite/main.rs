//! The tests of rules, schedules and optimisers, as one program: what they have in common is compiled once.
//!
//!     cargo test --workspace --test suite -- rules::     # those of one file

mod accumulation;
mod formulas;
mod optimizer;
mod rules;
mod schedules;
mod serde;
mod state;
mod transforms;
mod whole;
