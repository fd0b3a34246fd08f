//! What can be wrong with what comes from outside: shapes, weights, files.

use std::fmt;

use gradus_tensor::safetensors::SafetensorsError;

/// Where something is wrong, what, and what to do about it. One pointer wide.
///
/// `Debug` prints the same as `Display`, so that a `main` that returns it says something readable.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// let network = Sequential::new().add(Dense::new(0));
/// let error = Model::build(network, [4], 42).err().unwrap();
/// assert_eq!(error.to_string().split(':').next(), Some("layer 0 (Dense)"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    place: String,
    problem: String,
    hint: String,
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error at `place` (a layer's path, a method), with what was found and expected, and one thing to do.
    pub fn new(place: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Error(Box::new(Parts { place: place.into(), problem: problem.into(), hint: hint.into() }))
    }

    /// A file that could not be read or written; its place is its path.
    // No `From`: with a second one, closures of a program need annotations.
    pub(crate) fn file(error: SafetensorsError) -> Self {
        let place = error.path().map_or_else(|| "safetensors".to_owned(), |path| path.display().to_string());
        Error::new(place, error.problem(), error.hint())
    }

    /// The same error, at its place within a larger one: a file, a network.
    pub fn within(mut self, place: &str) -> Self {
        self.0.place = format!("{place}: {}", self.0.place);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { place, problem, hint } = &*self.0;
        write!(f, "{place}: {problem}")?;
        if hint.is_empty() { Ok(()) } else { write!(f, "; {hint}") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
