//! The header of a `.npy` file: the Python dictionary before the data.

use std::io::Read;

use super::NpyError;
use super::stream::CountingReader;
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

/// The header of a file.
pub(super) struct Header {
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Shape,
    /// The number of elements.
    pub(super) size: usize,
}

/// Reads the header of an array of type `T`.
pub(super) fn read_header<T: Element>(source: &mut CountingReader<impl Read>) -> Result<Header, NpyError> {
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

/// The text of a header: a Python dictionary of three entries, such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Dictionary<'a> {
    text: &'a [u8],
    place: usize,
    /// The offset of the text in the file.
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

    /// Whether the file is big-endian; its element type must be `T`.
    fn byte_order<T: Element>(&mut self) -> Result<bool, NpyError> {
        let expected = format!("'{}', the elements of a tensor of {}", code::<T>(), T::NAME);
        if self.next_is(b'[') {
            let found = "a structured array: save each of its fields by itself, np.save(path, x['name'])";
            return Err(NpyError::content(self.offset + self.place as u64, expected, found));
        }
        let descr = self.string(&expected)?;
        let (order, name) = descr.split_first().unwrap_or((&b'|', b""));
        match order {
            b'>' if name == code::<T>().as_bytes() => Ok(true),
            b'<' | b'|' | b'=' if name == code::<T>().as_bytes() => Ok(false),
            _ => {
                let found = format!("'{}'{}", descr.escape_ascii(), advice(&String::from_utf8_lossy(name), T::NAME));
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

    /// The shape and its number of elements, if memory can hold them.
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
