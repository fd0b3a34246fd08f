//! The error of an exchange.

use std::fmt;

/// What exchanges return.
///
/// ```
/// use gradus_distributed::{Communicator, Result};
/// fn greet(communicator: &dyn Communicator) -> Result<Vec<Vec<u8>>> {
///     communicator.all_gather(b"hello")
/// }
/// let answers = gradus_distributed::threads::run(2, |communicator| greet(&*communicator));
/// assert_eq!(answers[0], Ok(vec![b"hello".to_vec(), b"hello".to_vec()]));
/// ```
pub type Result<T> = std::result::Result<T, CommunicationError>;

/// An exchange among ranks did not come about: one of them has left, or they do not call the same.
///
/// One pointer wide. The ranks of a failed exchange are out of step, so all later ones of the same communicator fail, too.
///
/// ```
/// use gradus_distributed::threads;
/// let answers = threads::run(2, |communicator| match communicator.rank() {
///     0 => communicator.barrier(),
///     _ => {
///         communicator.abandon("the disk is full");
///         Ok(())
///     }
/// });
/// let error = answers[0].as_ref().unwrap_err();
/// assert_eq!(error.to_string(), "rank 1 has left: the disk is full");
/// assert_eq!(error.rank(), Some(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunicationError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    message: String,
    rank: Option<usize>,
}

impl CommunicationError {
    /// An error with a message. Engines make errors; so this matters to those who write one.
    ///
    /// ```
    /// use gradus_distributed::CommunicationError;
    /// let error = CommunicationError::new("no route to host");
    /// assert_eq!((error.to_string().as_str(), error.rank()), ("no route to host", None));
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        CommunicationError(Box::new(Inner { message: message.into(), rank: None }))
    }

    /// The error that a rank takes no further part, with the reason.
    ///
    /// ```
    /// use gradus_distributed::CommunicationError;
    /// let error = CommunicationError::left(2, "it panicked");
    /// assert_eq!((error.to_string().as_str(), error.rank()), ("rank 2 has left: it panicked", Some(2)));
    /// ```
    pub fn left(rank: usize, reason: &str) -> Self {
        CommunicationError(Box::new(Inner { message: format!("rank {rank} has left: {reason}"), rank: Some(rank) }))
    }

    /// The rank that has left, if that is the reason.
    pub fn rank(&self) -> Option<usize> {
        self.0.rank
    }
}

impl fmt::Display for CommunicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.message.fmt(f)
    }
}

impl std::error::Error for CommunicationError {}
