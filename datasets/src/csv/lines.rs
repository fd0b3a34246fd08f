//! The lines of a text, which end with `\n`, `\r\n` or `\r`.

use std::ops::Range;

use ::csv::Position;

use crate::error::Place;

/// The line, from 1, of the byte at this offset.
pub(super) fn place_of_byte(text: &[u8], offset: usize) -> u64 {
    let before = &text[..offset];
    let ends = before.iter().zip(before.iter().skip(1).chain(&[0]));
    let ended =
        ends.filter(|pair| matches!(pair, (b'\n', _)) || matches!(pair, (b'\r', next) if **next != b'\n')).count();
    1 + ended as u64
}

/// The bytes of the line that holds this offset, without its end.
pub(super) fn line_at(text: &[u8], offset: usize) -> Range<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text[..offset].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = text[offset..].iter().position(is_end).map_or(text.len(), |length| offset + length);
    start..end
}

/// The line on which a record stands, and the field in it, both from 1. The reader's own count of lines leaves out
/// those that it skips.
pub(super) fn place_of(record: Option<&Position>, field: u64, text: &[u8]) -> Place {
    let start = record.map_or(0, |position| position.byte() as usize).min(text.len());
    let skipped = text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    Place::Line { line: place_of_byte(text, start + skipped), column: field + 1 }
}
