//! The writer of IDX files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use byteorder::{BigEndian, WriteBytesExt};
use flate2::Compression;
use flate2::write::GzEncoder;
use gradus_tensor::Tensor;

use super::element::IdxElement;
use crate::error::{DatasetError, Result};

/// The number of elements that are encoded at a time.
const CHUNK_ELEMENTS: usize = 1 << 13;

/// Writes a tensor to an IDX file, gzip'd if the path ends in `.gz`.
///
/// ```
/// use gradus_datasets::idx;
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_write_{}.idx.gz", std::process::id()));
/// let weights = Tensor::new([[0.5, -1.5]]);
/// idx::write(&path, &weights)?;
/// assert_eq!(idx::read::<f32>(&path)?, weights);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file cannot be written or the tensor does not fit the format: at most 255 axes of lengths below 2^32.
pub fn write<T: IdxElement>(path: impl AsRef<Path>, tensor: &Tensor<T>) -> Result<()> {
    let path = path.as_ref();
    let file = File::create(path).map_err(|error| unwritable(&error).in_file(path))?;
    let mut file = BufWriter::new(file);
    let written = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        let mut packed = GzEncoder::new(&mut file, Compression::default());
        write_to(&mut packed, tensor).and_then(|()| packed.finish().map(drop).map_err(|error| unwritable(&error)))
    } else {
        write_to(&mut file, tensor)
    };
    written.and_then(|()| file.flush().map_err(|error| unwritable(&error))).map_err(|error| error.in_file(path))
}

/// Writes a tensor to any writer, as plain IDX.
///
/// ```
/// use gradus_datasets::idx;
/// use gradus_tensor::Tensor;
/// let mut bytes = Vec::new();
/// idx::write_to(&mut bytes, &Tensor::from([7_u8, 8]))?;
/// assert_eq!(bytes, [0, 0, 8, 1, 0, 0, 0, 2, 7, 8]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the writer fails or the tensor does not fit the format: at most 255 axes of lengths below 2^32.
pub fn write_to<T: IdxElement>(mut writer: impl Write, tensor: &Tensor<T>) -> Result<()> {
    let shape = tensor.shape();
    let rank = u8::try_from(shape.len());
    let lengths: Result<Vec<u32>, _> = shape.iter().map(|&length| u32::try_from(length)).collect();
    let (Ok(rank), Ok(lengths)) = (rank, lengths) else {
        let expected = "at most 255 axes of lengths below 2^32, all that IDX can say";
        return Err(DatasetError::new(format!("the shape {shape}"), expected, "reshape or split the tensor"));
    };
    let mut header = vec![0, 0, T::CODE, rank];
    for length in lengths {
        header.write_u32::<BigEndian>(length).expect("a vector takes every byte");
    }
    let flat = tensor.contiguous();
    let mut body = || -> io::Result<()> {
        writer.write_all(&header)?;
        let mut bytes = Vec::with_capacity(CHUNK_ELEMENTS * size_of::<T>());
        for elements in flat.as_slice().unwrap_or_default().chunks(CHUNK_ELEMENTS) {
            bytes.clear();
            T::encode(elements, &mut bytes);
            writer.write_all(&bytes)?;
        }
        Ok(())
    };
    body().map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> DatasetError {
    DatasetError::new(
        format!("a place that cannot be written to ({error})"),
        "a writable file",
        "check the path, its permissions and the free space",
    )
}
