//! Samples: inputs with their targets.

use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use gradus_tensor::{Element, Shape, Tensor};

use crate::augment::Augment;
use crate::batches::{Batch, Batches};
use crate::error::{DatasetError, Result};
use crate::order::{Order, Randomness};

/// Samples to learn from: inputs `[n, ..]`, a target for each `[n, ..]`, perhaps a weight for each `[n]`.
///
/// A data set is a value: its methods return another one, and what they do not change is shared, not copied.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_tensor::Tensor;
/// let inputs = Tensor::new([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let xor = Dataset::new(inputs, Tensor::new([[0.0], [1.0], [1.0], [0.0]]))?;
/// assert_eq!(xor.len(), 4);
/// for batch in xor.batches(3).shuffled(42) {
///     assert_eq!(batch.inputs.shape()[1..], [2]);
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<X: Element = f32, Y: Element = X> {
    // Invariant: at least one sample, and the first axis of every tensor counts them.
    inputs: Tensor<X>,
    targets: Tensor<Y>,
    weights: Option<Tensor<f32>>,
    class_names: Option<Arc<[String]>>,
    /// How the inputs are changed when they are trained on.
    augmentation: Option<Arc<Augment>>,
}

impl<X: Element, Y: Element> Dataset<X, Y> {
    /// The samples whose inputs and targets are the entries of the first axes.
    ///
    /// # Errors
    /// If there is no sample, or not one target for each input.
    pub fn new(inputs: Tensor<X>, targets: Tensor<Y>) -> Result<Self> {
        let counts = (inputs.shape().first(), targets.shape().first());
        if counts.0 != counts.1 || counts.0.is_none() {
            return Err(DatasetError::new(
                format!("inputs of shape {} with targets of shape {}", inputs.shape(), targets.shape()),
                "first axes of the same length, an entry for each sample",
                "check how the two were read or sliced",
            ));
        }
        if counts.0 == Some(&0) {
            return Err(DatasetError::new(
                format!("no sample, inputs of shape {}", inputs.shape()),
                "at least one sample",
                "check how the data were read or filtered",
            ));
        }
        Ok(Dataset { inputs, targets, weights: None, class_names: None, augmentation: None })
    }

    /// The same samples, each with a weight in the loss: `[n]`.
    ///
    /// # Errors
    /// If there is not one weight for each sample, or one is negative or not finite.
    pub fn with_weights(self, weights: Tensor<f32>) -> Result<Self> {
        let expected = [self.len()];
        if *weights.shape() != expected {
            return Err(DatasetError::new(
                format!("weights of shape {}", weights.shape()),
                format!("one for each sample, shape {expected:?}"),
                "check how they were made",
            ));
        }
        if let Some(index) = weights.iter().position(|weight| !(weight.is_finite() && weight >= 0.0)) {
            return Err(DatasetError::new(
                format!("weight {} of sample {index}", weights.get([index])),
                "a finite weight that is not negative",
                "check how the weights were made",
            ));
        }
        Ok(Dataset { weights: Some(weights), ..self })
    }

    /// The same samples, with names for the classes 0, 1, ...
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Dataset { class_names: Some(names.into_iter().map(Into::into).collect()), ..self }
    }

    pub(crate) fn with_augmentation(self, augmentation: Option<Arc<Augment>>) -> Self {
        Dataset { augmentation, ..self }
    }

    /// The number of samples; never 0.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    /// What to predict from: `[n, ..]`.
    pub fn inputs(&self) -> &Tensor<X> {
        &self.inputs
    }

    /// What to predict: `[n, ..]`.
    pub fn targets(&self) -> &Tensor<Y> {
        &self.targets
    }

    /// How much each sample counts in the loss: `[n]`; without weights all count alike.
    pub fn weights(&self) -> Option<&Tensor<f32>> {
        self.weights.as_ref()
    }

    /// The names of the classes 0, 1, ...
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// How the samples are changed when they are trained on (see [`Dataset::augment`]).
    pub fn augmentation(&self) -> Option<&Augment> {
        self.augmentation.as_deref()
    }

    /// The shape of one sample's input: `[28, 28]` for MNIST.
    pub fn input_shape(&self) -> Shape {
        self.inputs.shape().without_axis(0)
    }

    /// The shape of one sample's target: `[]` for a class label.
    pub fn target_shape(&self) -> Shape {
        self.targets.shape().without_axis(0)
    }

    /// The same samples with other inputs: `f` of all of them at once.
    ///
    /// ```
    /// # use gradus_datasets::Dataset;
    /// # use gradus_tensor::Tensor;
    /// let images = Dataset::new(Tensor::from([[0_u8, 255]]), Tensor::from([1_u8]))?;
    /// let images = images.map_inputs(|x| x.to::<f32>() / 255.0);
    /// assert_eq!(*images.inputs(), Tensor::new([[0.0, 1.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Panics
    /// If the first axis of what `f` returns has another length.
    #[track_caller]
    pub fn map_inputs<Z: Element>(self, f: impl FnOnce(Tensor<X>) -> Tensor<Z>) -> Dataset<Z, Y> {
        let before = self.inputs.shape().clone();
        let inputs = f(self.inputs);
        check_mapped("map_inputs", &before, inputs.shape());
        let Dataset { targets, weights, class_names, augmentation, .. } = self;
        Dataset { inputs, targets, weights, class_names, augmentation }
    }

    /// The same samples with other targets: `f` of all of them at once.
    ///
    /// # Panics
    /// If the first axis of what `f` returns has another length.
    #[track_caller]
    pub fn map_targets<Z: Element>(self, f: impl FnOnce(Tensor<Y>) -> Tensor<Z>) -> Dataset<X, Z> {
        let before = self.targets.shape().clone();
        let targets = f(self.targets);
        check_mapped("map_targets", &before, targets.shape());
        let Dataset { inputs, weights, class_names, augmentation, .. } = self;
        Dataset { inputs, targets, weights, class_names, augmentation }
    }

    /// The samples of a range, `train.slice(1000..)`, without copying.
    ///
    /// # Panics
    /// If the range is empty or reaches beyond the samples.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        if start >= end || end > self.len() {
            panic_slice(start, end, self.len());
        }
        self.rows(start..end)
    }

    /// The first `count` samples, or all if there are fewer.
    ///
    /// # Panics
    /// If `count` is 0: a data set has at least one sample.
    #[track_caller]
    pub fn take(&self, count: usize) -> Self {
        assert!(count > 0, "take: a data set has at least one sample: 0 of {}", self.len());
        self.rows(0..count.min(self.len()))
    }

    /// The first `count` samples, and the rest.
    ///
    /// # Panics
    /// If that leaves no sample in a part.
    #[track_caller]
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        if count == 0 || count >= self.len() {
            panic_split_at(count, self.len());
        }
        (self.rows(0..count), self.rows(count..self.len()))
    }

    /// All but the last `fraction` of the samples for training, and those for validation. As in Keras the last ones are
    /// taken, before any shuffling: `floor(n (1 - fraction))` stay.
    ///
    /// # Errors
    /// If that leaves no sample in a part.
    pub fn validation_split(&self, fraction: f64) -> Result<(Self, Self)> {
        let kept = (self.len() as f64 * (1.0 - fraction)).floor();
        // Neither a NaN nor a fraction beyond 0..1 passes.
        if kept >= 1.0 && kept < self.len() as f64 {
            return Ok(self.split_at(kept as usize));
        }
        Err(DatasetError::new(
            format!("a validation split of {fraction} of {} samples", self.len()),
            "a fraction between 0 and 1 that leaves samples on both sides",
            "choose another fraction or give a validation set",
        ))
    }

    /// The samples in random order, copied: from a seed or from `&mut Generator`. To only walk them in random order,
    /// see [`Batches::shuffled`].
    pub fn shuffle(&self, randomness: impl Randomness) -> Self {
        self.gather(&Order::shuffled(self.len(), randomness).rows(0..self.len()))
    }

    /// Batches of `size` samples, in order until [`Batches::shuffled`]; the last one holds what is left.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize) -> Batches<X, Y> {
        Batches::new(self.clone(), size)
    }

    /// A range of samples, as views.
    pub(crate) fn rows(&self, range: Range<usize>) -> Self {
        Dataset {
            inputs: self.inputs.slice(0, range.clone()),
            targets: self.targets.slice(0, range.clone()),
            weights: self.weights.as_ref().map(|weights| weights.slice(0, range)),
            class_names: self.class_names.clone(),
            augmentation: self.augmentation.clone(),
        }
    }

    /// The samples at these indices, copied.
    pub(crate) fn gather(&self, indices: &[usize]) -> Self {
        Dataset {
            inputs: self.inputs.take_rows(indices),
            targets: self.targets.take_rows(indices),
            weights: self.weights.as_ref().map(|weights| weights.take_rows(indices)),
            class_names: self.class_names.clone(),
            augmentation: self.augmentation.clone(),
        }
    }

    pub(crate) fn into_batch(self) -> Batch<X, Y> {
        Batch { inputs: self.inputs, targets: self.targets, weights: self.weights }
    }
}

#[track_caller]
fn check_mapped(op: &str, before: &Shape, after: &Shape) {
    if after.first() != before.first() {
        panic!("{op}: the first axis must still count the samples: {before} became {after}");
    }
}

#[cold]
#[track_caller]
fn panic_slice(start: usize, end: usize, len: usize) -> ! {
    panic!("slice: a range of samples that is not empty is needed: {start}..{end} of {len}")
}

#[cold]
#[track_caller]
fn panic_split_at(count: usize, len: usize) -> ! {
    panic!("split_at: each part must have a sample: {count} of {len}")
}

#[cfg(test)]
mod tests {
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
    fn samples_that_do_not_pair_up_are_refused() {
        assert_eq!(
            Dataset::new(Tensor::<f32>::zeros([3, 2]), Tensor::<f32>::zeros([2])).unwrap_err().to_string(),
            "found inputs of shape [3, 2] with targets of shape [2], expected first axes of the same length, an entry \
             for each sample; check how the two were read or sliced"
        );
        assert_eq!(
            Dataset::new(Tensor::<f32>::zeros([0, 2]), Tensor::<f32>::zeros([0])).unwrap_err().to_string(),
            "found no sample, inputs of shape [0, 2], expected at least one sample; check how the data were read or \
             filtered"
        );
        assert!(Dataset::new(Tensor::<f32>::scalar(1.0), Tensor::<f32>::scalar(1.0)).is_err());
        assert!(numbered(3).with_weights(Tensor::ones([2])).is_err());
        for bad in [f32::INFINITY, -0.5] {
            assert!(numbered(2).with_weights(Tensor::new([1.0, bad])).is_err(), "{bad}");
        }
        assert_eq!(
            numbered(2).with_weights(Tensor::new([1.0, f32::NAN])).unwrap_err().to_string(),
            "found weight NaN of sample 1, expected a finite weight that is not negative; check how the weights were made"
        );
    }

    #[test]
    fn weights_and_names_come_along() {
        let dataset = numbered(3).with_weights(Tensor::new([1.0, 2.0, 3.0])).unwrap().with_class_names(["a", "b"]);
        for part in [dataset.slice(1..2), dataset.shuffle(1), dataset.clone().map_inputs(|x| x.to::<f32>() * 2.0)] {
            assert_eq!(part.class_names().unwrap(), ["a", "b"]);
            assert_eq!(part.weights().unwrap().size(), part.len());
        }
        assert_eq!(dataset.slice(1..2).weights().unwrap().item(), 2.0);
    }

    #[test]
    fn parts_share_the_samples() {
        let dataset = numbered(10);
        let start = dataset.inputs().as_slice().unwrap().as_ptr();
        assert_eq!(dataset.slice(2..).inputs().as_slice().unwrap().as_ptr(), start.wrapping_add(2));
        assert_eq!(dataset.batches(5).nth(1).unwrap().inputs.as_slice().unwrap().as_ptr(), start.wrapping_add(5));
    }

    #[test]
    #[should_panic(expected = "map_inputs: the first axis must still count the samples: [4] became [1, 4]")]
    fn a_map_that_loses_the_samples_is_refused() {
        numbered(4).map_inputs(|x| x.unsqueeze(0));
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
