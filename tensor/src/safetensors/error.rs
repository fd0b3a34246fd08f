//! The error of reading and writing safetensors files.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// The reason why a safetensors file could not be read or written: the file, what was found, and one thing to do.
///
/// It is one pointer wide.
///
/// ```
/// use gradus_tensor::safetensors::File;
/// let error = File::open("missing.safetensors").err().unwrap();
/// println!("{error}"); // The file, what was found, and one thing to do.
/// assert_eq!(error.path().unwrap().to_str(), Some("missing.safetensors"));
/// ```
#[derive(Debug)]
pub struct SafetensorsError(Box<Details>);

#[derive(Debug)]
struct Details {
    path: Option<PathBuf>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io { doing: String, error: io::Error },
    Content { problem: String, hint: String },
}

impl SafetensorsError {
    pub(super) fn content(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        let problem = Problem::Content { problem: problem.into(), hint: hint.into() };
        SafetensorsError(Box::new(Details { path: None, problem }))
    }

    pub(super) fn io(doing: impl Into<String>, error: io::Error) -> Self {
        SafetensorsError(Box::new(Details { path: None, problem: Problem::Io { doing: doing.into(), error } }))
    }

    pub(super) fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// The path of the file, if it was opened or written by its path.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// What is wrong, without the path and the thing to do.
    pub fn problem(&self) -> String {
        match &self.0.problem {
            Problem::Io { doing, error } => format!("{doing}: {error}"),
            Problem::Content { problem, .. } => problem.clone(),
        }
    }

    /// One thing to do.
    pub fn hint(&self) -> &str {
        match &self.0.problem {
            Problem::Io { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => "check the path",
                io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or write to another disk",
                io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => "give the path of a file",
                _ => "check the path and the disk",
            },
            Problem::Content { hint, .. } => hint,
        }
    }
}

impl fmt::Display for SafetensorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.path {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("safetensors")?,
        }
        write!(f, ": {}; {}", self.problem(), self.hint())
    }
}

impl std::error::Error for SafetensorsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io { error, .. } => Some(error),
            Problem::Content { .. } => None,
        }
    }
}
