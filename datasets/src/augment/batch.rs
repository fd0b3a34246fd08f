//! Augmentation of batches: of the one input column that holds pictures, and by mix-up of all columns.

use std::sync::Arc;

use gradus_tensor::{AnyTensor, Columns, SampleType, Samples};

use super::mix_up;
use super::pictures::{Augment, generator};
use crate::batch::Batch;
use crate::columns::Role;
use crate::error::{DatasetError, Result};

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

    /// Checks that this batch can be changed.
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

    /// The batch, changed: the samples `row(0)`, `row(1)`, ... of a data set that passed [`check`](Augmentation::check),
    /// after `start` others.
    pub fn change<X: SampleType, Y: SampleType>(
        &self,
        batch: Batch<X, Y>,
        seed: u64,
        start: usize,
        row: impl Fn(usize) -> usize,
    ) -> Batch<X, Y> {
        let inputs: Columns = batch.inputs.into();
        let index = self.place(&inputs).expect("the data set was checked");
        let pictures = |column: &AnyTensor| self.augment.changed(&column.to(), seed, row);
        let inputs = inputs.map_at(index, |column| match column {
            AnyTensor::F64(_) => AnyTensor::F64(pictures(column).to()),
            _ => AnyTensor::F32(pictures(column)),
        });
        let batch = Batch { inputs: X::Data::from_columns(inputs), targets: batch.targets, weights: batch.weights };
        match self.augment.mix_up_alpha() {
            0.0 => batch,
            // No picture has the number of a batch.
            alpha => mix_up::mix(batch, alpha, &mut generator(seed, !(start as u64))),
        }
    }
}
