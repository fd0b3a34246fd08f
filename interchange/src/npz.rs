//! NumPy's `.npz` files: arrays by name in a ZIP archive.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use gradus_nn::{Error, Result};
use gradus_tensor::npy::NpyHeader;
use gradus_tensor::safetensors::{TensorInfo, shortened};
use gradus_tensor::{AnyTensor, Element, Shape, StoredType, Tensor, write_atomically};

use crate::archive::{Archive, ArchiveWriter};

const DAMAGED: &str = "the file is damaged or no .npz: save it again by np.savez(path, name=array)";
/// By how much deflate makes bytes fewer at most, with something to spare.
const MOST_DEFLATED: u64 = 1100;

/// A `.npz` file that has been opened: its names, and its arrays on demand.
///
/// Arrays are stored as they are or deflated, in either byte order and either order of the axes. Floats of two bytes are read as f32,
/// unsigned numbers of two and four bytes as the next larger signed type. Objects, texts and complex numbers are refused.
///
/// ```
/// use gradus_interchange::npz::{self, NpzFile};
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_npz_{}.npz", std::process::id()));
/// npz::save(&path, [("kernel", Tensor::new([[1.0, 2.0]]))])?;
/// let file = NpzFile::open(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["kernel"]);
/// assert_eq!(file.read("kernel")?, Tensor::new([[1.0, 2.0]]).into());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct NpzFile {
    archive: Archive,
    arrays: BTreeMap<String, NpyHeader>,
}

impl NpzFile {
    /// Opens a file and reads the headers of its arrays.
    ///
    /// # Errors
    /// If there is no such file, it is no `.npz`, or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let within = |error: Error| error.within(&path.display().to_string());
        NpzFile::of_archive(Archive::open(path)?).map_err(within)
    }

    /// The arrays of an archive.
    pub(crate) fn of_archive(archive: Archive) -> Result<Self> {
        let mut arrays = BTreeMap::new();
        for file in archive.names() {
            let Some(name) = file.strip_suffix(".npy") else {
                let problem = format!("the archive holds {file:?}, which is no array (.npy)");
                return Err(Error::new("npz", problem, DAMAGED));
            };
            let header = NpyHeader::read(archive.reader(file)?).map_err(|error| of_npy(name, &error))?;
            arrays.insert(name.to_owned(), header);
        }
        Ok(NpzFile { archive, arrays })
    }

    /// The names of the arrays, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// What is known of an array without reading it; `None` if there is none of this name. Its type is NumPy's: `"f4"`.
    pub fn info(&self, name: &str) -> Option<TensorInfo> {
        let header = self.arrays.get(name)?;
        let bytes = header.shape.size() * header.stored.map_or(1, StoredType::size);
        let element = header.stored.map(StoredType::element);
        Some(TensorInfo { stored: header.code.clone(), element, shape: header.shape.clone(), bytes })
    }

    /// Reads an array.
    ///
    /// # Errors
    /// If there is no array of this name, its elements are of a type that is not read, or the file is damaged.
    pub fn read(&self, name: &str) -> Result<AnyTensor> {
        self.read_array(name).map_err(|error| match self.archive.path() {
            Some(path) => error.within(&path.display().to_string()),
            None => error,
        })
    }

    fn read_array(&self, name: &str) -> Result<AnyTensor> {
        let Some(header) = self.arrays.get(name) else {
            let problem = format!("there is no array {name:?}, only {}", shortened(&self.names().collect::<Vec<_>>()));
            return Err(Error::new("npz", problem, "check the name"));
        };
        let Some(stored) = header.stored else {
            let problem =
                format!("the array {name:?} has elements of NumPy's type {:?}, which are not read", header.code);
            return Err(Error::new("npz", problem, header.advice()));
        };
        let file = format!("{name}.npy");
        // The memory is taken before the elements come, so the claim is held against the bytes that there are.
        let there = self.archive.most_bytes(&file, MOST_DEFLATED).unwrap_or(0);
        let needed = header.shape.size().checked_mul(stored.size()).map(|bytes| bytes as u64);
        if needed.is_none_or(|needed| needed > there) {
            let problem = format!("the array {name:?} of shape {} is longer than its file", header.shape);
            return Err(Error::new("npz", problem, DAMAGED));
        }
        let mut reader = self.archive.reader(&file)?;
        NpyHeader::read(&mut reader).map_err(|error| of_npy(name, &error))?;
        let shape: Shape = match header.fortran_order {
            false => header.shape.clone(),
            true => header.shape.iter().rev().copied().collect(),
        };
        let read = match header.big_endian {
            false => stored.read(shape, &mut reader),
            true => stored.read_big_endian(shape, &mut reader),
        };
        let failed = |error: std::io::Error| Error::new("npz", format!("the array {name:?}: {error}"), DAMAGED);
        let x = read.map_err(failed)?;
        // The end, at which the checksum is looked at.
        if reader.read(&mut [0]).map_err(failed)? != 0 {
            return Err(Error::new("npz", format!("bytes follow the array {name:?} in its file"), DAMAGED));
        }
        Ok(if header.fortran_order { turned(&x) } else { x })
    }
}

/// Reads all arrays of a `.npz` file. [`NpzFile`] reads them one at a time.
///
/// ```
/// use gradus_interchange::npz;
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_npz_load_{}.npz", std::process::id()));
/// npz::save(&path, [("ids", Tensor::from([3_i64, 1])), ("more", Tensor::from([2]))])?;
/// assert_eq!(npz::load(&path)?["ids"], Tensor::from([3_i64, 1]).into());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// As [`NpzFile::open`] and [`NpzFile::read`].
pub fn load(path: impl AsRef<Path>) -> Result<BTreeMap<String, AnyTensor>> {
    let file = NpzFile::open(path)?;
    file.names().map(|name| Ok((name.to_owned(), file.read(name)?))).collect()
}

/// Writes arrays into a `.npz` file, which `numpy.load` reads: stored as they are, in the order given. The same arrays are the same
/// bytes. A crash leaves the old file or the new one.
///
/// ```
/// use gradus_interchange::npz;
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_npz_save_{}.npz", std::process::id()));
/// npz::save(&path, [("x", Tensor::new([1.0, 2.0]))])?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written, or two arrays have one name.
pub fn save<N: AsRef<str>, A: Into<AnyTensor>>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (N, A)>,
) -> Result<()> {
    let path = path.as_ref();
    let arrays: Vec<(N, AnyTensor)> = arrays.into_iter().map(|(name, array)| (name, array.into())).collect();
    let place = || path.display().to_string();
    let mut names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::new(place(), format!("two arrays are named {:?}", pair[0]), "give each a name of its own"));
    }
    let written = write_atomically(path, |file| {
        let mut writer = ArchiveWriter::new(std::io::BufWriter::new(file));
        for (name, array) in &arrays {
            writer.add(&format!("{}.npy", name.as_ref()), &npy(array)?)?;
        }
        std::io::Write::flush(&mut writer.finish()?)
    });
    written.map_err(|error| Error::new(place(), error.to_string(), "check the path and the disk"))
}

/// An array as the bytes of a `.npy` file.
fn npy(array: &AnyTensor) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = match array {
        AnyTensor::F32(x) => x.write_npy(&mut bytes),
        AnyTensor::F64(x) => x.write_npy(&mut bytes),
        AnyTensor::I8(x) => x.write_npy(&mut bytes),
        AnyTensor::I16(x) => x.write_npy(&mut bytes),
        AnyTensor::I32(x) => x.write_npy(&mut bytes),
        AnyTensor::I64(x) => x.write_npy(&mut bytes),
        AnyTensor::U8(x) => x.write_npy(&mut bytes),
        AnyTensor::Bool(x) => x.write_npy(&mut bytes),
    };
    written.map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// The axes in the reverse order.
fn turned(x: &AnyTensor) -> AnyTensor {
    fn axes<T: Element>(x: &Tensor<T>) -> AnyTensor {
        let order: Vec<isize> = (0..x.ndim() as isize).rev().collect();
        x.permute(order).contiguous().into()
    }
    match x {
        AnyTensor::F32(x) => axes(x),
        AnyTensor::F64(x) => axes(x),
        AnyTensor::I8(x) => axes(x),
        AnyTensor::I16(x) => axes(x),
        AnyTensor::I32(x) => axes(x),
        AnyTensor::I64(x) => axes(x),
        AnyTensor::U8(x) => axes(x),
        AnyTensor::Bool(x) => axes(x),
    }
}

fn of_npy(name: &str, error: &gradus_tensor::npy::NpyError) -> Error {
    Error::new("npz", format!("the array {name:?} is no .npy file: {error}"), DAMAGED)
}
