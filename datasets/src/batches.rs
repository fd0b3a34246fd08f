//! A walk over a data set, some samples at a time.

use std::iter::FusedIterator;

use gradus_tensor::{Element, Tensor};

use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::order::{Order, Randomness};
use crate::prefetch::Prefetch;

/// Some samples of a data set: what one step of training works on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch<X: Element = f32, Y: Element = X> {
    /// The inputs, `[size, ..]`.
    pub inputs: Tensor<X>,
    /// The targets, `[size, ..]`.
    pub targets: Tensor<Y>,
    /// The samples' weights in the loss, `[size]`, if the data set has any.
    pub weights: Option<Tensor<f32>>,
}

impl<X: Element, Y: Element> Batch<X, Y> {
    /// The number of samples.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.inputs.shape()[0]
    }
}

/// The batches of one walk over a data set, one after the other.
///
/// In the order of the data set they are views of it; in another order their samples are copied together, into memory
/// that earlier batches have left.
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
pub struct Batches<X: Element = f32, Y: Element = X> {
    dataset: Dataset<X, Y>,
    size: usize,
    order: Order,
    drop_last: bool,
}

impl<X: Element, Y: Element> Batches<X, Y> {
    #[track_caller]
    pub(crate) fn new(dataset: Dataset<X, Y>, size: usize) -> Self {
        assert!(size > 0, "batches: a batch has at least one sample: a size of 0");
        let order = Order::sequential(dataset.len());
        Batches { dataset, size, order, drop_last: false }
    }

    /// All samples in a random order: that of a seed, or the next one of a `&mut Generator`. For another order in every
    /// epoch, draw them from one generator, or vary the seed.
    pub fn shuffled(self, randomness: impl Randomness) -> Self {
        Batches { order: Order::shuffled(self.dataset.len(), randomness), ..self }
    }

    /// The samples in an order of one's own, or on from where an earlier walk was left (see [`Batches::order`]).
    ///
    /// # Errors
    /// If the order names a sample that the data set does not have.
    pub fn in_order(self, order: Order) -> Result<Self> {
        if let Some(row) = order.first_beyond(self.dataset.len()) {
            return Err(DatasetError::new(
                format!("an order with sample {row}"),
                format!("samples 0 to {}", self.dataset.len() - 1),
                "use an order that was made for this data set",
            ));
        }
        Ok(Batches { order, ..self })
    }

    /// Whether to leave out the last batch when it would be smaller than the others.
    pub fn drop_last(self, drop_last: bool) -> Self {
        Batches { drop_last, ..self }
    }

    /// The same batches in the same order, gathered on a thread of their own, `ahead` of them in advance (at
    /// least one).
    ///
    /// Worth its thread where making a batch takes long and a core is free.
    ///
    /// # Panics
    /// If the system has no thread to give.
    pub fn prefetch(self, ahead: usize) -> Prefetch<X, Y> {
        Prefetch::new(self, ahead)
    }

    /// The order, and how far the walk has come: what a checkpoint in the midst of an epoch writes down.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The number of samples in a whole batch.
    pub fn batch_size(&self) -> usize {
        self.size
    }
}

impl<X: Element, Y: Element> Iterator for Batches<X, Y> {
    type Item = Batch<X, Y>;

    fn next(&mut self) -> Option<Batch<X, Y>> {
        let least = if self.drop_last { self.size } else { 1 };
        if self.order.remaining() < least {
            return None;
        }
        let places = self.order.advance(self.size);
        let samples = match self.order.list(places.clone()) {
            Some(rows) => self.dataset.gather(rows),
            None => self.dataset.rows(places),
        };
        Some(samples.into_batch())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = self.order.remaining();
        let count = if self.drop_last { remaining / self.size } else { remaining.div_ceil(self.size) };
        (count, Some(count))
    }
}

impl<X: Element, Y: Element> ExactSizeIterator for Batches<X, Y> {}
impl<X: Element, Y: Element> FusedIterator for Batches<X, Y> {}
