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
//! Files and streams may be gzip'd. Headers are not believed: memory is taken for the bytes that are there.
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

mod read;
mod write;

use gradus_tensor::{Element, Shape, Tensor};

pub use read::{read, read_any, read_any_from, read_from, read_source};
pub use write::{write, write_to};

mod sealed {
    pub trait Sealed {}
}

/// An element type that IDX files can hold: u8, i8, i16, i32, f32 and f64.
pub trait IdxElement: Element + sealed::Sealed {
    /// The type's code in the header.
    const CODE: u8;
    /// The elements in big-endian `bytes`, a whole number of them.
    #[doc(hidden)]
    fn decode(bytes: &[u8]) -> Tensor<Self>;
    /// Appends the elements, big endian.
    #[doc(hidden)]
    fn encode(elements: &[Self], bytes: &mut Vec<u8>);
}

/// A tensor of whichever type an IDX file holds.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The variants are the types that they name.
pub enum IdxTensor {
    U8(Tensor<u8>),
    I8(Tensor<i8>),
    I16(Tensor<i16>),
    I32(Tensor<i32>),
    F32(Tensor<f32>),
    F64(Tensor<f64>),
}

macro_rules! idx_elements {
    ($($type:ident $variant:ident $code:literal),*) => {
        $(
            impl sealed::Sealed for $type {}
            impl IdxElement for $type {
                const CODE: u8 = $code;
                fn decode(bytes: &[u8]) -> Tensor<$type> {
                    let (elements, rest) = bytes.as_chunks::<{ size_of::<$type>() }>();
                    debug_assert!(rest.is_empty());
                    let mut tensor = Tensor::zeros(elements.len());
                    for (out, element) in tensor.as_mut_slice().iter_mut().zip(elements) {
                        *out = $type::from_be_bytes(*element);
                    }
                    tensor
                }
                fn encode(elements: &[$type], bytes: &mut Vec<u8>) {
                    bytes.extend(elements.iter().flat_map(|element| element.to_be_bytes()));
                }
            }
            impl From<Tensor<$type>> for IdxTensor {
                fn from(tensor: Tensor<$type>) -> Self {
                    IdxTensor::$variant(tensor)
                }
            }
        )*

        /// Code, name and size in bytes of each element type.
        const TYPES: &[(u8, &str, usize)] = &[$(($code, stringify!($type), size_of::<$type>())),*];

        impl IdxTensor {
            /// The name of the element type, as `"u8"`.
            pub fn element_type(&self) -> &'static str {
                match self {
                    $(IdxTensor::$variant(_) => stringify!($type),)*
                }
            }

            /// The length of each axis.
            pub fn shape(&self) -> &Shape {
                match self {
                    $(IdxTensor::$variant(tensor) => tensor.shape(),)*
                }
            }

            /// The values in a type of one's choice, converted as [`Tensor::to`] does.
            pub fn to<U: Element>(&self) -> Tensor<U> {
                match self {
                    $(IdxTensor::$variant(tensor) => tensor.to(),)*
                }
            }
        }

        fn read_elements(source: &mut Source<'_>, header: &read::Header) -> Result<IdxTensor> {
            match header.code {
                $($code => read::elements::<$type>(source, header).map(IdxTensor::from),)*
                code => unreachable!("the header was checked, it has type {code:#04x}"),
            }
        }
    };
}

use crate::error::Result;
use crate::source::Source;

idx_elements!(u8 U8 0x08, i8 I8 0x09, i16 I16 0x0b, i32 I32 0x0c, f32 F32 0x0d, f64 F64 0x0e);

/// The element types as messages list them.
fn type_list() -> String {
    let list: Vec<String> = TYPES.iter().map(|(code, name, _)| format!("{code:#04x} ({name})")).collect();
    list.join(", ")
}
