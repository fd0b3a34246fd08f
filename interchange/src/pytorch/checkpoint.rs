//! Files that `torch.save` writes: ZIP archives with the elements beside a pickle, and the older form, in which pickles and elements
//! follow each other.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use gradus_nn::{Error, Result};
use gradus_tensor::safetensors::{TensorInfo, shortened};
use gradus_tensor::{AnyTensor, Element, Shape, Tensor};
use rawzip::ReaderAt;

use super::elements::ElementType;
use super::pickle::{MOST_BYTES, Pickle, Storage, Value, View};
use crate::archive::{Archive, At};

/// The first pickle of a file in the form before PyTorch 1.6: a number by which it is known.
pub(crate) const OLD_FORM: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The elements that an expanded tensor may have more than its storage.
const MOST_REPEATED: u64 = 1 << 24;

const DAMAGED: &str = "the file is damaged: fetch it or write it again";

/// A file that has been opened: where each of its tensors lies.
pub(super) struct Checkpoint {
    source: Source,
    big_endian: bool,
    /// In the order of the file.
    pub names: Vec<String>,
    tensors: HashMap<String, Placed>,
}

enum Source {
    Archive(Archive),
    Old(Box<dyn ReaderAt + Send + Sync>),
}

/// A tensor, and where its storage begins in the file.
struct Placed {
    view: Arc<View>,
    start: u64,
}

/// The bytes of a storage in the file.
#[derive(Clone, Copy)]
struct Extent {
    start: u64,
    length: u64,
}

impl Checkpoint {
    /// The file in an archive, if it is one of PyTorch.
    pub fn of_archive(archive: Archive) -> Result<Self> {
        let roots: Vec<&str> = archive.names().filter_map(|name| name.strip_suffix("data.pkl")).collect();
        let root = match roots[..] {
            [root] if root.is_empty() || root.ends_with('/') => root.to_owned(),
            _ => {
                let names: Vec<&str> = archive.names().collect();
                let problem = format!("the archive has no single file data.pkl, but {}", shortened(&names));
                return Err(Error::new("archive", problem, "give a file that torch.save has written"));
            }
        };
        let byte_order = format!("{root}byteorder");
        let big_endian = match archive.size(&byte_order) {
            None => false,
            Some(_) => match &*archive.bytes_stored(&byte_order, 16)? {
                b"little" => false,
                b"big" => true,
                other => {
                    let problem = format!("the byte order is {:?}, not little or big", String::from_utf8_lossy(other));
                    return Err(Error::new("archive", problem, DAMAGED));
                }
            },
        };
        let pickle = Pickle::read(&archive.bytes_stored(&format!("{root}data.pkl"), MOST_BYTES)?)?;
        let extent = |storage: &Storage| {
            let (start, length) = archive.stored(&format!("{root}data/{}", storage.key))?;
            Ok(Extent { start, length })
        };
        let (names, tensors) = placed(&pickle, extent)?;
        Ok(Checkpoint { source: Source::Archive(archive), big_endian, names, tensors })
    }

    /// A file in the form before PyTorch 1.6, which begins with [`OLD_FORM`]: a version, facts about the machine, the tensors, the
    /// keys of their storages, and these in that order, each behind the number of its elements.
    pub fn of_old_form(source: Box<dyn ReaderAt + Send + Sync>, length: u64) -> Result<Self> {
        // Most pickles are short.
        let read = read_old_pickles(&*source, length.min(1 << 20));
        let pickles =
            if length > 1 << 20 { read.or_else(|_| read_old_pickles(&*source, length.min(MOST_BYTES))) } else { read };
        let ([version, machine, tensors, keys], place) = pickles?;
        if !matches!(version.value, Value::Int(1001)) {
            let problem = format!("the version of the file is {:?}, 1001 is known", version.value);
            return Err(Error::new("file", problem, "load and save it again in PyTorch"));
        }
        let big_endian = matches!(machine.get("little_endian"), Some(Value::Bool(false)));
        let found = tensors.tensors()?;
        let mut sizes: HashMap<&str, usize> = HashMap::new();
        for (_, view) in &found {
            let storage = &*view.storage;
            sizes.insert(&storage.key, storage.element.map_or(1, |element| element.size));
        }
        let mut extents = HashMap::new();
        let mut place = place;
        for key in keys.list().ok_or_else(|| Error::new("file", "the keys of the storages are no list", DAMAGED))? {
            let Value::Text(key) = key else {
                return Err(Error::new("file", "the key of a storage is no text", DAMAGED));
            };
            let Some(&size) = sizes.get(&**key) else {
                // Elements that no tensor has: of which size is not known, so what follows cannot be found.
                let problem = format!("no tensor has the storage {key:?}, whose elements are in the file");
                return Err(Error::new("file", problem, "load and save it again in PyTorch"));
            };
            let mut count = [0; 8];
            if place.checked_add(8).is_none_or(|end| end > length) {
                return Err(Error::new("file", format!("it ends before the storage {key:?}"), DAMAGED));
            }
            let read = io::Read::read_exact(&mut At { source: &*source, place }, &mut count);
            read.map_err(|error| Error::new("file", format!("the storage {key:?}: {error}"), DAMAGED))?;
            let count = if big_endian { u64::from_be_bytes(count) } else { u64::from_le_bytes(count) };
            let start = place + 8;
            let Some(bytes) = count.checked_mul(size as u64).filter(|&bytes| bytes <= length - start) else {
                let problem = format!("the storage {key:?} of {count} elements is longer than the file");
                return Err(Error::new("file", problem, DAMAGED));
            };
            extents.insert(Arc::clone(key), Extent { start, length: bytes });
            place = start + bytes;
        }
        let extent = |storage: &Storage| {
            let (key, size) = (&storage.key, storage.element.map_or(1, |element| element.size) as u64);
            let part = extents.get(key).zip(storage.first.checked_mul(size));
            let (whole, skipped) = part.filter(|(whole, skipped)| *skipped <= whole.length).ok_or_else(|| {
                let problem = format!("the storage {key:?} is not in the file, or shorter than it should be");
                Error::new("file", problem, DAMAGED)
            })?;
            Ok(Extent { start: whole.start + skipped, length: whole.length - skipped })
        };
        let (names, tensors) = placed(&tensors, extent)?;
        Ok(Checkpoint { source: Source::Old(source), big_endian, names, tensors })
    }

    /// What is known of a tensor.
    pub fn info(&self, name: &str) -> Option<TensorInfo> {
        let view = &self.tensors.get(name)?.view;
        let element = view.element.stored.map(gradus_tensor::StoredType::element);
        let shape = Shape::from(&view.shape[..]);
        let bytes = view.element.size * shape.size();
        Some(TensorInfo { stored: view.element.name.to_owned(), element, shape, bytes })
    }

    /// Reads a tensor.
    pub fn read(&self, name: &str) -> Result<AnyTensor> {
        let Some(Placed { view, start }) = self.tensors.get(name) else {
            let problem = format!("there is no tensor {name:?}, only {}", shortened(&self.names));
            return Err(Error::new("load", problem, "check the name"));
        };
        let ElementType { name: element, size, stored } = view.element;
        let Some(stored) = stored else {
            let problem = format!("the tensor {name:?} has elements {element}, which are not read");
            return Err(Error::new("load", problem, "convert it in PyTorch, such as by .float()"));
        };
        let source = match &self.source {
            Source::Archive(archive) => archive.source(),
            Source::Old(source) => &**source,
        };
        let mut at = At { source, place: start + view.offset * size as u64 };
        let read = |shape: Shape, at: &mut At<'_>| match self.big_endian {
            false => stored.read(shape, at),
            true => stored.read_big_endian(shape, at),
        };
        let failed = |error: io::Error| {
            Error::new("load", format!("the tensor {name:?} cannot be read: {error}"), "check the file and the memory")
        };
        let shape = Shape::from(&view.shape[..]);
        if view.is_contiguous() {
            return read(shape, &mut at).map_err(failed);
        }
        let elements = read(Shape::from(view.span() as usize), &mut at).map_err(failed)?;
        Ok(match elements {
            AnyTensor::F32(x) => gathered(&x, view).into(),
            AnyTensor::F64(x) => gathered(&x, view).into(),
            AnyTensor::I8(x) => gathered(&x, view).into(),
            AnyTensor::I16(x) => gathered(&x, view).into(),
            AnyTensor::I32(x) => gathered(&x, view).into(),
            AnyTensor::I64(x) => gathered(&x, view).into(),
            AnyTensor::U8(x) => gathered(&x, view).into(),
            AnyTensor::Bool(x) => gathered(&x, view).into(),
        })
    }
}

impl Archive {
    /// The bytes of a small file, without a look at its checksum, which PyTorch may leave out.
    fn bytes_stored(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let (place, length) = self.stored(name)?;
        if length > most {
            return Err(Error::new(
                "archive",
                format!("{name:?} has {length} bytes, {most} at most are read"),
                DAMAGED,
            ));
        }
        let mut bytes = vec![0; length as usize];
        let read = io::Read::read_exact(&mut At { source: self.source(), place }, &mut bytes);
        read.map_err(|error| Error::new("archive", format!("{name:?}: {error}"), DAMAGED))?;
        Ok(bytes)
    }
}

/// The pickles behind the first one in the old form, which are among so many bytes, and where they end.
fn read_old_pickles(source: &(dyn ReaderAt + Send + Sync), length: u64) -> Result<([Pickle; 4], u64)> {
    let mut head = Vec::new();
    let read = io::Read::read_to_end(&mut io::Read::take(At { source, place: 0 }, length), &mut head);
    read.map_err(|error| Error::new("file", error.to_string(), DAMAGED))?;
    let mut place = OLD_FORM.len();
    let mut next = || {
        let pickle = Pickle::read(&head[place.min(head.len())..]);
        let pickle = pickle.map_err(|error| error.within(&format!("the pickle at byte {place}")))?;
        place += pickle.length;
        Ok::<_, Error>(pickle)
    };
    let pickles = [next()?, next()?, next()?, next()?];
    Ok((pickles, place as u64))
}

/// The tensors of a pickle with their places, in its order and by name. Each lies within its storage.
fn placed(
    pickle: &Pickle,
    extent: impl Fn(&Storage) -> Result<Extent>,
) -> Result<(Vec<String>, HashMap<String, Placed>)> {
    let (mut names, mut tensors) = (Vec::new(), HashMap::new());
    // Tied weights have one storage, which is looked for once.
    let mut extents: HashMap<(Arc<str>, u64), Extent> = HashMap::new();
    for (name, view) in pickle.tensors()? {
        let key = (Arc::clone(&view.storage.key), view.storage.first);
        let found = match extents.get(&key) {
            Some(found) => *found,
            None => extent(&view.storage).map_err(|error| error.within(&format!("tensor {name:?}")))?,
        };
        extents.insert(key, found);
        view.check(found.length).map_err(|problem| Error::new(format!("tensor {name:?}"), problem, DAMAGED))?;
        tensors.insert(name.clone(), Placed { view, start: found.start });
        names.push(name);
    }
    Ok((names, tensors))
}

impl View {
    /// Whether the tensor lies within a storage of so many bytes, and is no larger than that allows.
    fn check(&self, bytes: u64) -> Result<(), String> {
        let claimed = self.storage.element.map_or(1, |element| element.size as u64).checked_mul(self.storage.count);
        if claimed.is_none_or(|claimed| claimed > bytes) {
            return Err(format!("its storage of {} elements has {bytes} bytes in the file", self.storage.count));
        }
        let elements = bytes / self.element.size as u64;
        let shape = &self.shape;
        let size = shape.iter().try_fold(1_u64, |size, &length| size.checked_mul(length as u64));
        let memory = shape.iter().try_fold(16_usize, |size, &length| size.checked_mul(length.max(1)));
        let (Some(size), Some(_)) = (size, memory.filter(|&bytes| bytes <= isize::MAX as usize)) else {
            return Err(format!("its shape {shape:?} is larger than any memory"));
        };
        if size == 0 {
            return Ok(());
        }
        let steps =
            shape.iter().zip(&self.strides).map(|(&length, &stride)| (length as u64 - 1).checked_mul(stride as u64));
        let last = { steps }.try_fold(self.offset, |last, step| last.checked_add(step?));
        if last.is_none_or(|last| last >= elements) {
            let View { offset, strides, .. } = self;
            return Err(format!(
                "its shape {shape:?} in steps of {strides:?} from element {offset} leaves its storage of {elements} elements"
            ));
        }
        if size > elements.max(MOST_REPEATED) {
            return Err(format!("its shape {shape:?} repeats the {elements} elements of its storage too often"));
        }
        Ok(())
    }

    fn is_contiguous(&self) -> bool {
        let mut next = 1;
        let fits = |(&length, &stride): (&usize, &usize)| {
            let fits = length == 1 || stride == next;
            next *= length;
            fits
        };
        self.shape.contains(&0) || self.shape.iter().zip(&self.strides).rev().all(fits)
    }

    /// The elements from the first to the last.
    fn span(&self) -> u64 {
        1 + self
            .shape
            .iter()
            .zip(&self.strides)
            .map(|(&length, &stride)| (length as u64 - 1) * stride as u64)
            .sum::<u64>()
    }
}

/// The elements of a view, from those between its first and its last.
fn gathered<T: Element>(x: &Tensor<T>, view: &View) -> Tensor<T> {
    let flat = x.as_slice().expect("a tensor that has been read is contiguous");
    let (shape, strides) = (&view.shape, &view.strides);
    let Some((&length, outer)) = shape.split_last() else { return x.reshape([]) };
    let stride = strides[outer.len()];
    let mut elements = Vec::with_capacity(shape.iter().product());
    let mut index = vec![0; outer.len()];
    let mut place = 0;
    'lines: loop {
        elements.extend((0..length).map(|i| flat[place + i * stride]));
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < outer[axis] {
                continue 'lines;
            }
            place -= strides[axis] * outer[axis];
            index[axis] = 0;
        }
        break;
    }
    Tensor::from_vec(elements, &shape[..]).expect("as many elements as the shape has")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A file in the old form: a tensor of two elements over elements 1 to 3 of a storage of four, by `part`.
    fn old_form(part: &[u8], elements: &[f32]) -> Result<AnyTensor> {
        let facts = b"\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s.";
        let tensor =
            b"\x80\x02}X\x01\0\0\0xctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n\
                       X\x01\0\0\0kX\x03\0\0\0cpuK\x04";
        let rest = b"tQK\x01K\x02\x85K\x01\x85\x89}tRs.\x80\x02]X\x01\0\0\0ka.";
        let mut bytes = [OLD_FORM, facts, tensor, part, rest, &(elements.len() as u64).to_le_bytes()].concat();
        elements.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        let length = bytes.len() as u64;
        Checkpoint::of_old_form(Box::new(Cursor::new(bytes)), length)?.read("x")
    }

    #[test]
    fn parts_of_storages_are_read() {
        let elements = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(old_form(b"N", &elements).unwrap(), Tensor::new([1.0, 2.0]).into());
        assert_eq!(old_form(b"X\x01\0\0\0pK\x01K\x03\x87", &elements).unwrap(), Tensor::new([2.0, 3.0]).into());
        for part in [&b"X\x01\0\0\0pK\x02K\x03\x87"[..], b"X\x01\0\0\0pK\x05K\x01\x87", b"X\x01\0\0\0pK\x02K\x02\x87"] {
            assert!(old_form(part, &elements).is_err());
        }
        assert!(old_form(b"N", &elements[..3]).is_err());
    }
}
