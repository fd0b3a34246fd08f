//! Parts of a table: rows in another order, splits, folds.

use std::ops::RangeBounds;

use super::{Table, TableColumn};
use crate::classes::ClassIndex;
use crate::error::{DatasetError, Place, Result};
use crate::folds;
use crate::order::{Order, Randomness};
use crate::parts;

impl Table {
    /// The table of these rows, in this order; a row may come more than once.
    ///
    /// ```
    /// use gradus_datasets::{Table, TableColumn};
    /// let table = Table::new([("age", TableColumn::from([31.0, 45.0, 28.0]))])?;
    /// assert_eq!(table.rows(&[2, 0]).numbers("age")?.to_vec(), [28.0, 31.0]);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Panics
    /// If there is no row of an index, or no index.
    #[track_caller]
    pub fn rows(&self, rows: &[usize]) -> Table {
        assert!(!rows.is_empty(), "rows: a table has at least one row");
        if let Some(row) = rows.iter().find(|&&row| row >= self.len()) {
            panic!("rows: row {row} of {}", self.len());
        }
        Table { columns: self.columns.iter().map(|(name, column)| (name.clone(), column.rows(rows))).collect() }
    }

    /// The rows that have an entry in this column: not those where it is missing.
    ///
    /// # Errors
    /// If there is no such column, or no row is left.
    pub fn with_values(&self, column: &str) -> Result<Table> {
        let are_missing = self.column(column)?.are_missing().enumerate();
        let rows: Vec<usize> = are_missing.filter(|&(_, is_missing)| !is_missing).map(|(row, _)| row).collect();
        if rows.is_empty() {
            let error = DatasetError::new("no entry", "at least one", "check how the column was read");
            return Err(error.in_column(column));
        }
        Ok(self.rows(&rows))
    }

    /// The rows of a range, `table.slice(1000..)`.
    ///
    /// # Panics
    /// If the range is empty or reaches beyond the rows.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Table {
        let range = parts::bounds(range, self.len());
        self.rows(&range.collect::<Vec<_>>())
    }

    /// The first `count` rows, or all if there are fewer.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn take(&self, count: usize) -> Table {
        self.slice(parts::first(count, self.len()))
    }

    /// All but the first `count` rows.
    ///
    /// # Panics
    /// If that leaves no row.
    #[track_caller]
    pub fn skip(&self, count: usize) -> Table {
        self.slice(parts::rest(count, self.len()))
    }

    /// The first `count` rows, and the rest.
    ///
    /// # Panics
    /// If that leaves no row in a part.
    #[track_caller]
    pub fn split_at(&self, count: usize) -> (Table, Table) {
        let (first, rest) = parts::split_at(count, self.len());
        (self.slice(first), self.slice(rest))
    }

    /// The rows in the random order of a seed or of a `&mut Generator`.
    pub fn shuffle(&self, randomness: impl Randomness) -> Table {
        self.rows(&Order::shuffled(self.len(), randomness).all())
    }

    /// A table to train on, and one of the last `fraction` of the rows, as they stand. For rows that are ordered by time this is
    /// the split to take; others are shuffled before.
    ///
    /// # Errors
    /// If that leaves no row in a part.
    pub fn validation_split(&self, fraction: f64) -> Result<(Table, Table)> {
        let kept = parts::kept(fraction, self.len())?;
        Ok((self.slice(..kept), self.slice(kept..)))
    }

    /// A table to train on and one to test on, drawn at random, with `fraction` of the rows of each label of a column in the
    /// second. So a rare class is in both. Numbers of one value are one label, and so is what is missing.
    ///
    /// ```
    /// use gradus_datasets::{Table, TableColumn};
    /// let churned = (0..100).map(|i| if i % 10 == 0 { "yes" } else { "no" });
    /// let table = Table::new([("churned", TableColumn::from(churned.collect::<Vec<_>>()))])?;
    /// let (train, test) = table.stratified_split("churned", 0.2, 42)?;
    /// let yes = |part: &Table| part.texts("churned").unwrap().iter().filter(|text| *text == "yes").count();
    /// assert_eq!((train.len(), yes(&train), test.len(), yes(&test)), (80, 8, 20, 2));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such column, a label has a single row, or a part gets no row of a label.
    pub fn stratified_split(&self, column: &str, fraction: f64, randomness: impl Randomness) -> Result<(Table, Table)> {
        let (labels, names) = self.labels(column)?;
        let (train, test) =
            folds::stratified_split(&labels, &names, fraction, randomness).map_err(|error| error.in_column(column))?;
        Ok((self.rows(&train), self.rows(&test)))
    }

    /// `k` pairs of tables to train and to validate on; each row is in the validation of one. The order is that of a seed or of a
    /// `&mut Generator`.
    ///
    /// # Errors
    /// If `k` is less than 2 or more than the number of rows.
    pub fn k_folds(&self, k: usize, randomness: impl Randomness) -> Result<Vec<(Table, Table)>> {
        let folds = folds::k_folds(self.len(), k, randomness)?;
        Ok(folds.iter().map(|(train, validation)| (self.rows(train), self.rows(validation))).collect())
    }

    /// As [`k_folds`](Table::k_folds), with as large a part of the rows of each label of a column in every fold.
    ///
    /// # Errors
    /// If there is no such column, `k` is less than 2, or a label has fewer than `k` rows.
    pub fn stratified_k_folds(
        &self,
        column: &str,
        k: usize,
        randomness: impl Randomness,
    ) -> Result<Vec<(Table, Table)>> {
        let (labels, names) = self.labels(column)?;
        let folds =
            folds::stratified_k_folds(&labels, &names, k, randomness).map_err(|error| error.in_column(column))?;
        Ok(folds.iter().map(|(train, validation)| (self.rows(train), self.rows(validation))).collect())
    }

    /// The label of each row by its place among the labels, and the labels, sorted.
    fn labels(&self, column: &str) -> Result<(Vec<usize>, Vec<String>)> {
        let (labels, names) = self.column(column)?.classes(None)?;
        Ok((labels.iter().map(|&label| label as usize).collect(), names))
    }
}

impl TableColumn {
    /// The entries as classes 0, 1, .., and the names of these: as given, or sorted, numbers by value and then texts.
    pub(super) fn classes(&self, names: Option<&[String]>) -> Result<(Vec<i64>, Vec<String>)> {
        let mut classes = ClassIndex::new(names.map(<[String]>::to_vec))?;
        for (row, text) in self.to_texts().iter().enumerate() {
            if !classes.push(text) {
                let found = if text.is_empty() { "nothing".to_owned() } else { format!("{text:?}") };
                let expected = format!("one of the labels {:?}", classes.names());
                let hint = "correct the label, or leave the row out";
                return Err(DatasetError::new(found, expected, hint).at(Place::Sample(row)));
            }
        }
        let (labels, names) = classes.finish();
        Ok((labels.to_vec(), names))
    }
}
