//! A walk over a data set, batch by batch.

use std::iter::FusedIterator;
use std::sync::Arc;

use gradus_tensor::SampleType;

use crate::augment::{Augmentation, Part};
use crate::batch::Batch;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::order::{Order, Randomness};
use crate::prefetch::Prefetch;
use crate::share::{BatchShare, Share};

/// An iterator over the batches of a data set.
///
/// Batches in the order of the data set are views of it. In another order the samples of a batch are copied together,
/// into memory that earlier batches have left.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_tensor::Tensor;
/// let squares = Dataset::new(Tensor::arange(0.0, 10.0, 1.0), Tensor::arange(0.0, 10.0, 1.0).square())?;
/// let sizes: Vec<usize> = squares.batches(4).map(|batch| batch.len()).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// assert_eq!(squares.batches(4).shuffled(7).drop_last(true).len(), 2);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "DataLoader")]
pub struct Batches<X: SampleType = f32, Y: SampleType = X> {
    dataset: Dataset<X, Y>,
    size: usize,
    order: Order,
    drop_last: bool,
    /// The augmentation, and the seed of its changes.
    augmented: Option<(Arc<Augmentation>, u64)>,
}

impl<X: SampleType, Y: SampleType> Dataset<X, Y> {
    /// Batches of `size` samples, in the order of the data set unless [`Batches::shuffled`] is called; the last batch holds
    /// the samples that are left.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize) -> Batches<X, Y> {
        Batches::new(self.clone(), size)
    }
}

impl<X: SampleType, Y: SampleType> Batches<X, Y> {
    #[track_caller]
    fn new(dataset: Dataset<X, Y>, size: usize) -> Self {
        assert!(size > 0, "batches: a batch has at least one sample: a size of 0");
        let order = Order::sequential(dataset.len());
        Batches { dataset, size, order, drop_last: false, augmented: None }
    }

    /// All samples in a random order: that of a seed, or the next one of a `&mut Generator`. For another order in every
    /// epoch, use one generator, or another seed for each.
    pub fn shuffled(self, randomness: impl Randomness) -> Self {
        Batches { order: Order::shuffled(self.dataset.len(), randomness), ..self }
    }

    /// The samples in this order: a list of indices, or the rest of an earlier walk (see [`Batches::order`]).
    ///
    /// # Errors
    /// If the order names a sample that the data set does not have.
    pub fn in_order(self, order: Order) -> Result<Self> {
        order.check(self.dataset.len())?;
        Ok(Batches { order, ..self })
    }

    /// Leaves out the last batch if it is smaller than the others, where `drop_last` is true.
    pub fn drop_last(self, drop_last: bool) -> Self {
        Batches { drop_last, ..self }
    }

    /// The samples changed at random as by [`Dataset::augment`], if the data set has an augmentation. The seed fixes the
    /// changes; give another seed for each epoch.
    ///
    /// # Errors
    /// If the samples were mapped, after `augment`, to data that cannot be augmented.
    pub fn augmented(self, seed: u64) -> Result<Self> {
        let augmented = self.dataset.checked_augmentation()?.map(|augmentation| (augmentation, seed));
        Ok(Batches { augmented, ..self })
    }

    /// The same batches in the same order, made on a thread of their own, `ahead` of them in advance (at least one).
    ///
    /// This is faster where making a batch takes long and a core is free.
    ///
    /// # Panics
    /// If the system has no thread to give.
    pub fn prefetch(self, ahead: usize) -> Prefetch<Batch<X, Y>> {
        Prefetch::new(self, ahead)
    }

    /// As [`prefetch`](Batches::prefetch), on several threads, which make batches in turn: for pictures whose augmentation
    /// takes one thread longer than a training step.
    ///
    /// # Panics
    /// If the system has no threads to give.
    pub fn prefetch_on(self, threads: usize, ahead: usize) -> Prefetch<Batch<X, Y>> {
        Prefetch::shared(self, threads, ahead)
    }

    /// The order, and the position that the walk has reached: a checkpoint in the midst of an epoch writes this down.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The number of samples that are still to come.
    fn remaining(&self) -> usize {
        self.order.remaining().expect("orders by indices have a length")
    }

    /// The number of samples in a whole batch.
    pub fn batch_size(&self) -> usize {
        self.size
    }

    /// The rows of a share of each of these batches.
    pub(crate) fn shares(self, share: Share) -> Shares<X, Y> {
        Shares { batches: self, share }
    }

    /// The rows of a share of the next batch.
    fn next_share(&mut self, share: Share) -> Option<BatchShare<X, Y>> {
        let least = if self.drop_last { self.size } else { 1 };
        if self.remaining() < least {
            return None;
        }
        let positions = self.order.advance(self.size);
        let (start, samples) = (positions.start, positions.len());
        let listed = self.order.listed_samples(positions);
        let sample = |row: usize| listed.map_or(start + row, |samples| samples[row]);
        let own = share.rows(samples);
        let first = own.start;
        let part = Part::new(self.augmented.as_ref(), start, samples, own);
        let read = match (part.range(), listed) {
            (Some(rows), None) => self.dataset.range(start + rows.start..start + rows.end),
            (Some(rows), Some(samples)) => self.dataset.gather(&samples[rows]),
            (None, _) => self.dataset.gather(&part.rows().map(sample).collect::<Vec<_>>()),
        };
        Some(BatchShare { batch: part.changed(read, sample), first, samples })
    }

    /// Goes past `count` batches without gathering them.
    fn go_past(&mut self, count: usize) {
        self.order.advance(count.saturating_mul(self.size));
    }
}

impl<X: SampleType, Y: SampleType> Iterator for Batches<X, Y> {
    type Item = Batch<X, Y>;

    fn next(&mut self) -> Option<Batch<X, Y>> {
        self.next_share(Share::all()).map(|whole| whole.batch)
    }

    /// Goes past `count` batches without gathering them.
    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        self.go_past(count);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = self.remaining();
        let count = if self.drop_last { remaining / self.size } else { remaining.div_ceil(self.size) };
        (count, Some(count))
    }
}

impl<X: SampleType, Y: SampleType> ExactSizeIterator for Batches<X, Y> {}
impl<X: SampleType, Y: SampleType> FusedIterator for Batches<X, Y> {}

/// The rows of a share of each batch.
#[derive(Clone)]
pub(crate) struct Shares<X: SampleType, Y: SampleType> {
    batches: Batches<X, Y>,
    share: Share,
}

impl<X: SampleType, Y: SampleType> Iterator for Shares<X, Y> {
    type Item = BatchShare<X, Y>;

    fn next(&mut self) -> Option<BatchShare<X, Y>> {
        self.batches.next_share(self.share)
    }

    fn nth(&mut self, count: usize) -> Option<BatchShare<X, Y>> {
        self.batches.go_past(count);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use gradus_tensor::{Generator, Tensor};

    use super::*;

    /// Sample `i` has the inputs `[2 i, 2 i + 1]`, the target `i` and the weight `i`.
    fn numbered(samples: usize) -> Dataset<f32, i64> {
        let n = samples as i64;
        let inputs = Tensor::arange(0.0, 2.0 * samples as f32, 1.0).reshape([samples, 2]);
        let dataset = Dataset::new(inputs, Tensor::arange(0, n, 1)).unwrap();
        dataset.with_weights(Tensor::arange(0.0, samples as f32, 1.0)).unwrap()
    }

    /// The samples that came, by their targets, each checked to be whole.
    fn targets(batches: impl Iterator<Item = Batch<f32, i64>>) -> Vec<Vec<i64>> {
        let check = |batch: Batch<f32, i64>| {
            let targets = batch.targets.to_vec();
            for (row, &i) in targets.iter().enumerate() {
                assert_eq!(batch.inputs.select(0, row as isize).to_vec(), [2.0 * i as f32, 2.0 * i as f32 + 1.0]);
                assert_eq!(batch.weights.as_ref().unwrap().get([row]), i as f32);
            }
            targets
        };
        batches.map(check).collect()
    }

    #[test]
    fn batches_hold_all_samples_and_the_last_is_what_is_left() {
        assert_eq!(targets(numbered(5).batches(2)), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(targets(numbered(5).batches(2).drop_last(true)), [[0, 1], [2, 3]]);
        assert_eq!(targets(numbered(4).batches(2).drop_last(true)), [[0, 1], [2, 3]]);
        assert_eq!(targets(numbered(3).batches(8)), [[0, 1, 2]]);
        assert_eq!(targets(numbered(3).batches(8).drop_last(true)), [[0_i64; 0]; 0]);
        for (size, drop_last) in [(2, false), (2, true), (5, true), (8, false), (8, true)] {
            let batches = numbered(5).batches(size).drop_last(drop_last);
            assert_eq!(batches.len(), batches.count());
        }
    }

    #[test]
    fn a_shuffled_walk_meets_every_sample_once() {
        let mut seen = targets(numbered(100).batches(7).shuffled(3)).concat();
        assert_ne!(seen, (0..100).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_a_seed_is_fixed() {
        // The permutation of 8 that the generator's own test takes from a transcription of its stream into Python.
        assert_eq!(targets(numbered(8).batches(8).shuffled(42)), [[7, 0, 1, 4, 3, 5, 2, 6]]);
        let mut generator = Generator::new(42);
        let first = targets(numbered(8).batches(3).shuffled(&mut generator));
        assert_eq!(first.concat(), [7, 0, 1, 4, 3, 5, 2, 6]);
        assert_ne!(targets(numbered(8).batches(3).shuffled(&mut generator)), first);
        assert_eq!(numbered(8).shuffle(42).targets().to_vec(), first.concat());
    }

    #[test]
    fn prefetched_batches_are_the_same() {
        for ahead in [0, 1, 2, 50] {
            let batches = numbered(23).batches(4).shuffled(1);
            let prefetched: Vec<_> = batches.clone().prefetch(ahead).collect();
            assert_eq!(prefetched, batches.clone().collect::<Vec<_>>());
            for threads in [1, 2, 3, 9] {
                for drop_last in [false, true] {
                    let batches = batches.clone().drop_last(drop_last);
                    let prefetched: Vec<_> = batches.clone().prefetch_on(threads, ahead).collect();
                    assert_eq!(prefetched, batches.collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_walk_goes_on_from_what_was_written_down() {
        for shuffled in [true, false] {
            let mut walk = numbered(23).batches(4).drop_last(true);
            if shuffled {
                walk = walk.shuffled(9);
            }
            walk.nth(2);
            let written = serde_json::to_string(walk.order()).unwrap();
            let order: Order = serde_json::from_str(&written).unwrap();
            assert_eq!(order.position(), 12);
            assert_eq!(order, walk.order().clone().starting_at(12));
            let later = numbered(23).batches(4).drop_last(true).in_order(order).unwrap();
            assert_eq!(targets(later), targets(walk));
        }
    }

    #[test]
    fn an_order_of_a_seed_is_written_as_the_seed_and_the_length() {
        let walk = numbered(5).batches(2).shuffled(7);
        let written = serde_json::to_string(walk.order()).unwrap();
        assert_eq!(written, r#"{"rows":{"Shuffled":{"samples":5,"seed":7}},"next":0}"#);
        // Memory is taken for what is there, not for what is claimed.
        let claimed = written.replace('5', "1000000000000000000");
        let claimed: Order = serde_json::from_str(&claimed).unwrap();
        assert_eq!(
            numbered(5).batches(2).in_order(claimed).unwrap_err().to_string(),
            "found an order with sample 5, expected samples 0 to 4; use an order that was made for this data set"
        );
        let stream = Order::buffered(None, 3, 7);
        assert!(
            numbered(5).batches(2).in_order(stream).unwrap_err().to_string().starts_with("found an order of a stream")
        );
    }

    #[test]
    fn an_order_may_be_ones_own_but_must_fit() {
        let twice = numbered(3).batches(2).in_order(Order::listed([2, 2, 0])).unwrap();
        assert_eq!(targets(twice), [vec![2, 2], vec![0]]);
        let error = numbered(3).batches(2).in_order(Order::listed([0, 3])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "found an order with sample 3, expected samples 0 to 2; use an order that was made for this data set"
        );
        assert!(numbered(3).batches(2).in_order(Order::sequential(4)).is_err());
        assert_eq!(Order::sequential(3).starting_at(9).position(), 3);
        // A position beyond the end, as only a damaged file has it, is an end.
        let beyond: Order = serde_json::from_str(r#"{"rows":{"Listed":[0,1]},"next":7}"#).unwrap();
        assert_eq!(numbered(3).batches(2).in_order(beyond).unwrap().count(), 0);
    }

    #[test]
    #[should_panic(expected = "batches: a batch has at least one sample: a size of 0")]
    fn a_size_of_zero_is_refused() {
        numbered(3).batches(0);
    }
}
