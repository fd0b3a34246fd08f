//! The reading of a safetensors file: first the header, then each tensor that is asked for.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fmt, fs};

use safetensors::tensor::Dtype;

use super::header::{Header, lengths};
use super::{LENGTH, LONGEST_HEADER, SafetensorsError, shortened};
use crate::columns::AnyTensor;
use crate::shape::Shape;
use crate::stored::StoredType;

/// A safetensors file that has been opened: its header, and its tensors on demand.
///
/// Opening reads the header alone and checks it against the length of the file. [`read`](File::read) reads a tensor straight
/// into its own memory.
///
/// ```
/// use gradus_tensor::{AnyTensor, Tensor, safetensors::{File, Writer}};
/// let path = std::env::temp_dir().join(format!("gradus_file_{}.safetensors", std::process::id()));
/// let kernel = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// Writer::new().metadata("author", "me").tensor("1/kernel", &kernel).write(&path)?;
///
/// let file = File::open(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["1/kernel"]);
/// assert_eq!(file.info("1/kernel").unwrap().shape, [2, 2]);
/// assert_eq!(file.metadata()["author"], "me");
/// assert_eq!(file.read("1/kernel")?, AnyTensor::from(kernel));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_tensor::safetensors::SafetensorsError>(())
/// ```
pub struct File {
    path: Option<PathBuf>,
    source: Source,
    header: Header,
    /// Where the data begin.
    data: u64,
}

enum Source {
    /// Behind a lock, because reading moves the file's place.
    File(Mutex<fs::File>),
    Bytes(Vec<u8>),
}

/// A tensor of a file that has been opened.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_tensor::safetensors::{File, Writer};
/// let bytes = Writer::new().tensor("kernel", Tensor::new([[1.0, 2.0, 3.0]])).to_bytes()?;
/// let info = File::from_bytes(bytes)?.info("kernel").unwrap();
/// assert_eq!((&*info.stored, info.element, info.bytes), ("F32", Some("f32"), 12));
/// assert_eq!(info.shape, [1, 3]);
/// # Ok::<(), gradus_tensor::safetensors::SafetensorsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The element type as the file names it: `"F32"`, `"BF16"`.
    pub stored: String,
    /// The name of the element type that [`File::read`] gives: `"f32"`; `None` if it does not read this type.
    pub element: Option<&'static str>,
    /// The length of each axis.
    pub shape: Shape,
    /// The bytes in the file.
    pub bytes: usize,
}

impl File {
    /// Opens a file, and reads and checks its header.
    ///
    /// # Errors
    /// If there is no such file, or its header is not that of a safetensors file of this length: damaged, cut off, with a
    /// name twice, or with tensors that overlap, leave gaps or have another size than their shape.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SafetensorsError> {
        let path = path.as_ref();
        let open = || {
            let failed = |error| SafetensorsError::io("the file cannot be opened", error);
            // Opening something else, such as a pipe, might wait for ever.
            if !fs::metadata(path).map_err(failed)?.is_file() {
                let problem = "this is no regular file, such as a folder or a device";
                return Err(SafetensorsError::content(problem, "give the path of a file"));
            }
            let file = fs::File::open(path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            File::new(Source::File(Mutex::new(file)), length)
        };
        match open() {
            Ok(file) => Ok(File { path: Some(path.to_owned()), ..file }),
            Err(error) => Err(error.at(path)),
        }
    }

    /// A file whose bytes are in memory.
    ///
    /// # Errors
    /// If they are not those of a safetensors file; see [`open`](File::open).
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, SafetensorsError> {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        File::new(Source::Bytes(bytes), length)
    }

    fn new(source: Source, length: u64) -> Result<Self, SafetensorsError> {
        const OTHER: &str = "give a safetensors file; if it is one, it is damaged or cut off";
        if length < LENGTH {
            let problem = format!("a safetensors file has {LENGTH} bytes or more, this one has {length}");
            return Err(SafetensorsError::content(problem, OTHER));
        }
        let failed = |error| SafetensorsError::io("the header cannot be read", error);
        let mut bytes = [0; LENGTH as usize];
        source.read(0, &mut bytes).map_err(failed)?;
        let header = u64::from_le_bytes(bytes);
        if header > length - LENGTH || header > LONGEST_HEADER {
            let problem = format!(
                "the first {LENGTH} bytes say that the header has {header} bytes, it can have {}",
                LONGEST_HEADER.min(length - LENGTH)
            );
            return Err(SafetensorsError::content(problem, OTHER));
        }
        let mut text = vec![0; header as usize];
        source.read(LENGTH, &mut text).map_err(failed)?;
        let data = LENGTH + header;
        Ok(File { path: None, source, header: Header::parse(&text, length - data)?, data })
    }

    /// The texts in the header, by name.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The names of the tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.header.tensors.keys().map(String::as_str)
    }

    /// What is known of a tensor without reading it; `None` if there is none of this name.
    pub fn info(&self, name: &str) -> Option<TensorInfo> {
        let info = self.header.tensors.get(name)?;
        let (from, to) = info.data_offsets;
        let (element, shape) = (stored(info.dtype).map(StoredType::element), Shape::from(&info.shape[..]));
        Some(TensorInfo { stored: info.dtype.to_string(), element, shape, bytes: to - from })
    }

    /// The path, if the file was opened by one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads a tensor. Floats of two bytes become f32, which holds all their values.
    ///
    /// # Errors
    /// If there is no tensor of this name, its element type is none that tensors here have, there is not enough memory for it
    /// (a sparse file may be of any length), or the file cannot be read any more.
    pub fn read(&self, name: &str) -> Result<AnyTensor, SafetensorsError> {
        self.read_tensor(name).map_err(|error| match &self.path {
            Some(path) => error.at(path),
            None => error,
        })
    }

    fn read_tensor(&self, name: &str) -> Result<AnyTensor, SafetensorsError> {
        let Some(info) = self.header.tensors.get(name) else {
            let problem =
                format!("there is no tensor {name:?}, there are {}", shortened(&self.names().collect::<Vec<&str>>()));
            return Err(SafetensorsError::content(problem, "check the name"));
        };
        let Some(stored) = stored(info.dtype) else {
            let (found, other) = (lengths(&info.shape), info.dtype);
            let problem = format!("the tensor {name:?} of shape {found} has elements {other}, which cannot be read");
            let hint = "convert it in Python to float32 or int64, and save the file by safetensors.numpy.save_file";
            return Err(SafetensorsError::content(problem, hint));
        };
        let mut at = At { source: &self.source, place: self.data + info.data_offsets.0 as u64 };
        stored.read(&info.shape[..], &mut at).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => {
                let (found, element) = (lengths(&info.shape), stored.element());
                let problem =
                    format!("there is not enough memory for the tensor {name:?} of shape {found} ({element})");
                SafetensorsError::content(problem, "free memory, or read the file on a larger machine")
            }
            _ => SafetensorsError::io(format!("the tensor {name:?} cannot be read"), error),
        })
    }
}

/// How elements of a file are read; `None` for types that are not read.
fn stored(dtype: Dtype) -> Option<StoredType> {
    Some(match dtype {
        Dtype::F64 => StoredType::F64,
        Dtype::F32 => StoredType::F32,
        Dtype::F16 => StoredType::F16,
        Dtype::BF16 => StoredType::BF16,
        Dtype::I64 => StoredType::I64,
        Dtype::I32 => StoredType::I32,
        Dtype::I16 => StoredType::I16,
        Dtype::I8 => StoredType::I8,
        Dtype::U32 => StoredType::U32,
        Dtype::U16 => StoredType::U16,
        Dtype::U8 => StoredType::U8,
        Dtype::BOOL => StoredType::Bool,
        _ => return None,
    })
}

/// The bytes of a source from a place on.
struct At<'a> {
    source: &'a Source,
    place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.source.read(self.place, bytes)?;
        self.place += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Source {
    /// Fills `bytes` with those from `place` on.
    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Source::File(file) => {
                // A panic elsewhere leaves the file's place anywhere, and it is set here.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(place))?;
                file.read_exact(bytes)
            }
            Source::Bytes(all) => {
                bytes.copy_from_slice(&all[place as usize..][..bytes.len()]);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensors = self.header.tensors.len();
        f.debug_struct("File").field("path", &self.path).field("tensors", &tensors).finish_non_exhaustive()
    }
}
