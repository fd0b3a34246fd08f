//! A data set that comes with its own test set.

use gradus_tensor::{Element, SampleType, Samples};

use crate::dataset::Dataset;
use crate::error::Result;

/// Samples to train on, and samples of the same kind to test on.
///
/// Each method changes both sets alike, so that they stay comparable; [`Splits::split`] takes them apart.
///
/// ```
/// use gradus_datasets::{Dataset, Splits};
/// use gradus_tensor::Tensor;
/// let all = Dataset::new(Tensor::from([[0_u8], [255], [51]]), Tensor::from([0_i64, 1, 0]))?;
/// let (train, test) = all.split_at(2);
/// let (train, test) = Splits { train, test }.map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(2)?.split();
/// assert_eq!((train.targets().shape(), test.inputs()), (&[2, 2].into(), &Tensor::new([[0.2]])));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Splits<X: SampleType = f32, Y: SampleType = X> {
    /// The samples to learn from.
    pub train: Dataset<X, Y>,
    /// The samples to test on.
    pub test: Dataset<X, Y>,
}

impl<X: SampleType, Y: SampleType> Splits<X, Y> {
    /// Training and test samples, for two variables: `let (train, test) = splits.split();`
    pub fn split(self) -> (Dataset<X, Y>, Dataset<X, Y>) {
        (self.train, self.test)
    }

    /// Both sets, with names for the classes 0, 1, ...
    ///
    /// # Panics
    /// If two classes have one name.
    #[track_caller]
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        Splits { train: self.train.with_class_names(names.clone()), test: self.test.with_class_names(names) }
    }

    /// `f` of all inputs; see [`Dataset::map_inputs`].
    ///
    /// # Panics
    /// If a result of `f` has another number of samples.
    #[track_caller]
    pub fn map_inputs<A: Samples>(self, mut f: impl FnMut(X::Data) -> A) -> Splits<A::Type, Y> {
        Splits { train: self.train.map_inputs(&mut f), test: self.test.map_inputs(&mut f) }
    }

    /// `f` of all targets; see [`Dataset::map_targets`].
    ///
    /// # Panics
    /// If a result of `f` has another number of samples.
    #[track_caller]
    pub fn map_targets<B: Samples>(self, mut f: impl FnMut(Y::Data) -> B) -> Splits<X, B::Type> {
        Splits { train: self.train.map_targets(&mut f), test: self.test.map_targets(&mut f) }
    }
}

impl<X: SampleType, Y: Element> Splits<X, Y> {
    /// Class labels as one-hot rows; see [`Dataset::to_categorical`].
    ///
    /// # Errors
    /// If a label is not a whole number below `classes`, or a sample has more than one.
    pub fn to_categorical(&self, classes: usize) -> Result<Splits<X, f32>> {
        Ok(Splits { train: self.train.to_categorical(classes)?, test: self.test.to_categorical(classes)? })
    }
}
