//! The column of a table that is predicted.

use gradus_tensor::{AnyTensor, Tensor};
use serde::{Deserialize, Serialize};

use super::column::TableColumn;
use crate::error::{DatasetError, Place, Result};

/// What becomes of the column that is predicted.
///
/// | | targets | last layer | loss |
/// |---|---|---|---|
/// | [`number`](Target::number) | `[n, 1]`, f32 | `Dense(1)` | `MeanSquaredError` |
/// | [`binary`](Target::binary) | `[n, 1]`, 0 or 1 | `Dense(1)` with a sigmoid | `BinaryCrossentropy` |
/// | [`classes`](Target::classes) | `[n]`, ids from 0 | `Dense(classes)` with a softmax | `SparseCategoricalCrossentropy` |
///
/// ```
/// use gradus_datasets::{FeatureSpace, Number, Table, TableColumn, Target};
/// use gradus_tensor::Tensor;
/// let table = Table::new([("x", TableColumn::from([1.0, 2.0])), ("rain", TableColumn::from(["yes", "no"]))])?;
/// let data = FeatureSpace::new().feature("x", Number::new()).target("rain", Target::binary()).adapt(&table)?.dataset(&table)?;
/// assert_eq!(data.targets()[0].to::<f32>(), Tensor::new([[1.0], [0.0]]));
/// assert_eq!(data.class_names().unwrap(), ["no", "yes"]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Target(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Number,
    /// The label that is 1, if it was given.
    Binary(Option<String>),
    /// The labels, if they were given.
    Classes(Option<Vec<String>>),
}

impl Target {
    /// A number as it is.
    pub fn number() -> Self {
        Target(Kind::Number)
    }

    /// One of two labels, as 0 or 1. The second in their order is 1: "yes" of "no" and "yes", 1 of 0 and 1.
    pub fn binary() -> Self {
        Target(Kind::Binary(None))
    }

    /// One of two labels, of which this one is 1.
    pub fn positive(label: impl Into<String>) -> Self {
        Target(Kind::Binary(Some(label.into())))
    }

    /// One of several labels, as classes 0, 1, ... The labels are those of the table that is adapted to, sorted: numbers by value,
    /// and then texts.
    pub fn classes() -> Self {
        Target(Kind::Classes(None))
    }

    /// One of these labels, in this order.
    pub fn classes_named(labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Target(Kind::Classes(Some(labels.into_iter().map(Into::into).collect())))
    }

    pub(super) fn adapt(&self, column: &TableColumn) -> Result<AdaptedTarget> {
        let named = |names: Option<&[String]>| {
            check_missing(column)?;
            column.classes(names).map(|(_, names)| names)
        };
        match &self.0 {
            Kind::Number => Ok(AdaptedTarget::Number),
            Kind::Classes(names) => Ok(AdaptedTarget::Classes(named(names.as_deref())?)),
            Kind::Binary(positive) => {
                let mut names = named(None)?;
                if names.len() != 2 {
                    let shown: Vec<&String> = names.iter().take(5).collect();
                    let more = if names.len() > shown.len() { ", .." } else { "" };
                    let found = format!("{} labels: {shown:?}{more}", names.len());
                    let hint = "use `Target::classes` for more than two, or `Target::number` for numbers";
                    return Err(DatasetError::new(found, "two labels", hint));
                }
                if let Some(positive) = positive {
                    let Some(place) = names.iter().position(|name| name == positive) else {
                        let found = format!("the labels {names:?}");
                        let expected = format!("{positive:?} among them, which is to be 1");
                        return Err(DatasetError::new(found, expected, "give `Target::positive` one of the labels"));
                    };
                    names.swap(place, 1);
                }
                Ok(AdaptedTarget::Binary(names))
            }
        }
    }
}

/// A target that was adapted to a table: the labels in the order of their classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AdaptedTarget {
    Number,
    Binary(Vec<String>),
    Classes(Vec<String>),
}

impl AdaptedTarget {
    pub fn names(&self) -> &[String] {
        match self {
            AdaptedTarget::Number => &[],
            AdaptedTarget::Binary(names) | AdaptedTarget::Classes(names) => names,
        }
    }

    /// The targets of all rows.
    pub fn of(&self, column: &TableColumn) -> Result<AnyTensor> {
        check_missing(column)?;
        Ok(match self {
            AdaptedTarget::Number => {
                let numbers = column.to_numbers()?;
                if let Some(row) = numbers.iter().position(|number| !number.is_finite()) {
                    let found = numbers.iter().nth(row).unwrap_or(f64::NAN).to_string();
                    let error = DatasetError::new(found, "a finite number", "correct it, or leave the row out");
                    return Err(error.at(Place::Sample(row)));
                }
                numbers.to::<f32>().reshape([numbers.size(), 1]).into()
            }
            AdaptedTarget::Binary(names) => {
                let (labels, _) = column.classes(Some(names))?;
                let labels: Tensor = labels.iter().map(|&label| label as f32).collect();
                labels.reshape([column.len(), 1]).into()
            }
            AdaptedTarget::Classes(names) => Tensor::from(column.classes(Some(names))?.0).into(),
        })
    }
}

fn check_missing(column: &TableColumn) -> Result<()> {
    match column.are_missing().position(|is_missing| is_missing) {
        None => Ok(()),
        Some(row) => {
            let hint = "leave out the rows without one: `table.with_values(column)`";
            Err(DatasetError::new("a target that is missing", "one in every row", hint).at(Place::Sample(row)))
        }
    }
}
