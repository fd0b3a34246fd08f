//! A CSV file in blocks of whole rows, so that no more of it than a block is in memory.

use std::path::{Path, PathBuf};

use super::fields::{Fields, Head};
use super::lines::place_of_byte;
use super::quotes::{has_record, records};
use super::{Options, TABLE, no_row, read_rows};
use crate::error::{DatasetError, Place, Result};
use crate::formats::Format;
use crate::source::ByteSource;

/// The bytes that are read at a time; a few when fuzzing, so that short texts have blocks.
pub(super) const BLOCK_BYTES: u64 = if cfg!(fuzzing) { 1 << 5 } else { 1 << 18 };
/// The most bytes of a row, and so of memory that a quote which is left open can take.
const LONGEST_ROW: usize = 1 << 26;

/// The blocks of a file.
pub(super) struct Blocks {
    source: ByteSource<'static>,
    path: PathBuf,
    pub options: Options,
    /// `None` before the first block.
    head: Option<Head>,
    /// The bytes of a row that the next block goes on with.
    rest: Vec<u8>,
    /// The lines and the bytes of the blocks that have come.
    lines: u64,
    offset: u64,
    rows: usize,
    has_ended: bool,
}

/// Some whole rows of a file.
pub(super) struct Block {
    pub text: Vec<u8>,
    pub is_first: bool,
    /// The place of the first byte in the file.
    pub offset: u64,
    /// The lines of the file before the block.
    lines: u64,
}

impl Blocks {
    pub fn open(path: &Path, options: &Options) -> Result<Blocks> {
        let source = ByteSource::open(path)?;
        let (path, options) = (path.to_owned(), options.clone());
        Ok(Blocks {
            source,
            path,
            options,
            head: None,
            rest: Vec::new(),
            lines: 0,
            offset: 0,
            rows: 0,
            has_ended: false,
        })
    }

    /// The first line, behind the first block.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The number of bytes of the blocks that have come.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// The next block, if there is one.
    pub fn next(&mut self) -> Result<Option<Block>> {
        let is_first = self.head.is_none();
        let mut count = BLOCK_BYTES;
        let whole = loop {
            if !self.has_ended {
                let read = self.source.append_up_to(count, &mut self.rest)?;
                self.has_ended = (read as u64) < count;
            }
            let whole = match last_newline(&self.rest).filter(|_| !self.has_ended) {
                Some(whole) => whole,
                None => records(&self.rest, self.options.delimiter, is_first, self.has_ended, |_| {}),
            };
            // The first block has the first line, perhaps behind empty ones.
            let whole = if is_first && !has_record(&self.rest[..whole]) { 0 } else { whole };
            if whole > 0 || self.has_ended {
                break whole.max(if self.has_ended { self.rest.len() } else { 0 });
            }
            if self.rest.len() > LONGEST_ROW {
                let found = format!("a row of more than {LONGEST_ROW} bytes");
                let hint = "look for a quote that is left open, or for a file that is no text";
                let error = DatasetError::new(found, "rows that are shorter", hint).in_file(&self.path);
                return Err(error.at(Place::Line { line: self.lines + 1, column: 1 }));
            }
            // Each byte is looked at a few times only.
            count *= 2;
        };
        if whole == 0 && !is_first {
            return if self.rows == 0 { Err(no_row().in_file(&self.path)) } else { Ok(None) };
        }
        let rest = self.rest.split_off(whole);
        let text = std::mem::replace(&mut self.rest, rest);
        if is_first {
            self.head = Some(Head::find(&text, &self.options).map_err(|error| error.in_file(&self.path))?);
        } else if let Some(format) = Format::of_zeros(&text) {
            return Err(format.refused(TABLE).in_file(&self.path));
        }
        let block = Block { is_first, offset: self.offset, lines: self.lines, text };
        self.lines += lines(&block.text);
        self.offset += whole as u64;
        Ok(Some(block))
    }

    /// Hands the fields of every row of a block to `take`, as [`read_rows`] does.
    pub fn read(
        &mut self,
        block: &Block,
        numeric: bool,
        take: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>,
    ) -> Result<(usize, [usize; 2])> {
        let Some(head) = &self.head else { return Ok((0, [0, 0])) };
        let read = read_rows(&block.text, &self.options, head, block.is_first, numeric, take);
        let (rows, widths) = read.map_err(|error| {
            let error = match error.place() {
                Some(Place::Line { line, column }) => error.at(Place::Line { line: block.lines + line, column }),
                _ => error,
            };
            error.in_file(&self.path)
        })?;
        self.rows += rows;
        Ok((rows, widths))
    }
}

/// The place behind the last line of a text without quotes, if there is such a line.
fn last_newline(text: &[u8]) -> Option<usize> {
    if text.contains(&b'"') {
        return None;
    }
    text.iter().rposition(|&byte| byte == b'\n').map(|place| place + 1)
}

/// The number of lines that end in a text.
fn lines(text: &[u8]) -> u64 {
    match text.contains(&b'\r') {
        true => place_of_byte(text, text.len()) - 1,
        false => text.iter().filter(|&&byte| byte == b'\n').count() as u64,
    }
}
