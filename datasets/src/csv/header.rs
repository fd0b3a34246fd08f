//! Whether the first line of a CSV file names the columns.

use ::csv::{Reader, StringRecord};

use super::missing::Missing;
use crate::decimal::Decimal;
use crate::error::{DatasetError, Place, Result};

/// Refuses a first line with a number in a column of numbers: it may be the first row. `rows` reads the rows below it.
///
/// A column of numbers has nothing but numbers and missing values below the first line.
pub(super) fn check(first: &StringRecord, rows: &mut Reader<&[u8]>, missing: &Missing) -> Result<()> {
    let mut columns: Vec<usize> = (0..first.len()).filter(|&column| Decimal::parse(&first[column]).is_some()).collect();
    let mut record = StringRecord::new();
    // A row that cannot be read ends the search; it is refused when it is read for good.
    while !columns.is_empty() && rows.read_record(&mut record).unwrap_or(false) {
        columns.retain(|&column| {
            let field = record.get(column).unwrap_or_default();
            missing.holds(field) || field.parse::<f64>().is_ok()
        });
    }
    match columns.first() {
        None => Ok(()),
        Some(&column) => Err(DatasetError::new(
            format!("the number {:?} on the first line, above a column of numbers", &first[column]),
            "the name of the column",
            "call `.header(false)` if the first line is a row, or `.header(true)` if it holds names",
        )
        .at(Place::Line { line: 1, column: column as u64 + 1 })),
    }
}
