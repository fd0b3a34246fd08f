//! The wire format of Protocol Buffers: fields by number, each a number or a run of bytes.
//!
//! It is of our own, 200 lines, because the elements of tensors stay in the file until they are asked for. The crates for it copy each
//! run of bytes, and a file of weights would be in memory twice.

use std::io;

/// Where a field's bytes are in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub begin: usize,
    pub end: usize,
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Number(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Run),
}

/// Bytes that a message is read from.
pub(crate) trait Bytes {
    /// The number of bytes.
    fn len(&self) -> usize;

    /// Fills `out` with the bytes from `place` on, which there are.
    fn read(&self, place: usize, out: &mut [u8]) -> io::Result<()>;
}

impl Bytes for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn read(&self, place: usize, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self[place..][..out.len()]);
        Ok(())
    }
}

/// The fields of a message, in the order of the file.
pub(crate) struct Reader<'a> {
    bytes: &'a dyn Bytes,
    place: usize,
    end: usize,
    /// Some bytes of the file: those of a few fields.
    block: Vec<u8>,
    block_begin: usize,
}

/// Bytes that are read at once.
const BLOCK: usize = 1 << 12;

impl<'a> Reader<'a> {
    /// The message in these bytes.
    pub fn new(bytes: &'a dyn Bytes, run: Run) -> Self {
        Reader { bytes, place: run.begin, end: run.end, block: Vec::new(), block_begin: 0 }
    }

    /// The next field and its number; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<(u32, Field)>> {
        if self.place == self.end {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|&number| number > 0 && number < 1 << 29);
        let number = number.ok_or_else(|| self.wrong("a field has no valid number"))?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.fixed()?)),
            5 => Field::Fixed32(u32::from_le_bytes(self.fixed()?)),
            2 => {
                let length = self.varint()?;
                let end = usize::try_from(length).ok().and_then(|length| self.place.checked_add(length));
                let Some(end) = end.filter(|&end| end <= self.end) else {
                    return Err(self.wrong(&format!("a field says that it has {length} bytes, and there are fewer")));
                };
                let begin = std::mem::replace(&mut self.place, end);
                Field::Bytes(Run { begin, end })
            }
            kind => return Err(self.wrong(&format!("a field is of the unknown kind {kind}"))),
        };
        Ok(Some((number, field)))
    }

    /// A number of a packed field, as the whole reader; see [`packed`].
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number is longer than 10 bytes"))
    }

    fn fixed<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        if self.end - self.place < N {
            return Err(self.wrong("the message ends within a field"));
        }
        let mut out = [0; N];
        let inside = self.place >= self.block_begin && self.place + N <= self.block_begin + self.block.len();
        if !inside {
            self.block_begin = self.place;
            self.block.resize(BLOCK.min(self.end - self.place), 0);
            self.bytes.read(self.place, &mut self.block)?;
        }
        out.copy_from_slice(&self.block[self.place - self.block_begin..][..N]);
        self.place += N;
        Ok(out)
    }

    fn wrong(&self, problem: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("at byte {}: {problem}", self.place))
    }
}

/// The numbers of a packed field.
pub(crate) fn packed(bytes: &dyn Bytes, run: Run, mut each: impl FnMut(u64)) -> io::Result<()> {
    let mut reader = Reader::new(bytes, run);
    while reader.place < reader.end {
        each(reader.varint()?);
    }
    Ok(())
}

/// Writes a message, field by field.
#[derive(Default)]
pub(crate) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    pub fn fixed32(&mut self, field: u32, value: u32) {
        self.varint(u64::from(field) << 3 | 5);
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn run(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend(bytes);
    }

    /// A message within this one.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer)) {
        let begin = self.bytes.len();
        write(self);
        // Its length is known now; it is put in front, as a copy of a large message would need as much memory again.
        let mut head = Writer::default();
        head.varint(u64::from(field) << 3 | 2);
        head.varint((self.bytes.len() - begin) as u64);
        self.bytes.splice(begin..begin, head.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back() {
        let mut writer = Writer::default();
        writer.number(1, 150);
        writer.run(2, b"testing");
        writer.fixed32(3, 1.5_f32.to_bits());
        writer.number(16, u64::MAX);
        // The first two are the examples of the format's own documentation.
        assert_eq!(writer.bytes[..3], [0x08, 0x96, 0x01]);
        assert_eq!(writer.bytes[3..12], [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67]);
        let bytes = &writer.bytes[..];
        let mut reader = Reader::new(&bytes, Run { begin: 0, end: bytes.len() });
        assert_eq!(reader.next().unwrap(), Some((1, Field::Number(150))));
        assert_eq!(reader.next().unwrap(), Some((2, Field::Bytes(Run { begin: 5, end: 12 }))));
        assert_eq!(reader.next().unwrap(), Some((3, Field::Fixed32(1.5_f32.to_bits()))));
        assert_eq!(reader.next().unwrap(), Some((16, Field::Number(u64::MAX))));
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn what_is_cut_off_or_lies_is_an_error() {
        // A length beyond the end, a number without an end, a kind that there is not, the field 0.
        for bytes in [&[0x12, 0x7F, 1][..], &[0x08], &[0x80; 12], &[0x0B], &[0x00, 0x01], &[0x0D, 1, 2]] {
            let mut reader = Reader::new(&bytes, Run { begin: 0, end: bytes.len() });
            assert!(reader.next().is_err(), "{bytes:?}");
        }
    }
}
