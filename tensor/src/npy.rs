//! Reading and writing of NumPy's `.npy` files.
//!
//! The reader knows versions 1.0 to 3.0 of the format, both byte orders, both element orders (C and Fortran), and the types
//! f4 f8 i1 i2 i4 i8 u1 b1. The writer writes version 1.0, little endian, in C order, which every NumPy reads.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

mod error;
mod header;
mod stream;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

pub use error::NpyError;
pub use header::NpyHeader;
use header::{Header, header, read_header};
use stream::CountingReader;

use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The bytes that are read or written at once.
const BLOCK: usize = 1 << 16;

impl<T: Element> Tensor<T> {
    /// Reads one array from a stream in `.npy` format and no byte after it, so that a stream may hold several arrays.
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
        let mut reader = CountingReader { reader, offset: 0 };
        let header = read_header::<T>(&mut reader)?;
        let elements = read_elements(&mut reader, &header)?;
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
    /// As [`read_npy`](Tensor::read_npy), and if the file cannot be opened or has bytes after the array.
    pub fn load_npy(path: impl AsRef<Path>) -> Result<Self, NpyError> {
        let path = path.as_ref();
        let load = || {
            let mut reader =
                CountingReader { reader: BufReader::new(File::open(path).map_err(|e| NpyError::io(0, e))?), offset: 0 };
            let x = Tensor::read_npy(&mut reader)?;
            match reader.read(&mut [0]) {
                Ok(0) => Ok(x),
                Ok(_) => Err(NpyError::content(reader.offset - 1, "the end of the file", "more bytes")),
                Err(error) => Err(NpyError::io(reader.offset, error)),
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

fn read_elements<T: Element>(reader: &mut CountingReader<impl Read>, header: &Header) -> Result<Vec<T>, NpyError> {
    let width = size_of::<T>();
    // Memory grows with the bytes that arrive, not with the size that the header claims.
    let mut elements = Vec::new();
    let mut block = [0; BLOCK];
    while elements.len() < header.size {
        let count = (header.size - elements.len()).min(BLOCK / width);
        let bytes = &mut block[..count * width];
        reader.fill(bytes, &format!("{} elements of {}", header.size, T::NAME))?;
        if header.big_endian {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        elements.extend(bytes.chunks_exact(width).map(T::from_little_endian));
    }
    Ok(elements)
}
