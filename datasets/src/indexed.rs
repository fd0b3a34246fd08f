//! A data set whose samples are read by their indices, when they are used.

use std::fmt;
use std::ops::{Range, RangeBounds};
use std::sync::Arc;

use gradus_tensor::{Columns, Float, SampleType, Samples, Tensor};

use crate::augment::{Augment, Augmentation, Part};
use crate::batch::{Batch, checked, mapped};
use crate::buckets::arranged;
use crate::classes::checked_class_names;
use crate::data_source::{DataSource, Pass, PassBatches, PassShares, indexed_order};
use crate::dataset::{Dataset, check_weights};
use crate::error::{DatasetError, Result};
use crate::order::Order;
use crate::parts;
use crate::prefetch::Prefetch;
use crate::share::{BatchShare, Share};
use crate::stack::{Sample, Stacking};
use crate::text::PadSequences;

/// Samples that can be read by their indices: rows of a file, pictures in a folder, what a program computes.
///
/// An [`IndexedDataset`] makes a data set of it. Where each sample is read by itself, [`IndexedDataset::from_fn`] is shorter.
///
/// ```
/// use gradus_datasets::{Batch, IndexedDataset, IndexedSource, Result};
/// use gradus_tensor::Tensor;
///
/// /// The squares of the numbers below a million.
/// struct Squares;
///
/// impl IndexedSource for Squares {
///     type X = f32;
///     type Y = f32;
///     fn len(&self) -> usize {
///         1_000_000
///     }
///     fn read(&self, indices: &[usize]) -> Result<Batch> {
///         let numbers: Tensor = indices.iter().map(|&i| i as f32).collect();
///         Ok(Batch { targets: numbers.square(), inputs: numbers, weights: None })
///     }
/// }
///
/// let (train, test) = IndexedDataset::new(Squares)?.split_at(900_000);
/// assert_eq!((train.len(), test.read(&[0])?.inputs.item()), (900_000, 900_000.0));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[allow(clippy::len_without_is_empty)] // A data set has at least one sample.
pub trait IndexedSource: Send + Sync + 'static {
    /// The type of the inputs, as that of a [`Dataset`].
    type X: SampleType;
    /// The type of the targets.
    type Y: SampleType;

    /// The number of samples.
    fn len(&self) -> usize;

    /// The samples at these indices, in this order: at least one index, each below [`len`](IndexedSource::len), as
    /// [`IndexedDataset::read`] checks. Several threads may call this at once.
    ///
    /// A sample is the same whichever others are read with it: one of several workers asks only for its own rows of a batch.
    /// Sequences of different lengths are padded by [`IndexedDataset::from_sequences`].
    ///
    /// # Errors
    /// If a sample cannot be read. The error ends the training, and should name the file.
    ///
    /// # Panics
    /// It may if there is no sample of an index, as that of a [`Dataset`] does.
    fn read(&self, indices: &[usize]) -> Result<Batch<Self::X, Self::Y>>;
}

impl<X: SampleType, Y: SampleType> IndexedSource for Dataset<X, Y> {
    type X = X;
    type Y = Y;

    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn read(&self, indices: &[usize]) -> Result<Batch<X, Y>> {
        Ok(self.gather(indices))
    }
}

/// Reads some rows of the batch of the samples at these indices of the source.
type Read<X, Y> = dyn Fn(&[usize], &[usize]) -> Result<Batch<X, Y>> + Send + Sync;

/// The indices in these rows of a batch.
fn picked(indices: &[usize], rows: &[usize]) -> Vec<usize> {
    rows.iter().map(|&row| indices[row]).collect()
}

/// A data set whose samples are read by their indices, when they are used: they need not fit into memory.
///
/// It has the orders of a [`Dataset`], and is trained on as one: `trainer.fit(&data, fit)`. `Fit::prefetch` and `Fit::workers`
/// read and change batches ahead on threads. A sample is never kept.
///
/// One of several workers reads its own rows alone, and those that mix-up mixes them with. Only where a batch is padded to its
/// longest sample, it must read all of them, and makes its own rows.
///
/// ```
/// use gradus_datasets::{IndexedDataset, Pass};
/// use gradus_tensor::Tensor;
/// let sines = IndexedDataset::from_fn(1000, |i| {
///     let x = Tensor::new([i as f32 / 100.0]);
///     Ok((x.clone(), x.sin()))
/// })?;
/// let (train, validation) = sines.validation_split(0.2)?;
/// let sizes: Vec<usize> = train.batches(&Pass::new(300, train.order(Some(1))))?.map(|batch| batch.unwrap().len()).collect();
/// assert_eq!((sizes, validation.len()), (vec![300, 300, 200], 200));
/// # use gradus_datasets::DataSource;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[doc(alias = "PyDataset")]
pub struct IndexedDataset<X: SampleType = f32, Y: SampleType = X> {
    read: Arc<Read<X, Y>>,
    /// The samples of the source that are those of the data set: at least one.
    range: Range<usize>,
    weights: Option<Tensor<f32>>,
    class_names: Option<Arc<[String]>>,
    augmentation: Option<Arc<Augmentation>>,
    /// The length of each sample, where batches hold samples of like length.
    lengths: Option<Arc<[usize]>>,
}

impl<X: SampleType, Y: SampleType> Clone for IndexedDataset<X, Y> {
    fn clone(&self) -> Self {
        self.part(0..self.len())
    }
}

impl IndexedDataset {
    /// So many samples, each computed or read by itself: `sample(i)` is the input and the target of sample i, tensors or
    /// [`Columns`] without an axis for samples. All samples have one form.
    ///
    /// # Errors
    /// If there is no sample.
    pub fn from_fn<A: Samples, B: Samples>(
        samples: usize,
        sample: impl Fn(usize) -> Result<(A, B)> + Send + Sync + 'static,
    ) -> Result<IndexedDataset<A::Type, B::Type>> {
        IndexedDataset::stacked(samples, Stacking::default(), sample)
    }

    /// As [`from_fn`](IndexedDataset::from_fn), for samples of different lengths: the first axes of inputs and, with a padding of
    /// their own, of targets. Each batch is padded to its longest sample. [`bucketed`](IndexedDataset::bucketed) makes batches of
    /// like lengths.
    ///
    /// ```
    /// use gradus_datasets::{DataSource, IndexedDataset, PadSequences, Pass, TextVectorization};
    /// use gradus_tensor::Tensor;
    /// let lines = ["to be", "or not to be", "that is the question"];
    /// let words = TextVectorization::new().adapt(lines)?;
    /// let ids = lines.iter().map(|line| Ok(Tensor::from(words.ids_of(line)?))).collect::<Result<Vec<_>, _>>()?;
    /// let lengths: Vec<usize> = ids.iter().map(Tensor::size).collect();
    /// let data = IndexedDataset::from_sequences(ids.len(), PadSequences::post(), None, move |i| {
    ///     Ok((ids[i].clone(), Tensor::scalar(i as u8)))
    /// })?;
    /// let data = data.bucketed(lengths)?;
    /// for batch in data.batches(&Pass::new(2, data.order(Some(1))))? {
    ///     assert_eq!(batch?.inputs.shape()[1], 4);
    /// }
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no sample.
    pub fn from_sequences<A: Samples, B: Samples>(
        samples: usize,
        inputs: PadSequences,
        targets: impl Into<Option<PadSequences>>,
        sample: impl Fn(usize) -> Result<(A, B)> + Send + Sync + 'static,
    ) -> Result<IndexedDataset<A::Type, B::Type>> {
        IndexedDataset::stacked(samples, Stacking { inputs: Some(inputs), targets: targets.into() }, sample)
    }

    fn stacked<A: Samples, B: Samples>(
        samples: usize,
        stacking: Stacking,
        sample: impl Fn(usize) -> Result<(A, B)> + Send + Sync + 'static,
    ) -> Result<IndexedDataset<A::Type, B::Type>> {
        IndexedDataset::of(samples, move |indices: &[usize], rows: &[usize]| {
            let one = |&index: &usize| {
                let (inputs, targets) = sample(index)?;
                Ok(Sample { inputs: inputs.into(), targets: targets.into() })
            };
            let stacked = |indices: &[usize], rows: &[usize]| {
                let samples = indices.iter().map(one).collect::<Result<Vec<Sample>>>()?;
                stacking.stacked(&samples, rows, |row| indices[row])
            };
            let batch = match stacking.is_fixed() {
                true => stacked(&picked(indices, rows), &(0..rows.len()).collect::<Vec<_>>()),
                false => stacked(indices, rows),
            };
            Ok(Batch::from_columns(batch?))
        })
    }
}

impl<X: SampleType, Y: SampleType> IndexedDataset<X, Y> {
    /// The samples of a source.
    ///
    /// # Errors
    /// If there is no sample.
    pub fn new(source: impl IndexedSource<X = X, Y = Y>) -> Result<Self> {
        IndexedDataset::of(source.len(), move |indices: &[usize], rows: &[usize]| source.read(&picked(indices, rows)))
    }

    fn of(
        samples: usize,
        read: impl Fn(&[usize], &[usize]) -> Result<Batch<X, Y>> + Send + Sync + 'static,
    ) -> Result<Self> {
        if samples == 0 {
            return Err(DatasetError::new(
                "no sample",
                "at least one sample",
                "check how the data were found or filtered",
            ));
        }
        let (read, range) = (Arc::new(read), 0..samples);
        Ok(IndexedDataset { read, range, weights: None, class_names: None, augmentation: None, lengths: None })
    }

    /// The same samples, each with a weight in the loss: `[n]`, times the weight that the source gives it.
    ///
    /// # Errors
    /// If there is not one weight for each sample, or one is negative or not finite.
    pub fn with_weights(self, weights: Tensor<f32>) -> Result<Self> {
        check_weights(&weights, self.len())?;
        Ok(IndexedDataset { weights: Some(weights), ..self })
    }

    /// The same samples, with names for the classes 0, 1, ...
    ///
    /// # Panics
    /// If two classes have one name.
    #[track_caller]
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        IndexedDataset { class_names: Some(checked_class_names(names)), ..self }
    }

    /// The same samples, in batches of like lengths where the order is that of a seed, so that little is padding. Each window of
    /// 64 batches of the random order is sorted by length and cut into batches, which come in an order of the seed. A
    /// smaller last batch comes last.
    ///
    /// # Errors
    /// If there is not one length for each sample.
    pub fn bucketed(self, lengths: impl IntoIterator<Item = usize>) -> Result<Self> {
        let lengths: Arc<[usize]> = lengths.into_iter().collect();
        if lengths.len() != self.len() {
            let (found, expected) = (format!("{} lengths", lengths.len()), format!("{}, one a sample", self.len()));
            return Err(DatasetError::new(found, expected, "give the length of each sample"));
        }
        Ok(IndexedDataset { lengths: Some(lengths), ..self })
    }

    /// The order of the samples in a pass.
    fn order_of(&self, pass: &Pass) -> Order {
        match (&self.lengths, pass.order.seed(), pass.order.total()) {
            (Some(lengths), Some(seed), Some(total)) => {
                let rows = arranged(&pass.order.samples(0..total), lengths, pass.batch_size, seed);
                Order::listed(rows).starting_at(pass.order.position())
            }
            _ => pass.order.clone(),
        }
    }

    /// The number of samples; never 0.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The weight of each sample in the loss, `[n]`, as given by [`with_weights`](IndexedDataset::with_weights).
    pub fn weights(&self) -> Option<&Tensor<f32>> {
        self.weights.as_ref()
    }

    /// The names of the classes 0, 1, ...
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The same samples, changed by `f` whenever they are read: `f` is given the samples of a batch as a [`Dataset`], with the
    /// names of classes that the data have, and may change inputs, targets and weights by all of its methods. It must treat
    /// samples alike, however many a batch has. It runs on the threads that read.
    ///
    /// Reading fails if `f` returns another number of samples, other names of classes, or an augmentation: what holds for the
    /// whole data is said behind `map`, by [`with_class_names`](IndexedDataset::with_class_names) and
    /// [`augment`](IndexedDataset::augment).
    ///
    /// ```
    /// # use gradus_datasets::IndexedDataset;
    /// # use gradus_tensor::Tensor;
    /// let pictures = IndexedDataset::from_fn(9, |i| Ok((Tensor::from([255_u8, i as u8]), Tensor::scalar(i as i64 % 3))))?;
    /// let pictures = pictures.map(|batch| batch.map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(3));
    /// assert_eq!(pictures.read(&[4])?.targets, Tensor::new([[0.0, 1.0, 0.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn map<A: SampleType, B: SampleType>(
        self,
        f: impl Fn(Dataset<X, Y>) -> Result<Dataset<A, B>> + Send + Sync + 'static,
    ) -> IndexedDataset<A, B> {
        let IndexedDataset { read, range, weights, class_names, augmentation, lengths } = self;
        let names = class_names.clone();
        let read = move |indices: &[usize], rows: &[usize]| {
            mapped(checked(read(indices, rows)?, rows.len())?, names.as_ref(), &f, |place| indices[rows[place]])
        };
        IndexedDataset { read: Arc::new(read), range, weights, class_names, augmentation, lengths }
    }

    /// The samples of a range, `train.slice(1000..)`.
    ///
    /// # Panics
    /// If the range is empty or reaches beyond the samples.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        self.part(parts::bounds(range, self.len()))
    }

    /// The first `count` samples, or all if there are fewer.
    ///
    /// # Panics
    /// If `count` is 0: a data set has at least one sample.
    #[track_caller]
    pub fn take(&self, count: usize) -> Self {
        self.part(parts::first(count, self.len()))
    }

    /// All but the first `count` samples.
    ///
    /// # Panics
    /// If that leaves no sample.
    #[track_caller]
    pub fn skip(&self, count: usize) -> Self {
        self.part(parts::rest(count, self.len()))
    }

    /// The first `count` samples, and the rest.
    ///
    /// # Panics
    /// If that leaves no sample in a part.
    #[track_caller]
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        let (first, rest) = parts::split_at(count, self.len());
        (self.part(first), self.part(rest))
    }

    /// A training set, and a validation set of the last `fraction` of the samples, as by [`Dataset::validation_split`].
    ///
    /// # Errors
    /// If that leaves no sample in a part.
    pub fn validation_split(&self, fraction: f64) -> Result<(Self, Self)> {
        Ok(self.split_at(parts::kept(fraction, self.len())?))
    }

    fn part(&self, range: Range<usize>) -> Self {
        IndexedDataset {
            read: Arc::clone(&self.read),
            weights: self.weights.as_ref().map(|weights| weights.slice(0, range.clone())),
            lengths: self.lengths.as_ref().map(|lengths| lengths[range.clone()].into()),
            range: self.range.start + range.start..self.range.start + range.end,
            class_names: self.class_names.clone(),
            augmentation: self.augmentation.clone(),
        }
    }

    /// The samples at these indices, in this order, as they are without augmentation.
    ///
    /// # Errors
    /// If a sample cannot be read.
    ///
    /// # Panics
    /// If there is no sample of an index, or no index.
    #[track_caller]
    pub fn read(&self, indices: &[usize]) -> Result<Batch<X, Y>> {
        let samples = self.len();
        assert!(!indices.is_empty(), "read: at least one index is needed");
        if let Some(index) = indices.iter().find(|&&index| index >= samples) {
            panic!("read: sample {index} of {samples}");
        }
        self.read_rows(indices, &(0..indices.len()).collect::<Vec<_>>())
    }

    /// Some rows of the batch of the samples at these indices.
    fn read_rows(&self, indices: &[usize], rows: &[usize]) -> Result<Batch<X, Y>> {
        let in_source: Vec<usize> = indices.iter().map(|index| self.range.start + index).collect();
        let mut batch = checked((self.read)(&in_source, rows)?, rows.len())?;
        if let Some(weights) = &self.weights {
            let weights = weights.take_rows(&picked(indices, rows));
            batch.weights = Some(batch.weights.map_or(weights.clone(), |given| given * &weights));
        }
        Ok(batch)
    }

    /// The batches of a pass, as [`DataSource::batches_of`] returns them, with inputs and targets of their own types.
    ///
    /// # Errors
    /// If the order is none of these data. An error of reading comes in place of its batch.
    ///
    /// # Panics
    /// If the batch size is 0.
    #[track_caller]
    pub fn batches(&self, pass: &Pass) -> Result<PassBatches<X, Y>> {
        Ok(Box::new(self.shares(pass, Share::all())?.map(|whole| Ok(whole?.batch))))
    }

    #[track_caller]
    fn shares(&self, pass: &Pass, share: Share) -> Result<PassShares<X, Y>> {
        pass.check();
        pass.order.check(self.len())?;
        let augmented = self.augmentation.clone().zip(pass.augmentation_seed);
        let shares = Shares { data: self.clone(), size: pass.batch_size, order: self.order_of(pass), augmented, share };
        Ok(match pass.prefetch {
            0 => Box::new(shares),
            ahead => Box::new(Prefetch::shared(shares, pass.workers, ahead)),
        })
    }

    /// The changes of the samples when they are trained on.
    pub fn augmentation(&self) -> Option<&Augment> {
        self.augmentation.as_ref().map(|augmentation| augmentation.augment())
    }

    fn with_augmentation(self, augmentation: Augmentation) -> Result<Self> {
        augmentation.check_batch(&self.read(&[0])?)?;
        Ok(IndexedDataset { augmentation: Some(Arc::new(augmentation)), ..self })
    }
}

impl<X: Float, Y: SampleType> IndexedDataset<X, Y> {
    /// The same samples, to be changed at random whenever they are trained on: see [`Dataset::augment`].
    ///
    /// # Errors
    /// If the first sample cannot be read, or as of `Dataset::augment`.
    pub fn augment(self, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, None))
    }
}

impl<Y: SampleType> IndexedDataset<Columns, Y> {
    /// As [`augment`](IndexedDataset::augment), for pictures in the input column of this name: see [`Dataset::augment_column`].
    ///
    /// # Errors
    /// If the first sample cannot be read, or as of `Dataset::augment_column`.
    pub fn augment_column(self, name: &str, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, Some(name)))
    }
}

impl<X: SampleType, Y: SampleType> DataSource for IndexedDataset<X, Y> {
    fn sample_count(&self) -> Option<usize> {
        Some(self.len())
    }

    fn preview(&self) -> Result<Batch<Columns>> {
        Ok(self.read(&[0])?.into_columns())
    }

    fn is_augmented(&self) -> bool {
        self.augmentation.is_some()
    }

    fn order(&self, seed: Option<u64>) -> Order {
        indexed_order(self.len(), seed)
    }

    fn sample_at(&self, pass: &Pass, position: usize) -> Option<usize> {
        self.order_of(pass).sample_at(position)
    }

    fn batches_of(&self, pass: &Pass) -> Result<PassBatches> {
        Ok(Box::new(self.batches(pass)?.map(|batch| Ok(batch?.into_columns()))))
    }

    fn shares_of(&self, pass: &Pass, share: Share) -> Result<PassShares> {
        Ok(Box::new(self.shares(pass, share)?.map(|part| Ok(part?.into_columns()))))
    }

    fn divided(&self, fraction: f64) -> Result<(Box<dyn DataSource>, Box<dyn DataSource>)> {
        let (train, validation) = self.validation_split(fraction)?;
        Ok((Box::new(train), Box::new(validation)))
    }
}

impl<X: SampleType, Y: SampleType> fmt::Debug for IndexedDataset<X, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedDataset").field("range", &self.range).finish_non_exhaustive()
    }
}

/// The rows of a share, of each batch of a pass.
#[derive(Clone)]
struct Shares<X: SampleType, Y: SampleType> {
    data: IndexedDataset<X, Y>,
    size: usize,
    order: Order,
    augmented: Option<(Arc<Augmentation>, u64)>,
    share: Share,
}

impl<X: SampleType, Y: SampleType> Iterator for Shares<X, Y> {
    type Item = Result<BatchShare<X, Y>>;

    fn next(&mut self) -> Option<Result<BatchShare<X, Y>>> {
        let positions = self.order.advance(self.size);
        if positions.is_empty() {
            return None;
        }
        let (start, indices) = (positions.start, self.order.samples(positions));
        let (samples, sample) = (indices.len(), |row: usize| indices[row]);
        let own = self.share.rows(samples);
        let first = own.start;
        let part = Part::new(self.augmented.as_ref(), start, samples, own);
        Some(self.data.read_rows(&indices, &part.rows().collect::<Vec<_>>()).and_then(|read| {
            part.check(&read, sample)?;
            Ok(BatchShare { batch: part.changed(read, sample), first, samples })
        }))
    }

    /// Goes past `count` batches without reading them.
    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        self.order.advance(count.saturating_mul(self.size));
        self.next()
    }
}
