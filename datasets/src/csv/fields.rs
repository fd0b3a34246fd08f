//! The columns of a CSV file, and its rows as numbers and labels.

use ::csv::{Error, ErrorKind, StringRecord};

use super::Options;
use super::column::{CsvColumn, place_of_index};
use super::lines::{line_at, place_of};
use super::missing::Missing;
use crate::classes::ClassIndex;
use crate::error::{DatasetError, Result};

/// The characters of a field, and of a list of names, that messages show.
const SHOWN_FIELD: usize = 40;
const SHOWN_LIST: usize = 400;

/// The first line of a file, which names the columns or is the first row.
#[derive(Clone)]
pub(super) struct Head {
    pub first: StringRecord,
    pub has_names: bool,
}

/// The columns of a file: their names, and the indices of inputs and targets.
pub(super) struct FileColumns<'t> {
    /// The whole file, or a block of it.
    text: &'t [u8],
    /// Whether the text begins with the first line of the file.
    is_first: bool,
    delimiter: u8,
    missing: Missing,
    /// The number of columns.
    pub width: usize,
    /// Empty without a header.
    names: Vec<String>,
    pub inputs: Vec<usize>,
    pub targets: Vec<usize>,
}

impl<'t> FileColumns<'t> {
    /// Finds the columns of a table with this first line. `is_first` says whether the text begins with it.
    pub fn new(text: &'t [u8], head: &Head, is_first: bool, options: &Options) -> Result<FileColumns<'t>> {
        let Head { first, has_names } = head;
        let Options { delimiter, inputs, targets, missing, .. } = options.clone();
        let names = if *has_names { first.iter().map(str::to_owned).collect() } else { Vec::new() };
        let (width, missing) = (first.len(), Missing::new(missing));
        let mut table =
            FileColumns { text, is_first, delimiter, missing, width, names, inputs: Vec::new(), targets: Vec::new() };
        let place_all = |columns: Vec<CsvColumn>| -> Result<Vec<usize>> {
            columns.iter().map(|column| table.place(column, width)).collect()
        };
        let targets = place_all(targets.unwrap_or_else(|| vec![CsvColumn::Index(-1)]))?;
        let inputs = match inputs {
            Some(columns) => place_all(columns)?,
            None => (0..width).filter(|place| !targets.contains(place)).collect(),
        };
        for (columns, role) in [(&inputs, "the inputs"), (&targets, "the targets")] {
            if let Some(&twice) = columns.iter().find(|place| columns.iter().filter(|other| other == place).count() > 1)
            {
                let found = format!("{} twice among {role}", table.describe(twice));
                return Err(DatasetError::new(found, "each column used once", "choose it once"));
            }
        }
        if let Some(&both) = inputs.iter().find(|place| targets.contains(place)) {
            let found = format!("{} as an input and a target", table.describe(both));
            return Err(DatasetError::new(found, "each column used once", "choose the inputs without the target"));
        }
        if inputs.is_empty() {
            let found = format!("no input column among {width}");
            let hint =
                delimiter_hint(text, delimiter).unwrap_or_else(|| "choose inputs, or check the delimiter".into());
            return Err(DatasetError::new(found, "at least one", hint));
        }
        (table.inputs, table.targets) = (inputs, targets);
        Ok(table)
    }

    /// The place of a column among `width`.
    fn place(&self, column: &CsvColumn, width: usize) -> Result<usize> {
        let refuse = |expected: String, hint| Err(DatasetError::new(column.to_string(), expected, hint));
        match column {
            CsvColumn::Index(index) => match place_of_index(*index, width) {
                Some(place) => Ok(place),
                None => {
                    refuse(format!("an index among {width} columns"), "count columns from 0, or check the delimiter")
                }
            },
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

    /// Checks that a row has as many fields as the first line.
    pub fn check_width(&self, record: &StringRecord) -> Result<()> {
        let (width, found) = (self.width, record.len());
        if found == width {
            return Ok(());
        }
        let hint = delimiter_hint(self.text, self.delimiter).filter(|_| width == 1);
        let hint = hint.unwrap_or_else(|| "complete the row, or quote fields that hold a delimiter".to_owned());
        let error = DatasetError::new(format!("{found} fields"), format!("{width}, as on the first line"), hint);
        Err(error.at(place_of(record.position(), width.min(found) as u64, self.text)))
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
    table: &'r FileColumns<'r>,
    record: &'r StringRecord,
    places: &'r [usize],
}

impl<'r> Fields<'r> {
    /// The fields as texts.
    pub fn texts(&self) -> impl Iterator<Item = &'r str> {
        let Fields { record, places, .. } = *self;
        places.iter().map(|&place| &record[place])
    }

    /// Appends the fields as numbers.
    pub fn numbers(&self, numbers: &mut Vec<f32>) -> Result<()> {
        for &place in self.places {
            // Every row has as many fields as the first, or it was refused.
            let text = &self.record[place];
            match text.parse::<f32>() {
                Ok(number) if number.is_finite() && !self.table.missing.holds_number(text) => numbers.push(number),
                _ => return Err(self.not_a_number(place, text)),
            }
        }
        Ok(())
    }

    #[cold]
    fn not_a_number(&self, place: usize, text: &str) -> DatasetError {
        const CHOOSE: &str = "choose `inputs` and `target` without the column";
        let table = self.table;
        if table.missing.holds(text) {
            let expected =
                if table.missing.holds_number(text) { "a number that does not mean \"missing\"" } else { "a number" };
            return self.error(place, expected, "fill in the missing value, or drop the row or the column");
        }
        if text.parse::<f64>().is_ok() {
            return self.error(place, "a finite number that an f32 can hold", "correct the value, or drop the row");
        }
        let is_first_row = table.is_first && self.record.position().is_some_and(|position| position.record() == 0);
        let hint = if table.width == 1
            && let Some(hint) = delimiter_hint(table.text, table.delimiter)
        {
            hint
        } else if table.names.is_empty() && is_first_row {
            format!("correct the value, {CHOOSE}, or call `.header(true)` if the first line holds names")
        } else if ["true", "false"].iter().any(|known| text.eq_ignore_ascii_case(known)) {
            format!("write 1 for true and 0 for false, or {CHOOSE}")
        } else if is_written_otherwise(text) {
            format!("write it as a plain number such as 1234.5, or {CHOOSE}")
        } else {
            format!("correct the value, or {CHOOSE}")
        };
        self.error(place, "a number", hint)
    }

    /// Appends the one field as a class label.
    pub fn label(&self, classes: &mut ClassIndex) -> Result<()> {
        for &place in self.places {
            let text = &self.record[place];
            // A text that names a class is never missing.
            if classes.push_known(text) {
                continue;
            }
            if self.table.missing.holds(text) {
                let class =
                    "if it is a class, name all classes by `.class_names(..)`, or the missing texts by `.missing(..)`";
                let hint = match text {
                    "" => "fill in the missing label, or drop the row".to_owned(),
                    _ => format!("fill in the missing label, or drop the row; {class}"),
                };
                return Err(self.error(place, "a class label", hint));
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

    fn error(&self, place: usize, expected: &str, hint: impl Into<String>) -> DatasetError {
        let text = &self.record[place];
        let text = if text.is_empty() { "nothing".to_owned() } else { format!("{:?}", shortened(text, SHOWN_FIELD)) };
        let found = format!("{text} in {}", self.table.describe(place));
        DatasetError::new(found, expected, hint).at(place_of(self.record.position(), place as u64, self.table.text))
    }
}

/// Whether a text is a number with a comma, separators of thousands, a percent sign, a currency or a unit.
fn is_written_otherwise(text: &str) -> bool {
    text.trim_start_matches(|letter: char| "+-$€£¥ ".contains(letter)).starts_with(|first: char| first.is_ascii_digit())
}

/// What to do where the fields of the first line seem to be separated by another byte.
fn delimiter_hint(text: &[u8], delimiter: u8) -> Option<String> {
    let first = &text[line_at(text, 0)];
    let other = [b',', b';', b'\t', b'|'].into_iter().find(|other| *other != delimiter && first.contains(other))?;
    Some(format!("call `.delimiter(b'{}')`", other.escape_ascii()))
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
        _ => DatasetError::new(format!("text that is not CSV ({error})"), "rows of fields", "check the file"),
    }
}
