//! The columns of a CSV file, and its rows as numbers and labels.

use ::csv::{Error, ErrorKind, Position, Reader, StringRecord};

use super::column::CsvColumn;
use crate::classes::ClassIndex;
use crate::error::{DatasetError, Place, Result};

/// The texts that stand for a missing value in tables, besides an empty field, in upper or lower case.
const MISSING: [&str; 6] = ["?", "na", "n/a", "nan", "null", "none"];
/// The characters of a field, and of a list of names, that messages show.
const SHOWN_FIELD: usize = 40;
const SHOWN_LIST: usize = 400;

/// The columns of a file: their names, and the indices of inputs and targets.
pub(super) struct Table<'t> {
    /// The whole file.
    text: &'t [u8],
    /// Empty without a header.
    names: Vec<String>,
    pub inputs: Vec<usize>,
    pub targets: Vec<usize>,
}

impl<'t> Table<'t> {
    /// Reads the first line and finds the columns in it.
    pub fn begin(
        text: &'t [u8],
        reader: &mut Reader<&[u8]>,
        header: Option<bool>,
        inputs: Option<Vec<CsvColumn>>,
        targets: Option<Vec<CsvColumn>>,
    ) -> Result<Table<'t>> {
        // Without a header this is the first row, which will come again.
        let first = match reader.headers() {
            Ok(first) => first.clone(),
            Err(error) => return Err(malformed(error, text)),
        };
        if first.is_empty() {
            return Err(DatasetError::new("an empty file", "rows of fields", "check that the file is complete"));
        }
        if header.is_none() && first.iter().all(|field| field.parse::<f64>().is_ok()) {
            return Err(DatasetError::new(
                "a first line of numbers only",
                "the names of the columns",
                "call `.header(false)`, or `.header(true)` if these are names",
            )
            .at(Place::Line { line: 1, column: 1 }));
        }
        let names = if header == Some(false) { Vec::new() } else { first.iter().map(str::to_owned).collect() };
        let mut table = Table { text, names, inputs: Vec::new(), targets: Vec::new() };
        let width = first.len();
        let place_all = |columns: Vec<CsvColumn>| -> Result<Vec<usize>> {
            columns.iter().map(|column| table.place(column, width)).collect()
        };
        let targets = place_all(targets.unwrap_or_else(|| vec![CsvColumn::Index(-1)]))?;
        let inputs = match inputs {
            Some(columns) => place_all(columns)?,
            None => (0..width).filter(|place| !targets.contains(place)).collect(),
        };
        if let Some(&both) = inputs.iter().find(|place| targets.contains(place)) {
            let found = format!("{} as an input and a target", table.describe(both));
            return Err(DatasetError::new(found, "each column used once", "choose the inputs without the target"));
        }
        if inputs.is_empty() {
            let found = format!("no input column among {width}");
            return Err(DatasetError::new(found, "at least one", "choose inputs, or check the delimiter"));
        }
        (table.inputs, table.targets) = (inputs, targets);
        Ok(table)
    }

    /// The place of a column among `width`.
    fn place(&self, column: &CsvColumn, width: usize) -> Result<usize> {
        let refuse = |expected: String, hint| Err(DatasetError::new(column.to_string(), expected, hint));
        match column {
            CsvColumn::Index(index) => {
                let place = if *index < 0 { index.wrapping_add_unsigned(width) } else { *index };
                match usize::try_from(place) {
                    Ok(place) if place < width => Ok(place),
                    _ => refuse(
                        format!("an index among {width} columns"),
                        "count columns from 0, or check the delimiter",
                    ),
                }
            }
            CsvColumn::Name(_) if self.names.is_empty() => {
                refuse("an index, as there is no header".into(), "choose columns by index, counted from 0")
            }
            CsvColumn::Name(name) => {
                let mut places = (0..width).filter(|&place| self.names[place] == *name);
                match (places.next(), places.next()) {
                    (Some(place), None) => Ok(place),
                    (Some(_), Some(_)) => refuse("a name that only one column has".into(), "choose it by index"),
                    (None, _) => {
                        let names = shortened(&format!("{:?}", self.names), SHOWN_LIST);
                        refuse(format!("one of the header's {names}"), "correct the name, or check the delimiter")
                    }
                }
            }
        }
    }

    pub fn fields<'r>(&'r self, record: &'r StringRecord, places: &'r [usize]) -> Fields<'r> {
        Fields { table: self, record, places }
    }

    /// A column as messages name it.
    fn describe(&self, place: usize) -> String {
        match self.names.get(place) {
            Some(name) => format!("column {name:?}"),
            None => format!("column {place}"),
        }
    }
}

/// Some fields of one row.
pub(super) struct Fields<'r> {
    table: &'r Table<'r>,
    record: &'r StringRecord,
    places: &'r [usize],
}

impl Fields<'_> {
    /// Appends the fields as numbers.
    pub fn numbers(&self, numbers: &mut Vec<f32>) -> Result<()> {
        for &place in self.places {
            // Every row has as many fields as the first, or the reader had refused it.
            let text = &self.record[place];
            match text.parse::<f32>() {
                Ok(number) if number.is_finite() => numbers.push(number),
                _ => return Err(self.not_a_number(place, text)),
            }
        }
        Ok(())
    }

    #[cold]
    fn not_a_number(&self, place: usize, text: &str) -> DatasetError {
        if is_missing(text) {
            return self.error(place, "a number", "fill in the missing value, or drop the row or the column");
        }
        match text.parse::<f64>() {
            Ok(_) => self.error(place, "a finite number that an f32 can hold", "correct the value, or drop the row"),
            Err(_) => {
                self.error(place, "a number", "correct the value, or choose `inputs` and `target` without the column")
            }
        }
    }

    /// Appends the one field as a class label.
    pub fn label(&self, classes: &mut ClassIndex) -> Result<()> {
        for &place in self.places {
            let text = &self.record[place];
            if is_missing(text) {
                return Err(self.error(place, "a class label", "fill in the missing label, or drop the row"));
            }
            if !classes.push(text) {
                let names = shortened(&format!("{:?}", classes.names()), SHOWN_LIST);
                return Err(self.error(
                    place,
                    &format!("one of the classes {names}"),
                    "correct the label, or name its class",
                ));
            }
        }
        Ok(())
    }

    fn error(&self, place: usize, expected: &str, hint: &str) -> DatasetError {
        let text = &self.record[place];
        let text = if text.is_empty() { "nothing".to_owned() } else { format!("{:?}", shortened(text, SHOWN_FIELD)) };
        let found = format!("{text} in {}", self.table.describe(place));
        DatasetError::new(found, expected, hint).at(place_of(self.record.position(), place as u64, self.table.text))
    }
}

fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing))
}

/// The text, cut after so many characters.
fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The error for a record that the reader refuses.
#[cold]
pub(super) fn malformed(error: Error, text: &[u8]) -> DatasetError {
    match error.kind() {
        ErrorKind::Utf8 { pos, err } => {
            DatasetError::new("bytes that are not UTF-8", "text in UTF-8", "save the file in that encoding")
                .at(place_of(pos.as_ref(), err.field() as u64, text))
        }
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let (found, expected) = (format!("{len} fields"), format!("{expected_len}, as on the first line"));
            DatasetError::new(found, expected, "complete the row, or quote fields that hold a delimiter").at(place_of(
                pos.as_ref(),
                *expected_len.min(len),
                text,
            ))
        }
        _ => DatasetError::new(format!("text that is not CSV ({error})"), "rows of fields", "check the file"),
    }
}

/// The line on which a record stands, and the field in it, both from 1. The reader's own count of lines leaves out
/// those that it skips.
fn place_of(record: Option<&Position>, field: u64, text: &[u8]) -> Place {
    let start = record.map_or(0, |position| position.byte() as usize).min(text.len());
    let skipped = text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let before = &text[..start + skipped];
    // Lines end with \n, \r\n or \r.
    let ends = before.iter().zip(before.iter().skip(1).chain(&[0]));
    let line =
        1 + ends.filter(|pair| matches!(pair, (b'\n', _)) || matches!(pair, (b'\r', next) if **next != b'\n')).count();
    Place::Line { line: line as u64, column: field + 1 }
}
