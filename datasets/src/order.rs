//! The order in which samples come, and how far it has come.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::Generator;
use serde::{Deserialize, Serialize};

/// Where a random order comes from: a seed, or the next draws of a `&mut Generator`.
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

/// Which samples are to come, in which order, and how many have come already.
///
/// Written down with serde in the midst of an epoch and handed to [`Batches::in_order`](crate::Batches::in_order)
/// later, it goes on with the very next sample.
///
/// The random order of a seed is fixed: the samples `0..n` after [`Generator::shuffle`], whose stream is documented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    rows: Rows,
    /// How many have come.
    next: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Rows {
    /// 0, 1, .. as many as that.
    InSequence(usize),
    Listed(#[serde(with = "listed")] Arc<[usize]>),
}

/// Shared lists are written as plain ones.
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
    /// The samples as they stand.
    pub fn sequential(samples: usize) -> Self {
        Order { rows: Rows::InSequence(samples), next: 0 }
    }

    /// A random order of all samples.
    pub fn shuffled(samples: usize, randomness: impl Randomness) -> Self {
        let mut rows: Vec<usize> = (0..samples).collect();
        randomness.shuffle(&mut rows);
        Order::listed(rows)
    }

    /// These samples in this order; one may come never, or more than once.
    pub fn listed(rows: impl Into<Vec<usize>>) -> Self {
        Order { rows: Rows::Listed(rows.into().into()), next: 0 }
    }

    /// The same order from the place where `position` samples have come.
    pub fn starting_at(self, position: usize) -> Self {
        Order { next: position.min(self.total()), ..self }
    }

    /// How many samples come in all.
    pub fn total(&self) -> usize {
        match &self.rows {
            Rows::InSequence(samples) => *samples,
            Rows::Listed(rows) => rows.len(),
        }
    }

    /// How many samples have come.
    pub fn position(&self) -> usize {
        self.next
    }

    /// How many samples are still to come.
    pub fn remaining(&self) -> usize {
        self.total().saturating_sub(self.next)
    }

    /// Goes past the next `count` samples, and says which places of the order those are.
    pub(crate) fn advance(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        self.next += count.min(self.remaining());
        start..self.next
    }

    /// The samples in these places.
    pub(crate) fn rows(&self, places: Range<usize>) -> Vec<usize> {
        match &self.rows {
            Rows::InSequence(_) => places.collect(),
            Rows::Listed(rows) => rows[places].to_vec(),
        }
    }

    /// The samples in these places, if they are listed; else the places are the samples.
    pub(crate) fn list(&self, places: Range<usize>) -> Option<&[usize]> {
        match &self.rows {
            Rows::InSequence(_) => None,
            Rows::Listed(rows) => Some(&rows[places]),
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
