//! IDX, the format of MNIST: a header with the element type and the length of each axis, then the elements, big endian.
//!
//! | bytes | |
//! |---|---|
//! | 0, 1 | zero |
//! | 2 | the element type: 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d f32, 0x0e f64 |
//! | 3 | the number of axes |
//! | 4 bytes for each axis | its length, outermost first |
//! | the rest | the elements in row-major order |
//!
//! (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "The IDX file format".)
//!
//! Files and streams may be gzip'd. Headers are not believed: memory is taken only for the bytes that are there.
//!
//! ```
//! use gradus_datasets::idx;
//! use gradus_tensor::Tensor;
//! let mut file = Vec::new();
//! idx::write_to(&mut file, &Tensor::from([[1_i16, 2], [3, 4]]))?;
//! let back = idx::read_from::<i16>(&file[..], "numbers")?;
//! assert_eq!(back.shape(), &[2, 2]);
//! # Ok::<(), gradus_datasets::DatasetError>(())
//! ```

mod element;
mod lazy;
mod read;
mod write;

pub use element::IdxElement;
pub use lazy::{by_index, stream};
pub use read::{read, read_any, read_any_from, read_from, read_source};
pub use write::{write, write_to};
