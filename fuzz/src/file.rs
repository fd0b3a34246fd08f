//! Bytes as a file, for readers that take paths.

use std::path::{Path, PathBuf};

/// A file of these bytes, in memory where the system has files there. It is removed when this is dropped.
pub struct FuzzFile(PathBuf);

impl FuzzFile {
    /// Names are told apart within a process, and processes from each other.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let path = folder.join(format!("gradus_fuzz_{name}_{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        FuzzFile(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for FuzzFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
