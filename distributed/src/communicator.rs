//! What an engine offers: exchanges among ranks.

use crate::{Numbers, NumbersMut, Result};

/// An engine that carries bytes and numbers among ranks.
///
/// Every method but [`rank`](Self::rank), [`size`](Self::size), [`abandon`](Self::abandon) and [`bytes_sent`](Self::bytes_sent) is
/// an *exchange*: all ranks call it, in the same order, and each waits for the others. To exchange on two threads at once, each
/// thread has a [duplicate](Self::duplicate).
///
/// Nobody waits for ever. When a rank panics, drops its communicator or [abandons](Self::abandon) the others, their exchanges end in
/// an error that names it, or the engine ends the whole job. So does an exchange in which ranks call different methods, or say
/// different lengths.
///
/// ```
/// use gradus_distributed::{Communicator, Numbers, NumbersMut, threads};
///
/// let answers = threads::run(3, |communicator| -> gradus_distributed::Result<_> {
///     let rank = communicator.rank();
///     // Rank 0 sends its bytes to all.
///     let mut seed = if rank == 0 { [7] } else { [0] };
///     communicator.broadcast(0, &mut seed)?;
///     // Each rank has as many numbers as it is called, and gets those of all.
///     let own = vec![rank as f32; rank];
///     let mut all = [0_f32; 3];
///     communicator.all_gather_numbers(Numbers::of(&own), &[0, 1, 2], NumbersMut::of(&mut all))?;
///     // The sum over the ranks.
///     let mut sum = [1.0, rank as f64];
///     communicator.all_reduce(NumbersMut::of(&mut sum))?;
///     Ok((seed, all, sum))
/// });
/// for answer in answers {
///     assert_eq!(answer.unwrap(), ([7], [1.0, 2.0, 2.0], [3.0, 3.0]));
/// }
/// ```
///
/// # Errors
///
/// Every exchange returns an error when a rank has left, or when the ranks do not call the same. After that no exchange comes about
/// any more, and each returns the error.
///
/// # Panics
///
/// Exchanges panic if the rank's own arguments contradict each other: a root that is no rank, counts that do not add up to the length
/// of the slice, numbers of two types.
pub trait Communicator: Send + Sync {
    /// Which of the ranks this one is, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// A second communicator among the same ranks. Its exchanges never mix with this one's, so that two threads may exchange at once.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn duplicate(&self) -> Result<Box<dyn Communicator>>;

    /// Waits until all ranks are here.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn barrier(&self) -> Result<()>;

    /// Sends the bytes of rank `root` to all. Every rank gives a slice of the same length.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()>;

    /// The bytes of each rank, in the order of ranks, at every rank. Lengths may differ, and may be 0.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// The numbers of each rank, in the order of ranks, written into `all` at every rank. Rank r has `counts[r]` numbers; every rank
    /// knows all counts.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn all_gather_numbers(&self, own: Numbers<'_>, counts: &[usize], all: NumbersMut<'_>) -> Result<()>;

    /// Sends a part to each rank, and receives one from each.
    ///
    /// `own` has the parts for rank 0, 1, .. one behind the other, `received` gets those from rank 0, 1, ..; the counts are their
    /// lengths. A rank's own part is copied.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn all_to_all_numbers(
        &self,
        own: Numbers<'_>,
        send_counts: &[usize],
        received: NumbersMut<'_>,
        receive_counts: &[usize],
    ) -> Result<()>;

    /// The sum over the ranks, number by number, in place, in whatever order is fastest. All ranks have equally many.
    ///
    /// # Errors
    ///
    /// As every exchange.
    fn all_reduce(&self, numbers: NumbersMut<'_>) -> Result<()>;

    /// Says that this rank takes no further part, and why. Call it instead of silently returning early because of an error.
    ///
    /// The exchanges of the others, of duplicates too, end in an error that names this rank and the reason; or the engine prints them
    /// and ends the whole job within a second, this process included.
    fn abandon(&self, reason: &str);

    /// How many bytes this rank has sent so far, by this communicator, the one that it is a duplicate of and all their duplicates.
    ///
    /// Counted is what the exchanges carry from rank to rank: a part for the rank itself is not sent. An [`all_reduce`](Self::all_reduce)
    /// of n bytes on p ranks counts as 2 (p - 1) / p n, which is the least that it can do with.
    fn bytes_sent(&self) -> u64;
}
