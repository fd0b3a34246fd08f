//! Errors of training, evaluating and predicting.

use std::fmt;
use std::io::ErrorKind;

use gradus_tensor::safetensors::SafetensorsError;

/// An error of training, evaluating or predicting: the problem, and one thing to do. One pointer wide.
///
/// `Debug` prints the same as `Display`, so that a `main` that returns the error prints a readable message.
///
/// ```
/// use gradus_train::Error;
/// let error = Error::new("GoodEnough", "the loss must be above 0, found -1", "give a loss that can be reached");
/// let message = "GoodEnough: the loss must be above 0, found -1; give a loss that can be reached";
/// assert_eq!(error.to_string(), message);
/// ```
pub struct Error(Box<Cause>);

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

enum Cause {
    /// The error of a model, a layer or a loss, with the place in the data if it is known.
    Model { place: Option<String>, source: gradus_nn::Error },
    /// An optimiser does not suit the model.
    Optimizer(gradus_optim::StepError),
    /// A data set could not be split or read.
    Dataset(gradus_datasets::DatasetError),
    /// A file or a folder could not be read or written.
    File { path: String, source: std::io::Error },
    /// Another rank's error, or that of all ranks.
    Rank { rank: usize, message: String },
    /// The ranks cannot reach each other.
    Communication(gradus_distributed::CommunicationError),
    /// Any other error: the place, the problem, and one thing to do.
    Other { place: String, problem: String, hint: String },
}

impl Error {
    /// An error at `place`: `problem` says what was found and expected, `hint` one thing to do.
    pub fn new(place: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Error(Box::new(Cause::Other { place: place.into(), problem: problem.into(), hint: hint.into() }))
    }

    /// An error of a model or a loss at a place in the data.
    pub(crate) fn at(place: String, source: gradus_nn::Error) -> Self {
        Error(Box::new(Cause::Model { place: Some(place), source }))
    }

    /// The error of a rank, as all ranks return it.
    pub(crate) fn of_rank(rank: usize, message: String) -> Self {
        Error(Box::new(Cause::Rank { rank, message }))
    }

    /// This error, found at `outer`, which its message then begins with.
    pub(crate) fn within(self, outer: &str) -> Error {
        match *self.0 {
            Cause::Model { place: None, source } => Error::at(outer.to_owned(), source),
            Cause::Other { place, problem, hint } => Error::new(format!("{outer}: {place}"), problem, hint),
            cause => Error(Box::new(cause)),
        }
    }

    /// A file or a folder that could not be read or written.
    pub fn file(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Error(Box::new(Cause::File { path: path.as_ref().display().to_string(), source }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Model { place: None, source } => source.fmt(f),
            Cause::Model { place: Some(place), source } => write!(f, "{place}: {source}"),
            Cause::Optimizer(error) => write!(f, "the optimiser: {error}"),
            Cause::Dataset(error) => fmt::Display::fmt(error, f),
            Cause::File { path, source } => {
                let hint = match source.kind() {
                    ErrorKind::NotFound => "give a path that exists, or one in a folder that does",
                    ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                        "there is a file where a folder is needed: give another path"
                    }
                    ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
                    ErrorKind::IsADirectory => "this is a folder: give the path of a file",
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or give a path on another disk",
                    _ => "check the path and the disk",
                };
                write!(f, "{path}: {source}; {hint}")
            }
            Cause::Rank { rank, message } => write!(f, "rank {rank}: {message}"),
            Cause::Communication(error) => write!(f, "{error}; start all ranks again, from the last checkpoint"),
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
        Error(Box::new(Cause::Model { place: None, source: error }))
    }
}

impl From<gradus_datasets::DatasetError> for Error {
    fn from(error: gradus_datasets::DatasetError) -> Self {
        Error(Box::new(Cause::Dataset(error)))
    }
}

impl From<gradus_distributed::CommunicationError> for Error {
    fn from(error: gradus_distributed::CommunicationError) -> Self {
        Error(Box::new(Cause::Communication(error)))
    }
}

impl From<SafetensorsError> for Error {
    fn from(error: SafetensorsError) -> Self {
        let place = error.path().map_or("safetensors".to_owned(), |path| path.display().to_string());
        Error::new(place, error.problem(), error.hint())
    }
}

impl From<gradus_optim::StepError> for Error {
    fn from(error: gradus_optim::StepError) -> Self {
        Error(Box::new(Cause::Optimizer(error)))
    }
}

/// The first error that a sample of a batch gives by itself, and the row of the sample. `None` if none does, or if all do, as by
/// their shape: then no sample is the cause.
pub(crate) fn of_one_sample<E>(mut errors: impl Iterator<Item = Option<E>>) -> Option<(usize, E)> {
    let first = errors.by_ref().enumerate().find_map(|(row, error)| Some((row, error?)))?;
    let all_do = first.0 == 0 && errors.all(|error| error.is_some());
    (!all_do).then_some(first)
}
