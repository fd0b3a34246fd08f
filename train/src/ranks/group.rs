//! The shards of one rank, which are computed side by side.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gradus_distributed::{CommunicationError, Exchange, Partial};
use gradus_nn::{Merge, Shard};

/// The shards of this rank in one step. A shard that merges waits for the others; the last one exchanges with the other ranks.
pub(crate) struct Group {
    exchange: Arc<Exchange>,
    round: Mutex<Round>,
    changed: Condvar,
}

struct Round {
    /// The number of the merge.
    number: usize,
    partial: Partial<Vec<f64>>,
    /// The shards of this rank that have come to this merge.
    arrived: usize,
    /// The result of the merge before.
    merged: Arc<Vec<f64>>,
    ended: Option<End>,
}

/// Why no merge comes about any more.
#[derive(Clone)]
pub(crate) enum End {
    /// A shard of this rank has given an error or panicked: that says more.
    Here,
    /// The ranks cannot exchange.
    Elsewhere(CommunicationError),
}

/// The panic of a shard that waits for others in vain: it says nothing itself.
pub(crate) struct Ended;

impl Group {
    pub fn new(exchange: &Arc<Exchange>) -> Arc<Self> {
        let (partial, merged) = (exchange.partial(), Arc::default());
        let round = Mutex::new(Round { number: 0, partial, arrived: 0, merged, ended: None });
        Arc::new(Group { exchange: Arc::clone(exchange), round, changed: Condvar::new() })
    }

    /// A shard as layers and losses see it.
    pub fn shard(self: &Arc<Self>, shard: usize) -> Arc<dyn Shard> {
        Arc::new(OfGroup { group: Arc::clone(self), shard })
    }

    /// Says that no merge comes about any more; what was said first counts.
    pub fn end(&self, why: End) {
        self.lock().ended.get_or_insert(why);
        self.changed.notify_all();
    }

    /// Why no merge came about any more, if none did.
    pub fn ended(&self) -> Option<End> {
        self.lock().ended.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        // Who panics within has left the round as it was, or ended it.
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge(&self, shard: usize, numbers: Vec<f64>, merge: Merge) -> Vec<f64> {
        let mut round = self.lock();
        round.partial.add(shard, numbers, &mut |mut left, right| {
            merge(&mut left, &right);
            left
        });
        round.arrived += 1;
        let number = round.number;
        if round.arrived == self.exchange.own().len() && round.ended.is_none() {
            let partial = std::mem::replace(&mut round.partial, self.exchange.partial());
            match self.exchange.merge(partial.finish(), merge) {
                Ok(merged) => round.merged = Arc::new(merged),
                Err(error) => round.ended = Some(End::Elsewhere(error)),
            }
            (round.number, round.arrived) = (number + 1, 0);
            self.changed.notify_all();
        }
        while round.number == number && round.ended.is_none() {
            round = self.changed.wait(round).unwrap_or_else(PoisonError::into_inner);
        }
        if round.ended.is_some() {
            drop(round);
            resume_unwind(Box::new(Ended));
        }
        let merged = Arc::clone(&round.merged);
        drop(round);
        Arc::unwrap_or_clone(merged)
    }
}

struct OfGroup {
    group: Arc<Group>,
    shard: usize,
}

impl Shard for OfGroup {
    fn is_first(&self) -> bool {
        self.shard == 0
    }

    fn merge(&self, numbers: Vec<f64>, merge: Merge) -> Vec<f64> {
        self.group.merge(self.shard, numbers, merge)
    }
}

impl fmt::Debug for OfGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.shard, self.group.exchange.shards())
    }
}
