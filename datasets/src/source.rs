//! Bytes of a file or another reader, plain or packed, with a name for messages.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::error::{DatasetError, Place, Result};

/// The first bytes of every gzip file (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// A bzip2 file begins with these letters, a digit, and pi, which marks its first block.
const BZIP2_MAGIC: [&[u8]; 2] = [b"BZh", &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]];
const LONGEST_MAGIC: u64 = 10;
const BUFFER_BYTES: usize = 1 << 16;

/// The bytes of a file or of any reader, unpacked as they are read.
///
/// ```
/// use gradus_datasets::{ByteSource, Csv};
/// // What is no file, such as an answer of a server, is read in the same way.
/// let answer = "x,y\n1,2\n";
/// let data = Csv::new(ByteSource::new(answer.as_bytes(), "the server's answer")?).regression()?;
/// assert_eq!(data.len(), 1);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub struct ByteSource<'a> {
    name: String,
    bytes: Box<dyn Read + Send + 'a>,
    is_packed: bool,
    /// The number of bytes that were read so far.
    offset: u64,
}

impl<'a> ByteSource<'a> {
    /// The bytes of a reader, which messages call `name`. Bytes that begin as a gzip file does are unpacked; so are those of
    /// bzip2, with the feature `bzip2`.
    ///
    /// # Errors
    /// If the first bytes cannot be read.
    pub fn new(reader: impl Read + Send + 'a, name: impl Into<String>) -> Result<Self> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        let name = name.into();
        let mut first = Vec::with_capacity(LONGEST_MAGIC as usize);
        let peeked = reader.by_ref().take(LONGEST_MAGIC).read_to_end(&mut first);
        peeked.map_err(|error| read_error(&error).in_file(&name))?;
        let is_bzip2 = first.starts_with(BZIP2_MAGIC[0]) && first[4.min(first.len())..] == *BZIP2_MAGIC[1];
        let is_gzip = first.starts_with(&GZIP_MAGIC);
        let whole = Cursor::new(first).chain(reader);
        let bytes: Box<dyn Read + Send + 'a> = if is_gzip {
            Box::new(GzipMembers { member: Some(GzDecoder::new(whole)) })
        } else if is_bzip2 {
            unpack_bzip2(whole).map_err(|error| error.in_file(&name))?
        } else {
            Box::new(whole)
        };
        Ok(ByteSource { name, bytes, is_packed: is_gzip || is_bzip2, offset: 0 })
    }

    /// The bytes of a file, unpacked as by [`ByteSource::new`], whatever the file's name ends in.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<ByteSource<'static>> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| unopened(&error).in_file(path))?;
        ByteSource::new(file, path.display().to_string())
    }

    /// The same bytes, whose md5 sum, in hexadecimal, must be this one; if it is not, reading fails at their end.
    pub(crate) fn with_md5(self, expected: &'static str) -> ByteSource<'a> {
        ByteSource { bytes: Box::new(Md5Reader { bytes: self.bytes, sum: md5::Context::new(), expected }), ..self }
    }

    /// The file's path, or the reader's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the bytes are unpacked as they are read: then there is no way to a place in the midst of them.
    pub(crate) fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// The next `count` bytes, or fewer where the source ends. Memory is taken only for bytes that are there.
    pub(crate) fn read_up_to(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append_up_to(count, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends the next `count` bytes, or fewer where the source ends; returns how many.
    pub(crate) fn append_up_to(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<usize> {
        self.by_ref().take(count).read_to_end(bytes).map_err(|error| self.error(&error))
    }

    /// An error of reading, at the offset where it came.
    pub(crate) fn error(&self, error: &io::Error) -> DatasetError {
        read_error(error).in_file(&self.name).at(Place::Byte(self.offset))
    }
}

impl fmt::Debug for ByteSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteSource").field("name", &self.name).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Read for ByteSource<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// The unpacked bytes of a gzip file: of all its members, as gzip(1) reads it. Zeros behind the last one are padding.
struct GzipMembers<R> {
    /// The member that is read; `None` behind the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(ended) = self.member.take() else { break };
            self.member = next_member(ended.into_inner())?;
        }
        Ok(0)
    }
}

/// The member that begins at the next byte other than zero, if there is one.
fn next_member<R: BufRead>(mut packed: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let bytes = packed.fill_buf()?;
        match bytes.iter().position(|&byte| byte != 0) {
            None if bytes.is_empty() => return Ok(None),
            None => {
                let zeros = bytes.len();
                packed.consume(zeros);
            }
            Some(zeros) if bytes[zeros] == GZIP_MAGIC[0] => {
                packed.consume(zeros);
                return Ok(Some(GzDecoder::new(packed)));
            }
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, MoreBehind)),
        }
    }
}

/// Bytes behind the packed ones, as the inner error of an `io::Error`.
#[derive(Debug)]
struct MoreBehind;

impl fmt::Display for MoreBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other bytes behind those that gzip packed")
    }
}

impl std::error::Error for MoreBehind {}

#[cfg(feature = "bzip2")]
fn unpack_bzip2<'a>(packed: impl io::BufRead + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(packed)))
}

#[cfg(not(feature = "bzip2"))]
fn unpack_bzip2<'a>(_: impl Read + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    Err(DatasetError::new(
        "bytes packed by bzip2",
        "plain bytes, or such as gzip packs",
        "unpack the file with `bunzip2`, or build with the feature `bzip2`",
    ))
}

fn unopened(error: &io::Error) -> DatasetError {
    let (found, hint) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file".to_owned(), "check the path"),
        _ => (format!("a file that cannot be opened ({error})"), "check the path and its permissions"),
    };
    DatasetError::new(found, "a file to read", hint)
}

/// Refuses to take so many bytes of memory where the system has not as many, which would end the process. `None` is a number
/// beyond usize.
pub(crate) fn check_memory(bytes: Option<usize>) -> Result<()> {
    let mut memory = Vec::<u8>::new();
    let is_there = bytes.is_some_and(|bytes| memory.try_reserve_exact(bytes).is_ok());
    // So that the compiler does not leave out what nobody uses.
    std::hint::black_box(&mut memory);
    if is_there { Ok(()) } else { Err(read_error(&io::ErrorKind::OutOfMemory.into())) }
}

/// An error of reading.
pub(crate) fn read_error(error: &io::Error) -> DatasetError {
    if let Some(sums) = error.get_ref().and_then(|inner| inner.downcast_ref::<WrongSum>()) {
        return DatasetError::new(
            format!("the md5 sum {}", sums.found),
            format!("{}, that of the original", sums.expected),
            "the file is damaged: get it again",
        );
    }
    if error.get_ref().is_some_and(|inner| inner.is::<MoreBehind>()) {
        return DatasetError::new(
            "other bytes behind those that gzip packed",
            "the end of the file, or zeros",
            "the file is damaged or joined with another one: get it again, or unpack it with `gunzip`",
        );
    }
    match error.kind() {
        io::ErrorKind::IsADirectory => DatasetError::new("a folder", "a file to read", "name a file in the folder"),
        io::ErrorKind::OutOfMemory => DatasetError::new(
            "more bytes than memory holds",
            "what fits into memory",
            "read less at a time: a file while it is used, as a stream or by index, or smaller batches",
        ),
        io::ErrorKind::UnexpectedEof => DatasetError::new(
            "the end of the packed bytes",
            "the rest of the packed file",
            "the file is cut off: get it again",
        ),
        _ => DatasetError::new(
            format!("bytes that cannot be read ({error})"),
            "a readable file, plain or packed",
            "the file may be damaged, or not a file: get it again",
        ),
    }
}

/// A reader that computes the md5 sum of the bytes it reads, and compares it at their end.
struct Md5Reader<R> {
    bytes: R,
    sum: md5::Context,
    expected: &'static str,
}

impl<R: Read> Read for Md5Reader<R> {
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

/// A wrong sum, as the inner error of an `io::Error`.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of "gradus\n", packed by bzip2 1.0.8.
    const PACKED: &[u8] = &[
        0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0x83, 0x92, 0xa2, 0x79, 0x00, 0x00, 0x01, 0xc1,
        0x80, 0x00, 0x10, 0x24, 0x80, 0x1a, 0x00, 0x20, 0x00, 0x31, 0x0c, 0x01, 0x06, 0x4f, 0x40, 0x36, 0x49, 0x45,
        0xdc, 0x91, 0x4e, 0x14, 0x24, 0x20, 0xe4, 0xa8, 0x9e, 0x40,
    ];

    #[test]
    #[cfg(feature = "bzip2")]
    fn bzip2_is_unpacked() {
        let read = |bytes: &[u8]| ByteSource::new(bytes, "text").unwrap().read_up_to(100);
        assert_eq!(read(PACKED).unwrap(), b"gradus\n");
        let error = read(&PACKED[..PACKED.len() - 4]).unwrap_err();
        assert_eq!(error.hint(), "the file is cut off: get it again");
        let mut damaged = PACKED.to_vec();
        damaged[20] ^= 4;
        assert!(read(&damaged).is_err());
    }

    #[test]
    #[cfg(not(feature = "bzip2"))]
    fn bzip2_is_named() {
        assert_eq!(
            ByteSource::new(PACKED, "text.bz2").unwrap_err().to_string(),
            "text.bz2: found bytes packed by bzip2, expected plain bytes, or such as gzip packs; unpack the file with \
             `bunzip2`, or build with the feature `bzip2`"
        );
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn members_of_a_gzip_file_are_read_on_and_zeros_behind_them_are_padding() {
        let read = |bytes: &[u8]| ByteSource::new(bytes, "text").unwrap().read_up_to(100);
        let two = [gzipped(b"one "), vec![0; 3], gzipped(b"two")].concat();
        assert_eq!(read(&two[..]).unwrap(), b"one two");
        assert_eq!(read(&[&two[..], &[0; 100_000]].concat()).unwrap(), b"one two");
        assert_eq!(read(&[gzipped(b""), gzipped(b"two")].concat()).unwrap(), b"two");
        assert_eq!(
            read(&[&two[..], b"\0and more"].concat()).unwrap_err().to_string(),
            "text, byte 7: found other bytes behind those that gzip packed, expected the end of the file, or zeros; the \
             file is damaged or joined with another one: get it again, or unpack it with `gunzip`"
        );
        assert_eq!(read(&two[..two.len() - 4]).unwrap_err().hint(), "the file is cut off: get it again");
    }

    #[test]
    fn a_folder_is_named() {
        let error = ByteSource::open(std::env::temp_dir()).map(|_| ()).unwrap_err();
        assert_eq!([error.found(), error.hint()], ["a folder", "name a file in the folder"]);
    }

    #[test]
    fn a_text_may_begin_like_a_packed_file() {
        for text in ["", "B", "BZh", "BZh9", "BZh9,height"] {
            assert_eq!(ByteSource::new(text.as_bytes(), "text").unwrap().read_up_to(100).unwrap(), text.as_bytes());
        }
    }
}
