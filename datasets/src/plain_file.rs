//! A file of which bytes are read at places.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{DatasetError, Result};
use crate::source::{ByteSource, read_error};

/// A file that is not packed. Threads read it in turn: bytes are read faster than numbers are made of them.
pub(crate) struct PlainFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl PlainFile {
    /// # Errors
    /// If the file is missing, cannot be read, or is packed.
    pub fn open(path: &Path) -> Result<PlainFile> {
        if ByteSource::open(path)?.is_packed() {
            let hint = "unpack it, or read it as a stream";
            return Err(
                DatasetError::new("a packed file", "a plain one, whose samples have places", hint).in_file(path)
            );
        }
        let file = File::open(path).map_err(|error| read_error(&error).in_file(path))?;
        Ok(PlainFile { path: path.to_owned(), file: Mutex::new(file) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes.
    pub fn length(&self) -> Result<u64> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.metadata().map_err(|error| read_error(&error).in_file(&self.path))?.len())
    }

    /// Appends the `count` bytes from a place on, or fewer where the file ends; returns how many.
    pub fn append(&self, place: u64, count: u64, bytes: &mut Vec<u8>) -> Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = || {
            file.seek(SeekFrom::Start(place))?;
            file.by_ref().take(count).read_to_end(bytes)
        };
        read().map(|read| read as u64).map_err(|error| read_error(&error).in_file(&self.path))
    }
}
