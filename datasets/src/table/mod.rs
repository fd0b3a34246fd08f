//! Tables of numbers and texts, and what makes a network's inputs of them.

mod category;
mod column;
mod date;
mod describe;
mod discretization;
mod feature;
mod feature_space;
mod hashing;
mod lookup;
mod number;
mod parts;
mod preparation;
mod target;

use std::sync::Arc;

use gradus_tensor::Tensor;

use crate::error::{DatasetError, Result};
pub use category::Category;
pub(crate) use column::Joined;
pub use column::{TableColumn, Texts};
pub use date::Date;
pub use discretization::Discretization;
pub use feature::Feature;
pub use feature_space::FeatureSpace;
pub use hashing::Hashing;
pub use lookup::{IntegerLookup, Lookup, LookupToken, StringLookup};
pub use number::{Impute, Number, Scale};
pub use preparation::Preparation;
pub use target::Target;

/// Columns of numbers or texts with names, as a CSV file has them. Each has an entry for every row; entries may be missing.
///
/// [`Csv::table`](crate::Csv::table) reads one, a [`FeatureSpace`] makes inputs and targets of it. A table is a value: its
/// methods return another one, and columns that a method does not change are shared.
///
/// ```
/// use gradus_datasets::{ByteSource, Csv};
/// let text = "age,city\n31,Paris\n,Rome\n45,\n";
/// let table = Csv::new(ByteSource::new(text.as_bytes(), "people")?).table()?;
/// assert_eq!((table.len(), table.names().collect::<Vec<_>>()), (3, vec!["age", "city"]));
/// assert!(table.numbers("age")?.to_vec()[1].is_nan());
/// assert_eq!(table.texts("city")?.iter().collect::<Vec<_>>(), ["Paris", "Rome", ""]);
/// println!("{table}");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    // Invariant: there is a column and a row, and every column has as many rows.
    columns: Vec<(Arc<str>, TableColumn)>,
}

impl Table {
    /// The table of these columns. Numbers are given as `Vec<f64>` or a tensor, texts as a list of texts; a list of `Option`s
    /// has missing entries.
    ///
    /// ```
    /// use gradus_datasets::{Table, TableColumn};
    /// let table = Table::new([
    ///     ("age", TableColumn::from(vec![Some(31.0), None])),
    ///     ("city", TableColumn::from(["Paris", "Rome"])),
    /// ])?;
    /// assert_eq!(table.column("age")?.missing(), 1);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no column or no row, two columns have one name, or columns have different numbers of rows.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, TableColumn)>) -> Result<Table> {
        let columns: Vec<(Arc<str>, TableColumn)> =
            columns.into_iter().map(|(name, column)| (name.into().into(), column)).collect();
        let Some((first, column)) = columns.first() else {
            return Err(DatasetError::new("a table without columns", "at least one", "give columns"));
        };
        if column.len() == 0 {
            return Err(DatasetError::new("a table without rows", "at least one", "check how the data were read"));
        }
        for (place, (name, other)) in columns.iter().enumerate() {
            if columns[..place].iter().any(|(before, _)| before == name) {
                let found = format!("two columns of the name {name:?}");
                return Err(DatasetError::new(found, "a name of its own for each", "rename one of them"));
            }
            if other.len() != column.len() {
                let found = format!("{} rows of {first:?}, and {} of {name:?}", column.len(), other.len());
                return Err(DatasetError::new(found, "columns of the same length", "check how the columns were made"));
            }
        }
        Ok(Table { columns })
    }

    /// The number of rows; never 0.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.columns[0].1.len()
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| &**name)
    }

    /// The columns with their names, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &TableColumn)> {
        self.columns.iter().map(|(name, column)| (&**name, column))
    }

    /// The column of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn column(&self, name: &str) -> Result<&TableColumn> {
        match self.columns.iter().find(|(other, _)| **other == *name) {
            Some((_, column)) => Ok(column),
            None => {
                let names: Vec<&str> = self.names().collect();
                let expected = format!("one of the columns {names:?}");
                Err(DatasetError::new(format!("the column {name:?}"), expected, "correct the name"))
            }
        }
    }

    /// The numbers of a column, `[rows]`; what is missing is NaN.
    ///
    /// # Errors
    /// If there is no such column, or it holds a text that is no number.
    pub fn numbers(&self, name: &str) -> Result<Tensor<f64>> {
        self.column(name)?.to_numbers().map_err(|error| error.in_column(name))
    }

    /// The texts of a column; what is missing is an empty text. Numbers are written as short as possible: 1, 2.5.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn texts(&self, name: &str) -> Result<Texts> {
        Ok(self.column(name)?.to_texts())
    }

    /// The table with a column more, or with another one in the place of the one of this name.
    ///
    /// ```
    /// use gradus_datasets::{Table, TableColumn};
    /// let table = Table::new([("length", TableColumn::from([2.0, 3.0]))])?;
    /// let squares = table.numbers("length")?.square();
    /// let table = table.with("square", squares)?;
    /// assert_eq!(table.numbers("square")?.to_vec(), [4.0, 9.0]);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If the column has another number of rows.
    pub fn with(self, name: &str, column: impl Into<TableColumn>) -> Result<Table> {
        let mut columns = self.columns;
        let column = column.into();
        match columns.iter_mut().find(|(other, _)| **other == *name) {
            Some((_, before)) => *before = column,
            None => columns.push((name.into(), column)),
        }
        Table::new(columns.into_iter().map(|(name, column)| (name.to_string(), column)))
    }

    /// The table of these columns alone, in this order.
    ///
    /// # Errors
    /// If there is no column of a name, or no name.
    pub fn select<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Table> {
        let columns: Result<Vec<_>> = names.into_iter().map(|name| Ok((name, self.column(name)?.clone()))).collect();
        Table::new(columns?)
    }

    /// The table without these columns.
    ///
    /// # Errors
    /// If there is no column of a name, or none is left.
    pub fn without<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Table> {
        let names: Vec<&str> = names.into_iter().collect();
        names.iter().try_for_each(|name| self.column(name).map(|_| ()))?;
        Table::new(
            self.columns().filter(|(name, _)| !names.contains(name)).map(|(name, column)| (name, column.clone())),
        )
    }
}
