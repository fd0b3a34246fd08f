//! The quotes of a CSV file: those that are left open, which would otherwise swallow the rows behind them.

use std::borrow::Cow;
use std::ops::Range;

use super::lines::{line_at, place_of_byte};
use crate::error::{DatasetError, Place, Result};

const QUOTE: u8 = b'"';
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The characters behind a quote that messages show.
const SHOWN: usize = 20;

/// A text whose quotes open and close fields.
pub(super) struct Quotes<'t> {
    /// The text without the spaces before opening quotes, which the reader would take for a part of the field.
    pub text: Cow<'t, [u8]>,
    /// The quoted fields that go over several lines.
    long: Vec<Quoted>,
}

/// A quoted field.
struct Quoted {
    /// The place of the opening quote up to that of the closing one.
    bytes: Range<usize>,
    /// The field in its row, from 0.
    field: u64,
}

impl<'t> Quotes<'t> {
    /// Finds the quoted fields: those that begin with a quote, perhaps behind spaces.
    ///
    /// # Errors
    /// If a quote is never closed, or other text follows a closing quote in its field.
    pub fn find(text: &'t [u8], delimiter: u8) -> Result<Quotes<'t>> {
        let mut spaces = Vec::new();
        let mut long = Vec::new();
        if text.contains(&QUOTE) && delimiter != QUOTE {
            scan(text, delimiter, &mut spaces, &mut long)?;
        }
        if spaces.is_empty() {
            return Ok(Quotes { text: Cow::Borrowed(text), long });
        }
        let mut kept = Vec::with_capacity(text.len());
        let mut from = 0;
        for space in spaces {
            kept.extend_from_slice(&text[from..space.start]);
            from = space.end;
        }
        kept.extend_from_slice(&text[from..]);
        // There are no such spaces any more, so the places are those of the text that is kept.
        let mut long = Vec::new();
        scan(&kept, delimiter, &mut Vec::new(), &mut long)?;
        Ok(Quotes { text: Cow::Owned(kept), long })
    }

    /// Refuses a quoted field of several lines that look like rows: each has `width` fields, with numbers in these columns.
    pub fn check_rows(&self, delimiter: u8, width: usize, numbers: &[usize]) -> Result<()> {
        let is_row = |line: &[u8]| {
            let fields: Vec<&[u8]> = line.split(|&byte| byte == delimiter).collect();
            let number = |&column: &usize| {
                let text = str::from_utf8(fields[column]).unwrap_or_default();
                text.trim().trim_matches('"').parse::<f64>().is_ok()
            };
            fields.len() == width && numbers.iter().all(number)
        };
        for Quoted { bytes, field } in &self.long {
            let mut at = bytes.start;
            let mut rows = 0;
            while at <= bytes.end {
                let line = line_at(&self.text, at);
                let text = &self.text[line.clone()];
                // Windows ends a line by two bytes, between which there is an empty one.
                if !text.is_empty() && !is_row(text) {
                    rows = 0;
                    break;
                }
                rows += usize::from(!text.is_empty());
                at = line.end + 1;
            }
            if rows > 1 {
                let found =
                    format!("a quote that is closed {} lines further on, over lines that look like rows", rows - 1);
                return Err(refuse(&self.text, bytes.start, *field, found));
            }
        }
        Ok(())
    }
}

/// Finds the spaces before opening quotes and the quoted fields of several lines.
fn scan(text: &[u8], delimiter: u8, spaces: &mut Vec<Range<usize>>, long: &mut Vec<Quoted>) -> Result<()> {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t') && byte != delimiter;
    let skip = |from: usize| text[from..].iter().position(|&byte| !is_space(byte)).map_or(text.len(), |n| from + n);
    let ends_field = |at: usize| text.get(at).is_none_or(|&byte| byte == delimiter || matches!(byte, b'\r' | b'\n'));
    let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut field = 0;
    while at < text.len() {
        let open = skip(at);
        if text.get(open) == Some(&QUOTE) {
            let spaced = open > at;
            match closing(text, open) {
                Some(close) if ends_field(skip(close + 1)) => {
                    if spaced {
                        spaces.push(at..open);
                    }
                    if text[open..close].iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                        long.push(Quoted { bytes: open..close, field });
                    }
                    at = skip(close + 1);
                }
                // Behind a space a quote may be a letter as any other.
                _ if spaced => {}
                Some(close) => {
                    let rest = &text[close + 1..line_at(text, close + 1).end];
                    let rest = String::from_utf8_lossy(&rest[..rest.len().min(SHOWN)]).into_owned();
                    let found = format!("a quoted field with more text behind its closing quote, {rest:?}");
                    return Err(refuse(text, open, field, found));
                }
                None => return Err(refuse(text, open, field, "a quote that is never closed".to_owned())),
            }
        }
        while !ends_field(at) {
            at += 1;
        }
        field = if text.get(at) == Some(&delimiter) { field + 1 } else { 0 };
        at += 1;
    }
    Ok(())
}

/// Calls `found` for the bytes of each record with the end of its line. Returns the place behind the last whole line: where
/// `is_last` is false, more text follows, and the line that it goes on with is left.
pub(super) fn records(text: &[u8], delimiter: u8, is_last: bool, mut found: impl FnMut(Range<usize>)) -> usize {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t') && byte != delimiter;
    let skip = |from: usize| text[from..].iter().position(|&byte| !is_space(byte)).map_or(text.len(), |n| from + n);
    let is_end = |byte: &u8| *byte == delimiter || matches!(byte, b'\r' | b'\n');
    let has_quotes = text.contains(&QUOTE) && delimiter != QUOTE;
    let mut start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let (mut at, mut whole) = (start, 0);
    while at < text.len() {
        let open = if has_quotes { skip(at) } else { at };
        if has_quotes && text.get(open) == Some(&QUOTE) {
            match closing(text, open) {
                Some(close) if text.get(skip(close + 1)).is_none_or(is_end) => at = skip(close + 1),
                // The quote may be closed by what follows.
                None if !is_last => return whole,
                _ => {}
            }
        }
        at += text[at..].iter().position(is_end).unwrap_or(text.len() - at);
        let end = match text.get(at) {
            Some(byte) if *byte == delimiter => {
                at += 1;
                continue;
            }
            Some(b'\r') if at + 1 == text.len() && !is_last => return whole,
            Some(b'\r') if text.get(at + 1) == Some(&b'\n') => at + 2,
            Some(_) => at + 1,
            None if is_last => text.len(),
            None => return whole,
        };
        // An empty line is no record.
        if at > start {
            found(start..end);
        }
        (start, at, whole) = (end, end, end);
    }
    whole
}

/// The place of the quote that closes the field whose quote opens here; two quotes are one that is part of the text.
fn closing(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let quote = at + text.get(at..)?.iter().position(|&byte| byte == QUOTE)?;
        if text.get(quote + 1) != Some(&QUOTE) {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// The error of a field that begins with a quote.
fn refuse(text: &[u8], open: usize, field: u64, found: String) -> DatasetError {
    let hint = "close the quote where the field ends, or remove it; a quote within a quoted field is written twice";
    let place = Place::Line { line: place_of_byte(text, open), column: field + 1 };
    DatasetError::new(found, "a field whose quotes stand around it", hint).at(place)
}
