//! Augmentation of batches: of the one input column that holds pictures, and by mix-up of all columns.

use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::{AnyTensor, Columns, SampleType, Samples};

use super::mix_up::{self, Mixture};
use super::pictures::{Augment, generator};
use crate::batch::Batch;
use crate::columns::Role;
use crate::error::{DatasetError, Place, Result};

/// The changes of a data set's pictures, and the input column that holds the pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Augmentation {
    augment: Augment,
    /// The column's name; without one it is the only column.
    column: Option<Arc<str>>,
}

impl Augmentation {
    pub fn new(augment: Augment, column: Option<&str>) -> Self {
        Augmentation { augment, column: column.map(Arc::from) }
    }

    /// The changes.
    pub fn augment(&self) -> &Augment {
        &self.augment
    }

    /// Checks that these inputs and targets can be changed.
    pub fn check(&self, inputs: Columns, targets: Columns) -> Result<()> {
        let index = self.place(&inputs)?;
        let pictures = &inputs[index];
        if !pictures.is_float() {
            let found = match inputs.len() {
                1 => format!("augmented pictures of type {}", pictures.element()),
                _ => format!(
                    "augmented pictures of type {}, {}",
                    pictures.element(),
                    Role::Inputs.describe(&inputs, index)
                ),
            };
            let hint = "convert them before, as by `map_inputs(|x| x.to::<f32>() / 255.0)`";
            return Err(DatasetError::new(found, "pictures of type f32", hint));
        }
        self.augment.check(pictures.shape())?;
        if self.augment.mix_up_alpha() > 0.0 { mix_up::check(&inputs, &targets) } else { Ok(()) }
    }

    /// Checks that a batch can be changed.
    pub fn check_batch<X: SampleType, Y: SampleType>(&self, batch: &Batch<X, Y>) -> Result<()> {
        self.check(batch.inputs.clone().into(), batch.targets.clone().into())
    }

    /// The index of the column that holds the pictures.
    fn place(&self, inputs: &Columns) -> Result<usize> {
        let refuse = |found: String, hint: &str| Err(DatasetError::new(found, "a column of pictures to augment", hint));
        let names = || inputs.names().flatten().collect::<Vec<_>>();
        match &self.column {
            Some(column) => match inputs.names().position(|name| name == Some(column)) {
                Some(index) => Ok(index),
                None => refuse(format!("no input {column:?} among {:?}", names()), "name the column of the pictures"),
            },
            None if inputs.len() == 1 => Ok(0),
            None => refuse(
                format!("{} inputs, {:?}, instead of pictures alone", inputs.len(), names()),
                "name the column of the pictures: `augment_column`",
            ),
        }
    }

    /// Changes the pictures of a batch that passed [`check`](Augmentation::check): the samples `sample(0)`, `sample(1)`, ...
    fn change<X: SampleType, Y: SampleType>(
        &self,
        batch: Batch<X, Y>,
        seed: u64,
        sample: impl Fn(usize) -> usize,
    ) -> Batch<X, Y> {
        let inputs: Columns = batch.inputs.into();
        let index = self.place(&inputs).expect("the data set was checked");
        let pictures = |column: &AnyTensor| self.augment.changed(&column.to(), seed, sample);
        let inputs = inputs.map_at(index, |column| match column {
            AnyTensor::F64(_) => AnyTensor::F64(pictures(column).to()),
            _ => AnyTensor::F32(pictures(column)),
        });
        Batch { inputs: X::Data::from_columns(inputs), targets: batch.targets, weights: batch.weights }
    }
}

/// Some rows of a batch, which are the same whether the others are made or not.
pub(crate) struct Part<'a> {
    own: Range<usize>,
    /// The rows that these are mixed with, where they are none of these.
    others: Vec<usize>,
    changes: Option<(&'a Augmentation, u64)>,
    mixture: Option<Mixture>,
}

impl<'a> Part<'a> {
    /// The rows `own` of a batch of so many samples, which come after `start` others. They are changed by an augmentation and a
    /// seed, if there is one.
    pub fn new(
        augmented: Option<&'a (Arc<Augmentation>, u64)>,
        start: usize,
        samples: usize,
        own: Range<usize>,
    ) -> Self {
        let changes = augmented.map(|(augmentation, seed)| (&**augmentation, *seed));
        let (mixture, others) = match changes.map(|(augmentation, seed)| (augmentation.augment.mix_up_alpha(), seed)) {
            None | Some((0.0, _)) => (None, Vec::new()),
            Some((alpha, seed)) => {
                // No picture has the number of a batch.
                let mixture = Mixture::new(samples, alpha, &mut generator(seed, !(start as u64)));
                let (mixture, others) = mixture.of_rows(own.clone());
                (Some(mixture), others)
            }
        };
        Part { own, others, changes, mixture }
    }

    /// The rows that must be read: these, and behind them those that they are mixed with.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.own.clone().chain(self.others.iter().copied())
    }

    /// The rows that must be read, where they are in sequence.
    pub fn range(&self) -> Option<Range<usize>> {
        self.others.is_empty().then(|| self.own.clone())
    }

    /// Checks that what was read can be changed; `sample` says which sample of the data is in a row of the batch.
    pub fn check<X: SampleType, Y: SampleType>(
        &self,
        read: &Batch<X, Y>,
        sample: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let Some((augmentation, _)) = self.changes else { return Ok(()) };
        augmentation.check_batch(read).map_err(|error| match error.place() {
            Some(Place::Sample(place)) => error.at(Place::Sample(sample(self.row(place)))),
            _ => error,
        })
    }

    /// The rows, changed, of what was read, which passed the check. `sample` says which sample of the data is in a row of the
    /// batch.
    pub fn changed<X: SampleType, Y: SampleType>(
        &self,
        read: Batch<X, Y>,
        sample: impl Fn(usize) -> usize,
    ) -> Batch<X, Y> {
        let Some((augmentation, seed)) = self.changes else { return read };
        let batch = augmentation.change(read, seed, |place| sample(self.row(place)));
        match &self.mixture {
            None => batch,
            Some(mixture) => mixture.mix(batch),
        }
    }

    /// The row of the batch that is read as this one.
    fn row(&self, place: usize) -> usize {
        match place.checked_sub(self.own.len()) {
            None => self.own.start + place,
            Some(other) => self.others[other],
        }
    }
}
