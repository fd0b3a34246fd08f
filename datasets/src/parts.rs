//! Parts of a data set, and its samples in another order.

use std::ops::{Bound, Range, RangeBounds};

use gradus_tensor::SampleType;

use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::order::{Order, Randomness};

impl<X: SampleType, Y: SampleType> Dataset<X, Y> {
    /// The samples of a range, `train.slice(1000..)`, without copying.
    ///
    /// # Panics
    /// If the range is empty or reaches beyond the samples.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        self.part(self.range(bounds(range, self.len())))
    }

    /// The first `count` samples, or all if there are fewer.
    ///
    /// # Panics
    /// If `count` is 0: a data set has at least one sample.
    #[track_caller]
    pub fn take(&self, count: usize) -> Self {
        self.part(self.range(first(count, self.len())))
    }

    /// All but the first `count` samples.
    ///
    /// # Panics
    /// If that leaves no sample.
    #[track_caller]
    pub fn skip(&self, count: usize) -> Self {
        self.part(self.range(rest(count, self.len())))
    }

    /// The first `count` samples, and the rest.
    ///
    /// # Panics
    /// If that leaves no sample in a part.
    #[track_caller]
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        let (first, rest) = split_at(count, self.len());
        (self.part(self.range(first)), self.part(self.range(rest)))
    }

    /// A training set, and a validation set of the last `fraction` of the samples, before any shuffling. As in Keras the
    /// training set has `floor(n (1 - fraction))` samples.
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_tensor::Tensor;
    /// let data = Dataset::new(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0]), Tensor::new([0.0, 0.0, 0.0, 1.0, 1.0]))?;
    /// let (train, validation) = data.validation_split(0.4)?;
    /// assert_eq!((train.len(), validation.inputs()), (3, &Tensor::new([4.0, 5.0])));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If that leaves no sample in a part.
    pub fn validation_split(&self, fraction: f64) -> Result<(Self, Self)> {
        Ok(self.split_at(kept(fraction, self.len())?))
    }

    /// The samples in a random order, copied: that of a seed or of a `&mut Generator`. To walk over the samples in a random
    /// order without a copy of all of them, see [`Batches::shuffled`](crate::Batches::shuffled).
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_tensor::Tensor;
    /// let data = Dataset::new(Tensor::new([1.0, 2.0, 3.0]), Tensor::new([10.0, 20.0, 30.0]))?;
    /// let shuffled = data.shuffle(7);
    /// // Inputs and targets stay together.
    /// assert_eq!(shuffled.targets(), &(shuffled.inputs() * 10.0));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn shuffle(&self, randomness: impl Randomness) -> Self {
        self.part(self.gather(&Order::shuffled(self.len(), randomness).all()))
    }
}

/// The samples of a range among `len`, which must hold one.
#[track_caller]
pub(crate) fn bounds(range: impl RangeBounds<usize>, len: usize) -> Range<usize> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    if start >= end || end > len {
        panic!("slice: a range of samples that is not empty is needed: {start}..{end} of {len}");
    }
    start..end
}

/// The first `count` samples, or all if there are fewer.
#[track_caller]
pub(crate) fn first(count: usize, len: usize) -> Range<usize> {
    assert!(count > 0, "take: a data set has at least one sample: 0 of {len}");
    0..count.min(len)
}

/// All but the first `count` samples.
#[track_caller]
pub(crate) fn rest(count: usize, len: usize) -> Range<usize> {
    assert!(count < len, "skip: a data set has at least one sample: {count} of {len} are left out");
    count..len
}

/// The first `count` samples, and the rest.
#[track_caller]
pub(crate) fn split_at(count: usize, len: usize) -> (Range<usize>, Range<usize>) {
    if count == 0 || count >= len {
        panic!("split_at: each part must have a sample: {count} of {len}");
    }
    (0..count, count..len)
}

/// The number of samples that a validation split leaves to train on.
pub(crate) fn kept(fraction: f64, len: usize) -> Result<usize> {
    let kept = (len as f64 * (1.0 - fraction)).floor();
    // Neither a NaN nor a fraction beyond 0..1 passes.
    if kept >= 1.0 && kept < len as f64 {
        return Ok(kept as usize);
    }
    Err(DatasetError::new(
        format!("a validation split of {fraction} of {len} samples"),
        "a fraction between 0 and 1 that leaves samples on both sides",
        "choose another fraction or give a validation set",
    ))
}

#[cfg(test)]
mod tests {
    use gradus_tensor::Tensor;

    use super::*;

    fn numbered(samples: usize) -> Dataset {
        Dataset::new(Tensor::arange(0.0, samples as f32, 1.0), Tensor::zeros([samples, 1])).unwrap()
    }

    fn numbers(dataset: &Dataset) -> Vec<f32> {
        dataset.inputs().to_vec()
    }

    #[test]
    fn parts_are_those_asked_for() {
        let ten = numbered(10);
        assert_eq!(numbers(&ten.take(3)), [0.0, 1.0, 2.0]);
        assert_eq!(ten.take(30), ten);
        assert_eq!(numbers(&ten.slice(8..)), [8.0, 9.0]);
        assert_eq!(numbers(&ten.slice(..=1)), [0.0, 1.0]);
        let (first, rest) = ten.split_at(8);
        assert_eq!((first.len(), numbers(&rest)), (8, vec![8.0, 9.0]));
    }

    #[test]
    fn validation_takes_the_last_samples_as_keras_does() {
        // Keras 3: split_at = floor(n * (1 - fraction)).
        for (samples, fraction, kept) in [(10, 0.2, 8), (10, 0.25, 7), (3, 0.1, 2), (60_000, 0.1, 54_000)] {
            let (train, validation) = numbered(samples).validation_split(fraction).unwrap();
            assert_eq!((train.len(), validation.len()), (kept, samples - kept));
            assert_eq!(validation.inputs().get([0]), kept as f32);
        }
        for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, 0.95] {
            assert!(numbered(10).validation_split(fraction).is_err(), "{fraction}");
        }
        assert_eq!(
            numbered(4).validation_split(1.0).unwrap_err().to_string(),
            "found a validation split of 1 of 4 samples, expected a fraction between 0 and 1 that leaves samples on both \
             sides; choose another fraction or give a validation set"
        );
    }

    #[test]
    fn parts_share_the_samples() {
        let dataset = numbered(10);
        let start = dataset.inputs().as_slice().unwrap().as_ptr();
        assert_eq!(dataset.slice(2..).inputs().as_slice().unwrap().as_ptr(), start.wrapping_add(2));
        assert_eq!(dataset.batches(5).nth(1).unwrap().inputs.as_slice().unwrap().as_ptr(), start.wrapping_add(5));
    }

    #[test]
    #[should_panic(expected = "slice: a range of samples that is not empty is needed: 3..5 of 4")]
    fn a_slice_beyond_the_samples_is_refused() {
        numbered(4).slice(3..5);
    }

    #[test]
    #[should_panic(expected = "split_at: each part must have a sample: 4 of 4")]
    fn a_split_at_the_end_is_refused() {
        numbered(4).split_at(4);
    }
}
