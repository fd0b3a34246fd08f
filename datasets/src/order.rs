//! The order in which samples come, and the position that a walk has reached in it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gradus_tensor::Generator;
use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Result};

/// The source of a random order: a seed, or the next draws of a `&mut Generator`.
///
/// ```
/// use gradus_datasets::Order;
/// use gradus_tensor::Generator;
/// // The same seed gives the same order; a generator gives another one each time.
/// assert_eq!(Order::shuffled(100, 7), Order::shuffled(100, 7));
/// let mut generator = Generator::new(7);
/// assert_ne!(Order::shuffled(100, &mut generator), Order::shuffled(100, &mut generator));
/// ```
pub trait Randomness: sealed::Sealed {
    #[doc(hidden)]
    fn order(self, samples: usize) -> Order;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for &mut gradus_tensor::Generator {}
}

impl Randomness for u64 {
    fn order(self, samples: usize) -> Order {
        Order { rows: Rows::Shuffled { samples, seed: self, rows: Drawn::default() }, next: 0 }
    }
}

impl Randomness for &mut Generator {
    fn order(self, samples: usize) -> Order {
        Order::listed(shuffled(samples, self))
    }
}

fn shuffled(samples: usize, generator: &mut Generator) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..samples).collect();
    generator.shuffle(&mut rows);
    rows
}

/// The indices of samples in the order in which they come, and the number that have come already.
///
/// An order that serde writes in the midst of an epoch goes on with the next sample when it is read and handed to
/// [`Batches::in_order`](crate::Batches::in_order). The order of a seed is written as the seed and the number of samples.
///
/// The random order of a seed is fixed: the samples `0..n` after [`Generator::shuffle`], whose stream is documented.
///
/// ```
/// use gradus_datasets::{Dataset, Order};
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::new([10.0, 20.0, 30.0]), Tensor::new([1.0, 2.0, 3.0]))?;
/// let mut batches = data.batches(2).in_order(Order::shuffled(3, 7))?;
/// batches.next();
/// // The rest of the epoch, perhaps in another program.
/// let written = serde_json::to_string(batches.order()).unwrap();
/// let order: Order = serde_json::from_str(&written).unwrap();
/// assert_eq!((order.position(), order.remaining()), (2, Some(1)));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
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
    /// All samples in the order of a seed.
    Shuffled {
        samples: usize,
        seed: u64,
        #[serde(skip)]
        rows: Drawn,
    },
    /// A stream, whose length is not known before its first end, in its own order or through a buffer.
    Stream {
        samples: Option<usize>,
        shuffled: Option<Shuffle>,
    },
}

/// How a stream is shuffled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shuffle {
    /// The number of samples that the buffer holds.
    pub buffer: usize,
    pub seed: u64,
}

impl Shuffle {
    /// The sample at a position of a stream of so many samples. The draws are those of a
    /// [`ShuffleBuffer`](crate::shuffle_buffer::ShuffleBuffer), whose size, which may be a mere claim, takes no memory here.
    fn sample_at(self, position: usize, samples: usize) -> usize {
        let mut generator = Generator::new(self.seed);
        // The places of the buffer that hold another sample than that of their number.
        let mut moved = HashMap::new();
        for draw in 0.. {
            let held = self.buffer.max(1).min(samples - draw);
            let (place, last) = (generator.next_below(held as u64) as usize, held - 1);
            let drawn = moved.get(&place).copied().unwrap_or(place);
            if draw == position {
                return drawn;
            }
            let at_last = moved.remove(&last).unwrap_or(last);
            if place != last {
                moved.insert(place, at_last);
            }
            if samples - draw > held {
                moved.insert(last, draw + held);
            }
        }
        unreachable!("the position is one of the draws")
    }
}

/// The samples in the order of a seed, drawn at their first use: an order that was read claims a number of samples, and takes
/// no memory for it before it was compared with the data.
#[derive(Clone, Debug, Default)]
struct Drawn(Arc<OnceLock<Vec<usize>>>);

impl PartialEq for Drawn {
    /// The seed and the number of samples say all.
    fn eq(&self, _: &Drawn) -> bool {
        true
    }
}

impl Eq for Drawn {}

impl Drawn {
    fn rows(&self, samples: usize, seed: u64) -> &[usize] {
        self.0.get_or_init(|| shuffled(samples, &mut Generator::new(seed)))
    }
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
        randomness.order(samples)
    }

    /// The samples at these indices, in this order; a sample may be missing or come more than once.
    pub fn listed(rows: impl Into<Vec<usize>>) -> Self {
        Order { rows: Rows::Listed(rows.into().into()), next: 0 }
    }

    /// The samples of a stream as they come, of which there are `samples` if that is known.
    pub fn stream(samples: Option<usize>) -> Self {
        Order { rows: Rows::Stream { samples, shuffled: None }, next: 0 }
    }

    /// The samples of a stream, shuffled through a buffer of so many samples by a seed: see
    /// [`StreamDataset`](crate::StreamDataset).
    pub fn buffered(samples: Option<usize>, buffer: usize, seed: u64) -> Self {
        Order { rows: Rows::Stream { samples, shuffled: Some(Shuffle { buffer, seed }) }, next: 0 }
    }

    /// The indices of all samples, in order.
    pub(crate) fn all(&self) -> Vec<usize> {
        self.samples(0..self.total().unwrap_or_default())
    }

    /// The same order, of which the first `position` samples have come already.
    pub fn starting_at(self, position: usize) -> Self {
        Order { next: self.total().map_or(position, |total| position.min(total)), ..self }
    }

    /// The number of samples in all; `None` for a stream whose end was never reached.
    pub fn total(&self) -> Option<usize> {
        match &self.rows {
            Rows::InSequence(samples) | Rows::Shuffled { samples, .. } => Some(*samples),
            Rows::Listed(rows) => Some(rows.len()),
            Rows::Stream { samples, .. } => *samples,
        }
    }

    /// The number of samples that have come.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The sample at this position of the order, if the order has so many. In a shuffled stream this takes time and memory
    /// proportional to the position, and the samples that come last are known only if their number is.
    pub fn sample_at(&self, position: usize) -> Option<usize> {
        match &self.rows {
            Rows::InSequence(samples) => (position < *samples).then_some(position),
            Rows::Stream { samples, shuffled } => {
                let samples = samples.unwrap_or(usize::MAX);
                match shuffled {
                    _ if position >= samples => None,
                    None => Some(position),
                    Some(shuffle) => Some(shuffle.sample_at(position, samples)),
                }
            }
            _ => self.listed_samples(position..position.saturating_add(1)).and_then(|rows| rows.first().copied()),
        }
    }

    /// The number of samples that are still to come, if it is known.
    pub fn remaining(&self) -> Option<usize> {
        self.total().map(|total| total.saturating_sub(self.next))
    }

    /// Whether this is the order of a stream.
    pub fn is_stream(&self) -> bool {
        matches!(self.rows, Rows::Stream { .. })
    }

    /// The number of samples in the buffer through which a stream is shuffled, if it is.
    pub fn buffer(&self) -> Option<usize> {
        self.shuffle().map(|shuffle| shuffle.buffer)
    }

    /// How a stream is shuffled, if it is.
    pub(crate) fn shuffle(&self) -> Option<Shuffle> {
        match self.rows {
            Rows::Stream { shuffled, .. } => shuffled,
            _ => None,
        }
    }

    /// The same order of a stream, now that it is known to have so many samples.
    pub(crate) fn of_samples(&self, known: Option<usize>) -> Order {
        match self.rows {
            Rows::Stream { samples, shuffled } => {
                Order { rows: Rows::Stream { samples: samples.or(known), shuffled }, next: self.next }
            }
            _ => self.clone(),
        }
    }

    /// The seed of a random order of all samples.
    pub(crate) fn seed(&self) -> Option<u64> {
        match self.rows {
            Rows::Shuffled { seed, .. } => Some(seed),
            _ => None,
        }
    }

    /// Whether the samples are 0, 1, ... of data in memory.
    pub(crate) fn is_sequential(&self) -> bool {
        matches!(self.rows, Rows::InSequence(_))
    }

    /// Goes past the next `count` samples and returns their positions in the order.
    pub(crate) fn advance(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        self.next = start.saturating_add(self.remaining().map_or(count, |remaining| count.min(remaining)));
        start..self.next
    }

    /// The samples at these positions.
    pub(crate) fn samples(&self, positions: Range<usize>) -> Vec<usize> {
        self.listed_samples(positions.clone()).map_or_else(|| positions.collect(), <[usize]>::to_vec)
    }

    /// The samples at these positions, if they are listed; else each position is the sample's index.
    pub(crate) fn listed_samples(&self, positions: Range<usize>) -> Option<&[usize]> {
        let rows = match &self.rows {
            Rows::InSequence(_) | Rows::Stream { .. } => return None,
            Rows::Listed(rows) => rows,
            Rows::Shuffled { samples, seed, rows } => rows.rows(*samples, *seed),
        };
        let end = positions.end.min(rows.len());
        Some(&rows[positions.start.min(end)..end])
    }

    /// Checks that this is an order of a data set of `samples`, whose samples have indices.
    pub(crate) fn check(&self, samples: usize) -> Result<()> {
        let beyond = match &self.rows {
            Rows::InSequence(total) | Rows::Shuffled { samples: total, .. } => (*total > samples).then_some(samples),
            Rows::Listed(rows) => rows.iter().copied().find(|&row| row >= samples),
            Rows::Stream { .. } => {
                let expected = "one of samples that are read by their indices";
                return Err(DatasetError::new("an order of a stream", expected, ORDER_HINT));
            }
        };
        match beyond {
            None => Ok(()),
            Some(row) => Err(DatasetError::new(
                format!("an order with sample {row}"),
                format!("samples 0 to {}", samples - 1),
                ORDER_HINT,
            )),
        }
    }
}

/// What to do about an order that does not fit.
const ORDER_HINT: &str = "use an order that was made for this data set";
