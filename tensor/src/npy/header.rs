//! The header of a `.npy` file: the Python dictionary before the data.

use std::io::Read;

use super::NpyError;
use super::stream::CountingReader;
use crate::element::Element;
use crate::shape::Shape;
use crate::stored::StoredType;
use crate::tensor::Tensor;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// A header longer than this is no header: NumPy itself refuses ten thousand bytes.
const LONGEST_HEADER: u64 = 1 << 16;
/// NumPy's own limit.
const MOST_AXES: usize = 64;

/// The element types and their codes in the format, without the byte order.
const CODES: [(&str, &str); 8] = [
    ("f32", "f4"),
    ("f64", "f8"),
    ("i8", "i1"),
    ("i16", "i2"),
    ("i32", "i4"),
    ("i64", "i8"),
    ("u8", "u1"),
    ("bool", "b1"),
];

/// The code of an element type.
fn code<T: Element>() -> &'static str {
    CODES.iter().find(|(name, _)| *name == T::NAME).expect("every element type has a code").1
}

/// What to do with a file whose elements have another type, by the type's code without its byte order.
fn advice(code: &str, wanted: &str) -> String {
    if let Some((name, _)) = CODES.iter().find(|(_, other)| *other == code) {
        return format!(": read a Tensor<{name}> and convert it, `.to::<{wanted}>()`");
    }
    let save = |what: &str, by: &str| format!(": {what}, which cannot be read; save them in NumPy by {by}");
    let as_type = |what: &str, name: &str| save(what, &format!("np.save(path, x.astype('{name}'))"));
    match code {
        "u2" => as_type("unsigned numbers of 2 bytes", "int32"),
        "u4" => as_type("unsigned numbers of 4 bytes", "int64"),
        "u8" => as_type("unsigned numbers of 8 bytes", "int64"),
        "f2" => as_type("floats of 2 bytes", "float32"),
        "f12" | "f16" => as_type("floats of more than 8 bytes", "float64"),
        "V2" => save("bfloat16 of ml_dtypes", "np.save(path, x.view(ml_dtypes.bfloat16).astype('float32'))"),
        "O" => save("Python objects", "np.save(path, x.astype('float32')) if they are numbers"),
        _ => match code.as_bytes().first() {
            Some(b'c') => save("complex numbers", "np.save(path, x.real) and np.save(other, x.imag)"),
            Some(b'M' | b'm') => as_type("dates or times", "int64"),
            Some(b'U' | b'S') => {
                save("texts", "np.save(path, np.unique(x, return_inverse=True)[1]), their classes as numbers")
            }
            _ => {
                let known = CODES.map(|(_, code)| code).join(" ");
                format!(": {known} can be read; save the array in NumPy by np.save(path, x.astype('float32'))")
            }
        },
    }
}

/// The bytes before the data: magic, version and header.
pub(super) fn header<T: Element>(x: &Tensor<T>) -> Vec<u8> {
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

/// What stands before the data of an array: how its elements are stored, and its shape.
///
/// ```
/// use gradus_tensor::npy::NpyHeader;
/// use gradus_tensor::{StoredType, Tensor};
/// let mut file = Vec::new();
/// Tensor::new([[1.0, 2.0]]).write_npy(&mut file)?;
/// let header = NpyHeader::read(&file[..])?;
/// assert_eq!((&*header.code, header.stored, &*header.shape), ("f4", Some(StoredType::F32), &[1, 2][..]));
/// # Ok::<(), gradus_tensor::npy::NpyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpyHeader {
    /// The element type as the file names it, without the byte order: `"f4"`.
    pub code: String,
    /// How the elements are read; `None` for types that are not.
    pub stored: Option<StoredType>,
    /// Whether the most significant byte of an element comes first.
    pub big_endian: bool,
    /// Whether the first axis is the fastest, not the last.
    pub fortran_order: bool,
    /// The length of each axis. No memory need hold so many elements.
    pub shape: Shape,
}

impl NpyHeader {
    /// Reads the header of an array, and no byte of its data.
    ///
    /// # Errors
    /// If the stream fails, ends early or is not in this format.
    pub fn read(reader: impl Read) -> Result<Self, NpyError> {
        let raw = read_raw(&mut CountingReader { reader, offset: 0 }, "the type of elements")?;
        let (order, code) = raw.descr.split_at_checked(1).unwrap_or(("|", ""));
        let stored = STORED.iter().find(|(name, _)| *name == code).map(|&(_, stored)| stored);
        let Raw { fortran_order, shape, .. } = raw;
        Ok(NpyHeader { code: code.to_owned(), stored, big_endian: order == ">", fortran_order, shape })
    }

    /// What to do with a file whose elements are not read.
    pub fn advice(&self) -> String {
        advice(&self.code, "f32").trim_start_matches(": ").to_owned()
    }
}

/// The codes of element types, and how they are read; more than tensors have.
const STORED: [(&str, StoredType); 11] = [
    ("f4", StoredType::F32),
    ("f8", StoredType::F64),
    ("f2", StoredType::F16),
    ("i1", StoredType::I8),
    ("i2", StoredType::I16),
    ("i4", StoredType::I32),
    ("i8", StoredType::I64),
    ("u1", StoredType::U8),
    ("u2", StoredType::U16),
    ("u4", StoredType::U32),
    ("b1", StoredType::Bool),
];

/// The header of a file of elements `T`.
pub(super) struct Header {
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Shape,
    /// The number of elements.
    pub(super) size: usize,
}

/// A header whose element type has not been looked at.
struct Raw {
    descr: String,
    /// Where `descr` ends in the file.
    descr_end: u64,
    fortran_order: bool,
    shape: Shape,
}

/// Reads the header of an array of type `T`.
pub(super) fn read_header<T: Element>(source: &mut CountingReader<impl Read>) -> Result<Header, NpyError> {
    let expected = format!("'{}', the elements of a tensor of {}", code::<T>(), T::NAME);
    let Raw { descr, descr_end, fortran_order, shape } = read_raw(source, &expected)?;
    let (order, name) = descr.split_at_checked(1).unwrap_or(("|", ""));
    let big_endian = match order {
        ">" if name == code::<T>() => true,
        "<" | "|" | "=" if name == code::<T>() => false,
        _ => {
            let found = format!("'{}'{}", descr.escape_default(), advice(name, T::NAME));
            return Err(NpyError::content(descr_end, expected, found));
        }
    };
    let size = shape.size();
    Ok(Header { big_endian, fortran_order, shape, size })
}

/// Reads a header; `expected` says what its element type should be.
fn read_raw(source: &mut CountingReader<impl Read>, expected: &str) -> Result<Raw, NpyError> {
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
    Dictionary { text: &text, place: 0, offset }.header(expected)
}

/// The text of a header: a Python dictionary of three entries, such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Dictionary<'a> {
    text: &'a [u8],
    place: usize,
    /// The offset of the text in the file.
    offset: u64,
}

impl<'a> Dictionary<'a> {
    fn header(mut self, expected: &str) -> Result<Raw, NpyError> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.take(b'{')?;
        while !self.next_is(b'}') {
            let key = self.string("the name of an entry")?;
            self.take(b':')?;
            match key {
                b"descr" => descr = Some((self.descr(expected)?, self.offset + self.place as u64)),
                b"fortran_order" => fortran_order = Some(self.boolean()?),
                b"shape" => shape = Some(self.shape()?),
                _ => return Err(self.refuse("'descr', 'fortran_order' or 'shape'")),
            }
            if !self.next_is(b',') {
                self.take(b'}')?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some((descr, descr_end)), Some(fortran_order), Some(shape)) => {
                Ok(Raw { descr, descr_end, fortran_order, shape })
            }
            _ => Err(self.refuse("entries for 'descr', 'fortran_order' and 'shape' before it")),
        }
    }

    /// The element type with its byte order.
    fn descr(&mut self, expected: &str) -> Result<String, NpyError> {
        if self.next_is(b'[') {
            let found = "a structured array: save each of its fields by itself, np.save(path, x['name'])";
            return Err(NpyError::content(self.offset + self.place as u64, expected, found));
        }
        Ok(String::from_utf8_lossy(self.string(expected)?).into_owned())
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

    /// The shape, if memory can hold its elements, of whatever type.
    fn shape(&mut self) -> Result<Shape, NpyError> {
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
        let bytes = shape.iter().try_fold(size_of::<f64>(), |bytes, &length| bytes.checked_mul(length.max(1)));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let found = shape.to_string();
            return Err(NpyError::content(self.offset + self.place as u64, "a shape that memory can hold", found));
        }
        Ok(shape)
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

    /// Skips the byte if it is next, and returns whether it was.
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
