//! What a column of a table becomes: the kinds of features, before and after they are adapted to a table.

use std::borrow::Cow;
use std::ops::Range;

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::category::{Category, Encoded};
use super::column::{TableColumn, text_of};
use super::date::{Date, Dated};
use super::discretization::Discretization;
use super::number::{Number, Scaled};
use crate::error::{DatasetError, Result};
use crate::text::{OutputMode, TextVectorization};

/// What becomes of a column: a value of one of the kinds of features, which all convert to this.
///
/// ```
/// use gradus_datasets::{Category, Feature, Number, Table, TableColumn};
/// let kind = |column: &TableColumn| match column {
///     TableColumn::Numbers(_) => Feature::from(Number::standard()),
///     TableColumn::Texts(_) => Feature::from(Category::one_hot()),
/// };
/// assert_eq!(kind(&TableColumn::from([1.0, 2.0])), Feature::Number(Number::standard()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Feature {
    /// A number, scaled.
    Number(Number),
    /// The bin that a number falls into.
    Discretization(Discretization),
    /// A category.
    Category(Category),
    /// A date.
    Date(Date),
    /// Words: a vector of the vocabulary, or ids as an input of its own, which need an `output_sequence_length`.
    Text(TextVectorization),
}

macro_rules! feature_from {
    ($($kind:ident($name:ty)),*) => {$(
        impl From<$name> for Feature {
            fn from(feature: $name) -> Self {
                Feature::$kind(feature)
            }
        }
    )*};
}

feature_from!(Number(Number), Discretization(Discretization), Category(Category), Date(Date), Text(TextVectorization));

impl Feature {
    pub(super) fn adapt(&self, column: &TableColumn) -> Result<Adapted> {
        Ok(match self {
            Feature::Number(number) => Adapted::Number(number.adapt(&column.to_numbers()?)?),
            Feature::Discretization(bins) => Adapted::Discretization(bins.adapt_feature(&column.to_numbers()?)?),
            Feature::Category(category) => Adapted::Category(category.adapt(column)?),
            Feature::Date(date) => Adapted::Date(date.adapt(&column.to_texts())?),
            Feature::Text(text) => Adapted::Text(text.adapted_if_needed(column.to_texts().iter())?),
        })
    }
}

/// A feature that was adapted to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Adapted {
    Number(Scaled),
    Discretization(Discretization),
    Category(Encoded),
    Date(Dated),
    Text(TextVectorization),
}

impl Adapted {
    /// Whether the feature takes numbers; else it takes texts.
    pub fn takes_numbers(&self) -> bool {
        match self {
            Adapted::Number(_) | Adapted::Discretization(_) => true,
            Adapted::Category(category) => category.is_number,
            Adapted::Date(_) | Adapted::Text(_) => false,
        }
    }

    /// How many numbers it is among the features.
    pub fn width(&self) -> usize {
        match self {
            Adapted::Number(scaled) => scaled.width(),
            Adapted::Discretization(bins) => bins.width(),
            Adapted::Category(category) => category.width(),
            Adapted::Date(dated) => dated.width(),
            Adapted::Text(text) if text.mode() == OutputMode::Int => 0,
            Adapted::Text(text) => text.width().unwrap_or(0),
        }
    }

    /// The number of ids, if it is an input of ids.
    pub fn ids(&self) -> Option<usize> {
        match self {
            Adapted::Category(category) => category.ids(),
            Adapted::Text(text) if text.mode() == OutputMode::Int => Some(text.vocabulary_size()),
            _ => None,
        }
    }

    /// The name of each of its numbers.
    pub fn names(&self, column: &str) -> Vec<String> {
        match self {
            Adapted::Number(scaled) => scaled.names(column),
            Adapted::Discretization(bins) => bins.names(column),
            Adapted::Category(category) => category.names(column),
            Adapted::Date(dated) => dated.names(column),
            Adapted::Text(text) if text.mode() == OutputMode::Int => Vec::new(),
            Adapted::Text(text) => {
                let words = text.vocabulary().into_iter().map(|word| format!("{word:?} in {column}"));
                // Vectors may be wider than there are words.
                let padding = std::iter::repeat_with(|| format!("no word in {column}"));
                words.chain(padding).take(self.width()).collect()
            }
        }
    }

    /// The column in the form that [`write`](Adapted::write) reads.
    pub fn converted<'c>(&self, column: &'c TableColumn) -> Result<Cow<'c, TableColumn>> {
        Ok(match (self, column) {
            (Adapted::Date(dated), _) => Cow::Owned(dated.days(&column.to_texts())?),
            (Adapted::Category(category), TableColumn::Texts(texts)) if category.is_number => {
                // A number that was read as a text is written as numbers are.
                let same = |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), text_of);
                Cow::Owned(TableColumn::Texts(texts.iter().map(same).collect()))
            }
            (Adapted::Category(category), TableColumn::Numbers(numbers)) if category.is_number => contiguous(numbers),
            (Adapted::Category(_) | Adapted::Text(_), TableColumn::Numbers(_)) => Cow::Owned(column.to_texts().into()),
            (Adapted::Category(_) | Adapted::Text(_), TableColumn::Texts(_)) => Cow::Borrowed(column),
            (Adapted::Number(_) | Adapted::Discretization(_), _) => {
                Cow::Owned(TableColumn::Numbers(column.to_numbers()?.contiguous()))
            }
        })
    }

    /// Writes the numbers of some rows. All are 0 before.
    pub fn write(&self, input: &Input<'_>, out: &mut Strided<'_>) -> Result<()> {
        match self {
            Adapted::Number(scaled) => scaled.write(input, out),
            Adapted::Discretization(bins) => bins.write(input, out),
            Adapted::Category(category) => category.write(input, out),
            Adapted::Date(dated) => dated.write(input, out),
            Adapted::Text(text) => {
                let TableColumn::Texts(texts) = input.column() else { return Ok(()) };
                let vectors = text.vectors(input.range().map(|at| texts.get(at)))?;
                let width = vectors.shape()[1];
                for (place, number) in vectors.iter().enumerate().filter(|&(_, number)| number != 0.0) {
                    out.set(place / width, place % width, number);
                }
                Ok(())
            }
        }
    }

    /// The ids of all rows, of a feature that is an input of its own.
    pub fn write_ids(&self, column: &TableColumn) -> Result<Tensor<i64>> {
        match (self, column) {
            (Adapted::Text(text), TableColumn::Texts(texts)) => text.ids(texts.iter()),
            (Adapted::Category(category), _) => {
                let mut ids = Vec::with_capacity(column.len());
                category.places(&Input::new(column, 0..column.len()), |_, place| ids.push(place.unwrap_or(0)));
                Ok(ids.into())
            }
            _ => Err(DatasetError::new("a feature without ids", "a category or a text", "make it one")),
        }
    }
}

fn contiguous(numbers: &Tensor<f64>) -> Cow<'static, TableColumn> {
    Cow::Owned(TableColumn::Numbers(numbers.contiguous()))
}

/// Some rows of a column.
pub(super) struct Input<'c> {
    column: &'c TableColumn,
    range: Range<usize>,
}

impl<'c> Input<'c> {
    pub fn new(column: &'c TableColumn, range: Range<usize>) -> Self {
        Input { column, range }
    }

    pub fn column(&self) -> &'c TableColumn {
        self.column
    }

    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The first of the rows.
    pub fn first(&self) -> usize {
        self.range.start
    }

    /// The numbers of the rows, if they are numbers that lie one behind the other.
    pub fn numbers(&self) -> &'c [f64] {
        match self.column {
            TableColumn::Numbers(numbers) => &numbers.as_slice().unwrap_or_default()[self.range()],
            TableColumn::Texts(_) => &[],
        }
    }
}

/// The place of a feature in rows of features.
pub(super) struct Strided<'o> {
    pub rows: &'o mut [f32],
    /// The numbers of a row.
    pub width: usize,
    /// The place of the feature in a row.
    pub offset: usize,
}

impl Strided<'_> {
    /// Sets a number of the feature in a row.
    #[inline]
    pub fn set(&mut self, row: usize, place: usize, value: f32) {
        self.rows[row * self.width + self.offset + place] = value;
    }
}
