//! The element types of IDX files, by the codes that stand for them in headers.

use gradus_tensor::{AnyTensor, Element, Shape, Tensor};

mod sealed {
    pub trait Sealed {}
}

/// An element type that IDX files can hold: u8, i8, i16, i32, f32 and f64.
///
/// ```
/// use gradus_datasets::idx::{self, IdxElement};
/// use gradus_tensor::Tensor;
/// /// The bytes that a tensor takes in a file.
/// fn bytes<T: IdxElement>(x: &Tensor<T>) -> usize {
///     let mut bytes = Vec::new();
///     idx::write_to(&mut bytes, x).expect("a Vec takes all");
///     bytes.len()
/// }
/// assert_eq!((bytes(&Tensor::from([1_u8, 2])), bytes(&Tensor::from([1.0_f64, 2.0]))), (8 + 2, 8 + 16));
/// ```
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

macro_rules! idx_elements {
    ($($type:ident $code:literal),*) => {
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
        )*

        /// Code, name and size in bytes of each element type.
        pub(super) const TYPES: &[(u8, &str, usize)] = &[$(($code, stringify!($type), size_of::<$type>())),*];

        /// The elements in big-endian `bytes`, of the type that has this code, in a tensor of this shape.
        pub(super) fn decode_any(code: u8, bytes: &[u8], shape: &Shape) -> AnyTensor {
            match code {
                $($code => $type::decode(bytes).reshape(shape).into(),)*
                code => unreachable!("the header was checked, it has type {code:#04x}"),
            }
        }
    };
}

idx_elements!(u8 0x08, i8 0x09, i16 0x0b, i32 0x0c, f32 0x0d, f64 0x0e);

/// The element types as messages list them.
pub(super) fn type_list() -> String {
    let list: Vec<String> = TYPES.iter().map(|(code, name, _)| format!("{code:#04x} ({name})")).collect();
    list.join(", ")
}
