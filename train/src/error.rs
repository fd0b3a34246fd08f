//! What can go wrong in training.

use std::fmt;

/// Why training, evaluating or predicting could not be done, with one thing to do. One pointer wide.
///
/// `Debug` prints the same as `Display`, so that a `main` that returns it says something readable.
pub struct Error(Box<Cause>);

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

enum Cause {
    /// A model, layer or loss could not take what it was given.
    Model(gradus_nn::Error),
    /// A data set could not be split or read.
    Dataset(gradus_datasets::DatasetError),
    /// A file could not be written.
    File { path: String, source: std::io::Error },
    /// Anything else: the place, the problem, and what to do.
    Other { place: String, problem: String, hint: String },
}

impl Error {
    /// An error at `place`, with what was found and expected, and one thing to do.
    pub fn new(place: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Error(Box::new(Cause::Other { place: place.into(), problem: problem.into(), hint: hint.into() }))
    }

    /// A file that could not be written.
    pub fn file(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Error(Box::new(Cause::File { path: path.as_ref().display().to_string(), source }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Model(error) => error.fmt(f),
            Cause::Dataset(error) => fmt::Display::fmt(error, f),
            Cause::File { path, source } => {
                write!(f, "{path}: {source}; give a path in a folder that exists and may be written to")
            }
            Cause::Other { place, problem, hint } => write!(f, "{place}: {problem}; {hint}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Cause::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<gradus_nn::Error> for Error {
    fn from(error: gradus_nn::Error) -> Self {
        Error(Box::new(Cause::Model(error)))
    }
}

impl From<gradus_datasets::DatasetError> for Error {
    fn from(error: gradus_datasets::DatasetError) -> Self {
        Error(Box::new(Cause::Dataset(error)))
    }
}
