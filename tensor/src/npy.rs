//! NumPy's `.npy` files, read and written.
//!
//! Read are versions 1.0 to 3.0 of the format, both byte orders, both element orders (C and Fortran), and the types
//! f4 f8 i1 i2 i4 i8 u1 b1. Written is version 1.0, little endian, in C order, which every NumPy reads.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// A header longer than this is no header: NumPy itself refuses ten thousand bytes.
const LONGEST_HEADER: u64 = 1 << 16;
/// NumPy's own limit.
const MOST_AXES: usize = 64;
/// Bytes read or written at once.
const BLOCK: usize = 1 << 16;

/// Why a `.npy` file could not be read or written: where, what was expected there and what was found. One pointer wide.
#[derive(Debug)]
pub struct NpyError(Box<Details>);

#[derive(Debug)]
struct Details {
    path: Option<PathBuf>,
    offset: u64,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Content { expected: String, found: String },
}

impl NpyError {
    fn content(offset: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let problem = Problem::Content { expected: expected.into(), found: found.into() };
        NpyError(Box::new(Details { path: None, offset, problem }))
    }

    fn io(offset: u64, error: io::Error) -> Self {
        NpyError(Box::new(Details { path: None, offset, problem: Problem::Io(error) }))
    }

    fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// The file, where it was opened by its path.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte of the stream at which reading or writing stopped.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { path, offset, problem } = &*self.0;
        match path {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("npy")?,
        }
        match problem {
            Problem::Io(error) => write!(f, ": byte {offset}: {error}"),
            Problem::Content { expected, found } => write!(f, ": byte {offset}: expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for NpyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io(error) => Some(error),
            Problem::Content { .. } => None,
        }
    }
}

impl<T: Element> Tensor<T> {
    /// Reads one array from a stream in `.npy` format, and not a byte further, so that several may follow each other.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// let mut file = Vec::new();
    /// x.write_npy(&mut file)?;
    /// assert_eq!(Tensor::<f32>::read_npy(&file[..])?, x);
    /// # Ok::<(), gradus_tensor::npy::NpyError>(())
    /// ```
    ///
    /// # Errors
    /// If the stream fails, ends early, is not in this format, or holds another element type than `T`.
    pub fn read_npy(reader: impl Read) -> Result<Self, NpyError> {
        let mut source = Source { reader, offset: 0 };
        let header = read_header::<T>(&mut source)?;
        let elements = read_elements(&mut source, &header)?;
        if !header.fortran_order {
            return Ok(Tensor::from_vec(elements, header.shape).expect("as many elements as the shape has were read"));
        }
        let reversed: Shape = header.shape.iter().rev().copied().collect();
        let order: Vec<isize> = (0..reversed.len() as isize).rev().collect();
        let x = Tensor::from_vec(elements, reversed).expect("as many elements as the shape has were read");
        Ok(x.permute(order).contiguous())
    }

    /// Reads a `.npy` file.
    ///
    /// # Errors
    /// As [`read_npy`](Tensor::read_npy), and if the file cannot be opened or goes on after the array.
    pub fn load_npy(path: impl AsRef<Path>) -> Result<Self, NpyError> {
        let path = path.as_ref();
        let load = || {
            let mut source =
                Source { reader: BufReader::new(File::open(path).map_err(|e| NpyError::io(0, e))?), offset: 0 };
            let x = Tensor::read_npy(&mut source)?;
            match source.read(&mut [0]) {
                Ok(0) => Ok(x),
                Ok(_) => Err(NpyError::content(source.offset - 1, "the end of the file", "more bytes")),
                Err(error) => Err(NpyError::io(source.offset, error)),
            }
        };
        load().map_err(|error| error.at(path))
    }

    /// Writes the tensor in `.npy` format.
    ///
    /// # Errors
    /// If the stream fails.
    pub fn write_npy(&self, mut writer: impl Write) -> Result<(), NpyError> {
        let mut offset = 0;
        let mut write = |bytes: &[u8]| {
            writer.write_all(bytes).map_err(|error| NpyError::io(offset, error))?;
            offset += bytes.len() as u64;
            Ok(())
        };
        write(&header(self))?;
        let flat = self.contiguous();
        let elements = flat.as_slice().expect("just made contiguous");
        let mut bytes = Vec::with_capacity(BLOCK);
        for block in elements.chunks(BLOCK / size_of::<T>()) {
            bytes.clear();
            block.iter().for_each(|x| x.put_little_endian(&mut bytes));
            write(&bytes)?;
        }
        writer.flush().map_err(|error| NpyError::io(offset, error))
    }

    /// Writes the tensor into a `.npy` file, which `numpy.load` reads. A file of that name is replaced.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<(), NpyError> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| NpyError::io(0, error).at(path))?;
        self.write_npy(BufWriter::new(file)).map_err(|error| error.at(path))
    }
}

/// The type code of the format, without its byte order.
fn code<T: Element>() -> &'static str {
    match T::NAME {
        "f32" => "f4",
        "f64" => "f8",
        "i8" => "i1",
        "i16" => "i2",
        "i32" => "i4",
        "i64" => "i8",
        "u8" => "u1",
        _ => "b1",
    }
}

/// Everything before the data.
fn header<T: Element>(x: &Tensor<T>) -> Vec<u8> {
    let order = if size_of::<T>() == 1 { '|' } else { '<' };
    let lengths: Vec<String> = x.shape().iter().map(usize::to_string).collect();
    let tuple = match &lengths[..] {
        [one] => format!("({one},)"),
        several => format!("({})", several.join(", ")),
    };
    let mut text = format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': {tuple}, }}", code::<T>());
    // Magic, version and the header's length come first, a line feed last.
    let begun = MAGIC.len() + 2 + 2 + text.len() + 1;
    text.extend(std::iter::repeat_n(' ', begun.next_multiple_of(ALIGNMENT) - begun));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("a tensor has few axes");
    [&MAGIC[..], &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
}

/// A stream that knows how far it has been read.
struct Source<R> {
    reader: R,
    offset: u64,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(bytes)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl<R: Read> Source<R> {
    /// Fills `bytes`, which are part of `what`.
    fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<(), NpyError> {
        self.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NpyError::content(self.offset, what, "the end of the file"),
            _ => NpyError::io(self.offset, error),
        })
    }
}

struct Header {
    big_endian: bool,
    fortran_order: bool,
    shape: Shape,
    /// The elements of `shape`.
    size: usize,
}

fn read_header<T: Element>(source: &mut Source<impl Read>) -> Result<Header, NpyError> {
    let mut start = [0; 8];
    source.fill(&mut start, "the 8 bytes that a .npy file begins with")?;
    if start[..6] != *MAGIC {
        return Err(NpyError::content(
            0,
            r"\x93NUMPY, the beginning of a .npy file",
            start[..6].escape_ascii().to_string(),
        ));
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            source.fill(&mut length, "the length of the header")?;
            u64::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            source.fill(&mut length, "the length of the header")?;
            u64::from(u32::from_le_bytes(length))
        }
        version => return Err(NpyError::content(6, "version 1, 2 or 3 of the format", format!("version {version}"))),
    };
    if length > LONGEST_HEADER {
        let found = format!("one of {length} bytes");
        return Err(NpyError::content(8, format!("a header of at most {LONGEST_HEADER} bytes"), found));
    }
    let offset = source.offset;
    let mut text = vec![0; length as usize];
    source.fill(&mut text, "a header as long as it says it is")?;
    Dictionary { text: &text, place: 0, offset }.header::<T>()
}

fn read_elements<T: Element>(source: &mut Source<impl Read>, header: &Header) -> Result<Vec<T>, NpyError> {
    let width = size_of::<T>();
    // Room is made as bytes arrive, never for what the header claims.
    let mut elements = Vec::new();
    let mut block = [0; BLOCK];
    while elements.len() < header.size {
        let count = (header.size - elements.len()).min(BLOCK / width);
        let bytes = &mut block[..count * width];
        source.fill(bytes, &format!("{} elements of {}", header.size, T::NAME))?;
        if header.big_endian {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        elements.extend(bytes.chunks_exact(width).map(T::from_little_endian));
    }
    Ok(elements)
}

/// The header's text: a Python dictionary of three entries, such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Dictionary<'a> {
    text: &'a [u8],
    place: usize,
    /// Where the text begins in the file.
    offset: u64,
}

impl<'a> Dictionary<'a> {
    fn header<T: Element>(mut self) -> Result<Header, NpyError> {
        let (mut big_endian, mut fortran_order, mut shape) = (None, None, None);
        self.take(b'{')?;
        while !self.next_is(b'}') {
            let key = self.string("the name of an entry")?;
            self.take(b':')?;
            match key {
                b"descr" => big_endian = Some(self.byte_order::<T>()?),
                b"fortran_order" => fortran_order = Some(self.boolean()?),
                b"shape" => shape = Some(self.shape::<T>()?),
                _ => return Err(self.refuse("'descr', 'fortran_order' or 'shape'")),
            }
            if !self.next_is(b',') {
                self.take(b'}')?;
                break;
            }
        }
        match (big_endian, fortran_order, shape) {
            (Some(big_endian), Some(fortran_order), Some((shape, size))) => {
                Ok(Header { big_endian, fortran_order, shape, size })
            }
            _ => Err(self.refuse("entries for 'descr', 'fortran_order' and 'shape' before it")),
        }
    }

    /// Whether the bytes of an element, which must be `T`, come most significant first.
    fn byte_order<T: Element>(&mut self) -> Result<bool, NpyError> {
        let expected = format!("'{}', the elements of a tensor of {}", code::<T>(), T::NAME);
        let descr = self.string(&expected)?;
        match descr.split_first() {
            Some((b'>', name)) if name == code::<T>().as_bytes() => Ok(true),
            Some((b'<' | b'|' | b'=', name)) if name == code::<T>().as_bytes() => Ok(false),
            _ => {
                let found = format!("'{}': read it as what it is and convert it with `to`", descr.escape_ascii());
                Err(NpyError::content(self.offset + self.place as u64, expected, found))
            }
        }
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        for (text, value) in [(&b"True"[..], true), (b"False", false)] {
            self.skip_spaces();
            if self.text[self.place..].starts_with(text) {
                self.place += text.len();
                return Ok(value);
            }
        }
        Err(self.refuse("True or False"))
    }

    /// The shape and its size, if memory could hold so many elements.
    fn shape<T: Element>(&mut self) -> Result<(Shape, usize), NpyError> {
        self.take(b'(')?;
        let mut shape = Shape::default();
        while !self.next_is(b')') {
            if shape.len() == MOST_AXES {
                return Err(self.refuse("no more than 64 axes"));
            }
            shape.push(self.number()?);
            if !self.next_is(b',') {
                self.take(b')')?;
                break;
            }
        }
        // Axes of length 0 count as 1: strides are multiplied from the lengths and must not overflow either.
        let bytes = shape.iter().try_fold(size_of::<T>(), |bytes, &length| bytes.checked_mul(length.max(1)));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let found = shape.to_string();
            return Err(NpyError::content(self.offset + self.place as u64, "a shape that memory can hold", found));
        }
        let size = shape.size();
        Ok((shape, size))
    }

    fn number(&mut self) -> Result<usize, NpyError> {
        self.skip_spaces();
        let digits = self.text[self.place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = str::from_utf8(&self.text[self.place..][..digits]).ok().and_then(|digits| digits.parse().ok());
        match number {
            Some(number) => {
                self.place += digits;
                Ok(number)
            }
            None => Err(self.refuse("the length of an axis")),
        }
    }

    /// A string in single or double quotes, without escapes.
    fn string(&mut self, expected: &str) -> Result<&'a [u8], NpyError> {
        self.skip_spaces();
        let rest = &self.text[self.place..];
        if let Some((&quote @ (b'\'' | b'"'), rest)) = rest.split_first()
            && let Some(length) = rest.iter().position(|&byte| byte == quote)
        {
            self.place += length + 2;
            return Ok(&rest[..length]);
        }
        Err(self.refuse(expected))
    }

    fn take(&mut self, byte: u8) -> Result<(), NpyError> {
        if self.next_is(byte) { Ok(()) } else { Err(self.refuse(&format!("'{}'", char::from(byte)))) }
    }

    /// Steps over the byte, if it is next.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let next = self.text.get(self.place) == Some(&byte);
        self.place += usize::from(next);
        next
    }

    fn skip_spaces(&mut self) {
        while self.text.get(self.place).is_some_and(u8::is_ascii_whitespace) {
            self.place += 1;
        }
    }

    fn refuse(&self, expected: &str) -> NpyError {
        let rest = &self.text[self.place..];
        let found = match rest.get(..rest.len().min(24)) {
            Some([]) | None => "the end of the header".to_owned(),
            Some(next) => format!("'{}'", next.escape_ascii()),
        };
        NpyError::content(self.offset + self.place as u64, expected, found)
    }
}
