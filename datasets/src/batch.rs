//! The samples of one step of training.

use std::sync::Arc;

use gradus_tensor::{Columns, SampleType, Samples, Tensor};

use crate::columns;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};

/// Some samples of a data set, for one step of training.
///
/// The inputs and the targets are tensors or [`Columns`], as those of the data set are.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_tensor::Tensor;
/// let data = Dataset::new(Tensor::new([1.0, 2.0, 3.0]), Tensor::from([0_i64, 1, 1]))?;
/// let batch = data.batches(2).next().unwrap();
/// assert_eq!((batch.len(), batch.inputs, batch.targets), (2, Tensor::new([1.0, 2.0]), Tensor::from([0_i64, 1])));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<X: SampleType = f32, Y: SampleType = X> {
    /// The inputs, `[size, ..]`.
    pub inputs: X::Data,
    /// The targets, `[size, ..]`.
    pub targets: Y::Data,
    /// The samples' weights in the loss, `[size]`, if the data set has any.
    pub weights: Option<Tensor<f32>>,
}

impl<X: SampleType, Y: SampleType> Batch<X, Y> {
    /// The number of samples.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.inputs.sample_count()
    }

    /// The same samples with inputs and targets as [`Columns`].
    pub fn into_columns(self) -> Batch<Columns> {
        Batch { inputs: self.inputs.into(), targets: self.targets.into(), weights: self.weights }
    }

    /// The samples that became these columns by [`into_columns`](Batch::into_columns).
    pub(crate) fn from_columns(batch: Batch<Columns>) -> Self {
        let (inputs, targets) = (X::Data::from_columns(batch.inputs), Y::Data::from_columns(batch.targets));
        Batch { inputs, targets, weights: batch.weights }
    }
}

/// The batch, which must have so many samples.
pub(crate) fn checked<X: SampleType, Y: SampleType>(batch: Batch<X, Y>, samples: usize) -> Result<Batch<X, Y>> {
    let (inputs, targets): (Columns, Columns) = (batch.inputs.clone().into(), batch.targets.clone().into());
    columns::check_counts(&inputs, &targets)?;
    let weights = batch.weights.as_ref().map_or(samples, Tensor::size);
    if batch.len() != samples || weights != samples {
        let found = format!("{} samples with {weights} weights", batch.len());
        let hint = "return the samples that were asked for";
        return Err(DatasetError::new(found, format!("{samples}, as many as indices"), hint));
    }
    Ok(batch)
}

/// `f` of the samples of a batch with these names of classes; `index` says which samples of the data they are.
pub(crate) fn mapped<X: SampleType, Y: SampleType, A: SampleType, B: SampleType>(
    batch: Batch<X, Y>,
    class_names: Option<&Arc<[String]>>,
    f: &(impl Fn(Dataset<X, Y>) -> Result<Dataset<A, B>> + ?Sized),
    index: impl Fn(usize) -> usize,
) -> Result<Batch<A, B>> {
    let samples = batch.len();
    let batch = f(Dataset::of_batch(batch, class_names.cloned())).map_err(|error| match error.place() {
        Some(Place::Sample(row)) if row < samples => error.at(Place::Sample(index(row))),
        _ => error,
    })?;
    if batch.len() != samples {
        let (found, expected) = (format!("{} samples after `map`", batch.len()), format!("{samples}, as before"));
        return Err(DatasetError::new(found, expected, "leave samples out before: by `slice` or by the source"));
    }
    let only_of_all = |found: &str, method: &str| {
        let hint = format!("call `{method}` of the data set, behind `map`");
        Err(DatasetError::new(found, "what can differ from sample to sample: inputs, targets and weights", hint))
    };
    if batch.augmentation().is_some() {
        return only_of_all("an augmentation in `map`", "augment");
    }
    if batch.class_names() != class_names.map(|names| &**names) {
        return only_of_all("other class names in `map`", "with_class_names");
    }
    Ok(batch.range(0..samples))
}
