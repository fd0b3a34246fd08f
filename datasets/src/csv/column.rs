//! How a program names a column of a CSV file.

use std::fmt;

/// A column of a CSV file, by its name in the header or by its index; a negative index counts from the last.
///
/// ```
/// use gradus_datasets::{ByteSource, Csv, CsvColumn};
/// let rows = "width,height,price\n1,2,30\n3,4,70\n";
/// // By name, or by number from either end.
/// let csv = Csv::new(ByteSource::new(rows.as_bytes(), "rows.csv")?).inputs(["height"]).target(-1);
/// assert_eq!(csv.regression()?.inputs().to_vec(), [2.0, 4.0]);
/// assert_eq!(CsvColumn::from("price").to_string(), "column \"price\"");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvColumn {
    /// The name in the header.
    Name(String),
    /// The index, from 0, or from -1 backwards.
    Index(isize),
}

/// The place of an index, which may be negative, among so many columns.
pub(super) fn place_of_index(index: isize, columns: usize) -> Option<usize> {
    let place = if index < 0 { index.wrapping_add_unsigned(columns) } else { index };
    usize::try_from(place).ok().filter(|&place| place < columns)
}

impl From<&str> for CsvColumn {
    fn from(name: &str) -> Self {
        CsvColumn::Name(name.to_owned())
    }
}

impl From<String> for CsvColumn {
    fn from(name: String) -> Self {
        CsvColumn::Name(name)
    }
}

macro_rules! column_from {
    ($($int:ty),*) => {$(
        impl From<$int> for CsvColumn {
            fn from(index: $int) -> Self {
                CsvColumn::Index(index as isize)
            }
        }
    )*};
}

// i32, because a bare literal is one.
column_from!(i32, isize, usize);

impl fmt::Display for CsvColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CsvColumn::Name(name) => write!(f, "column {name:?}"),
            CsvColumn::Index(index) => write!(f, "column {index}"),
        }
    }
}
