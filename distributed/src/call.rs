//! What a rank calls, in a few numbers, by which the ranks see whether all call the same.

use crate::{CommunicationError, Numbers, NumbersMut, Result};

/// Which exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Duplicate,
    Barrier,
    Broadcast,
    AllGather,
    AllGatherNumbers,
    AllToAllNumbers,
    AllReduce,
    /// None: the rank has dropped its communicator.
    #[cfg(feature = "mpi")]
    Leave,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Duplicate => "duplicate",
            Operation::Barrier => "barrier",
            Operation::Broadcast => "broadcast",
            Operation::AllGather => "all_gather",
            Operation::AllGatherNumbers => "all_gather_numbers",
            Operation::AllToAllNumbers => "all_to_all_numbers",
            Operation::AllReduce => "all_reduce",
            #[cfg(feature = "mpi")]
            Operation::Leave => "nothing more",
        }
    }
}

/// The type of what is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes,
    F32,
    F64,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Bytes => "bytes",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
        }
    }

    fn of(numbers: &Numbers<'_>) -> Self {
        match numbers {
            Numbers::F32(_) => Kind::F32,
            Numbers::F64(_) => Kind::F64,
        }
    }
}

/// What one rank calls.
///
/// Counts are here as sums of hashes, so that a call is small for any number of ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub operation: Operation,
    pub kind: Kind,
    /// The root of a broadcast, else 0.
    pub root: u64,
    /// How many bytes or numbers: of this rank where ranks may differ, else of all.
    pub length: u64,
    /// A hash of the counts. All to all: the sum over all parts that this rank sends.
    pub counts: u64,
    /// All to all: the sum over all parts that this rank receives. The sums over all ranks of this and of `counts` are equal if each
    /// part has the length that its receiver expects.
    pub expected: u64,
}

impl Call {
    fn new(operation: Operation, kind: Kind, length: usize) -> Self {
        Call { operation, kind, root: 0, length: length as u64, counts: 0, expected: 0 }
    }

    pub(crate) fn duplicate() -> Self {
        Call::new(Operation::Duplicate, Kind::Bytes, 0)
    }

    #[cfg(feature = "mpi")]
    pub(crate) fn leave() -> Self {
        Call::new(Operation::Leave, Kind::Bytes, 0)
    }

    pub(crate) fn barrier() -> Self {
        Call::new(Operation::Barrier, Kind::Bytes, 0)
    }

    pub(crate) fn broadcast(size: usize, root: usize, bytes: &[u8]) -> Self {
        assert!(root < size, "broadcast: the root is one of {size} ranks: {root}");
        Call { root: root as u64, ..Call::new(Operation::Broadcast, Kind::Bytes, bytes.len()) }
    }

    pub(crate) fn all_gather(own: &[u8]) -> Self {
        Call::new(Operation::AllGather, Kind::Bytes, own.len())
    }

    pub(crate) fn all_gather_numbers(
        rank: usize,
        size: usize,
        own: &Numbers<'_>,
        counts: &[usize],
        all: &NumbersMut<'_>,
    ) -> Self {
        let name = "all_gather_numbers";
        check_counts(name, "counts", size, counts, all.len());
        assert!(
            own.len() == counts[rank],
            "{name}: counts[{rank}] is the length of `own`: {}, {}",
            counts[rank],
            own.len()
        );
        check_types(name, own, all);
        let hash = (0..).zip(counts).fold(0_u64, |sum, (to, &count)| sum.wrapping_add(hash(0, to, count)));
        Call { counts: hash, ..Call::new(Operation::AllGatherNumbers, Kind::of(own), all.len()) }
    }

    pub(crate) fn all_to_all_numbers(
        rank: usize,
        size: usize,
        (own, send_counts): (&Numbers<'_>, &[usize]),
        (received, receive_counts): (&NumbersMut<'_>, &[usize]),
    ) -> Self {
        let name = "all_to_all_numbers";
        check_counts(name, "send_counts", size, send_counts, own.len());
        check_counts(name, "receive_counts", size, receive_counts, received.len());
        let (sent, received_count) = (send_counts[rank], receive_counts[rank]);
        assert!(sent == received_count, "{name}: what rank {rank} sends itself it receives: {sent}, {received_count}");
        check_types(name, own, received);
        let sum = |hashes: &mut dyn Iterator<Item = u64>| hashes.fold(0, u64::wrapping_add);
        Call {
            counts: sum(&mut (0..size).map(|to| hash(rank, to, send_counts[to]))),
            expected: sum(&mut (0..size).map(|from| hash(from, rank, receive_counts[from]))),
            ..Call::new(Operation::AllToAllNumbers, Kind::of(own), own.len().max(received.len()))
        }
    }

    pub(crate) fn all_reduce(numbers: &NumbersMut<'_>) -> Self {
        Call::new(Operation::AllReduce, Kind::of(&numbers.as_numbers()), numbers.len())
    }

    fn describe(&self) -> String {
        let name = self.operation.name();
        let kind = self.kind.name();
        match self.operation {
            Operation::Duplicate | Operation::Barrier => name.to_owned(),
            #[cfg(feature = "mpi")]
            Operation::Leave => name.to_owned(),
            Operation::AllGather | Operation::AllToAllNumbers => format!("{name} of {kind}"),
            Operation::AllGatherNumbers | Operation::AllReduce => format!("{name} of {} {kind}", self.length),
            Operation::Broadcast => format!("{name} of {} {kind} of rank {}", self.length, self.root),
        }
    }

    /// Whether all ranks call the same.
    pub(crate) fn check(calls: &[Call]) -> Result<()> {
        let first = &calls[0];
        for (rank, call) in calls.iter().enumerate() {
            let same = (call.operation, call.kind, call.root) == (first.operation, first.kind, first.root)
                && match call.operation {
                    Operation::AllGather | Operation::AllToAllNumbers => true,
                    _ => call.length == first.length,
                };
            if !same {
                return Err(CommunicationError::new(format!(
                    "the ranks do not call the same: rank 0 calls {}, rank {rank} calls {}",
                    first.describe(),
                    call.describe()
                )));
            }
            if call.operation == Operation::AllGatherNumbers && call.counts != first.counts {
                return Err(CommunicationError::new(format!(
                    "{}: the counts of rank {rank} are not those of rank 0",
                    call.describe()
                )));
            }
        }
        let total = |sum: fn(&Call) -> u64| calls.iter().map(sum).fold(0, u64::wrapping_add);
        if first.operation == Operation::AllToAllNumbers && total(|call| call.counts) != total(|call| call.expected) {
            return Err(CommunicationError::new(format!(
                "{}: a rank sends a part of another length than its receiver expects",
                first.describe()
            )));
        }
        Ok(())
    }
}

#[cfg(feature = "mpi")]
impl Call {
    /// How many words a call is on its way to the other ranks.
    pub(crate) const WORDS: usize = 6;

    pub(crate) fn to_words(self) -> [u64; Call::WORDS] {
        let Call { operation, kind, root, length, counts, expected } = self;
        [operation as u64, kind as u64, root, length, counts, expected]
    }

    pub(crate) fn from_words(words: &[u64]) -> Self {
        use Operation::*;
        let operations =
            [Duplicate, Barrier, Broadcast, AllGather, AllGatherNumbers, AllToAllNumbers, AllReduce, Leave];
        let kinds = [Kind::Bytes, Kind::F32, Kind::F64];
        Call {
            operation: operations[words[0] as usize],
            kind: kinds[words[1] as usize],
            root: words[2],
            length: words[3],
            counts: words[4],
            expected: words[5],
        }
    }
}

/// A hash of the length of the part from one rank to another (the finalizer of SplitMix64).
fn hash(from: usize, to: usize, count: usize) -> u64 {
    [from, to, count].into_iter().fold(0, |state: u64, value| {
        let mut z = (state ^ value as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

fn check_counts(name: &str, which: &str, size: usize, counts: &[usize], length: usize) {
    assert!(counts.len() == size, "{name}: `{which}` has a count for each of {size} ranks: {counts:?}");
    let total: usize = counts.iter().sum();
    assert!(total == length, "{name}: `{which}` add up to the length of the slice, {length}: {counts:?}");
}

fn check_types(name: &str, own: &Numbers<'_>, other: &NumbersMut<'_>) {
    let (own, other) = (own.type_name(), other.as_numbers().type_name());
    assert!(own == other, "{name}: both slices have numbers of one type: {own}, {other}");
}

#[cfg(all(test, feature = "mpi"))]
mod tests {
    use super::*;

    #[test]
    fn calls_arrive_as_they_were_sent() {
        let (own, mut all) = ([0_f64; 2], [0_f64; 3]);
        let all = NumbersMut::of(&mut all);
        let to_all = ((&Numbers::of(&own), &[2, 0][..]), (&all, &[2, 1][..]));
        for call in [
            Call::duplicate(),
            Call::leave(),
            Call::barrier(),
            Call::broadcast(3, 2, &[1, 2, 3]),
            Call::all_gather(&[1, 2]),
            Call::all_gather_numbers(1, 2, &Numbers::of(&own), &[1, 2], &all),
            Call::all_to_all_numbers(0, 2, to_all.0, to_all.1),
            Call::all_reduce(&all),
        ] {
            assert_eq!(Call::from_words(&call.to_words()), call);
        }
    }
}
