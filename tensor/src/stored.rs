//! Elements as files store them: more types than tensors have, and either byte order.

mod half;

use std::io::{self, Read};

use crate::bytes::{read_into, reverse_each};
use crate::columns::AnyTensor;
use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;
#[cfg(feature = "safetensors")]
pub(crate) use half::Half;
pub(crate) use half::{BF16, F16};

/// How a file stores the elements of a tensor, and with [`read`](StoredType::read) the tensor of such bytes.
///
/// Floats of two bytes become f32, and unsigned numbers of 16 and 32 bits the next larger signed type, which hold all their
/// values.
///
/// ```
/// use gradus_tensor::{AnyTensor, StoredType, Tensor};
/// let bytes = [0x80, 0x3F, 0x00, 0xC0]; // 1 and -2, least significant byte first.
/// let tensor = StoredType::BF16.read([2], &mut &bytes[..])?;
/// assert_eq!(tensor, AnyTensor::from(Tensor::new([1.0, -2.0])));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Their names say all.
pub enum StoredType {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U32,
    U16,
    U8,
    Bool,
}

impl StoredType {
    /// The bytes of an element.
    pub fn size(self) -> usize {
        match self {
            StoredType::F64 | StoredType::I64 => 8,
            StoredType::F32 | StoredType::I32 | StoredType::U32 => 4,
            StoredType::F16 | StoredType::BF16 | StoredType::I16 | StoredType::U16 => 2,
            StoredType::I8 | StoredType::U8 | StoredType::Bool => 1,
        }
    }

    /// The name of the element type that [`read`](StoredType::read) gives: `"f32"`.
    pub fn element(self) -> &'static str {
        match self {
            StoredType::F32 | StoredType::F16 | StoredType::BF16 => f32::NAME,
            StoredType::F64 => f64::NAME,
            StoredType::I64 | StoredType::U32 => i64::NAME,
            StoredType::I32 | StoredType::U16 => i32::NAME,
            StoredType::I16 => i16::NAME,
            StoredType::I8 => i8::NAME,
            StoredType::U8 => u8::NAME,
            StoredType::Bool => bool::NAME,
        }
    }

    /// Reads a tensor of this shape, the last axis fastest, least significant bytes first. A bool is true unless its byte is 0.
    ///
    /// All of its memory is taken before: check the shape against the length of the source.
    ///
    /// # Errors
    /// If the source ends before or cannot be read, or there is not enough memory (`OutOfMemory`).
    pub fn read(self, shape: impl Into<Shape>, source: &mut dyn Read) -> io::Result<AnyTensor> {
        self.read_ordered(shape.into(), false, source)
    }

    /// As [`read`](StoredType::read), most significant bytes first.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_big_endian(self, shape: impl Into<Shape>, source: &mut dyn Read) -> io::Result<AnyTensor> {
        self.read_ordered(shape.into(), true, source)
    }

    fn read_ordered(self, shape: Shape, big_endian: bool, source: &mut dyn Read) -> io::Result<AnyTensor> {
        let order = Order { big_endian };
        Ok(match self {
            StoredType::F32 => order.elements::<f32>(shape, source)?.into(),
            StoredType::F64 => order.elements::<f64>(shape, source)?.into(),
            StoredType::I8 => order.elements::<i8>(shape, source)?.into(),
            StoredType::I16 => order.elements::<i16>(shape, source)?.into(),
            StoredType::I32 => order.elements::<i32>(shape, source)?.into(),
            StoredType::I64 => order.elements::<i64>(shape, source)?.into(),
            StoredType::U8 => order.elements::<u8>(shape, source)?.into(),
            StoredType::Bool => order.converted(shape, source, |[byte]| byte != 0)?.into(),
            StoredType::F16 => order.converted(shape, source, |bits| F16.decode(u16::from_le_bytes(bits)))?.into(),
            StoredType::BF16 => order.converted(shape, source, |bits| BF16.decode(u16::from_le_bytes(bits)))?.into(),
            StoredType::U16 => order.converted(shape, source, |bits| i32::from(u16::from_le_bytes(bits)))?.into(),
            StoredType::U32 => order.converted(shape, source, |bits| i64::from(u32::from_le_bytes(bits)))?.into(),
        })
    }
}

/// The order of the bytes of an element.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
}

impl Order {
    /// Elements for which any bytes are values: they are read to their place.
    fn elements<T: Element>(self, shape: Shape, source: &mut dyn Read) -> io::Result<Tensor<T>> {
        written(shape, |out| {
            read_into(out, |bytes| {
                source.read_exact(bytes)?;
                if self.big_endian {
                    reverse_each(bytes, size_of::<T>());
                }
                Ok(())
            })
        })
    }

    /// Elements that `convert` makes of so many bytes, least significant first.
    fn converted<T: Element, const WIDTH: usize>(
        self,
        shape: Shape,
        source: &mut dyn Read,
        convert: impl Fn([u8; WIDTH]) -> T,
    ) -> io::Result<Tensor<T>> {
        const ELEMENTS: usize = 1 << 15;
        written(shape, |out| {
            let mut block = vec![0; WIDTH * ELEMENTS.min(out.len())];
            for out in out.chunks_mut(ELEMENTS) {
                let bytes = &mut block[..WIDTH * out.len()];
                source.read_exact(bytes)?;
                if self.big_endian {
                    reverse_each(bytes, WIDTH);
                }
                out.iter_mut().zip(bytes.as_chunks::<WIDTH>().0).for_each(|(out, bytes)| *out = convert(*bytes));
            }
            Ok(())
        })
    }
}

/// A tensor whose elements are read by `read`.
fn written<T: Element>(shape: Shape, read: impl FnOnce(&mut [T]) -> io::Result<()>) -> io::Result<Tensor<T>> {
    let mut result = Ok(());
    let tensor = Tensor::try_written(shape, |out| result = read(out)).ok_or(io::ErrorKind::OutOfMemory)?;
    result.map(|()| tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stored: StoredType, bytes: &[u8]) -> AnyTensor {
        let shape = [bytes.len() / stored.size()];
        let tensor = stored.read(shape, &mut &*bytes).unwrap();
        let mut turned = bytes.to_vec();
        reverse_each(&mut turned, stored.size());
        assert_eq!(stored.read_big_endian(shape, &mut &*turned).unwrap(), tensor);
        tensor
    }

    #[test]
    fn each_type_has_its_values_in_either_order() {
        assert_eq!(read(StoredType::F32, &[0, 0, 0x80, 0x3F]), Tensor::new([1.0]).into());
        assert_eq!(read(StoredType::F64, &[0, 0, 0, 0, 0, 0, 0xF0, 0xBF]), Tensor::from([-1.0_f64]).into());
        assert_eq!(read(StoredType::F16, &[0, 0x3C, 0, 0xC0]), Tensor::new([1.0, -2.0]).into());
        assert_eq!(read(StoredType::I64, &[0xFE, 255, 255, 255, 255, 255, 255, 255]), Tensor::from([-2_i64]).into());
        assert_eq!(read(StoredType::I32, &[0, 1, 0, 0]), Tensor::from([256_i32]).into());
        assert_eq!(read(StoredType::I16, &[0, 0x80]), Tensor::from([i16::MIN]).into());
        assert_eq!(read(StoredType::I8, &[0x80, 1]), Tensor::from([i8::MIN, 1]).into());
        assert_eq!(read(StoredType::U32, &[255, 255, 255, 255]), Tensor::from([i64::from(u32::MAX)]).into());
        assert_eq!(read(StoredType::U16, &[255, 255]), Tensor::from([65_535_i32]).into());
        assert_eq!(read(StoredType::U8, &[255, 0]), Tensor::from([255_u8, 0]).into());
        assert_eq!(read(StoredType::Bool, &[0, 1, 2]), Tensor::from([false, true, true]).into());
    }

    #[test]
    fn a_source_that_ends_early_is_an_error() {
        for stored in [StoredType::F32, StoredType::BF16, StoredType::Bool] {
            let error = stored.read([3], &mut &[0; 2][..]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(StoredType::F16.read([0, 3], &mut &[][..]).unwrap().shape(), &[0, 3]);
    }
}
