//! The lines of a text, one after the other, with their numbers for messages.

use std::io::{BufRead, BufReader, Read};

use crate::error::{DatasetError, Place, Result};
use crate::formats::{Format, TELLING_BYTES};
use crate::source::ByteSource;

/// Bytes in a line after which it is no text that anybody has written; memory is taken only for bytes that are there.
const LONGEST_LINE: u64 = 1 << 30;

/// The lines of a text in UTF-8, which end with `\n` or `\r\n`.
pub(crate) struct TextLines<'a> {
    source: BufReader<ByteSource<'a>>,
    name: String,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1; 0 before the first.
    number: u64,
}

impl<'a> TextLines<'a> {
    pub fn new(source: ByteSource<'a>) -> Self {
        let name = source.name().to_owned();
        TextLines { source: BufReader::new(source), name, line: Vec::new(), number: 0 }
    }

    /// The name of the text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line, without its end.
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        let read = self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line);
        let count = read.map_err(|error| self.source.get_ref().error(&error))?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if count as u64 == LONGEST_LINE {
            let found = format!("a line of more than {LONGEST_LINE} bytes");
            return Err(self.error(DatasetError::new(found, "lines of text", "check that the file is a text")));
        }
        if std::str::from_utf8(&self.line).is_err() {
            return Err(self.no_text());
        }
        Ok(std::str::from_utf8(&self.line).ok())
    }

    /// The line that was read last.
    pub fn line(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    /// The error of a line that is no UTF-8.
    fn no_text(&self) -> DatasetError {
        let first = &self.line[..self.line.len().min(TELLING_BYTES)];
        if let Some(format) = Format::of(first).filter(|_| self.number == 1) {
            return format.refused("text").in_file(&self.name);
        }
        let valid = std::str::from_utf8(&self.line).map_or_else(|error| error.valid_up_to(), str::len);
        let error = DatasetError::new("bytes that are no UTF-8", "text", "save the file in UTF-8");
        error.in_file(&self.name).at(Place::Line { line: self.number, column: valid as u64 + 1 })
    }

    /// The error, in the line that was read last.
    pub fn error(&self, error: DatasetError) -> DatasetError {
        self.error_at(error, 1)
    }

    /// The error, in the line of this number.
    pub fn error_on(&self, error: DatasetError, line: u64) -> DatasetError {
        error.in_file(&self.name).at(Place::Line { line, column: 1 })
    }

    /// The error, at this byte of the line that was read last, from 1.
    pub fn error_at(&self, error: DatasetError, column: u64) -> DatasetError {
        error.in_file(&self.name).at(Place::Line { line: self.number, column })
    }
}
