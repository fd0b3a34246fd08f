//! ZIP archives: what `.keras`, `.pt` and `.npz` files are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use gradus_nn::{Error, Result};
use gradus_tensor::safetensors::shortened;
use rawzip::{CompressionMethod, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipArchiveWriter, ZipLocator};

/// The most files in an archive: a network of so many tensors there is not.
const MOST_ENTRIES: usize = 1 << 20;

/// An archive that has been opened: the names of its files, each read when it is asked for.
pub(crate) struct Archive {
    path: Option<PathBuf>,
    zip: ZipArchive<Box<dyn ReaderAt + Send + Sync>>,
    length: u64,
    entries: BTreeMap<String, Entry>,
}

/// A file in an archive.
struct Entry {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    size: u64,
}

impl Archive {
    /// Opens a file and reads its directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let of_path = |error: io::Error| Error::new(path.display().to_string(), error.to_string(), "check the path");
        let file = fs::File::open(path).map_err(of_path)?;
        let opened = Archive::of_file(file);
        let mut archive = opened.map_err(|error| error.within(&path.display().to_string()))?;
        archive.path = Some(path.to_owned());
        Ok(archive)
    }

    /// Reads the directory of a file that has been opened. Errors do not name its path.
    pub fn of_file(file: fs::File) -> Result<Self> {
        let length = file.metadata().map_err(|error| Error::new("archive", error.to_string(), DAMAGED))?.len();
        Archive::read_directory(Box::new(FileAt(file)), length)
    }

    /// Reads the directory of an archive in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let length = bytes.len() as u64;
        Archive::read_directory(Box::new(Cursor::new(bytes)), length)
    }

    fn read_directory(source: Box<dyn ReaderAt + Send + Sync>, length: u64) -> Result<Self> {
        let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let located = ZipLocator::new().locate_in_reader(source, &mut buffer, length);
        let zip = located.map_err(|(_, error)| damaged(error))?;
        let mut entries = BTreeMap::new();
        let mut records = zip.entries(&mut buffer);
        while let Some(record) = records.next_entry().map_err(damaged)? {
            if record.is_dir() {
                continue;
            }
            let name = String::from_utf8_lossy(record.file_path().as_ref()).into_owned();
            let (place, method) = (record.wayfinder(), record.compression_method());
            let entry = Entry { place, method, size: record.uncompressed_size_hint() };
            if entries.insert(name.clone(), entry).is_some() {
                return Err(Error::new("archive", format!("there are two files {name:?}"), DAMAGED));
            }
            if entries.len() > MOST_ENTRIES {
                return Err(Error::new("archive", format!("there are more than {MOST_ENTRIES} files"), DAMAGED));
            }
        }
        Ok(Archive { path: None, zip, length, entries })
    }

    /// The path, if the archive was opened by one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The names of the files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The bytes that a file has, as the directory says; `None` if there is no such file.
    pub fn size(&self, name: &str) -> Option<u64> {
        Some(self.entries.get(name)?.size)
    }

    /// The most bytes that a file can turn out to have, if deflate makes them at most so many times fewer.
    pub fn most_bytes(&self, name: &str, deflated: u64) -> Option<u64> {
        let entry = self.entries.get(name)?;
        let stored = entry.place.compressed_size_hint().min(self.length);
        let most = if entry.method == CompressionMethod::STORE { stored } else { stored.saturating_mul(deflated) };
        Some(most.min(entry.size))
    }

    /// The bytes of a file, one after the other. At its end, the reader compares length and checksum with those of the directory.
    pub fn reader(&self, name: &str) -> Result<Box<dyn Read + '_>> {
        let Some(entry) = self.entries.get(name) else {
            let names: Vec<&str> = self.names().collect();
            return Err(Error::new(
                "archive",
                format!("there is no file {name:?}, only {}", shortened(&names)),
                DAMAGED,
            ));
        };
        let opened = self.zip.get_entry(entry.place).map_err(|error| damaged(error).within(name))?;
        match entry.method {
            // What is stored as it is has as many bytes as it says, and those are in the file.
            CompressionMethod::STORE if entry.size > self.length => {
                let problem = format!("{name:?} has {} bytes, the archive {}", entry.size, self.length);
                Err(Error::new("archive", problem, DAMAGED))
            }
            CompressionMethod::STORE => Ok(Box::new(opened.verifying_reader(opened.reader()))),
            CompressionMethod::DEFLATE => Ok(Box::new(opened.verifying_reader(DeflateDecoder::new(opened.reader())))),
            other => {
                let problem = format!("{name:?} is compressed by method {}", other.as_u16());
                Err(Error::new("archive", problem, "store it as it is, or by deflate (method 8)"))
            }
        }
    }

    /// Where the bytes of a file that is stored as it is begin in the archive, and how many they are. They are not held against the
    /// checksum: PyTorch writes archives without true ones.
    pub fn stored(&self, name: &str) -> Result<(u64, u64)> {
        let Some(entry) = self.entries.get(name) else {
            return Err(Error::new("archive", format!("there is no file {name:?}"), DAMAGED));
        };
        if entry.method != CompressionMethod::STORE {
            let problem = format!("{name:?} is compressed by method {}", entry.method.as_u16());
            return Err(Error::new("archive", problem, "store it as it is: write the file again by what has made it"));
        }
        let opened = self.zip.get_entry(entry.place).map_err(|error| damaged(error).within(name))?;
        let (start, end) = opened.compressed_data_range();
        if end < start || end > self.length || end - start != entry.size {
            let problem = format!("{name:?} has {} bytes, and does not lie in the archive", entry.size);
            return Err(Error::new("archive", problem, DAMAGED));
        }
        Ok((start, end - start))
    }

    /// The bytes of the archive itself.
    pub fn source(&self) -> &(dyn ReaderAt + Send + Sync) {
        &**self.zip.get_ref()
    }

    /// The bytes of the whole archive.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the bytes of a file begin and end within the archive, `None` if it is compressed.
    pub fn plain_range(&self, name: &str) -> Result<Option<(u64, u64)>> {
        if self.entries.get(name).is_none_or(|entry| entry.method != CompressionMethod::STORE) {
            return Ok(None);
        }
        let (begin, length) = self.stored(name)?;
        Ok(Some((begin, begin + length)))
    }

    /// All bytes of a file, which may have `most`.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.reader(name)?.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::new("archive", format!("{name:?}: {error}"), DAMAGED))?;
        if bytes.len() as u64 > most {
            return Err(Error::new("archive", format!("{name:?} has more than {most} bytes"), DAMAGED));
        }
        Ok(bytes)
    }
}

const DAMAGED: &str = "the file is damaged or of another format: fetch or write it again";

fn damaged(error: rawzip::Error) -> Error {
    Error::new("archive", format!("this is no whole ZIP archive: {error}"), DAMAGED)
}

/// A file that is read at places, by any number of threads.
pub(crate) struct FileAt(pub fs::File);

impl ReaderAt for FileAt {
    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, bytes, place)
    }

    #[cfg(windows)]
    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, bytes, place)
    }
}

/// The bytes of a source from a place on.
pub(crate) struct At<'a> {
    pub source: &'a (dyn ReaderAt + Send + Sync),
    pub place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read_at(bytes, self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}

/// An archive being written, its files stored as they are, as Keras and PyTorch do.
pub(crate) struct ArchiveWriter<W: Write> {
    zip: ZipArchiveWriter<W>,
}

impl<W: Write> ArchiveWriter<W> {
    pub fn new(writer: W) -> Self {
        ArchiveWriter { zip: ZipArchiveWriter::new(writer) }
    }

    /// Adds a file.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (mut entry, config) = self.zip.new_file(name).start().map_err(io::Error::other)?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes)?;
        let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
        entry.finish(descriptor).map_err(io::Error::other)?;
        Ok(())
    }

    /// Writes the directory.
    pub fn finish(self) -> io::Result<W> {
        self.zip.finish().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back() {
        let mut writer = ArchiveWriter::new(Vec::new());
        writer.add("a.json", b"{}").unwrap();
        writer.add("b/c.bin", &[7; 100_000]).unwrap();
        let bytes = writer.finish().unwrap();
        let archive = Archive::from_bytes(bytes.clone()).unwrap();
        assert_eq!(archive.names().collect::<Vec<_>>(), ["a.json", "b/c.bin"]);
        assert_eq!((archive.read("a.json", 2).unwrap(), archive.size("b/c.bin")), (b"{}".to_vec(), Some(100_000)));
        assert_eq!(archive.read("b/c.bin", 100_000).unwrap(), [7; 100_000]);
        for (name, most) in [("a.json", 1), ("b/c.bin", 99_999), ("d", 9)] {
            assert!(archive.read(name, most).is_err(), "{name}");
        }
        // A byte that was changed is found by the checksum.
        let mut changed = bytes.clone();
        let place = changed.windows(8).position(|bytes| bytes == [7; 8]).unwrap();
        changed[place] = 8;
        assert!(Archive::from_bytes(changed).unwrap().read("b/c.bin", 100_000).is_err());
        for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            assert!(Archive::from_bytes(bytes[..length].to_vec()).is_err(), "{length}");
        }
    }
}
