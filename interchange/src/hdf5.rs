//! HDF5 files: groups, attributes that are text, and data sets that are read when they are asked for.

use std::fs;
use std::io;
use std::path::Path;

use gradus_nn::{Error, Result};
use gradus_tensor::safetensors::TensorInfo;
use gradus_tensor::{AnyTensor, Shape, StoredType};
use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File, FloatingPointLayout, FormatError, Group};

use crate::archive::{Archive, FileAt};

/// The most data sets in a file, and the deepest group.
const MOST_TENSORS: usize = 1 << 20;
const DEEPEST: usize = 64;

/// The first bytes of an HDF5 file.
pub(crate) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

const DAMAGED: &str = "the file is damaged or of another format: fetch or write it again";

/// A file that has been opened. Its data sets are read when they are asked for.
pub(crate) struct Hdf5 {
    file: File,
    length: u64,
}

impl Hdf5 {
    /// Opens the file at a path.
    pub fn open(path: &Path) -> Result<Self> {
        let length = fs::metadata(path).map_err(|error| Error::new("hdf5", error.to_string(), "check the path"))?.len();
        let file = guarded(|| File::open_streaming(path))?;
        Ok(Hdf5 { file, length })
    }

    /// Opens a file within an archive. Its checksum is compared first; then what is stored as it is, is read where it lies.
    pub fn of_archive(archive: &Archive, path: &Path, name: &str) -> Result<Self> {
        let Some((start, end)) = archive.plain_range(name)? else {
            // What is compressed may be larger than the archive, but not by as much as a few repeated bytes make possible.
            let most = archive.length().saturating_mul(64).max(1 << 26);
            return Hdf5::from_bytes(archive.read(name, most)?);
        };
        let read = io::copy(&mut archive.reader(name)?, &mut io::sink());
        read.map_err(|error| Error::new("archive", format!("{name:?}: {error}"), DAMAGED))?;
        let file = fs::File::open(path).map_err(|error| Error::new("archive", error.to_string(), "check the path"))?;
        let part = Part { file: FileAt(file), start, length: end - start };
        Ok(Hdf5 { length: part.length, file: guarded(|| File::from_source(part))? })
    }

    /// Reads a file in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let length = bytes.len() as u64;
        Ok(Hdf5 { file: guarded(|| File::from_bytes(bytes))?, length })
    }

    /// The paths of all data sets, in the order of the file.
    pub fn tensors(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut groups = vec![(String::new(), self.file.root(), 0)];
        while let Some((path, group, depth)) = groups.pop() {
            let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            found.extend(guarded(|| group.datasets())?.iter().map(|name| within(name)));
            for name in guarded(|| group.groups())? {
                groups.push((within(&name), guarded(|| group.group(&name))?, depth + 1));
            }
            if depth > DEEPEST || found.len() + groups.len() > MOST_TENSORS {
                let problem = format!("there are more than {MOST_TENSORS} data sets, or groups nested {DEEPEST} deep");
                return Err(Error::new("hdf5", problem, DAMAGED));
            }
        }
        Ok(found)
    }

    /// Whether there is a group of this path; the root has the empty one.
    pub fn has_group(&self, path: &str) -> bool {
        self.group(path).is_ok()
    }

    /// The texts of an attribute of a group; none if it lacks the attribute. A single text is a list of one.
    pub fn texts(&self, group: &str, name: &str) -> Result<Option<Vec<String>>> {
        let attributes = guarded(|| self.group(group)?.attrs()).map_err(|error| error.within(group))?;
        let Some(value) = attributes.get(name) else { return Ok(None) };
        match value {
            // An empty list has no elements, whatever their type.
            AttrValue::F64Array(values) if values.is_empty() => Ok(Some(Vec::new())),
            AttrValue::F32Array(values) if values.is_empty() => Ok(Some(Vec::new())),
            value => match value.as_strings() {
                Some(texts) => Ok(Some(texts.to_vec())),
                None => {
                    let problem = format!("the attribute {name:?} is no text, but {}", value.type_name());
                    Err(Error::new(format!("hdf5: {group:?}"), problem, DAMAGED))
                }
            },
        }
    }

    /// What is known of the data set at this path without reading it; none if there is none.
    pub fn info(&self, path: &str) -> Result<Option<TensorInfo>> {
        Ok(self.stored(path)?.map(|(_, stored)| stored.info()))
    }

    /// Reads the data set at this path.
    pub fn read(&self, path: &str) -> Result<AnyTensor> {
        let Some((dataset, stored)) = self.stored(path)? else {
            let problem = format!("there is no data set {path:?}");
            return Err(Error::new("hdf5", problem, DAMAGED));
        };
        let bytes = guarded(|| dataset.read_raw()).map_err(|error| error.within(path))?;
        let mut source = &bytes[..];
        let read = match stored.big_endian {
            true => stored.element.read_big_endian(stored.shape, &mut source),
            false => stored.element.read(stored.shape, &mut source),
        };
        read.map_err(|error| Error::new(format!("hdf5: {path}"), error.to_string(), DAMAGED))
    }

    fn group(&self, path: &str) -> Result<Group, hdf5_pure::Error> {
        if path.is_empty() { Ok(self.file.root()) } else { self.file.group(path) }
    }

    /// The data set at this path and how it is stored; none if there is none.
    fn stored(&self, path: &str) -> Result<Option<(Dataset, StoredTensor)>> {
        let place = || format!("hdf5: {path}");
        let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Ok(group) = guarded(|| self.group(group)) else { return Ok(None) };
        let Ok(dataset) = guarded(|| group.dataset(name)) else { return Ok(None) };
        let refused = |problem: String, hint: &str| Err(Error::new(place(), problem, hint));
        let shape = guarded(|| dataset.shape()).map_err(|error| error.within(path))?;
        let lengths: Option<Vec<usize>> = shape.iter().map(|&length| usize::try_from(length).ok()).collect();
        let datatype = guarded(|| dataset.datatype()).map_err(|error| error.within(path))?;
        let said = guarded(|| dataset.attrs()).map_err(|error| error.within(path))?.remove("dtype");
        let said = said.as_ref().and_then(|value| value.as_str()).map(str::to_owned);
        let Some((element, big_endian)) = element(&datatype, said.as_deref()) else {
            let problem = format!("elements of the type {datatype:?} are none that a tensor has");
            return refused(problem, "store the weights as float32");
        };
        // Before anything is read: a file that lies about a length must not decide how much memory is taken.
        let size =
            lengths.iter().flatten().try_fold(element.size() as u64, |size, &length| size.checked_mul(length as u64));
        let (Some(lengths), Some(size)) = (lengths, size) else {
            return refused(format!("the shape {shape:?} has more elements than there can be"), DAMAGED);
        };
        if !dataset.filters().is_empty() {
            return refused("the data are compressed".to_owned(), "store the weights as they are, as Keras does");
        }
        if size > self.length {
            let problem = format!("the shape {shape:?} needs {size} bytes, the file has {}", self.length);
            return refused(problem, DAMAGED);
        }
        if let Some(chunk) = guarded(|| dataset.chunk_shape()).map_err(|error| error.within(path))? {
            let bytes = chunk.iter().try_fold(element.size() as u64, |size, &length| size.checked_mul(length));
            if bytes.is_none_or(|bytes| bytes > self.length) {
                return refused(format!("a chunk of the shape {chunk:?} is longer than the file"), DAMAGED);
            }
        }
        Ok(Some((dataset, StoredTensor { shape: lengths.into(), element, big_endian })))
    }
}

/// How a data set is stored.
struct StoredTensor {
    shape: Shape,
    element: StoredType,
    big_endian: bool,
}

impl StoredTensor {
    fn info(&self) -> TensorInfo {
        let (shape, bytes) = (self.shape.clone(), self.shape.size() * self.element.size());
        TensorInfo { stored: format!("{:?}", self.element), element: Some(self.element.element()), shape, bytes }
    }
}

/// The type of elements, and whether their most significant bytes come first. `said` is Keras's attribute by which it marks
/// bfloat16, which HDF5 lacks: the two bytes themselves are stored as opaque.
fn element(datatype: &Datatype, said: Option<&str>) -> Option<(StoredType, bool)> {
    let is_big = |order: &DatatypeByteOrder| match order {
        DatatypeByteOrder::LittleEndian => Some(false),
        DatatypeByteOrder::BigEndian => Some(true),
        DatatypeByteOrder::Vax => None,
    };
    match datatype {
        Datatype::FloatingPoint { size, byte_order, layout } => {
            let element = match (size, layout) {
                (4, layout) if *layout == FloatingPointLayout::IEEE754_BINARY32 => StoredType::F32,
                (8, layout) if *layout == FloatingPointLayout::IEEE754_BINARY64 => StoredType::F64,
                (2, FloatingPointLayout { exponent_size: 5, mantissa_size: 10, .. }) => StoredType::F16,
                (2, FloatingPointLayout { exponent_size: 8, mantissa_size: 7, .. }) => StoredType::BF16,
                _ => return None,
            };
            Some((element, is_big(byte_order)?))
        }
        Datatype::FixedPoint { size, byte_order, layout } => {
            let element = match (size, layout.signed) {
                (1, true) => StoredType::I8,
                (2, true) => StoredType::I16,
                (4, true) => StoredType::I32,
                (8, true) => StoredType::I64,
                (1, false) => StoredType::U8,
                (2, false) => StoredType::U16,
                (4, false) => StoredType::U32,
                _ => return None,
            };
            Some((element, is_big(byte_order)?))
        }
        Datatype::Opaque { size: 2, .. } if said == Some("bfloat16") => Some((StoredType::BF16, false)),
        // How h5py stores bools: an enumeration of FALSE and TRUE.
        Datatype::Enumeration { size: 1, members, .. } if members.len() == 2 => Some((StoredType::Bool, false)),
        _ => None,
    }
}

/// The part of a file that is a file within an archive.
struct Part {
    file: FileAt,
    start: u64,
    length: u64,
}

impl hdf5_pure::Source for Part {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), FormatError> {
        let end = FormatError::UnexpectedEof { expected: bytes.len(), available: 0 };
        if offset.checked_add(bytes.len() as u64).is_none_or(|to| to > self.length) {
            return Err(end);
        }
        let mut done = 0;
        while done < bytes.len() {
            let place = self.start + offset + done as u64;
            match rawzip::ReaderAt::read_at(&self.file, &mut bytes[done..], place) {
                Ok(0) => return Err(end),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(end),
            }
        }
        Ok(())
    }
}

/// What the reader of HDF5 says, as an error of ours.
fn guarded<R>(read: impl FnOnce() -> Result<R, hdf5_pure::Error>) -> Result<R> {
    read().map_err(|error| Error::new("hdf5", format!("this is no whole HDF5 file: {error}"), DAMAGED))
}

/// A file being written: data sets by their paths, and names of groups.
#[derive(Default)]
pub(crate) struct Hdf5Writer {
    root: NewGroup,
}

#[derive(Default)]
struct NewGroup {
    name: Option<String>,
    groups: Vec<(String, NewGroup)>,
    tensors: Vec<(String, AnyTensor)>,
}

impl Hdf5Writer {
    /// Adds a group, if there is none of this path, and gives it the attribute `name`.
    pub fn group(&mut self, path: &str, name: Option<&str>) {
        let group = self.root.at(path);
        if let Some(name) = name {
            group.name = Some(name.to_owned());
        }
    }

    /// Adds a data set of floats or of whole numbers.
    pub fn tensor(&mut self, path: &str, tensor: impl Into<AnyTensor>) {
        let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.root.at(group).tensors.push((name.to_owned(), tensor.into()));
    }

    /// The bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>> {
        let failed = |error: hdf5_pure::Error| Error::new("hdf5", format!("the file cannot be made: {error}"), "");
        let mut file = hdf5_pure::FileBuilder::new();
        for (name, group) in self.root.groups {
            let mut builder = file.create_group(&name);
            group.write(&mut builder)?;
            file.add_group(builder.finish());
        }
        for (name, tensor) in self.root.tensors {
            fill(file.create_dataset(&name), &tensor)?;
        }
        file.finish().map_err(failed)
    }
}

impl NewGroup {
    fn at(&mut self, path: &str) -> &mut NewGroup {
        path.split('/').filter(|name| !name.is_empty()).fold(self, |group, name| {
            let place = group.groups.iter().position(|(of, _)| of == name).unwrap_or_else(|| {
                group.groups.push((name.to_owned(), NewGroup::default()));
                group.groups.len() - 1
            });
            &mut group.groups[place].1
        })
    }

    fn write(self, builder: &mut hdf5_pure::GroupBuilder) -> Result<()> {
        if let Some(name) = self.name {
            builder.set_attr("name", AttrValue::VarLenString(name));
        }
        for (name, group) in self.groups {
            let mut inner = builder.create_group(&name);
            group.write(&mut inner)?;
            builder.add_group(inner.finish());
        }
        for (name, tensor) in self.tensors {
            fill(builder.create_dataset(&name), &tensor)?;
        }
        Ok(())
    }
}

fn fill(dataset: &mut hdf5_pure::DatasetBuilder, tensor: &AnyTensor) -> Result<()> {
    let shape: Vec<u64> = tensor.shape().iter().map(|&length| length as u64).collect();
    if let Some(values) = tensor.get::<f32>() {
        dataset.with_f32_data(&values.to_vec());
    } else if let Some(values) = tensor.get::<f64>() {
        dataset.with_f64_data(&values.to_vec());
    } else if let Some(values) = tensor.get::<i32>() {
        dataset.with_i32_data(&values.to_vec());
    } else if let Some(values) = tensor.get::<i64>() {
        dataset.with_i64_data(&values.to_vec());
    } else {
        let problem = format!("tensors of {} are not written", tensor.element());
        return Err(Error::new("hdf5", problem, "give floats or whole numbers of 32 or 64 bits"));
    }
    dataset.with_shape(&shape);
    Ok(())
}

#[cfg(test)]
mod tests {
    use gradus_tensor::Tensor;

    use super::*;

    fn file() -> Vec<u8> {
        let mut writer = Hdf5Writer::default();
        writer.tensor("layers/dense/vars/0", Tensor::new([[1.0, 2.0], [3.0, 4.0]]));
        writer.tensor("layers/dense/vars/1", Tensor::from([7_i32, 8]));
        writer.tensor("layers/dense/vars/2", Tensor::from([5_i64]).squeeze(0));
        writer.group("layers/dense/vars", Some("first"));
        writer.group("layers/dropout/vars", Some("drop"));
        writer.finish().unwrap()
    }

    #[test]
    fn data_sets_come_back() {
        let file = Hdf5::from_bytes(file()).unwrap();
        let mut tensors = file.tensors().unwrap();
        tensors.sort();
        assert_eq!(tensors, ["layers/dense/vars/0", "layers/dense/vars/1", "layers/dense/vars/2"]);
        assert_eq!(file.read("layers/dense/vars/0").unwrap(), Tensor::new([[1.0, 2.0], [3.0, 4.0]]).into());
        assert_eq!(file.read("layers/dense/vars/1").unwrap(), Tensor::from([7_i32, 8]).into());
        assert_eq!(file.info("layers/dense/vars/2").unwrap().unwrap().shape.len(), 0);
        assert_eq!(file.texts("layers/dense/vars", "name").unwrap(), Some(vec!["first".to_owned()]));
        assert_eq!(file.texts("layers/dense", "name").unwrap(), None);
        assert!(file.has_group("layers/dropout/vars") && !file.has_group("layers/other"));
        assert!(file.info("layers/other/0").unwrap().is_none() && file.read("layers/other/0").is_err());
    }

    #[test]
    fn damaged_files_are_errors() {
        let whole = file();
        for length in [0, 7, 100] {
            let cut = Hdf5::from_bytes(whole[..length].to_vec()).and_then(|file| file.read("layers/dense/vars/0"));
            assert!(cut.is_err(), "{length}");
        }
        // Each byte changed: an error or other values, and nothing worse.
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xFF;
            if let Ok(file) = Hdf5::from_bytes(bytes) {
                for path in file.tensors().unwrap_or_default() {
                    _ = file.read(&path);
                }
                _ = file.texts("layers/dense/vars", "name");
            }
        }
    }
}
