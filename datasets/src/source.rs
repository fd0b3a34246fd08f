//! Bytes to read from, plain or gzip'd, under the name that messages give them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{DatasetError, Place, Result};

/// Every gzip file begins so (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 1 << 16;

/// Unpacked bytes from a file or any reader.
pub struct Source<'a> {
    name: String,
    bytes: Box<dyn Read + 'a>,
    /// How many bytes were read so far.
    offset: u64,
}

impl<'a> Source<'a> {
    /// The bytes of a reader, which messages call `name`. What begins as a gzip file does is unpacked.
    ///
    /// # Errors
    /// If the first bytes cannot be read.
    pub fn new(reader: impl Read + 'a, name: impl Into<String>) -> Result<Self> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        let name = name.into();
        let mut first = Vec::with_capacity(GZIP_MAGIC.len());
        let peeked = reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut first);
        peeked.map_err(|error| read_error(&error).in_file(&name))?;
        let packed = first == GZIP_MAGIC;
        let whole = Cursor::new(first).chain(reader);
        let bytes: Box<dyn Read + 'a> = if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Source { name, bytes, offset: 0 })
    }

    /// The bytes of a file, unpacked if it is gzip'd, whatever it is called.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Source<'static>> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| unopened(&error).in_file(path))?;
        Source::new(file, path.display().to_string())
    }

    /// The same bytes, which must have this md5 sum, in hexadecimal; a difference is an error at their end.
    pub(crate) fn with_md5(self, expected: &'static str) -> Source<'a> {
        Source { bytes: Box::new(Checked { bytes: self.bytes, sum: md5::Context::new(), expected }), ..self }
    }

    /// The file, or what the reader is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next `count` bytes, or fewer where the source ends: memory is taken for what is there, not for what was
    /// asked for.
    pub(crate) fn read_up_to(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.by_ref().take(count).read_to_end(&mut bytes).map_err(|error| self.error(&error))?;
        Ok(bytes)
    }

    /// What went wrong while reading, at the place where it did.
    pub(crate) fn error(&self, error: &io::Error) -> DatasetError {
        read_error(error).in_file(&self.name).at(Place::Byte(self.offset))
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

fn unopened(error: &io::Error) -> DatasetError {
    let (found, hint) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file".to_owned(), "check the path"),
        _ => (format!("a file that cannot be opened ({error})"), "check the path and its permissions"),
    };
    DatasetError::new(found, "a file to read", hint)
}

/// What went wrong while reading.
pub(crate) fn read_error(error: &io::Error) -> DatasetError {
    if let Some(sums) = error.get_ref().and_then(|inner| inner.downcast_ref::<WrongSum>()) {
        return DatasetError::new(
            format!("the md5 sum {}", sums.found),
            format!("{}, that of the original", sums.expected),
            "the file is damaged: get it again",
        );
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DatasetError::new(
            "the end of the packed bytes",
            "the rest of the gzip file",
            "the file is cut off: get it again",
        ),
        _ => DatasetError::new(
            format!("bytes that cannot be read ({error})"),
            "a readable file, plain or gzip'd",
            "the file may be damaged, or not a file: get it again",
        ),
    }
}

/// Bytes that are summed up as they are read, and compared when they end.
struct Checked<R> {
    bytes: R,
    sum: md5::Context,
    expected: &'static str,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.sum.consume(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            let found = format!("{:x}", self.sum.clone().finalize());
            if found != self.expected {
                let sums = WrongSum { found, expected: self.expected };
                return Err(io::Error::new(io::ErrorKind::InvalidData, sums));
            }
        }
        Ok(count)
    }
}

/// How a wrong sum travels through `io::Error`.
#[derive(Debug)]
struct WrongSum {
    found: String,
    expected: &'static str,
}

impl fmt::Display for WrongSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "md5 sum {} is not {}", self.found, self.expected)
    }
}

impl std::error::Error for WrongSum {}
