//! A stream that counts its bytes, so that errors can say where they happened.

use std::io::{self, Read};

use super::NpyError;

/// A reader that counts the bytes read.
pub(super) struct CountingReader<R> {
    pub(super) reader: R,
    pub(super) offset: u64,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(bytes)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl<R: Read> CountingReader<R> {
    /// Reads exactly `bytes.len()` bytes; `what` names them in an error.
    pub(super) fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<(), NpyError> {
        self.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NpyError::content(self.offset, what, "the end of the file"),
            _ => NpyError::io(self.offset, error),
        })
    }
}
