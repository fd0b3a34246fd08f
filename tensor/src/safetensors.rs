//! Reading and writing of safetensors files: tensors by name, and texts beside them.
//!
//! A file is eight bytes with the length of its header, the header as JSON (for each tensor the element type, the shape and
//! the place of its data, and under `__metadata__` texts by name), and the data: little endian, row by row, no gaps.
//! Nothing in it is code. Python reads it by `safetensors.numpy.load_file`.
//!
//! The format: <https://github.com/huggingface/safetensors#format>.
//!
//! | stored as | read as |
//! |---|---|
//! | `F32 F64 I8 I16 I32 I64 U8 BOOL` | f32, f64, i8, i16, i32, i64, u8, bool |
//! | `F16 BF16` | f32, which holds all their values |
//! | others, such as `U16 U32 U64 C64 F8_E4M3` | not read; the rest of the file is |

mod error;
mod header;
mod loss;
mod read;
mod write;

pub use error::SafetensorsError;
pub use loss::{StorageLoss, Stored};
pub use read::{File, TensorInfo};
pub use write::Writer;

/// The name of the texts in a header, which no tensor can have.
const METADATA: &str = "__metadata__";
/// The bytes of a file before its header: the header's length.
const LENGTH: u64 = 8;
/// The longest header; the limit of the format's other readers.
const LONGEST_HEADER: u64 = 100_000_000;

/// The first 20 of these names, for a message.
#[doc(hidden)] // Shared with the crates above.
pub fn shortened(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{shown}, and {} more", count - SHOWN),
        _ => shown,
    }
}
