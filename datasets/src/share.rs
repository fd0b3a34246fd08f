//! The rows of each batch that one of several workers takes.

use std::ops::Range;

use gradus_tensor::{Columns, SampleType, Samples};

use crate::batch::Batch;

/// Which rows of each batch one of several workers takes.
///
/// A batch is cut into `shards` parts of like size, which do not depend on the number of workers. A worker takes the shards
/// `first..end`. All workers go through the data in one order, so that their rows together are the batch. A batch with fewer
/// samples than shards is not cut: each worker takes all of it.
///
/// ```
/// use gradus_datasets::{DataSource, Dataset, Pass, Share};
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::arange(0.0, 10.0, 1.0), Tensor::arange(0.0, 10.0, 1.0))?;
/// let pass = Pass::new(5, data.order(None));
/// // The second of two workers takes the last two of four shards.
/// for part in data.shares_of(&pass, Share::new(4, 2..4))? {
///     let part = part?;
///     assert_eq!((part.first, part.batch.len(), part.samples), (2, 3, 5));
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    // Invariant: first < end <= shards.
    shards: usize,
    first: usize,
    end: usize,
}

impl Share {
    /// The shards `own` of so many.
    ///
    /// ```
    /// use gradus_datasets::Share;
    /// assert_eq!(Share::new(8, 2..4).rows(32), 8..16);
    /// ```
    ///
    /// # Panics
    /// If `shards` is 0, or `own` is empty or reaches beyond the shards.
    #[track_caller]
    pub fn new(shards: usize, own: Range<usize>) -> Share {
        assert!(shards > 0, "Share: a batch has at least one shard");
        assert!(
            !own.is_empty() && own.end <= shards,
            "Share: the shards {own:?} of {shards}: give some of 0..{shards}"
        );
        Share { shards, first: own.start, end: own.end }
    }

    /// All rows: one shard, which one worker takes.
    ///
    /// ```
    /// use gradus_datasets::Share;
    /// assert_eq!(Share::all().rows(5), 0..5);
    /// ```
    pub fn all() -> Share {
        Share { shards: 1, first: 0, end: 1 }
    }

    /// The rows of a shard in a batch of n samples: floor(shard n / shards) up to floor((shard + 1) n / shards).
    ///
    /// In a batch with fewer samples than shards, some have no row.
    ///
    /// ```
    /// use gradus_datasets::Share;
    /// let share = Share::new(3, 0..1);
    /// assert_eq!([0, 1, 2].map(|shard| share.rows_of_shard(shard, 10)), [0..3, 3..6, 6..10]);
    /// ```
    ///
    /// # Panics
    /// If there is no such shard.
    #[track_caller]
    pub fn rows_of_shard(&self, shard: usize, samples: usize) -> Range<usize> {
        assert!(shard < self.shards, "rows_of_shard: shard {shard} of {}", self.shards);
        self.begin(shard, samples)..self.begin(shard + 1, samples)
    }

    /// The rows of this worker in a batch of so many samples. A batch that is not [cut](Share::cuts) is taken whole.
    ///
    /// ```
    /// use gradus_datasets::Share;
    /// let share = Share::new(3, 1..3);
    /// assert_eq!((share.rows(10), share.rows(2)), (3..10, 0..2));
    /// ```
    pub fn rows(&self, samples: usize) -> Range<usize> {
        if self.cuts(samples) { self.begin(self.first, samples)..self.begin(self.end, samples) } else { 0..samples }
    }

    /// Whether a batch of so many samples is cut: there are several shards, and a sample for each.
    ///
    /// ```
    /// use gradus_datasets::Share;
    /// let share = Share::new(3, 0..1);
    /// assert!(share.cuts(3) && !share.cuts(2) && !Share::all().cuts(3));
    /// ```
    pub fn cuts(&self, samples: usize) -> bool {
        self.shards > 1 && samples >= self.shards
    }

    /// The row with which a shard begins.
    fn begin(&self, shard: usize, samples: usize) -> usize {
        // At most `samples`.
        (shard as u128 * samples as u128 / self.shards as u128) as usize
    }
}

/// The rows of a batch that one of several workers takes, as [`DataSource::shares_of`](crate::DataSource::shares_of) gives them.
///
/// ```
/// use gradus_datasets::{DataSource, Dataset, Pass, Share};
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::new([1.0, 2.0, 3.0, 4.0]), Tensor::new([1.0, 4.0, 9.0, 16.0]))?;
/// let part = data.shares_of(&Pass::new(4, data.order(None)), Share::new(2, 1..2))?.next().unwrap()?;
/// assert_eq!((part.first, part.samples), (2, 4));
/// assert_eq!(part.batch.targets[0].to::<f32>(), Tensor::new([9.0, 16.0]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchShare<X: SampleType = f32, Y: SampleType = X> {
    /// These rows alone.
    pub batch: Batch<X, Y>,
    /// The place of the first of them in the batch.
    pub first: usize,
    /// The number of samples in the whole batch.
    pub samples: usize,
}

impl<X: SampleType, Y: SampleType> BatchShare<X, Y> {
    /// The same rows with inputs and targets as [`Columns`].
    pub(crate) fn into_columns(self) -> BatchShare<Columns> {
        BatchShare { batch: self.batch.into_columns(), first: self.first, samples: self.samples }
    }

    /// The rows of a share, taken out of the whole batch.
    pub(crate) fn of(batch: Batch<X, Y>, share: Share) -> Self {
        let samples = batch.len();
        let rows = share.rows(samples);
        let first = rows.start;
        BatchShare { batch: if rows.len() == samples { batch } else { batch.rows(rows) }, first, samples }
    }
}

impl<X: SampleType, Y: SampleType> Batch<X, Y> {
    /// Some of the samples, as views.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Self {
        Batch {
            inputs: self.inputs.sample_range(rows.clone()),
            targets: self.targets.sample_range(rows.clone()),
            weights: self.weights.as_ref().map(|weights| weights.sample_range(rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_of_like_size_and_hold_every_row_once() {
        for shards in 1..=9 {
            let share = Share::new(shards, 0..shards);
            for samples in 0..40 {
                let parts: Vec<_> = (0..shards).map(|shard| share.rows_of_shard(shard, samples)).collect();
                assert!(parts.iter().cloned().flatten().eq(0..samples));
                assert!(parts.iter().all(|rows| [samples / shards, samples.div_ceil(shards)].contains(&rows.len())));
            }
            // No product of two sizes is too large.
            assert_eq!(share.rows_of_shard(shards - 1, usize::MAX).end, usize::MAX);
        }
    }

    #[test]
    fn a_worker_takes_its_shards_of_batches_that_are_cut() {
        let share = Share::new(8, 2..5);
        assert_eq!(share.rows(19), share.rows_of_shard(2, 19).start..share.rows_of_shard(4, 19).end);
        assert_eq!([share.rows(8), share.rows(7), share.rows(1)], [2..5, 0..7, 0..1]);
        assert_eq!([share.cuts(8), share.cuts(7), Share::all().cuts(8)], [true, false, false]);
        assert_eq!(Share::all(), Share::new(1, 0..1));
    }

    #[test]
    fn shares_of_no_shard_are_refused() {
        let message = |shards, own: Range<usize>| {
            let panic = std::panic::catch_unwind(|| Share::new(shards, own)).unwrap_err();
            panic.downcast_ref::<String>().cloned().unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).into())
        };
        assert_eq!(message(0, 0..0), "Share: a batch has at least one shard");
        assert_eq!(message(3, 1..1), "Share: the shards 1..1 of 3: give some of 0..3");
        assert_eq!(message(3, 1..4), "Share: the shards 1..4 of 3: give some of 0..3");
    }
}
