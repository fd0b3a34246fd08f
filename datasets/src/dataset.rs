//! Samples: inputs with their targets.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::{Columns, Element, Float, SampleType, Samples, Shape, Tensor};

use crate::augment::{Augment, Augmentation};
use crate::batch::Batch;
use crate::classes::checked_class_names;
use crate::columns;
use crate::error::{DatasetError, Result};

/// Samples to learn from: inputs `[n, ..]`, a target for each `[n, ..]`, perhaps a weight for each `[n]`.
///
/// A data set is a value: its methods return another one. Tensors that a method does not change are shared, not copied.
///
/// `X` and `Y` are the element types of inputs and targets that are one tensor each, as in `Dataset<u8, i64>`; f32
/// by default.
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
///
/// Inputs or targets of several tensors are [`Columns`], of any element types and with names. The type is then
/// `Dataset<Columns>`, or `Dataset<Columns, u8>` where the targets are one tensor:
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_tensor::{Columns, Tensor};
/// let tickets = Columns::new().with("title", Tensor::from([[7_i64, 2], [1, 1]])).with("urgent", Tensor::from([true, false]));
/// let tickets: Dataset<Columns> = Dataset::new(tickets, Columns::new().with("hours", Tensor::new([[2.5], [8.0]])))?;
/// let batch = tickets.batches(1).next().unwrap();
/// assert_eq!(batch.inputs.named("title").unwrap().to::<i64>(), Tensor::from([[7_i64, 2]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<X: SampleType = f32, Y: SampleType = X> {
    // Invariant: at least one sample, and the first axis of every tensor counts them.
    inputs: X::Data,
    targets: Y::Data,
    weights: Option<Tensor<f32>>,
    class_names: Option<Arc<[String]>>,
    /// The changes of the inputs when they are trained on.
    augmentation: Option<Arc<Augmentation>>,
}

impl<X: SampleType, Y: SampleType> Dataset<X, Y> {
    /// The samples whose inputs and targets are the entries of the first axes of tensors, or of [`Columns`].
    ///
    /// # Errors
    /// If there is no sample, not one target for each input, or columns have different numbers of samples.
    pub fn new(inputs: impl Samples<Type = X>, targets: impl Samples<Type = Y>) -> Result<Self> {
        columns::check_counts(&inputs.clone().into(), &targets.clone().into())?;
        Ok(unchecked(inputs, targets))
    }

    /// The same samples, each with a weight in the loss: `[n]`.
    ///
    /// # Errors
    /// If there is not one weight for each sample, or one is negative or not finite.
    pub fn with_weights(self, weights: Tensor<f32>) -> Result<Self> {
        check_weights(&weights, self.len())?;
        Ok(Dataset { weights: Some(weights), ..self })
    }

    /// The same samples, with names for the classes 0, 1, ...
    ///
    /// # Panics
    /// If two classes have one name.
    #[track_caller]
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Dataset { class_names: Some(checked_class_names(names)), ..self }
    }

    /// The number of samples; never 0.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.inputs.sample_count()
    }

    /// The inputs, to predict from: a tensor `[n, ..]`, or columns of them.
    pub fn inputs(&self) -> &X::Data {
        &self.inputs
    }

    /// The targets, to be predicted: a tensor `[n, ..]`, or columns of them.
    pub fn targets(&self) -> &Y::Data {
        &self.targets
    }

    /// The weight of each sample in the loss, `[n]`; without weights all samples count alike.
    pub fn weights(&self) -> Option<&Tensor<f32>> {
        self.weights.as_ref()
    }

    /// The names of the classes 0, 1, ...
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The changes of the samples when they are trained on (see [`Dataset::augment`]).
    pub fn augmentation(&self) -> Option<&Augment> {
        self.augmentation.as_ref().map(|augmentation| augmentation.augment())
    }

    /// The same samples with other inputs: `f` of all of them at once. `f` may turn a tensor into another one or into
    /// [`Columns`], and columns into a tensor.
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
    /// One column among several is changed by [`Columns::map_column`]:
    ///
    /// ```
    /// # use gradus_datasets::Dataset;
    /// # use gradus_tensor::{Columns, Tensor};
    /// let inputs = Columns::new().with("picture", Tensor::from([[0_u8, 255]])).with("doors", Tensor::from([5_u8]));
    /// let cars = Dataset::new(inputs, Tensor::new([9.5]))?;
    /// let cars = cars.map_inputs(|columns| columns.map_column("picture", |x| x.to::<f32>() / 255.0));
    /// assert_eq!(cars.inputs().named("picture").unwrap().to::<f32>(), Tensor::new([[0.0, 1.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Panics
    /// If the result of `f` has another number of samples.
    #[track_caller]
    pub fn map_inputs<A: Samples>(self, f: impl FnOnce(X::Data) -> A) -> Dataset<A::Type, Y> {
        let (count, before) = (self.len(), columns::shapes(&self.inputs.clone().into()));
        let inputs = f(self.inputs);
        columns::check_mapped("map_inputs", count, &before, &inputs.clone().into());
        let Dataset { targets, weights, class_names, augmentation, .. } = self;
        Dataset { inputs, targets, weights, class_names, augmentation }
    }

    /// The same samples with other targets: `f` of all of them at once, as in [`map_inputs`](Dataset::map_inputs).
    ///
    /// # Panics
    /// If the result of `f` has another number of samples.
    #[track_caller]
    pub fn map_targets<B: Samples>(self, f: impl FnOnce(Y::Data) -> B) -> Dataset<X, B::Type> {
        let (count, before) = (self.len(), columns::shapes(&self.targets.clone().into()));
        let targets = f(self.targets);
        columns::check_mapped("map_targets", count, &before, &targets.clone().into());
        let Dataset { inputs, weights, class_names, augmentation, .. } = self;
        Dataset { inputs, targets, weights, class_names, augmentation }
    }

    /// The same samples with inputs and targets as [`Columns`]: of one column each where they are one tensor. The tensors
    /// are shared.
    pub fn to_columns(&self) -> Dataset<Columns> {
        Dataset {
            inputs: self.inputs.clone().into(),
            targets: self.targets.clone().into(),
            weights: self.weights.clone(),
            class_names: self.class_names.clone(),
            augmentation: self.augmentation.clone(),
        }
    }

    /// The samples of a range, as views.
    pub(crate) fn range(&self, range: Range<usize>) -> Batch<X, Y> {
        Batch {
            inputs: self.inputs.sample_range(range.clone()),
            targets: self.targets.sample_range(range.clone()),
            weights: self.weights.as_ref().map(|weights| weights.sample_range(range)),
        }
    }

    /// The samples at these indices, copied.
    pub(crate) fn gather(&self, indices: &[usize]) -> Batch<X, Y> {
        Batch {
            inputs: self.inputs.take_samples(indices),
            targets: self.targets.take_samples(indices),
            weights: self.weights.as_ref().map(|weights| weights.take_samples(indices)),
        }
    }

    /// The samples of a batch as a data set with these names of classes.
    pub(crate) fn of_batch(batch: Batch<X, Y>, class_names: Option<Arc<[String]>>) -> Self {
        let Batch { inputs, targets, weights } = batch;
        Dataset { inputs, targets, weights, class_names, augmentation: None }
    }

    /// A data set of these samples of this one, with its class names and its augmentation.
    pub(crate) fn part(&self, samples: Batch<X, Y>) -> Self {
        Dataset { augmentation: self.augmentation.clone(), ..Dataset::of_batch(samples, self.class_names.clone()) }
    }

    fn with_augmentation(self, augmentation: Augmentation) -> Result<Self> {
        augmentation.check(self.inputs.clone().into(), self.targets.clone().into())?;
        Ok(Dataset { augmentation: Some(Arc::new(augmentation)), ..self })
    }

    /// The augmentation, if there is one, after a check that it can change these samples: they may have been mapped.
    pub(crate) fn checked_augmentation(&self) -> Result<Option<Arc<Augmentation>>> {
        if let Some(augmentation) = &self.augmentation {
            augmentation.check(self.inputs.clone().into(), self.targets.clone().into())?;
        }
        Ok(self.augmentation.clone())
    }
}

/// Checks that these are weights of so many samples.
pub(crate) fn check_weights(weights: &Tensor<f32>, samples: usize) -> Result<()> {
    let expected = [samples];
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
    Ok(())
}

fn unchecked<A: Samples, B: Samples>(inputs: A, targets: B) -> Dataset<A::Type, B::Type> {
    Dataset { inputs, targets, weights: None, class_names: None, augmentation: None }
}

impl<X: Element, Y: SampleType> Dataset<X, Y> {
    /// The shape of one sample's input: `[28, 28]` for MNIST.
    pub fn input_shape(&self) -> Shape {
        self.inputs.shape().without_axis(0)
    }
}

impl<X: SampleType, Y: Element> Dataset<X, Y> {
    /// The shape of one sample's target: `[]` for a class label.
    pub fn target_shape(&self) -> Shape {
        self.targets.shape().without_axis(0)
    }
}

impl<X: Float, Y: SampleType> Dataset<X, Y> {
    /// The same samples, to be changed at random whenever they are trained on: `Trainer::fit` draws the changes anew in each
    /// epoch, [`Batches::augmented`](crate::Batches::augmented) by the seed it is given. The samples themselves stay as
    /// they are, and so do those that are evaluated.
    ///
    /// # Errors
    /// If inputs are not pictures `[n, height, width, channels]`, an amount is out of its range, or there is mix-up and
    /// the targets are not one-hot rows or other class probabilities.
    pub fn augment(self, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, None))
    }
}

impl<Y: SampleType> Dataset<Columns, Y> {
    /// As [`augment`](Dataset::augment), for pictures in the input column of this name. The other inputs stay as they are,
    /// unless there is mix-up, which mixes all columns.
    ///
    /// # Errors
    /// If there is no such column, it does not hold pictures `[n, height, width, channels]` of type f32 or f64, an amount
    /// is out of its range, or there is mix-up and a target is not rows of class probabilities or an input is not of type
    /// f32 or f64.
    pub fn augment_column(self, name: &str, augment: Augment) -> Result<Self> {
        self.with_augmentation(Augmentation::new(augment, Some(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(samples: usize) -> Dataset {
        Dataset::new(Tensor::arange(0.0, samples as f32, 1.0), Tensor::zeros([samples, 1])).unwrap()
    }

    #[test]
    #[should_panic(expected = "with_class_names: found the class name \"a\" twice, for the classes 0 and 2")]
    fn each_class_has_a_name_of_its_own() {
        numbered(3).with_class_names(["a", "b", "a"]);
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
    #[should_panic(expected = "map_inputs: the first axis must still count the samples: [4] became [1, 4]")]
    fn a_map_that_loses_the_samples_is_refused() {
        numbered(4).map_inputs(|x| x.unsqueeze(0));
    }
}
