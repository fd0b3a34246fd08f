//! Sums over several processes or threads, to the same bits for any number of them.
//!
//! A *rank* is one of the workers that share a task, counted from 0. A [`Communicator`] carries bytes and numbers among ranks;
//! there is an engine for ranks that are [`threads`] of one process, and, with the feature `mpi`, one for processes on one or many
//! machines. An [`Exchange`] sums over it. The task is cut into a fixed
//! number of *shards*, and each rank computes some of them. The sum runs along a balanced tree over the shards, so it is the same to
//! the last bit on 1, 2, 3 or 8 ranks.
//!
//! ```
//! use gradus_distributed::{Exchange, Reduction, threads};
//!
//! // The sum of 0.1, 0.2, .. 0.8: a shard for each number.
//! let sum_on = |ranks| {
//!     let totals = threads::run(ranks, |communicator| {
//!         let exchange = Exchange::new(communicator, 8, Reduction::Exact).unwrap();
//!         let mut partial = exchange.partial();
//!         for shard in exchange.own() {
//!             partial.add(shard, vec![0.1 * (shard + 1) as f32], &mut |left, right| vec![left[0] + right[0]]);
//!         }
//!         exchange.sum(partial.finish()).unwrap()
//!     });
//!     assert!(totals.iter().all(|total| *total == totals[0]));
//!     totals[0][0]
//! };
//! assert!((sum_on(1) - 3.6).abs() < 1e-6);
//! assert_eq!(sum_on(1).to_bits(), sum_on(3).to_bits());
//! ```
#![cfg_attr(not(feature = "mpi"), forbid(unsafe_code))]

mod call;
mod communicator;
mod error;
mod exchange;
#[cfg(feature = "mpi")]
pub mod mpi;
mod numbers;
mod partial;
pub mod threads;
mod tree;

pub use communicator::Communicator;
pub use error::{CommunicationError, Result};
pub use exchange::{Exchange, Reduction};
pub use numbers::{Numbers, NumbersMut};
pub use partial::Partial;
