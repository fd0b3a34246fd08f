//! Pictures as PNG files: ISO/IEC 15948, without compression: the stored blocks of deflate (RFC 1951) in a stream of zlib (RFC 1950).

use std::io::{self, Write};
use std::path::Path;

use crate::atomic_file::write_atomically;
use crate::tensor::Tensor;

impl Tensor<u8> {
    /// The picture as a PNG file. Shape: `[height, width]` is grey; `[height, width, channels]` is grey, grey with opacity, red, green
    /// and blue, or these with opacity, for 1 to 4 channels.
    ///
    /// The file is not compressed: it has some bytes more than the tensor.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let shades: Tensor = Tensor::linspace(0.0, 255.0, 256).broadcast_to([32, 256]);
    /// let file = shades.to::<u8>().to_png();
    /// assert_eq!(file[1..4], *b"PNG");
    /// ```
    ///
    /// # Panics
    /// If the shape is another one, or a side has length 0.
    #[track_caller]
    pub fn to_png(&self) -> Vec<u8> {
        let (height, width, channels) = match self.shape()[..] {
            [height, width] => (height, width, 1),
            [height, width, channels @ 1..=4] => (height, width, channels),
            _ => panic!("to_png: [height, width] or [height, width, 1 to 4 channels] is needed: {}", self.shape()),
        };
        let longest = (i32::MAX / 4) as usize;
        if !(1..=longest).contains(&height) || !(1..=longest / height).contains(&(width * channels)) {
            panic!("to_png: a picture has sides of at least 1, and at most 500 million bytes: {}", self.shape());
        }
        // Eight bits for each channel; the only ways to compress and to filter that there are; no interlacing.
        let kind = [0, 4, 2, 6][channels - 1];
        let side = |length: usize| (length as u32).to_be_bytes();
        let header = [&side(width)[..], &side(height), &[8, kind, 0, 0, 0]].concat();
        let bytes = self.contiguous();
        let bytes = bytes.as_slice().expect("it was made contiguous");
        let mut lines = Vec::with_capacity(bytes.len() + height);
        for line in bytes.chunks_exact(width * channels) {
            // Each line names its filter: none.
            lines.push(0);
            lines.extend_from_slice(line);
        }
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, b"IHDR", &header);
        chunk(&mut file, b"IDAT", &stored(&lines));
        chunk(&mut file, b"IEND", &[]);
        file
    }

    /// Writes the picture into a PNG file; see [`to_png`](Tensor::to_png).
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// As `to_png`.
    #[track_caller]
    pub fn save_png(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let file = self.to_png();
        write_atomically(path.as_ref(), |out| out.write_all(&file))
    }
}

/// Appends a chunk: its length, kind, data and checksum.
fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc_32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

/// A zlib stream of blocks that are stored as they are.
fn stored(data: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 0xffff;
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(LONGEST).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler_32(data).to_be_bytes());
    stream
}

/// The remainder of each byte.
const REMAINDERS: [u32; 256] = {
    let mut remainders = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        remainders[byte] = sum;
        byte += 1;
    }
    remainders
};

fn crc_32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |sum: u32, byte| (sum >> 8) ^ REMAINDERS[(sum as u8 ^ byte) as usize])
}

fn adler_32(data: &[u8]) -> u32 {
    const PRIME: u32 = 65_521;
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % PRIME;
        (a, (b + a) % PRIME)
    };
    let (a, b) = data.iter().fold((1, 0), step);
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_their_standards() {
        // The check value of CRC-32 in Williams' "A painless guide", that of Adler-32 by Python's zlib.adler32(b"Wikipedia").
        assert_eq!(crc_32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler_32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn blocks_are_as_long_as_they_say() {
        let data: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
        let stream = stored(&data);
        assert_eq!(stream[2..7], [0, 0xff, 0xff, 0, 0]);
        let rest = (70_000 - 0xffff) as u16;
        let second = 7 + 0xffff;
        assert_eq!(stream[second], 1);
        assert_eq!(stream[second + 1..second + 3], rest.to_le_bytes());
        assert_eq!(stream[second + 5..stream.len() - 4], data[0xffff..]);
    }

    #[test]
    fn rows_of_any_layout_are_written_in_order() {
        let picture = Tensor::from([[1_u8, 2, 3], [4, 5, 6]]);
        assert_eq!(picture.t().flip(1).to_png(), Tensor::from([[4_u8, 1], [5, 2], [6, 3]]).to_png());
        // The lines of the second, behind the header, the head of IDAT, of zlib and of the block.
        let file = Tensor::from([[4_u8, 1], [5, 2], [6, 3]]).to_png();
        assert_eq!(file[16..24], [0, 0, 0, 2, 0, 0, 0, 3]);
        assert_eq!(file[48..57], [0, 4, 1, 0, 5, 2, 0, 6, 3]);
    }

    #[test]
    #[should_panic(expected = "to_png: [height, width] or [height, width, 1 to 4 channels] is needed: [2, 2, 5]")]
    fn five_channels_are_no_picture() {
        Tensor::<u8>::zeros([2, 2, 5]).to_png();
    }

    #[test]
    #[should_panic(expected = "to_png: a picture has sides of at least 1")]
    fn a_picture_has_pixels() {
        Tensor::<u8>::zeros([0, 2]).to_png();
    }
}
