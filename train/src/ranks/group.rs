//! The shards of one rank, which are computed side by side: as many at once as the rank has threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use gradus_distributed::{CommunicationError, Exchange, Partial};
use gradus_nn::{Merge, Shard};
use gradus_tensor::team;

/// The shards of this rank in one step. A shard that merges waits for the others; the last one exchanges with the other ranks.
///
/// Each shard has a thread, because it may wait in the middle of a layer. But only those that have a seat compute, and who waits has
/// none: more would take the cores of the other ranks, and push each other's data out of the caches.
pub(crate) struct Group {
    exchange: Arc<Exchange>,
    round: Mutex<Round>,
    /// Told when a merge has come about, or the round has ended.
    merged: Condvar,
    /// Told when a seat is free.
    seat: Condvar,
}

struct Round {
    /// The seats that are free.
    seats: usize,
    /// The number of the merge.
    number: usize,
    partial: Partial<Vec<f64>>,
    /// The shards of this rank that have come to this merge.
    arrived: usize,
    /// The result of the merge before.
    result: Arc<Vec<f64>>,
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
        let (partial, result) = (exchange.partial(), Arc::default());
        let round = Round { seats: team::threads(), number: 0, partial, arrived: 0, result, ended: None };
        let (merged, seat) = (Condvar::new(), Condvar::new());
        Arc::new(Group { exchange: Arc::clone(exchange), round: Mutex::new(round), merged, seat })
    }

    /// Computes a shard, once a seat is free. It panics with [`Ended`] if no merge comes about any more.
    pub fn compute<R>(&self, shard: impl FnOnce() -> R) -> thread::Result<R> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            drop(self.seated(self.lock()));
            shard()
        }));
        // Who ends without a seat frees one too many: then nobody waits for one any more.
        self.free_seat(&mut self.lock());
        result
    }

    /// Waits for a seat.
    fn seated<'r>(&'r self, mut round: MutexGuard<'r, Round>) -> MutexGuard<'r, Round> {
        while round.seats == 0 && round.ended.is_none() {
            round = self.seat.wait(round).unwrap_or_else(PoisonError::into_inner);
        }
        if round.ended.is_some() {
            drop(round);
            resume_unwind(Box::new(Ended));
        }
        round.seats -= 1;
        round
    }

    fn free_seat(&self, round: &mut Round) {
        round.seats += 1;
        self.seat.notify_one();
    }

    /// A shard as layers and losses see it.
    pub fn shard(self: &Arc<Self>, shard: usize) -> Arc<dyn Shard> {
        Arc::new(OfGroup { group: Arc::clone(self), shard })
    }

    /// Says that no merge comes about any more; what was said first counts.
    pub fn end(&self, why: End) {
        self.lock().ended.get_or_insert(why);
        self.merged.notify_all();
        self.seat.notify_all();
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
                Ok(merged) => round.result = Arc::new(merged),
                Err(error) => round.ended = Some(End::Elsewhere(error)),
            }
            (round.number, round.arrived) = (number + 1, 0);
            self.merged.notify_all();
        }
        self.free_seat(&mut round);
        while round.number == number && round.ended.is_none() {
            round = self.merged.wait(round).unwrap_or_else(PoisonError::into_inner);
        }
        let round = self.seated(round);
        let merged = Arc::clone(&round.result);
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
