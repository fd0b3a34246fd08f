//! Columns of categories as features.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::column::{TableColumn, text_of};
use super::feature::{Input, Strided};
use super::hashing::Hashing;
use super::lookup::StringLookup;
use crate::error::Result;

/// A column of categories, texts or numbers, as a feature.
///
/// | | what becomes of it |
/// |---|---|
/// | [`one_hot`](Category::one_hot) | a number for each category, 1 where it is that one, else 0 |
/// | [`ids`](Category::ids) | an input of its own for an `Embedding`: ids, `[rows]` |
/// | [`hashed`](Category::hashed) | as `one_hot`, of bins that a hash chooses, for columns of very many categories |
///
/// What is missing is a category of its own if it is missing in the table that is adapted to. A category that was not there has
/// zeros, or the id 0.
///
/// ```
/// use gradus_datasets::{Category, FeatureSpace, Table, TableColumn};
/// use gradus_tensor::Tensor;
/// let table = Table::new([("city", TableColumn::from(["Rome", "Paris", "Rome"]))])?;
/// let preparation = FeatureSpace::new().feature("city", Category::one_hot()).adapt(&table)?;
/// assert_eq!(preparation.feature_names(), ["city = Rome", "city = Paris"]);
/// let other = Table::new([("city", TableColumn::from(["Paris", "Oslo"]))])?;
/// assert_eq!(preparation.prepare(&other)?[0].to::<f32>(), Tensor::new([[0.0, 1.0], [0.0, 0.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    form: Form,
    max_tokens: Option<usize>,
    impute_most_frequent: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    OneHot,
    Ids,
    Hashed(Hashing),
}

impl Category {
    fn new(form: Form) -> Self {
        Category { form, max_tokens: None, impute_most_frequent: false }
    }

    /// A number for each category.
    pub fn one_hot() -> Self {
        Category::new(Form::OneHot)
    }

    /// The id of the category, as an input of its own, which is named as the column. Id 0 stands for all that are not known.
    pub fn ids() -> Self {
        Category::new(Form::Ids)
    }

    /// A number for each of so many bins.
    ///
    /// # Panics
    /// If `num_bins` is 0.
    #[track_caller]
    pub fn hashed(num_bins: usize) -> Self {
        Category::new(Form::Hashed(Hashing::new(num_bins)))
    }

    /// The most categories: the most frequent ones are kept, and the others are as one that was not there. A hash has none to keep.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn max_tokens(self, count: usize) -> Self {
        assert!(count > 0, "max_tokens: at least one category is needed");
        Category { max_tokens: Some(count), ..self }
    }

    /// Whether what is missing becomes the most frequent category instead of one of its own.
    pub fn impute_most_frequent(self, impute: bool) -> Self {
        Category { impute_most_frequent: impute, ..self }
    }

    pub(super) fn adapt(&self, column: &TableColumn) -> Result<Encoded> {
        let is_number = matches!(column, TableColumn::Numbers(_));
        let mut counts = counts(column);
        let fill = if self.impute_most_frequent {
            counts.remove("");
            // Of several the first, as in scikit-learn.
            counts.iter().max_by_key(|&(text, &count)| (count, Reverse(text))).map(|(text, _)| text.clone())
        } else {
            None
        };
        let coding = match &self.form {
            Form::Hashed(hashing) => Coding::Hashed(hashing.clone()),
            form => {
                let is_one_hot = *form == Form::OneHot;
                let unknown = usize::from(!is_one_hot);
                let lookup = StringLookup::new().num_oov_indices(unknown);
                let lookup = match self.max_tokens {
                    Some(most) => lookup.max_tokens(most + unknown),
                    None => lookup,
                };
                let lookup = lookup.adapt_to_counts(counts)?;
                if is_one_hot { Coding::OneHot(lookup) } else { Coding::Ids(lookup) }
            }
        };
        Ok(Encoded { coding, fill, is_number })
    }
}

/// How often each entry occurs.
fn counts(column: &TableColumn) -> HashMap<String, u64> {
    match column {
        TableColumn::Texts(texts) => texts.counts().into_iter().map(|(text, count)| (text.to_owned(), count)).collect(),
        TableColumn::Numbers(numbers) => {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            numbers.iter().for_each(|number| *counts.entry(number.to_bits()).or_default() += 1);
            let mut texts = HashMap::new();
            for (bits, count) in counts {
                *texts.entry(text_of(f64::from_bits(bits))).or_default() += count;
            }
            texts
        }
    }
}

/// A feature of categories that was adapted to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Encoded {
    coding: Coding,
    /// What stands for a category that is missing.
    fill: Option<String>,
    /// Whether the column held numbers.
    pub is_number: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coding {
    OneHot(StringLookup),
    Ids(StringLookup),
    Hashed(Hashing),
}

impl Encoded {
    /// The number of categories if they are an input of their own.
    pub fn ids(&self) -> Option<usize> {
        if let Coding::Ids(lookup) = &self.coding { Some(lookup.vocabulary_size()) } else { None }
    }

    pub fn width(&self) -> usize {
        match &self.coding {
            Coding::OneHot(lookup) => lookup.vocabulary_size(),
            Coding::Ids(_) => 0,
            Coding::Hashed(hashing) => hashing.num_bins(),
        }
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        match &self.coding {
            Coding::OneHot(lookup) => lookup
                .vocabulary()
                .iter()
                .map(
                    |token| {
                        if token.is_empty() { format!("{column} is missing") } else { format!("{column} = {token}") }
                    },
                )
                .collect(),
            Coding::Ids(_) => Vec::new(),
            Coding::Hashed(hashing) => (0..hashing.num_bins()).map(|bin| format!("{column} in bin {bin}")).collect(),
        }
    }

    /// The place of a category.
    fn place(&self, text: &str) -> Option<i64> {
        let text = match &self.fill {
            Some(fill) if text.is_empty() => fill,
            _ => text,
        };
        match &self.coding {
            Coding::OneHot(lookup) | Coding::Ids(lookup) => lookup.id(text),
            Coding::Hashed(hashing) => Some(hashing.id(text)),
        }
    }

    /// Hands the place of each row's category to `take`.
    pub fn places(&self, input: &Input<'_>, mut take: impl FnMut(usize, Option<i64>)) {
        match input.column() {
            TableColumn::Texts(texts) => {
                for (row, at) in input.range().enumerate() {
                    take(row, self.place(texts.get(at)));
                }
            }
            TableColumn::Numbers(_) => {
                // A number is written as a text once.
                let mut places = HashMap::new();
                for (row, number) in input.numbers().iter().enumerate() {
                    let place = places.entry(number.to_bits()).or_insert_with(|| self.place(&text_of(*number)));
                    take(row, *place);
                }
            }
        }
    }

    pub fn write(&self, input: &Input<'_>, out: &mut Strided<'_>) -> Result<()> {
        self.places(input, |row, place| {
            if let Some(place) = place {
                out.set(row, place as usize, 1.0);
            }
        });
        Ok(())
    }
}
