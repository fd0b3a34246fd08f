//! A column of a table: numbers or texts.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use gradus_tensor::Tensor;

use crate::error::{DatasetError, Place, Result};

/// A column of a [`Table`](crate::Table): numbers or texts, of which some may be missing.
///
/// ```
/// use gradus_datasets::TableColumn;
/// let ages = TableColumn::from(vec![Some(31.0), None, Some(45.0)]);
/// let cities = TableColumn::from(["Paris", "Rome", ""]);
/// assert_eq!((ages.len(), ages.missing(), cities.missing()), (3, 1, 1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum TableColumn {
    /// Numbers, `[rows]`; what is missing is NaN.
    Numbers(Tensor<f64>),
    /// Texts; what is missing is an empty text.
    Texts(Texts),
}

impl TableColumn {
    /// The number of rows.
    #[allow(clippy::len_without_is_empty)] // A table has rows.
    pub fn len(&self) -> usize {
        match self {
            TableColumn::Numbers(numbers) => numbers.size(),
            TableColumn::Texts(texts) => texts.len(),
        }
    }

    /// The number of rows whose entry is missing.
    pub fn missing(&self) -> usize {
        self.are_missing().filter(|&is_missing| is_missing).count()
    }

    /// Whether the entry of each row is missing.
    pub(super) fn are_missing(&self) -> Box<dyn Iterator<Item = bool> + '_> {
        match self {
            TableColumn::Numbers(numbers) => Box::new(numbers.iter().map(f64::is_nan)),
            TableColumn::Texts(texts) => Box::new(texts.iter().map(str::is_empty)),
        }
    }

    /// The entries as numbers: of texts, those that they are.
    pub(super) fn to_numbers(&self) -> Result<Tensor<f64>> {
        let texts = match self {
            TableColumn::Numbers(numbers) => return Ok(numbers.clone()),
            TableColumn::Texts(texts) => texts,
        };
        let number = |(row, text): (usize, &str)| match (text, text.parse::<f64>()) {
            ("", _) => Ok(f64::NAN),
            (_, Ok(number)) if number.is_finite() => Ok(number),
            _ => {
                let hint = "correct the entry, or use the column as a category";
                Err(DatasetError::new(format!("{text:?}"), "a number", hint).at(Place::Sample(row)))
            }
        };
        let numbers: Result<Vec<f64>> = texts.iter().enumerate().map(number).collect();
        Ok(numbers?.into())
    }

    /// The entries as texts.
    pub(super) fn to_texts(&self) -> Texts {
        match self {
            TableColumn::Texts(texts) => texts.clone(),
            TableColumn::Numbers(numbers) => numbers.iter().map(text_of).collect(),
        }
    }

    /// The entries of these rows.
    pub(super) fn rows(&self, rows: &[usize]) -> TableColumn {
        match self {
            TableColumn::Numbers(numbers) => {
                let numbers = numbers.contiguous();
                let numbers = numbers.as_slice().expect("it is contiguous");
                TableColumn::Numbers(rows.iter().map(|&row| numbers[row]).collect())
            }
            TableColumn::Texts(texts) => TableColumn::Texts(rows.iter().map(|&row| texts.get(row)).collect()),
        }
    }
}

/// A number as texts name it; nothing for NaN.
pub(super) fn text_of(number: f64) -> String {
    // Adding 0 takes the sign of -0.
    if number.is_nan() { String::new() } else { (number + 0.0).to_string() }
}

impl From<Tensor<f64>> for TableColumn {
    /// # Panics
    /// If the tensor has not one axis.
    #[track_caller]
    fn from(numbers: Tensor<f64>) -> Self {
        assert_eq!(numbers.shape().len(), 1, "a column of a table has one axis, found {}", numbers.shape());
        TableColumn::Numbers(numbers)
    }
}

impl From<Vec<f64>> for TableColumn {
    fn from(numbers: Vec<f64>) -> Self {
        TableColumn::Numbers(numbers.into())
    }
}

impl<const N: usize> From<[f64; N]> for TableColumn {
    fn from(numbers: [f64; N]) -> Self {
        TableColumn::Numbers(numbers.into_iter().collect())
    }
}

impl From<Vec<Option<f64>>> for TableColumn {
    fn from(numbers: Vec<Option<f64>>) -> Self {
        TableColumn::Numbers(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
    }
}

impl<const N: usize> From<[Option<f64>; N]> for TableColumn {
    fn from(numbers: [Option<f64>; N]) -> Self {
        numbers.to_vec().into()
    }
}

impl From<Vec<Option<&str>>> for TableColumn {
    fn from(texts: Vec<Option<&str>>) -> Self {
        TableColumn::Texts(texts.into_iter().map(Option::unwrap_or_default).collect())
    }
}

impl From<Texts> for TableColumn {
    fn from(texts: Texts) -> Self {
        TableColumn::Texts(texts)
    }
}

impl From<Vec<String>> for TableColumn {
    fn from(texts: Vec<String>) -> Self {
        TableColumn::Texts(texts.into_iter().collect())
    }
}

impl From<Vec<&str>> for TableColumn {
    fn from(texts: Vec<&str>) -> Self {
        TableColumn::Texts(texts.into_iter().collect())
    }
}

impl<const N: usize> From<[&str; N]> for TableColumn {
    fn from(texts: [&str; N]) -> Self {
        TableColumn::Texts(texts.into_iter().collect())
    }
}

impl<const N: usize> From<[Option<&str>; N]> for TableColumn {
    fn from(texts: [Option<&str>; N]) -> Self {
        TableColumn::Texts(texts.into_iter().map(Option::unwrap_or_default).collect())
    }
}

/// The texts of a column, one behind the other in memory. A missing one is empty.
///
/// ```
/// use gradus_datasets::Texts;
/// let cities: Texts = ["Paris", "", "Rome"].into_iter().collect();
/// assert_eq!((cities.len(), cities.get(2)), (3, "Rome"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts(Arc<Joined>);

/// Texts one behind the other, while they are gathered.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    text: String,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl Joined {
    /// Nothing, with room for so many texts.
    pub fn with_capacity(texts: usize) -> Joined {
        Joined { text: String::new(), ends: Vec::with_capacity(texts) }
    }

    #[inline]
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub fn append(&mut self, more: &Joined) {
        let start = self.text.len();
        self.text.push_str(&more.text);
        self.ends.extend(more.ends.iter().map(|end| start + end));
    }

    /// Takes all texts out; their memory stays.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// The texts, without room for more.
    pub fn finish(mut self) -> Texts {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        Texts(Arc::new(self))
    }
}

impl Texts {
    /// The number of texts.
    #[allow(clippy::len_without_is_empty)] // A table has rows.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// The text at this place.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn get(&self, place: usize) -> &str {
        let Joined { text, ends } = &*self.0;
        assert!(place < ends.len(), "get: text {place} of {}", ends.len());
        let start = if place == 0 { 0 } else { ends[place - 1] };
        &text[start..ends[place]]
    }

    /// All texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let Joined { text, ends } = &*self.0;
        let mut start = 0;
        ends.iter().map(move |&end| {
            let entry = &text[start..end];
            start = end;
            entry
        })
    }

    /// How often each text occurs.
    pub(super) fn counts(&self) -> HashMap<&str, u64> {
        let mut counts = HashMap::new();
        self.iter().for_each(|text| *counts.entry(text).or_default() += 1);
        counts
    }
}

impl<S: AsRef<str>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut joined = Joined::default();
        texts.into_iter().for_each(|text| joined.push(text.as_ref()));
        Texts(Arc::new(joined))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
