//! The reader of IDX files.

use std::io::Read;
use std::path::Path;

use byteorder::{BigEndian, ByteOrder};
use gradus_tensor::{AnyTensor, Shape, Tensor};

use super::element::{IdxElement, TYPES, decode_any, type_list};
use crate::error::{DatasetError, Place, Result};
use crate::formats::{Format, TELLING_BYTES};
use crate::source::{ByteSource, check_memory};

/// Bytes before the axis lengths: two zeros, the element type, the number of axes.
const MAGIC_BYTES: u64 = 4;

/// The tensor in an IDX file, gzip'd or plain, whose elements are of type `T`.
///
/// ```
/// use gradus_datasets::idx;
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_read_{}.idx", std::process::id()));
/// idx::write(&path, &Tensor::from([[1_i16, -2]]))?;
/// assert_eq!(idx::read::<i16>(&path)?, Tensor::from([[1_i16, -2]]));
/// // Another type than that of the file is an error, not a conversion.
/// assert!(idx::read::<u8>(&path).is_err());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing, damaged, no IDX file, or of another element type.
pub fn read<T: IdxElement>(path: impl AsRef<Path>) -> Result<Tensor<T>> {
    read_source(ByteSource::open(path)?)
}

/// The tensor in the IDX bytes of any reader, gzip'd or plain; messages call it `name`.
///
/// ```
/// use gradus_datasets::idx;
/// use gradus_tensor::Tensor;
/// // Two zeros, 8 for u8, one axis, of length 3, and the elements.
/// let bytes = [0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9];
/// assert_eq!(idx::read_from::<u8>(&bytes[..], "digits")?, Tensor::from([7_u8, 8, 9]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the bytes are damaged, not IDX, or of another element type.
pub fn read_from<T: IdxElement>(reader: impl Read + Send, name: &str) -> Result<Tensor<T>> {
    read_source(ByteSource::new(reader, name)?)
}

/// The tensor in an IDX source, whose elements are of type `T`.
///
/// ```
/// use gradus_datasets::{ByteSource, idx};
/// let source = ByteSource::new(&[0, 0, 8, 1, 0, 0, 0, 2, 5][..], "labels")?;
/// let error = idx::read_source::<u8>(source).unwrap_err();
/// assert!(error.to_string().starts_with("labels")); // The second element is missing.
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the bytes are damaged, not IDX, or of another element type.
pub fn read_source<T: IdxElement>(mut source: ByteSource<'_>) -> Result<Tensor<T>> {
    let header = Header::read_as::<T>(&mut source)?;
    Ok(T::decode(&element_bytes(&mut source, &header)?).reshape(&header.shape))
}

/// The tensor in an IDX file, gzip'd or plain, of whichever element type it holds.
///
/// ```no_run
/// use gradus_datasets::idx;
/// let pixels = idx::read_any("pixels.idx")?;
/// println!("{} of {}", pixels.shape(), pixels.element());
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing, damaged or no IDX file.
pub fn read_any(path: impl AsRef<Path>) -> Result<AnyTensor> {
    any(ByteSource::open(path)?)
}

/// As [`read_any`], from the bytes of any reader; messages call it `name`.
///
/// ```
/// use gradus_datasets::idx;
/// let numbers = idx::read_any_from(&[0, 0, 0x0b, 1, 0, 0, 0, 1, 1, 0][..], "numbers")?;
/// assert_eq!((numbers.element(), numbers.to::<i64>().to_vec()), ("i16", vec![256]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the bytes are damaged or not IDX.
pub fn read_any_from(reader: impl Read + Send, name: &str) -> Result<AnyTensor> {
    any(ByteSource::new(reader, name)?)
}

fn any(mut source: ByteSource<'_>) -> Result<AnyTensor> {
    let header = Header::read(&mut source)?;
    Ok(decode_any(header.code, &element_bytes(&mut source, &header)?, &header.shape))
}

/// The claims of the first bytes; checked to be possible, not to be true.
pub(super) struct Header {
    code: u8,
    type_name: &'static str,
    pub shape: Shape,
    /// The number of bytes of the header itself.
    pub own_bytes: u64,
    /// The number of bytes of the elements.
    pub element_bytes: u64,
}

impl Header {
    /// The header of a source whose elements are of type `T`.
    pub fn read_as<T: IdxElement>(source: &mut ByteSource<'_>) -> Result<Header> {
        let header = Header::read(source)?;
        if header.code == T::CODE {
            return Ok(header);
        }
        Err(DatasetError::new(
            format!("{} elements (type {:#04x})", header.type_name, header.code),
            format!("{} elements (type {:#04x})", T::NAME, T::CODE),
            format!("read them as {} and convert with `to`", header.type_name),
        )
        .in_file(source.name())
        .at(Place::Byte(2)))
    }

    fn read(source: &mut ByteSource<'_>) -> Result<Header> {
        let name = source.name().to_owned();
        let refuse = |place, found: String, expected: String, hint: &str| {
            Err(DatasetError::new(found, expected, hint).in_file(&name).at(Place::Byte(place)))
        };

        let magic = source.read_up_to(MAGIC_BYTES)?;
        let [zero, also_zero, code, rank] = magic[..] else {
            let found = format!("the end after {} bytes", magic.len());
            return refuse(0, found, "the 4 bytes that begin an IDX file".into(), "the file is cut off: get it again");
        };
        if (zero, also_zero) != (0, 0) {
            let more = source.read_up_to(TELLING_BYTES as u64)?;
            if let Some(format) = Format::of(&[magic, more].concat()) {
                return Err(format.refused("an IDX file, which begins with two zeros").in_file(&name));
            }
            let found = format!("the bytes {zero:02x} {also_zero:02x}");
            return refuse(0, found, "00 00, as every IDX file begins".into(), "check that the path names an IDX file");
        }
        let Some(&(_, type_name, size)) = TYPES.iter().find(|(known, ..)| *known == code) else {
            let expected = format!("one of {}", type_list());
            return refuse(2, format!("element type {code:#04x}"), expected, "check that the path names an IDX file");
        };

        let axis_bytes = 4 * u64::from(rank);
        let axes = source.read_up_to(axis_bytes)?;
        if (axes.len() as u64) < axis_bytes {
            let found = format!("the end after {} of the {axis_bytes} bytes of the axis lengths", axes.len());
            return refuse(MAGIC_BYTES, found, format!("{rank} axis lengths"), "the file is cut off: get it again");
        }
        let mut lengths = vec![0; usize::from(rank)];
        BigEndian::read_u32_into(&axes, &mut lengths);

        // Axes of length 0 are left out of the product: the strides of an empty tensor must not overflow either.
        let wanted = lengths.iter().try_fold(size, |bytes, &length| bytes.checked_mul((length as usize).max(1)));
        let Some(_) = wanted.filter(|&bytes| isize::try_from(bytes).is_ok()) else {
            let found = format!("axis lengths {lengths:?}");
            let expected = "no more elements than memory can address".into();
            return refuse(MAGIC_BYTES, found, expected, "the header is damaged: get the file again");
        };
        let shape: Shape = lengths.iter().map(|&length| length as usize).collect();
        let element_bytes = (shape.size() * size) as u64;
        Ok(Header { code, type_name, shape, own_bytes: MAGIC_BYTES + axis_bytes, element_bytes })
    }
}

/// The bytes of the elements, which must be just as many as the header claims.
fn element_bytes(source: &mut ByteSource<'_>, header: &Header) -> Result<Vec<u8>> {
    let bytes = source.read_up_to(header.element_bytes)?;
    let count = bytes.len() as u64;
    let has_more = count == header.element_bytes && !source.read_up_to(1)?.is_empty();
    if count < header.element_bytes || has_more {
        return Err(refuse_end(header, count, has_more).in_file(source.name()));
    }
    // The elements take as much again.
    check_memory(Some(bytes.len())).map_err(|error| error.in_file(source.name()))?;
    Ok(bytes)
}

/// The error of a file with another number of bytes of elements than its header says: `count`, or `has_more`.
pub(super) fn refuse_end(header: &Header, count: u64, has_more: bool) -> DatasetError {
    let Header { element_bytes, type_name, shape, .. } = header;
    let expected = format!("{element_bytes} bytes of elements, as the header says: {type_name} {shape}");
    let error = match has_more {
        false => {
            let found = format!("the end after {count} bytes of elements");
            DatasetError::new(found, expected, "the file is cut off or its header is wrong: get it again")
        }
        true => {
            let hint = "the file is damaged or its header is wrong: get it again";
            DatasetError::new("more bytes after the last element", expected, hint)
        }
    };
    error.at(Place::Byte(header.own_bytes + count))
}
