//! Pictures of logs.

use gradus_tensor::{AnyTensor, Tensor};

use super::message::Message;

/// A picture of one byte for each channel of each pixel: `[height, width, channels]`.
pub(super) struct Picture(Tensor<u8>);

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
    let bytes = bytes.reshape([count, height, width, channels]);
    Ok((0..count).map(|index| Picture(bytes.select(0, index as isize))).collect())
}

/// The elements as bytes: floats from 0 to 1 become 0 to 255, the nearest; bools 0 and 255. NaN becomes 0.
fn bytes_of(images: &AnyTensor) -> Result<Tensor<u8>, String> {
    let of_floats = |floats: Tensor<f64>| floats.iter().map(|value| (value * 255.0).round() as u8).collect();
    match images {
        AnyTensor::U8(bytes) => Ok(bytes.clone()),
        AnyTensor::Bool(_) | AnyTensor::F32(_) | AnyTensor::F64(_) => Ok(of_floats(images.to())),
        other => Err(format!("the elements must be floats from 0 to 1, u8 or bool, found {}", other.element())),
    }
}

impl Picture {
    /// The message `Summary.Image`.
    pub fn message(&self) -> Message {
        let Picture(picture) = self;
        let side = |axis: usize| picture.shape()[axis] as i64;
        Message::new().int64(1, side(0)).int64(2, side(1)).int64(3, side(2)).bytes(4, picture.to_png())
    }
}
