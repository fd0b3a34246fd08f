//! Pictures as PNG files.

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use gradus_tensor::{AnyTensor, Tensor};

use super::message::Message;

/// A picture of one byte for each channel of each pixel.
pub(super) struct Picture {
    height: usize,
    width: usize,
    channels: usize,
    /// Row by row, the channels of a pixel side by side.
    bytes: Vec<u8>,
}

/// The pictures of a tensor `[height, width]`, `[height, width, channels]` or `[n, height, width, channels]`, or what is wrong
/// with it.
pub(super) fn pictures(images: &AnyTensor) -> Result<Vec<Picture>, String> {
    let bytes = bytes_of(images)?;
    let shape = images.shape();
    let (count, height, width, channels) = match shape[..] {
        [height, width] => (1, height, width, 1),
        [height, width, channels] => (1, height, width, channels),
        [count, height, width, channels] => (count, height, width, channels),
        _ => {
            return Err(format!(
                "the shape must be [height, width], [height, width, channels] or [n, height, width, channels], found {shape}"
            ));
        }
    };
    if !(1..=4).contains(&channels) {
        return Err(format!(
            "a picture has 1 to 4 channels, which are the last axis, found {shape}; pictures [n, height, width] need a last \
             axis: unsqueeze(-1)"
        ));
    }
    if height == 0 || width == 0 {
        return Err(format!("a picture needs a height and a width of at least 1, found {shape}"));
    }
    let size = height * width * channels;
    let picture = |index: usize| Picture { height, width, channels, bytes: bytes[index * size..][..size].to_vec() };
    Ok((0..count).map(picture).collect())
}

/// The elements as bytes: floats from 0 to 1 become 0 to 255, the nearest; bools 0 and 255. NaN becomes 0.
fn bytes_of(images: &AnyTensor) -> Result<Vec<u8>, String> {
    let of_floats = |floats: Tensor<f64>| floats.iter().map(|value| (value * 255.0).round() as u8).collect();
    match images {
        AnyTensor::U8(bytes) => Ok(bytes.to_vec()),
        AnyTensor::Bool(_) | AnyTensor::F32(_) | AnyTensor::F64(_) => Ok(of_floats(images.to())),
        other => Err(format!("the elements must be floats from 0 to 1, u8 or bool, found {}", other.element())),
    }
}

impl Picture {
    /// The message `Summary.Image`.
    pub fn message(&self) -> Message {
        let of = |number: usize| number as i64;
        let message = Message::new().int64(1, of(self.height)).int64(2, of(self.width)).int64(3, of(self.channels));
        message.bytes(4, self.png())
    }

    /// The picture as a PNG file: ISO/IEC 15948.
    fn png(&self) -> Vec<u8> {
        // Grey, grey with opacity, red, green and blue, or these with opacity.
        let colour = [0, 4, 2, 6][self.channels - 1];
        let size = |pixels: usize| (pixels as u32).to_be_bytes();
        // Eight bits for each channel; the only ways to compress and to filter that there are; no interlacing.
        let header = [&size(self.width)[..], &size(self.height), &[8, colour, 0, 0, 0]].concat();
        let pixels = self.compressed().expect("memory takes what is written");
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", Vec::new())] {
            let mut checksum = Crc::new();
            checksum.update(kind);
            checksum.update(&data);
            file.extend((data.len() as u32).to_be_bytes());
            file.extend(kind);
            file.extend(&data);
            file.extend(checksum.sum().to_be_bytes());
        }
        file
    }

    fn compressed(&self) -> io::Result<Vec<u8>> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.bytes.chunks_exact(self.width * self.channels) {
            encoder.write_all(&[0])?; // The row is not filtered.
            encoder.write_all(row)?;
        }
        encoder.finish()
    }
}
