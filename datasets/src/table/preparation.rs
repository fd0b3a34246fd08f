//! The preparation of a table: what was found in one, as a value that is applied to others.

use std::sync::Mutex;

use gradus_tensor::{Columns, Tensor, team};
use serde::{Deserialize, Serialize};

use super::feature::{Adapted, Input, Strided};
use super::feature_space::joined;
use super::target::AdaptedTarget;
use super::{Table, TableColumn};
use crate::csv::Csv;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};
use crate::source::check_memory;

/// The preparation of tables that a [`FeatureSpace`](crate::FeatureSpace) has found in one: the inputs of a network, made of any
/// table in the same way.
///
/// All numbers are one tensor, the input `features`, `[rows, width]`. Ids ([`Category::ids`](crate::Category::ids)) are an input for
/// each column, under its name. It is a value that serde writes and reads. In a model's file
/// (`model.with_preparation(Preparation::NAME, &preparation)`) it goes where the model goes: the server takes rows of the table, and
/// prepares them by it.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Number, Preparation, Table, TableColumn};
/// use gradus_tensor::Tensor;
/// let train = Table::new([("age", TableColumn::from([20.0, 40.0]))])?;
/// let preparation = FeatureSpace::new().feature("age", Number::standard()).adapt(&train)?;
/// let written = serde_json::to_string(&preparation).unwrap();
/// let read: Preparation = serde_json::from_str(&written).unwrap();
/// // By the mean and the deviation of the table to train on.
/// let new = Table::new([("age", TableColumn::from([50.0]))])?;
/// assert_eq!(read.prepare(&new)?[0].to::<f32>(), Tensor::new([[2.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    parts: Vec<Part>,
    target: Option<(String, AdaptedTarget)>,
}

/// A feature of a column, or of several together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    columns: Vec<String>,
    feature: Adapted,
}

impl Part {
    pub fn new(columns: Vec<String>, feature: Adapted) -> Part {
        Part { columns, feature }
    }

    fn name(&self) -> String {
        self.columns.join("_")
    }
}

/// The rows that a thread prepares at a time.
const ROWS: usize = 4096;

impl Preparation {
    /// The name under which a model holds the preparation of its tables, and under which the server looks for it.
    pub const NAME: &'static str = "table";

    pub(super) fn new(parts: Vec<Part>, target: Option<(String, AdaptedTarget)>) -> Result<Self> {
        let preparation = Preparation { parts, target };
        let mut names: Vec<String> = preparation.id_inputs().map(|(name, _)| name).collect();
        if preparation.width() > 0 {
            names.push(FEATURES.to_owned());
        }
        if let Some(twice) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
            let found = format!("two inputs of the name {:?}", names[twice]);
            return Err(DatasetError::new(
                found,
                "an input for each name",
                "take the ids of a column once, and rename it",
            ));
        }
        Ok(preparation)
    }

    /// The number of numbers of a row: the length of the input `features`. 0 if all inputs are ids.
    pub fn width(&self) -> usize {
        // A file may claim any widths.
        self.parts.iter().fold(0, |width: usize, part| width.saturating_add(part.feature.width()))
    }

    /// What each of the numbers of a row is: `age`, `city = Rome`, `joined in the year, sine`.
    pub fn feature_names(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| part.feature.names(&part.name())).collect()
    }

    /// The inputs that are ids, and how many ids each has: the rows of an embedding.
    pub fn id_inputs(&self) -> impl Iterator<Item = (String, usize)> {
        self.parts.iter().filter_map(|part| Some((part.name(), part.feature.ids()?)))
    }

    /// The columns that inputs are made of, each once, and whether it holds numbers; else it holds texts.
    pub fn columns(&self) -> Vec<(&str, bool)> {
        let mut columns: Vec<(&str, bool)> = Vec::new();
        for part in &self.parts {
            let takes_numbers = part.feature.takes_numbers() && part.columns.len() == 1;
            for column in &part.columns {
                match columns.iter_mut().find(|(other, _)| other == column) {
                    // A text may be read as a number later on, and no number as the text that it was.
                    Some((_, is_number)) => *is_number &= takes_numbers,
                    None => columns.push((column, takes_numbers)),
                }
            }
        }
        columns
    }

    /// The column that is predicted, if there is one.
    pub fn target(&self) -> Option<&str> {
        self.target.as_ref().map(|(column, _)| &**column)
    }

    /// The labels of the target in the order of their classes; none of a number.
    pub fn class_names(&self) -> &[String] {
        self.target.as_ref().map_or(&[], |(_, target)| target.names())
    }

    /// The table in a CSV file, for this preparation: the columns that it needs alone, and each as numbers or as texts as it was in
    /// the table that was adapted to. The target may be missing.
    ///
    /// # Errors
    /// As of [`Csv::table`]; and if a column is missing, or one of numbers holds another text.
    pub fn read(&self, csv: Csv<'_>) -> Result<Table> {
        let columns = self.columns();
        let texts = columns.iter().filter(|(_, is_number)| !is_number).map(|(name, _)| *name);
        let table = csv.texts(texts).table()?;
        let target = self.target().filter(|target| table.column(target).is_ok());
        table.select(columns.iter().map(|(name, _)| *name).chain(target))
    }

    /// The inputs of a network, made of a table's rows. Columns that no feature is made of are left alone.
    ///
    /// # Errors
    /// If a column is missing, or holds what its feature cannot take: a text in place of a number, or nothing where nothing was
    /// said to stand for it. The error names the column and the row.
    pub fn prepare(&self, table: &Table) -> Result<Columns> {
        let sources: Result<Vec<TableColumn>> = self.parts.iter().map(|part| part.source(table)).collect();
        let sources = sources?;
        let mut inputs = Columns::new();
        let width = self.width();
        if width > 0 {
            inputs = inputs.with(FEATURES, self.features(&sources, table.len(), width)?);
        }
        for (part, source) in self.parts.iter().zip(&sources) {
            if part.feature.ids().is_some() {
                let ids = part.feature.write_ids(source).map_err(|error| error.in_column(part.name()))?;
                inputs = inputs.with(&part.name(), ids);
            }
        }
        Ok(inputs)
    }

    /// The numbers of all rows.
    fn features(&self, sources: &[TableColumn], rows: usize, width: usize) -> Result<Tensor> {
        // A file may claim any width.
        check_memory(rows.checked_mul(width).and_then(|size| size.checked_mul(size_of::<f32>())))?;
        let mut numbers = Tensor::zeros([rows, width]);
        let failed: Mutex<Option<(usize, DatasetError)>> = Mutex::new(None);
        let mut blocks: Vec<(usize, &mut [f32])> =
            numbers.as_mut_slice().chunks_mut(ROWS * width).enumerate().collect();
        team::for_each(&mut blocks, |(block, rows)| {
            let first = *block * ROWS;
            let range = first..first + rows.len() / width;
            let mut offset = 0;
            for (part, source) in self.parts.iter().zip(sources) {
                let mut out = Strided { rows, width, offset };
                offset += part.feature.width();
                if part.feature.width() == 0 {
                    continue;
                }
                if let Err(error) = part.feature.write(&Input::new(source, range.clone()), &mut out) {
                    let error = error.in_column(part.name());
                    let row = if let Some(Place::Sample(row)) = error.place() { row } else { first };
                    let mut failed = failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    // The first of the table, whichever thread comes first.
                    if failed.as_ref().is_none_or(|(before, _)| row < *before) {
                        *failed = Some((row, error));
                    }
                }
            }
        });
        drop(blocks);
        match failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((_, error)) => Err(error),
            None => Ok(numbers),
        }
    }

    /// The inputs and the targets of a table's rows, to train or to evaluate on.
    ///
    /// # Errors
    /// As of [`prepare`](Preparation::prepare); and if there is no target, a row has none, or a label that there was not in the
    /// table that was adapted to.
    pub fn dataset(&self, table: &Table) -> Result<Dataset<Columns>> {
        let Some((column, target)) = &self.target else {
            let hint = "name the column to predict by `FeatureSpace::target`, or make inputs alone by `prepare`";
            return Err(DatasetError::new("a preparation without a target", "one", hint));
        };
        let targets = target.of(table.column(column)?).map_err(|error| error.in_column(column))?;
        let data = Dataset::new(self.prepare(table)?, Columns::new().with(column, targets))?;
        Ok(if target.names().is_empty() { data } else { data.with_class_names(target.names()) })
    }
}

impl Part {
    /// The part's column, in the form that it takes.
    fn source(&self, table: &Table) -> Result<TableColumn> {
        if let Some(column) = self.columns.iter().find(|column| table.column(column).is_err()) {
            let names: Vec<&str> = table.names().collect();
            let hint = "add it, with gaps where it is not known";
            let found = format!("a table without the column {column:?}, with {names:?}");
            return Err(DatasetError::new(found, "all columns that the features are made of", hint));
        }
        let column = joined(table, &self.columns)?;
        let converted = self.feature.converted(&column).map_err(|error| error.in_column(self.name()))?;
        Ok(converted.into_owned())
    }
}

/// The name of the input of all numbers.
const FEATURES: &str = "features";
