//! The one error of this crate: the place, the finding, the expectation, and one thing to do.

use std::fmt;
use std::path::Path;

/// A result whose error is a [`DatasetError`].
pub type Result<T, E = DatasetError> = std::result::Result<T, E>;

/// An error in data: missing, damaged or of another form than expected.
///
/// The message names the file, the place in it, the finding, the expectation, and one thing to do:
/// `digits.idx, byte 2: found element type 0x0a, expected ...; check that ...`. `Debug` prints the same message, because a
/// `main` that returns a `Result` prints an error by `Debug`. One pointer wide.
///
/// ```
/// use gradus_datasets::{DatasetError, Place};
/// let error = DatasetError::new("label 12", "a label from 0 to 9", "remove the sample")
///     .in_file("labels.csv")
///     .at(Place::Line { line: 3, column: 5 });
/// assert_eq!(
///     error.to_string(),
///     "labels.csv, line 3, column 5: found label 12, expected a label from 0 to 9; remove the sample"
/// );
/// ```
pub struct DatasetError(Box<Report>);

#[derive(Clone)]
struct Report {
    file: Option<String>,
    column: Option<String>,
    place: Option<Place>,
    found: String,
    expected: String,
    hint: String,
}

/// The place of an error in its file or data set.
///
/// ```
/// use gradus_datasets::Place;
/// assert_eq!(Place::Line { line: 3, column: 5 }.to_string(), "line 3, column 5");
/// assert_eq!(Place::Sample(12).to_string(), "sample 12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// An offset in the unpacked bytes, from 0.
    Byte(u64),
    /// A line of text and a field in it, both from 1.
    Line {
        /// The line on which the record begins.
        line: u64,
        /// The field of the record.
        column: u64,
    },
    /// A row of a data set, from 0.
    Sample(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Byte(offset) => write!(f, "byte {offset}"),
            Place::Line { line, column } => write!(f, "line {line}, column {column}"),
            Place::Sample(index) => write!(f, "sample {index}"),
        }
    }
}

impl DatasetError {
    /// An error with these texts: the finding, the expectation and one thing to do.
    pub fn new(found: impl Into<String>, expected: impl Into<String>, hint: impl Into<String>) -> Self {
        let (found, expected, hint) = (found.into(), expected.into(), hint.into());
        DatasetError(Box::new(Report { file: None, column: None, place: None, found, expected, hint }))
    }

    /// The same error, in this file; a file that is named already stays.
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.0.file.get_or_insert_with(|| path.as_ref().display().to_string());
        self
    }

    /// The same error, in this column of a table; a column that is named already stays.
    pub fn in_column(mut self, name: impl Into<String>) -> Self {
        self.0.column.get_or_insert_with(|| name.into());
        self
    }

    /// The same error, at this place.
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// The file, or the name that a reader was given.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The column of a table.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// The place in the file or the data set.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }

    /// The finding: the text after "found".
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// The expectation: the text after "expected".
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// One thing to do about it.
    pub fn hint(&self) -> &str {
        &self.0.hint
    }
}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { file, column, place, found, expected, hint } = &*self.0;
        let mut separator = "";
        let mut part = |text: &dyn fmt::Display| {
            let written = write!(f, "{separator}{text}");
            separator = ", ";
            written
        };
        if let Some(file) = file {
            part(file)?;
        }
        if let Some(column) = column {
            part(&format_args!("column {column:?}"))?;
        }
        if let Some(place) = place {
            part(place)?;
        }
        if !separator.is_empty() {
            write!(f, ": ")?;
        }
        write!(f, "found {found}, expected {expected}; {hint}")
    }
}

impl fmt::Debug for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for DatasetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide_and_may_cross_threads() {
        fn crosses_threads<T: Send + Sync + 'static>() {}
        crosses_threads::<DatasetError>();
        assert_eq!(size_of::<DatasetError>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn the_innermost_file_is_the_one_named() {
        let error = DatasetError::new("a", "b", "c").in_file("inner").in_file("outer");
        assert_eq!(error.file(), Some("inner"));
        assert_eq!(format!("{error:?}"), "inner: found a, expected b; c");
    }
}
