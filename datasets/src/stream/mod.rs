//! A data set whose samples come one after the other, as from a file that is larger than memory.

mod walk;

use std::fmt;
use std::sync::{Arc, OnceLock};

use gradus_tensor::{Columns, Float, SampleType, Samples};

use crate::augment::{Augment, Augmentation, Part};
use crate::batch::{Batch, mapped};
use crate::classes::checked_class_names;
use crate::data_source::{DataSource, Pass, PassBatches, PassShares};
use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::order::Order;
use crate::prefetch::Prefetch;
use crate::share::{BatchShare, Share};
use crate::stack::{Sample, Stacking};
use crate::text::PadSequences;
use walk::{Gathered, Walk};

/// The samples of a stream from its beginning.
type Opened = Box<dyn Iterator<Item = Result<Sample>> + Send>;

/// Where a stream comes from, and what is known of its length.
#[derive(Clone)]
struct Stream {
    open: Arc<dyn Fn() -> Result<Opened> + Send + Sync>,
    /// The samples at the beginning that are left out.
    skip: usize,
    /// The most samples that come behind these.
    take: Option<usize>,
    /// The number of samples, once the end was reached.
    count: Arc<OnceLock<usize>>,
}

/// A data set whose samples come one after the other, from the beginning in each epoch: they need not fit into memory.
///
/// It is trained on as a [`Dataset`]: `trainer.fit(&data, fit)`. `Fit::shuffle` shuffles it through a buffer of
/// [`shuffle_buffer`](StreamDataset::shuffle_buffer) samples, 1024 by default, which are all that is in memory at a time besides
/// the batches. `Fit::prefetch` reads ahead on a thread; with `Fit::workers` above 1, several threads map and augment batches
/// that one at a time reads.
///
/// ```
/// use gradus_datasets::{DataSource, Pass, StreamDataset};
/// use gradus_tensor::Tensor;
/// let numbers = StreamDataset::new(|| Ok((0..5).map(|i| Ok((Tensor::new([i as f32]), Tensor::scalar(i as i64))))));
/// assert_eq!(numbers.sample_count(), None);
/// let pass = Pass::new(2, numbers.order(None));
/// let labels: Vec<Vec<i64>> = numbers.batches(&pass)?.map(|batch| batch.unwrap().targets.to_vec()).collect();
/// assert_eq!(labels, [vec![0, 1], vec![2, 3], vec![4]]);
/// // Known once the end was reached.
/// assert_eq!(numbers.sample_count(), Some(5));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # The order
///
/// It depends on the seed, the size of the buffer and the sequence alone. For each sample the buffer is first filled up, at its
/// end, by the samples that come next. The sample is the one at the place that
/// [`Generator::next_below`](gradus_tensor::Generator::next_below) draws among those in the buffer; the last one moves to this
/// place. A buffer of 1 leaves the samples in sequence, and one that holds all shuffles them as well as a [`Dataset`]. A sample
/// comes at most a buffer's length early, so a file that is sorted by class needs a large buffer, or to be shuffled on disk.
///
/// A pass that goes on in the midst reads past what has come, without making samples of it where the stream's
/// [`Iterator::nth`] does not, and fills the buffer with the samples that it had held. Nothing of it is saved.
///
/// # Several workers
///
/// Each one of several workers goes through the whole stream, because only its end says how large the last batch is. It puts
/// together, maps and augments its own rows alone, so what takes long belongs into [`map`](StreamDataset::map).
pub struct StreamDataset<X: SampleType = f32, Y: SampleType = X> {
    stream: Stream,
    /// Makes samples of what the stream gives; the last argument says which samples they are.
    finish: Arc<Finish<X, Y>>,
    stacking: Stacking,
    buffer: usize,
    class_names: Option<Arc<[String]>>,
    augmentation: Option<Arc<Augmentation>>,
}

/// Makes samples of those of a stream, at these indices.
type Finish<X, Y> = dyn Fn(Batch<Columns>, &[usize]) -> Result<Batch<X, Y>> + Send + Sync;

const DEFAULT_BUFFER: usize = 1024;

impl<X: SampleType, Y: SampleType> Clone for StreamDataset<X, Y> {
    fn clone(&self) -> Self {
        StreamDataset {
            stream: self.stream.clone(),
            finish: Arc::clone(&self.finish),
            stacking: self.stacking,
            buffer: self.buffer,
            class_names: self.class_names.clone(),
            augmentation: self.augmentation.clone(),
        }
    }
}

impl StreamDataset {
    /// The samples of a stream. `open` starts it from its beginning, once for each pass, and it always gives the same samples:
    /// the input and the target of each, tensors or [`Columns`] without an axis for samples. All samples have one form.
    ///
    /// A stream that can go past samples at less cost than reading them overrides [`Iterator::nth`].
    pub fn new<A: Samples, B: Samples, I>(
        open: impl Fn() -> Result<I> + Send + Sync + 'static,
    ) -> StreamDataset<A::Type, B::Type>
    where
        I: Iterator<Item = Result<(A, B)>> + Send + 'static,
    {
        let open = move || Ok(Box::new(AsColumns(open()?)) as Opened);
        StreamDataset {
            stream: Stream { open: Arc::new(open), skip: 0, take: None, count: Arc::default() },
            finish: Arc::new(|batch, _| Ok(Batch::from_columns(batch))),
            stacking: Stacking::default(),
            buffer: DEFAULT_BUFFER,
            class_names: None,
            augmentation: None,
        }
    }

    /// As [`new`](StreamDataset::new), for samples of different lengths: the first axes of inputs and, with a padding of their
    /// own, of targets. Each batch is padded to its longest sample.
    pub fn from_sequences<A: Samples, B: Samples, I>(
        inputs: PadSequences,
        targets: impl Into<Option<PadSequences>>,
        open: impl Fn() -> Result<I> + Send + Sync + 'static,
    ) -> StreamDataset<A::Type, B::Type>
    where
        I: Iterator<Item = Result<(A, B)>> + Send + 'static,
    {
        let stacking = Stacking { inputs: Some(inputs), targets: targets.into() };
        StreamDataset { stacking, ..StreamDataset::new(open) }
    }
}

/// The samples of a stream as columns.
struct AsColumns<I>(I);

impl<A: Samples, B: Samples, I: Iterator<Item = Result<(A, B)>>> Iterator for AsColumns<I> {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Result<Sample>> {
        self.0.next().map(as_columns)
    }

    fn nth(&mut self, count: usize) -> Option<Result<Sample>> {
        self.0.nth(count).map(as_columns)
    }
}

fn as_columns<A: Samples, B: Samples>(sample: Result<(A, B)>) -> Result<Sample> {
    sample.map(|(inputs, targets)| Sample { inputs: inputs.into(), targets: targets.into() })
}

impl<X: SampleType, Y: SampleType> StreamDataset<X, Y> {
    /// The number of samples in the buffer through which the stream is shuffled.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn shuffle_buffer(self, samples: usize) -> Self {
        assert!(samples > 0, "shuffle_buffer: at least one sample is needed; 1 leaves the stream as it is");
        StreamDataset { buffer: samples, ..self }
    }

    /// The same samples, with names for the classes 0, 1, ...
    ///
    /// # Panics
    /// If two classes have one name.
    #[track_caller]
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        StreamDataset { class_names: Some(checked_class_names(names)), ..self }
    }

    /// The names of the classes 0, 1, ...
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The first `count` samples, or all if there are fewer: for `take` and [`skip`](StreamDataset::skip), which divide a stream
    /// into samples to validate on and to train on.
    ///
    /// # Panics
    /// If `count` is 0: a data set has at least one sample.
    #[track_caller]
    pub fn take(&self, count: usize) -> Self {
        assert!(count > 0, "take: a data set has at least one sample: 0 of a stream");
        let take = self.stream.take.map_or(count, |take| take.min(count));
        self.part(self.stream.skip, Some(take))
    }

    /// The samples behind the first `count`. An error comes when they are read, if there are none.
    pub fn skip(&self, count: usize) -> Self {
        self.part(self.stream.skip.saturating_add(count), self.stream.take.map(|take| take.saturating_sub(count)))
    }

    fn part(&self, skip: usize, take: Option<usize>) -> Self {
        let stream = Stream { open: Arc::clone(&self.stream.open), skip, take, count: Arc::default() };
        StreamDataset { stream, ..self.clone() }
    }

    /// The same samples, changed by `f` whenever they are read: see [`IndexedDataset::map`](crate::IndexedDataset::map). It is
    /// applied to batches, behind the shuffle buffer.
    ///
    /// ```
    /// # use gradus_datasets::{DataSource, StreamDataset};
    /// # use gradus_tensor::Tensor;
    /// let pixels = StreamDataset::new(|| Ok((0..9).map(|i| Ok((Tensor::from([i as u8 * 17]), Tensor::scalar(i as i64 % 3))))));
    /// let pixels = pixels.map(|batch| batch.map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(3));
    /// assert_eq!(pixels.preview()?.targets[0].to::<f32>(), Tensor::new([[1.0, 0.0, 0.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn map<A: SampleType, B: SampleType>(
        self,
        f: impl Fn(Dataset<X, Y>) -> Result<Dataset<A, B>> + Send + Sync + 'static,
    ) -> StreamDataset<A, B> {
        let StreamDataset { stream, finish, stacking, buffer, class_names, augmentation } = self;
        let names = class_names.clone();
        let finish = move |batch: Batch<Columns>, indices: &[usize]| {
            mapped(finish(batch, indices)?, names.as_ref(), &f, |row| indices[row])
        };
        StreamDataset { stream, finish: Arc::new(finish), stacking, buffer, class_names, augmentation }
    }

    /// The batches of a pass, as [`DataSource::batches_of`] returns them, with inputs and targets of their own types.
    ///
    /// # Errors
    /// If the order is none of a stream, or the stream cannot be opened or read up to the position of the order. A later error
    /// comes in place of its batch, and ends the pass.
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
        if !pass.order.is_stream() {
            let hint = "use an order that the stream has made: `data.order(Some(seed))`";
            return Err(DatasetError::new("an order of samples with indices", "one of a stream", hint));
        }
        let walk = Walk::new(self.stream.clone(), &pass.order, pass.batch_size)?;
        let (finish, stacking) = (Arc::clone(&self.finish), self.stacking);
        let augmented = self.augmentation.clone().zip(pass.augmentation_seed);
        let make = move |gathered: Result<Gathered>| {
            let Gathered { start, indices, samples } = gathered?;
            let (count, sample) = (samples.len(), |row: usize| indices[row]);
            let own = share.rows(count);
            let first = own.start;
            let part = Part::new(augmented.as_ref(), start, count, own);
            let rows: Vec<usize> = part.rows().collect();
            let of_rows: Vec<usize> = rows.iter().map(|&row| indices[row]).collect();
            let read = finish(stacking.stacked(&samples, &rows, sample)?, &of_rows)?;
            part.check(&read, sample)?;
            Ok(BatchShare { batch: part.changed(read, sample), first, samples: count })
        };
        Ok(match (pass.prefetch, pass.workers) {
            (0, _) => Box::new(walk.map(make)),
            (ahead, 0 | 1) => Box::new(Prefetch::new(walk.map(make), ahead)),
            (ahead, workers) => Box::new(Prefetch::staged(walk, make, workers, ahead)),
        })
    }

    /// The changes of the samples when they are trained on.
    pub fn augmentation(&self) -> Option<&Augment> {
        self.augmentation.as_ref().map(|augmentation| augmentation.augment())
    }

    fn first(&self) -> Result<Batch<X, Y>> {
        let first = Walk::new(self.stream.clone(), &Order::stream(None), 1)?.next();
        let Some(gathered) = first.transpose()? else { return Err(self.stream.empty()) };
        (self.finish)(self.stacking.stacked(&gathered.samples, &[0], |row| row)?, &gathered.indices)
    }

    fn with_augmentation(self, augmentation: Augmentation) -> Result<Self> {
        augmentation.check_batch(&self.first()?)?;
        Ok(StreamDataset { augmentation: Some(Arc::new(augmentation)), ..self })
    }
}

impl<X: Float, Y: SampleType> StreamDataset<X, Y> {
    /// The same samples, to be changed at random whenever they are trained on: see [`Dataset::augment`].
    ///
    /// # Errors
    /// If the first sample cannot be read, or as of `Dataset::augment`.
    pub fn augment(self, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, None))
    }
}

impl<Y: SampleType> StreamDataset<Columns, Y> {
    /// As [`augment`](StreamDataset::augment), for pictures in the input column of this name: see [`Dataset::augment_column`].
    ///
    /// # Errors
    /// If the first sample cannot be read, or as of `Dataset::augment_column`.
    pub fn augment_column(self, name: &str, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, Some(name)))
    }
}

impl<X: SampleType, Y: SampleType> DataSource for StreamDataset<X, Y> {
    fn sample_count(&self) -> Option<usize> {
        self.stream.count.get().copied()
    }

    fn preview(&self) -> Result<Batch<Columns>> {
        Ok(self.first()?.into_columns())
    }

    fn is_augmented(&self) -> bool {
        self.augmentation.is_some()
    }

    fn order(&self, seed: Option<u64>) -> Order {
        match seed {
            Some(seed) => Order::buffered(self.sample_count(), self.buffer, seed),
            None => Order::stream(self.sample_count()),
        }
    }

    fn sample_at(&self, pass: &Pass, position: usize) -> Option<usize> {
        // The end that was reached meanwhile says which samples come last.
        pass.order.of_samples(self.sample_count()).sample_at(position)
    }

    fn batches_of(&self, pass: &Pass) -> Result<PassBatches> {
        Ok(Box::new(self.batches(pass)?.map(|batch| Ok(batch?.into_columns()))))
    }

    fn shares_of(&self, pass: &Pass, share: Share) -> Result<PassShares> {
        Ok(Box::new(self.shares(pass, share)?.map(|part| Ok(part?.into_columns()))))
    }

    fn divided(&self, fraction: f64) -> Result<(Box<dyn DataSource>, Box<dyn DataSource>)> {
        Err(DatasetError::new(
            format!("a validation split of {fraction} of a stream"),
            "data whose length is known before their end",
            "divide the stream by `take` and `skip`, and call `fit_validated`",
        ))
    }
}

impl<X: SampleType, Y: SampleType> fmt::Debug for StreamDataset<X, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamDataset").field("buffer", &self.buffer).finish_non_exhaustive()
    }
}
