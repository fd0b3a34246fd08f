//! The writing of a safetensors file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, TensorInfo};

use super::header::{Header, bytes_of, lengths};
use super::{LENGTH, LONGEST_HEADER, METADATA, SafetensorsError, Stored};
use crate::atomic_file::write_atomically;
use crate::bytes::write_from;
use crate::columns::AnyTensor;
use crate::element::{Element, Float};
use crate::stored::Half;
use crate::tensor::Tensor;

/// What a safetensors file is to hold: tensors and texts by name. Written, the same content is the same bytes.
///
/// The tensors share their elements with those they were made of, and are written from there.
///
/// ```
/// use gradus_tensor::{Tensor, safetensors::{File, Stored, Writer}};
/// let kernel = Tensor::new([[0.1, 2.0], [3.0, 4.0]]);
/// let bytes = Writer::new().tensor("1/kernel", &kernel).stored_as(Stored::F16).to_bytes()?;
/// let read = File::from_bytes(bytes)?.read("1/kernel")?;
/// assert_eq!(read.to::<f32>(), Tensor::new([[0.099975586, 2.0], [3.0, 4.0]]));
/// # Ok::<(), gradus_tensor::safetensors::SafetensorsError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writer {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, AnyTensor>,
    stored: Stored,
}

impl Writer {
    /// Nothing.
    pub fn new() -> Self {
        Writer::default()
    }

    /// And a text under this name, in place of an earlier one.
    pub fn metadata(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), text.into());
        self
    }

    /// And a tensor under this name.
    ///
    /// # Panics
    /// If there is a tensor of this name already, or the name is `__metadata__`, which the format keeps for itself.
    #[track_caller]
    pub fn tensor(mut self, name: impl Into<String>, tensor: impl Into<AnyTensor>) -> Self {
        let name = name.into();
        assert!(name != METADATA, "tensor: the name {METADATA:?} is the format's own");
        let before = self.tensors.insert(name.clone(), tensor.into());
        assert!(before.is_none(), "tensor: there is a tensor named {name:?} already");
        self
    }

    /// Stores f32 and f64 in this form; whole numbers and bools stay as they are. [`Stored::loss`] says what is lost.
    pub fn stored_as(mut self, stored: Stored) -> Self {
        self.stored = stored;
        self
    }

    /// The tensors by name, sorted.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &AnyTensor)> {
        self.tensors.iter().map(|(name, tensor)| (&**name, tensor))
    }

    /// Writes the file beside its place, brings it to the disk and renames it ([`write_atomically`]): a crash leaves the old
    /// file or the new one.
    ///
    /// # Errors
    /// If the file cannot be written, or the names and texts have more than 100 MB.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), SafetensorsError> {
        let path = path.as_ref();
        let start = self.start().map_err(|error| error.at(path))?;
        let written = write_atomically(path, |file| self.write_from(&start, file));
        written.map_err(|error| SafetensorsError::io("the file cannot be written", error).at(path))
    }

    /// Writes to a stream.
    ///
    /// # Errors
    /// If the stream fails, or the names and texts have more than 100 MB.
    pub fn write_to(&self, mut stream: impl Write) -> Result<(), SafetensorsError> {
        let start = self.start()?;
        let written = self.write_from(&start, &mut stream).and_then(|()| stream.flush());
        written.map_err(|error| SafetensorsError::io("the stream cannot be written", error))
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the names and texts have more than 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SafetensorsError> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }

    /// The tensors in the order of their data, as the format's own writer has it: wide elements first, so that each
    /// tensor is aligned, then by name.
    fn in_order(&self) -> Vec<(&String, &AnyTensor, Dtype)> {
        let stored = |tensor: &AnyTensor| dtype(tensor, self.stored);
        let mut tensors: Vec<_> = self.tensors.iter().map(|(name, tensor)| (name, tensor, stored(tensor))).collect();
        tensors.sort_by(|(a, _, of_a), (b, _, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        tensors
    }

    /// The bytes before the data.
    fn start(&self) -> Result<Vec<u8>, SafetensorsError> {
        let mut header = Header { metadata: self.metadata.clone(), tensors: BTreeMap::new() };
        let mut end: usize = 0;
        for (name, tensor, dtype) in self.in_order() {
            let shape = tensor.shape().to_vec();
            let bytes = bytes_of(dtype, &shape);
            let Some(next) = bytes.and_then(|bytes| end.checked_add(bytes)) else {
                let problem = format!("the tensor {name:?} of shape {} makes the file too large", lengths(&shape));
                return Err(SafetensorsError::content(problem, "leave it out"));
            };
            header.tensors.insert(name.clone(), TensorInfo { dtype, shape, data_offsets: (end, next) });
            end = next;
        }
        let start = header.to_bytes();
        let length = start.len() as u64 - LENGTH;
        if length > LONGEST_HEADER {
            let problem = format!("the header has {length} bytes, it can have {LONGEST_HEADER}");
            return Err(SafetensorsError::content(problem, "shorten the metadata"));
        }
        Ok(start)
    }

    fn write_from(&self, start: &[u8], stream: &mut impl Write) -> io::Result<()> {
        stream.write_all(start)?;
        let half = self.stored.half();
        for (_, tensor, _) in self.in_order() {
            match (tensor, half) {
                (AnyTensor::F32(x), Some(half)) => write_halves(stream, x, half)?,
                (AnyTensor::F64(x), Some(half)) => write_halves(stream, x, half)?,
                (AnyTensor::F32(x), None) => write_elements(stream, x)?,
                (AnyTensor::F64(x), None) => write_elements(stream, x)?,
                (AnyTensor::I8(x), _) => write_elements(stream, x)?,
                (AnyTensor::I16(x), _) => write_elements(stream, x)?,
                (AnyTensor::I32(x), _) => write_elements(stream, x)?,
                (AnyTensor::I64(x), _) => write_elements(stream, x)?,
                (AnyTensor::U8(x), _) => write_elements(stream, x)?,
                (AnyTensor::Bool(x), _) => write_elements(stream, x)?,
            }
        }
        Ok(())
    }
}

fn write_elements<T: Element>(stream: &mut impl Write, x: &Tensor<T>) -> io::Result<()> {
    let flat = x.contiguous();
    write_from(flat.as_slice().expect("just made contiguous"), |bytes| stream.write_all(bytes))
}

fn write_halves<T: Float>(stream: &mut impl Write, x: &Tensor<T>, half: Half) -> io::Result<()> {
    let flat = x.contiguous();
    let mut bytes = Vec::new();
    for block in flat.as_slice().expect("just made contiguous").chunks(1 << 16) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|x| half.encode(x.as_f64()).to_le_bytes()));
        stream.write_all(&bytes)?;
    }
    Ok(())
}

/// The element type of a tensor in a file.
fn dtype(tensor: &AnyTensor, stored: Stored) -> Dtype {
    match (tensor, stored) {
        (AnyTensor::F32(_) | AnyTensor::F64(_), Stored::F16) => Dtype::F16,
        (AnyTensor::F32(_) | AnyTensor::F64(_), Stored::Bf16) => Dtype::BF16,
        (AnyTensor::F32(_), Stored::AsIs) => Dtype::F32,
        (AnyTensor::F64(_), Stored::AsIs) => Dtype::F64,
        (AnyTensor::I8(_), _) => Dtype::I8,
        (AnyTensor::I16(_), _) => Dtype::I16,
        (AnyTensor::I32(_), _) => Dtype::I32,
        (AnyTensor::I64(_), _) => Dtype::I64,
        (AnyTensor::U8(_), _) => Dtype::U8,
        (AnyTensor::Bool(_), _) => Dtype::BOOL,
    }
}
