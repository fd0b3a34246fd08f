//! The error of reading and writing `.npy` files.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// The reason why a `.npy` file could not be read or written: the file, the byte, what was expected and what was found there.
///
/// It is one pointer wide.
///
/// ```
/// use gradus_tensor::Tensor;
/// let error = Tensor::<f32>::load_npy("missing.npy").unwrap_err();
/// assert!(error.to_string().starts_with("missing.npy"));
/// ```
#[derive(Debug)]
pub struct NpyError(Box<Details>);

#[derive(Debug)]
struct Details {
    path: Option<PathBuf>,
    offset: u64,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Content { expected: String, found: String },
}

impl NpyError {
    pub(super) fn content(offset: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let problem = Problem::Content { expected: expected.into(), found: found.into() };
        NpyError(Box::new(Details { path: None, offset, problem }))
    }

    pub(super) fn io(offset: u64, error: io::Error) -> Self {
        NpyError(Box::new(Details { path: None, offset, problem: Problem::Io(error) }))
    }

    pub(super) fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// The path of the file, if it was opened by its path.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte of the stream at which reading or writing stopped.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { path, offset, problem } = &*self.0;
        match path {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("npy")?,
        }
        match problem {
            Problem::Io(error) => write!(f, ": byte {offset}: {error}"),
            Problem::Content { expected, found } => write!(f, ": byte {offset}: expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for NpyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io(error) => Some(error),
            Problem::Content { .. } => None,
        }
    }
}
