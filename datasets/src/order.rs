//! The order in which samples come, and the position that a walk has reached in it.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::Generator;
use serde::{Deserialize, Serialize};

/// The source of a random order: a seed, or the next draws of a `&mut Generator`.
pub trait Randomness: sealed::Sealed {
    #[doc(hidden)]
    fn shuffle(self, rows: &mut [usize]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for &mut gradus_tensor::Generator {}
}

impl Randomness for u64 {
    fn shuffle(self, rows: &mut [usize]) {
        Generator::new(self).shuffle(rows);
    }
}

impl Randomness for &mut Generator {
    fn shuffle(self, rows: &mut [usize]) {
        Generator::shuffle(self, rows);
    }
}

/// The indices of samples in the order in which they come, and the number that have come already.
///
/// An order that serde writes in the midst of an epoch goes on with the next sample when it is read and handed to
/// [`Batches::in_order`](crate::Batches::in_order).
///
/// The random order of a seed is fixed: the samples `0..n` after [`Generator::shuffle`], whose stream is documented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    rows: Rows,
    /// The number that have come.
    next: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Rows {
    /// 0, 1, ..., as many as this number.
    InSequence(usize),
    Listed(#[serde(with = "listed")] Arc<[usize]>),
}

/// Serde's form of a shared list: that of a plain one.
mod listed {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(rows: &Arc<[usize]>, serializer: S) -> Result<S::Ok, S::Error> {
        rows.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[usize]>, D::Error> {
        Vec::deserialize(deserializer).map(Arc::from)
    }
}

impl Order {
    /// The samples 0, 1, ..., in this order.
    pub fn sequential(samples: usize) -> Self {
        Order { rows: Rows::InSequence(samples), next: 0 }
    }

    /// A random order of all samples.
    pub fn shuffled(samples: usize, randomness: impl Randomness) -> Self {
        let mut rows: Vec<usize> = (0..samples).collect();
        randomness.shuffle(&mut rows);
        Order::listed(rows)
    }

    /// The samples at these indices, in this order; a sample may be missing or come more than once.
    pub fn listed(rows: impl Into<Vec<usize>>) -> Self {
        Order { rows: Rows::Listed(rows.into().into()), next: 0 }
    }

    /// The same order, of which the first `position` samples have come already.
    pub fn starting_at(self, position: usize) -> Self {
        Order { next: position.min(self.total()), ..self }
    }

    /// The number of samples in all.
    pub fn total(&self) -> usize {
        match &self.rows {
            Rows::InSequence(samples) => *samples,
            Rows::Listed(rows) => rows.len(),
        }
    }

    /// The number of samples that have come.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The sample at this position of the order, if the order has so many.
    pub fn sample_at(&self, position: usize) -> Option<usize> {
        match &self.rows {
            Rows::InSequence(samples) => (position < *samples).then_some(position),
            Rows::Listed(rows) => rows.get(position).copied(),
        }
    }

    /// The number of samples that are still to come.
    pub fn remaining(&self) -> usize {
        self.total().saturating_sub(self.next)
    }

    /// Goes past the next `count` samples and returns their positions in the order.
    pub(crate) fn advance(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        self.next += count.min(self.remaining());
        start..self.next
    }

    /// The samples at these positions.
    pub(crate) fn samples(&self, positions: Range<usize>) -> Vec<usize> {
        match &self.rows {
            Rows::InSequence(_) => positions.collect(),
            Rows::Listed(rows) => rows[positions].to_vec(),
        }
    }

    /// The samples at these positions, if they are listed; else each position is the sample's index.
    pub(crate) fn listed_samples(&self, positions: Range<usize>) -> Option<&[usize]> {
        match &self.rows {
            Rows::InSequence(_) => None,
            Rows::Listed(rows) => Some(&rows[positions]),
        }
    }

    /// The first sample that a data set of `samples` does not have.
    pub(crate) fn first_beyond(&self, samples: usize) -> Option<usize> {
        match &self.rows {
            Rows::InSequence(total) => (*total > samples).then_some(samples),
            Rows::Listed(rows) => rows.iter().copied().find(|&row| row >= samples),
        }
    }
}
