//! What a model is trained on, whether it lies in memory or not.

use gradus_tensor::{Columns, SampleType};

use crate::batch::Batch;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::order::Order;
use crate::prefetch::Prefetch;
use crate::share::{BatchShare, Share};

/// What `Trainer::fit` and `evaluate` take: a [`Dataset`] in memory, or data that are read while they are used.
///
/// All that training needs of data: a first look at them, the order of an epoch from a seed, and the batches in this order
/// from any position on. The same seed gives the same batches, on any number of threads. Inputs and targets are [`Columns`]
/// here, of one column each where they are one tensor, so that the loop of training does not depend on their types.
///
/// | | |
/// |---|---|
/// | [`Dataset`] | tensors in memory |
/// | [`IndexedDataset`](crate::IndexedDataset) | samples that are read by their indices |
/// | [`StreamDataset`](crate::StreamDataset) | samples that come one after the other |
///
/// ```
/// use gradus_datasets::{DataSource, Dataset, Pass};
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::new([1.0, 2.0, 3.0]), Tensor::new([1.0, 4.0, 9.0]))?;
/// let pass = Pass::new(2, data.order(Some(7)));
/// let sizes: Vec<usize> = data.batches_of(&pass)?.map(|batch| batch.unwrap().len()).collect();
/// assert_eq!(sizes, [2, 1]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no data set",
    label = "give a data set",
    note = "tensors of inputs and targets become one by `Dataset::new(inputs, targets)?`"
)]
pub trait DataSource {
    /// The number of samples; `None` for a stream before its first end.
    fn sample_count(&self) -> Option<usize>;

    /// All samples that lie in memory, else the first: what can be checked before the first batch.
    ///
    /// # Errors
    /// If it cannot be read, or there is no sample.
    fn preview(&self) -> Result<Batch<Columns>>;

    /// Whether samples are changed at random when they are trained on, as by [`Dataset::augment`].
    fn is_augmented(&self) -> bool;

    /// The order of an epoch: that of a seed, or without one that of the data.
    fn order(&self, seed: Option<u64>) -> Order;

    /// The index of the sample at a position of a pass, for messages.
    fn sample_at(&self, pass: &Pass, position: usize) -> Option<usize> {
        pass.order.sample_at(position)
    }

    /// The batches of a pass over the data. Its order is one of [`order`](DataSource::order), perhaps in the midst.
    ///
    /// # Errors
    /// If the order is none of these data, or they cannot be augmented. An error of reading comes in place of its batch.
    ///
    /// # Panics
    /// If the batch size is 0.
    fn batches_of(&self, pass: &Pass) -> Result<PassBatches>;

    /// As [`batches_of`](DataSource::batches_of), of each batch only the rows of a share: for one of several workers.
    ///
    /// The rows are those of the whole batch, bit for bit, so that what is trained does not depend on the number of workers.
    /// By default the whole batch is made, and the rows are taken out. A source that can make them alone overrides this.
    ///
    /// ```
    /// use gradus_datasets::{DataSource, Dataset, Pass, Share};
    /// use gradus_tensor::Tensor;
    /// let data = Dataset::new(Tensor::arange(0.0, 10.0, 1.0), Tensor::arange(0.0, 10.0, 1.0))?;
    /// let pass = Pass::new(4, data.order(Some(7)));
    /// // The first of two workers: half of each batch.
    /// let parts = data.shares_of(&pass, Share::new(2, 0..1))?;
    /// let sizes: Vec<usize> = parts.map(|part| part.unwrap().batch.len()).collect();
    /// assert_eq!(sizes, [2, 2, 1]);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// As of `batches_of`. An error of reading comes to each worker that reads the sample, in place of its batch.
    ///
    /// # Panics
    /// If the batch size is 0.
    fn shares_of(&self, pass: &Pass, share: Share) -> Result<PassShares> {
        Ok(Box::new(self.batches_of(pass)?.map(move |batch| Ok(BatchShare::of(batch?, share)))))
    }

    /// The data to train on, and the last `fraction` of the samples, for validation.
    ///
    /// # Errors
    /// If that leaves no sample in a part, or the data cannot be divided.
    fn divided(&self, fraction: f64) -> Result<(Box<dyn DataSource>, Box<dyn DataSource>)>;
}

/// The batches of a pass.
pub type PassBatches<X = Columns, Y = X> = Box<dyn Iterator<Item = Result<Batch<X, Y>>>>;

/// The rows of one of several workers, of each batch of a pass.
pub type PassShares<X = Columns, Y = X> = Box<dyn Iterator<Item = Result<BatchShare<X, Y>>>>;

/// One pass over data: in which order, and how the batches are made.
///
/// ```
/// use gradus_datasets::{DataSource, Dataset, Pass};
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::<f32>::zeros([10, 2]), Tensor::<f32>::zeros([10, 1]))?;
/// // Batches of 4 in the order of seed 7; one is made ahead, on a thread of its own.
/// let pass = Pass { prefetch: 1, ..Pass::new(4, data.order(Some(7))) };
/// assert_eq!(data.batches_of(&pass)?.count(), 3);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// The number of samples in a batch; the last one may be smaller.
    pub batch_size: usize,
    /// The order of the samples, and the position from which the pass goes on.
    pub order: Order,
    /// The seed by which samples are changed at random; `None` leaves them as they are.
    pub augmentation_seed: Option<u64>,
    /// The number of batches that are made ahead, on threads of their own.
    pub prefetch: usize,
    /// The number of these threads, at least one.
    pub workers: usize,
}

impl Pass {
    /// Batches of this size in this order, each made when it is needed.
    pub fn new(batch_size: usize, order: Order) -> Self {
        Pass { batch_size, order, augmentation_seed: None, prefetch: 0, workers: 1 }
    }

    /// Panics if batches would have no sample.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(self.batch_size > 0, "batches: a batch has at least one sample: a batch_size of 0");
    }
}

impl<X: SampleType, Y: SampleType> DataSource for Dataset<X, Y> {
    fn sample_count(&self) -> Option<usize> {
        Some(self.len())
    }

    fn preview(&self) -> Result<Batch<Columns>> {
        Ok(self.range(0..self.len()).into_columns())
    }

    fn is_augmented(&self) -> bool {
        self.augmentation().is_some()
    }

    fn order(&self, seed: Option<u64>) -> Order {
        indexed_order(self.len(), seed)
    }

    fn batches_of(&self, pass: &Pass) -> Result<PassBatches> {
        Ok(Box::new(self.shares_of(pass, Share::all())?.map(|whole| Ok(whole?.batch))))
    }

    fn shares_of(&self, pass: &Pass, share: Share) -> Result<PassShares> {
        let mut batches = self.batches(pass.batch_size).in_order(pass.order.clone())?;
        if let Some(seed) = pass.augmentation_seed {
            batches = batches.augmented(seed)?;
        }
        let shares = batches.shares(share);
        let finished = |part: BatchShare<X, Y>| Ok(part.into_columns());
        // Views of samples in sequence cost less than a thread.
        let are_views = pass.order.is_sequential() && pass.augmentation_seed.is_none();
        Ok(match if are_views { 0 } else { pass.prefetch } {
            0 => Box::new(shares.map(finished)),
            ahead => Box::new(Prefetch::shared(shares, pass.workers, ahead).map(finished)),
        })
    }

    fn divided(&self, fraction: f64) -> Result<(Box<dyn DataSource>, Box<dyn DataSource>)> {
        let (train, validation) = self.validation_split(fraction)?;
        Ok((Box::new(train), Box::new(validation)))
    }
}

/// The order of an epoch over samples that are read by their indices.
pub(crate) fn indexed_order(samples: usize, seed: Option<u64>) -> Order {
    match seed {
        Some(seed) => Order::shuffled(samples, seed),
        None => Order::sequential(samples),
    }
}
