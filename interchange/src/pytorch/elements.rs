//! The element types of PyTorch.

use gradus_tensor::StoredType;

/// An element type as PyTorch names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ElementType {
    /// `"float32"`
    pub name: &'static str,
    /// The bytes of an element.
    pub size: usize,
    /// How it is read; `None` for a type that is not.
    pub stored: Option<StoredType>,
}

/// For each type its name, the name of its storages without `Storage`, and how it is read.
const TYPES: [(&str, &str, Option<StoredType>); 14] = [
    ("float32", "Float", Some(StoredType::F32)),
    ("float64", "Double", Some(StoredType::F64)),
    ("float16", "Half", Some(StoredType::F16)),
    ("bfloat16", "BFloat16", Some(StoredType::BF16)),
    ("int64", "Long", Some(StoredType::I64)),
    ("int32", "Int", Some(StoredType::I32)),
    ("int16", "Short", Some(StoredType::I16)),
    ("int8", "Char", Some(StoredType::I8)),
    ("uint8", "Byte", Some(StoredType::U8)),
    ("bool", "Bool", Some(StoredType::Bool)),
    ("uint32", "UInt32", Some(StoredType::U32)),
    ("uint16", "UInt16", Some(StoredType::U16)),
    ("complex64", "ComplexFloat", None),
    ("complex128", "ComplexDouble", None),
];

/// Types of which there are no classes of storages, and which are not read.
const OTHERS: [(&str, usize); 8] = [
    ("uint64", 8),
    ("complex32", 4),
    ("float8_e4m3fn", 1),
    ("float8_e4m3fnuz", 1),
    ("float8_e5m2", 1),
    ("float8_e5m2fnuz", 1),
    ("float8_e8m0fnu", 1),
    ("float4_e2m1fn_x2", 1),
];

fn of_row(&(name, _, stored): &(&'static str, &str, Option<StoredType>)) -> ElementType {
    let size = stored.map_or(if name == "complex64" { 8 } else { 16 }, StoredType::size);
    ElementType { name, size, stored }
}

/// The type of this name: `torch.float32`.
pub(super) fn of_dtype(name: &str) -> Option<ElementType> {
    let other =
        || OTHERS.iter().find(|other| other.0 == name).map(|&(name, size)| ElementType { name, size, stored: None });
    TYPES.iter().find(|row| row.0 == name).map(of_row).or_else(other)
}

/// The type of the storages of a class: `torch.FloatStorage`.
pub(super) fn of_storage(class: &str) -> Option<ElementType> {
    let of = class.strip_suffix("Storage")?;
    TYPES.iter().find(|row| row.1 == of).map(of_row)
}
