//! The quotes of a CSV file: those that are left open, which would otherwise swallow the rows behind them.

use std::borrow::Cow;
use std::ops::Range;

use super::lines::{line_at, place_of_byte};
use super::number::short_number;
use crate::error::{DatasetError, Place, Result};

const QUOTE: u8 = b'"';
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The characters behind a quote that messages show.
const SHOWN: usize = 20;

/// A text whose quotes open and close fields.
pub(super) struct Quotes<'t> {
    /// The text as the reader must have it: without the spaces before opening quotes, which it would take for a part of the
    /// field.
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
    /// Finds the quoted fields: those that begin with a quote, perhaps behind spaces. `is_first` says whether the text begins
    /// with the first line of the file.
    ///
    /// # Errors
    /// If a quote is never closed, or other text follows a closing quote in its field.
    pub fn find(text: &'t [u8], delimiter: u8, is_first: bool) -> Result<Quotes<'t>> {
        let text = match text.starts_with(BYTE_ORDER_MARK) && !is_first {
            // The reader leaves out the mark at the beginning of a text. Here it is a part of the field.
            true => Cow::Owned([BYTE_ORDER_MARK, text].concat()),
            false => Cow::Borrowed(text),
        };
        let mut spaces = Vec::new();
        let mut long = Vec::new();
        if text.contains(&QUOTE) && delimiter != QUOTE {
            scan(&text, delimiter, &mut spaces, &mut long)?;
        }
        if spaces.is_empty() {
            return Ok(Quotes { text, long });
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
    let mut number = 0;
    for field in TextFields::new(text, delimiter, true) {
        let Range { start, end } = field.bytes;
        match field.quote {
            Quote::Around(bytes) => {
                if bytes.start > start {
                    spaces.push(start..bytes.start);
                }
                if text[bytes.clone()].iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                    long.push(Quoted { bytes, field: number });
                }
            }
            Quote::Before { open, close } if open == start => {
                let rest = &text[close + 1..line_at(text, close + 1).end];
                let rest = String::from_utf8_lossy(&rest[..rest.len().min(SHOWN)]).into_owned();
                let found = format!("a quoted field with more text behind its closing quote, {rest:?}");
                return Err(refuse(text, open, number, found));
            }
            Quote::Unclosed { open } if open == start => {
                return Err(refuse(text, open, number, "a quote that is never closed".to_owned()));
            }
            // Behind a space a quote may be a letter as any other.
            Quote::None | Quote::Before { .. } | Quote::Unclosed { .. } => {}
        }
        number = if text.get(end) == Some(&delimiter) { number + 1 } else { 0 };
    }
    Ok(())
}

/// Calls `found` for the bytes of each record with the end of its line. Returns the place behind the last whole line: where
/// `is_last` is false, more text follows, and the line that it goes on with is left. `is_first` says whether the text begins
/// with the first line of the file.
pub(super) fn records(
    text: &[u8],
    delimiter: u8,
    is_first: bool,
    is_last: bool,
    mut found: impl FnMut(Range<usize>),
) -> usize {
    let mut fields = TextFields::new(text, delimiter, is_first);
    let (mut start, mut whole) = (fields.at, 0);
    while let Some(field) = fields.next() {
        let at = field.bytes.end;
        // More text may close the quote, and end the line by two bytes.
        let goes_on = matches!(field.quote, Quote::Unclosed { .. }) || at + 1 >= text.len() && text.ends_with(b"\r");
        if goes_on && !is_last {
            return whole;
        }
        let end = match text.get(at) {
            Some(b'\r') if text.get(at + 1) == Some(&b'\n') => at + 2,
            Some(byte) if *byte != delimiter => at + 1,
            _ => continue,
        };
        // An empty line is no record.
        if at > start {
            found(start..end);
        }
        (start, whole, fields.at) = (end, end, end);
    }
    if is_last && start < text.len() {
        found(start..text.len());
        whole = text.len();
    }
    whole
}

/// Whether a text that begins with the first line of a file has a line that is not empty.
pub(super) fn has_record(text: &[u8]) -> bool {
    text[mark_length(text)..].iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
}

/// The length of the byte order mark with which a text begins, or 0.
pub(super) fn mark_length(text: &[u8]) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// The fields of a text, across the ends of its lines.
pub(super) struct TextFields<'t> {
    text: &'t [u8],
    delimiter: u8,
    has_quotes: bool,
    /// The place of the next field.
    at: usize,
}

/// A field of a text.
pub(super) struct TextField {
    /// Up to the delimiter, the end of the line or of the text.
    pub bytes: Range<usize>,
    pub quote: Quote,
}

/// How a field begins with a quote, perhaps behind spaces.
pub(super) enum Quote {
    None,
    /// From the opening quote up to the closing one, behind which there is nothing but spaces.
    Around(Range<usize>),
    /// There is more text behind the closing quote: the field ends where it would without quotes.
    Before {
        open: usize,
        close: usize,
    },
    /// No quote closes the field.
    Unclosed {
        open: usize,
    },
}

impl<'t> TextFields<'t> {
    /// `is_first` says whether the text begins with the first line of the file, and perhaps with a byte order mark.
    pub fn new(text: &'t [u8], delimiter: u8, is_first: bool) -> Self {
        let has_quotes = text.contains(&QUOTE) && delimiter != QUOTE;
        let at = if is_first { mark_length(text) } else { 0 };
        TextFields { text, delimiter, has_quotes, at }
    }

    /// Goes on to the next line that is not empty. Says whether there is one.
    pub fn skip_line_ends(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at < self.text.len()
    }

    /// The next field, if it is a short number, and the place where it ends.
    #[inline]
    pub fn next_number(&mut self) -> Option<(f64, usize)> {
        let (number, length) = short_number(self.text.get(self.at..)?)?;
        let end = self.at + length;
        if !self.text.get(end).is_none_or(|&byte| self.is_end(byte)) {
            return None;
        }
        self.at = end + 1;
        Some((number, end))
    }

    /// Whether a byte ends a field.
    #[inline]
    fn is_end(&self, byte: u8) -> bool {
        byte == self.delimiter || matches!(byte, b'\r' | b'\n')
    }

    /// The place of the byte that ends the field from here on. It looks at eight bytes at once.
    #[inline]
    fn end(&self, from: usize) -> usize {
        let ends = [self.delimiter, b'\r', b'\n'].map(|byte| u64::from_ne_bytes([byte; 8]));
        let mut at = from;
        while let Some(bytes) = self.text[at..].first_chunk() {
            let word = u64::from_le_bytes(*bytes);
            let found = ends.iter().fold(0, |found, end| found | zero_bytes(word ^ end));
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        self.text[at..].iter().position(|&byte| self.is_end(byte)).map_or(self.text.len(), |length| at + length)
    }

    /// The place behind the spaces from here on.
    fn behind_spaces(&self, from: usize) -> usize {
        let is_space = |byte: u8| matches!(byte, b' ' | b'\t') && byte != self.delimiter;
        from + self.text[from..].iter().take_while(|byte| is_space(**byte)).count()
    }
}

impl Iterator for TextFields<'_> {
    type Item = TextField;

    fn next(&mut self) -> Option<TextField> {
        let TextFields { text, has_quotes, at: start, .. } = *self;
        if start >= text.len() {
            return None;
        }
        let (mut quote, mut from) = (Quote::None, start);
        let open = if has_quotes { self.behind_spaces(start) } else { start };
        if has_quotes && text.get(open) == Some(&QUOTE) {
            quote = match closing(text, open) {
                Some(close) if text.get(self.behind_spaces(close + 1)).is_none_or(|&byte| self.is_end(byte)) => {
                    from = close + 1;
                    Quote::Around(open..close)
                }
                Some(close) => Quote::Before { open, close },
                None => Quote::Unclosed { open },
            };
        }
        let end = self.end(from);
        self.at = end + 1;
        Some(TextField { bytes: start..end, quote })
    }
}

/// The highest bit of the first byte that is 0, and perhaps bits of bytes behind it.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(u64::from_ne_bytes([0x01; 8])) & !word & u64::from_ne_bytes([0x80; 8])
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
