//! Sums over all shards, at every rank.

use std::ops::Range;

use gradus_tensor::{Float, Tensor};

use crate::{CommunicationError, Communicator, Numbers, NumbersMut, Partial, Result, tree};

/// How sums over ranks are made.
///
/// ```
/// use gradus_distributed::{Exchange, Reduction, threads};
/// let shards = |reduction| {
///     threads::run(2, |communicator| Exchange::new(communicator, 8, reduction).unwrap().shards())[0]
/// };
/// // Exact: the shards are what the program says. Fast: one for each rank.
/// assert_eq!((shards(Reduction::Exact), shards(Reduction::Fast)), (8, 2));
/// assert_eq!(Reduction::default(), Reduction::Exact);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Along a tree over the shards, which is the same for any number of ranks, and so are all bits of the sum.
    ///
    /// What NaN a sum has, of several, is left open, as in all arithmetic.
    #[default]
    Exact,
    /// In whatever order is fastest. Bits depend on the number of ranks. There is one shard for each rank, so a rank sums all that it
    /// has in one go.
    Fast,
}

/// Sums over all shards of a task, at every rank; each rank computes [its own](Self::own).
///
/// The sum runs along a balanced tree over the shards. It is fixed by their number: the shards a..b are halved at a + (b - a) / 2,
/// rounded down. A rank sums its own shards as far as the tree says so, by a [`Partial`]: into one value for each of its
/// [subtrees](Self::subtrees). The rest is summed among ranks ([`sum`](Self::sum), [`merge`](Self::merge)).
///
/// Each rank has one subtree if their number is a power of two and divides that of shards. Else it has some more, and sends more.
///
/// ```
/// use gradus_distributed::{Exchange, Reduction, threads};
/// let ranks = threads::run(3, |communicator| {
///     let exchange = Exchange::new(communicator, 8, Reduction::Exact).unwrap();
///     // For each subtree of this rank, how many shards it has, and that as a number to sum.
///     let parts = exchange.subtrees().iter().map(|subtree| vec![subtree.len() as f32]).collect();
///     (exchange.own(), exchange.subtrees().to_vec(), exchange.sum(parts).unwrap())
/// });
/// assert_eq!(ranks[0], (0..2, vec![0..2], vec![8.0]));
/// assert_eq!(ranks[1], (2..5, vec![2..4, 4..5], vec![8.0]));
/// assert_eq!(ranks[2], (5..8, vec![5..6, 6..8], vec![8.0]));
/// ```
pub struct Exchange {
    communicator: Box<dyn Communicator>,
    shards: usize,
    reduction: Reduction,
    /// Of every rank, in order.
    subtrees: Vec<Vec<Range<usize>>>,
}

impl Exchange {
    /// An exchange over a communicator. All ranks call it, with the same number of shards and the same kind of sums.
    ///
    /// The number of shards is set to that of ranks if sums are [fast](Reduction::Fast).
    ///
    /// # Errors
    ///
    /// Returns an error if there are fewer shards than ranks, if the ranks say different things, or if one has left.
    pub fn new(communicator: Box<dyn Communicator>, shards: usize, reduction: Reduction) -> Result<Exchange> {
        let size = communicator.size();
        let shards = match reduction {
            Reduction::Exact => shards,
            Reduction::Fast => size,
        };
        // First of all, so that no rank returns before the others have heard of it.
        let own = format!("{shards} shards, {reduction:?}");
        let all = communicator.all_gather(own.as_bytes())?;
        if let Some(other) = all.iter().position(|said| said != own.as_bytes()) {
            return Err(CommunicationError::new(format!(
                "the ranks do not sum the same: rank {} has {own}, rank {other} has {}",
                communicator.rank(),
                String::from_utf8_lossy(&all[other])
            )));
        }
        if shards < size {
            return Err(CommunicationError::new(format!("each of {size} ranks needs a shard: there are {shards}")));
        }
        let subtrees = (0..size).map(|rank| tree::subtrees(0..shards, &tree::shards_of(rank, size, shards))).collect();
        Ok(Exchange { communicator, shards, reduction, subtrees })
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// How sums are made.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// The shards of this rank.
    pub fn own(&self) -> Range<usize> {
        self.shards_of(self.communicator.rank())
    }

    /// The shards of a rank: with p ranks and s shards, rank r has those from r s / p to (r + 1) s / p, both rounded down.
    pub fn shards_of(&self, rank: usize) -> Range<usize> {
        tree::shards_of(rank, self.communicator.size(), self.shards)
    }

    /// The largest subtrees that lie wholly in this rank's shards, in order.
    pub fn subtrees(&self) -> &[Range<usize>] {
        &self.subtrees[self.communicator.rank()]
    }

    /// Takes the values of this rank's shards, and sums them as far as one rank can.
    pub fn partial<V>(&self) -> Partial<V> {
        Partial::new(self.subtrees())
    }

    /// The total of all shards, number by number, at every rank; `parts` has that of each of this rank's subtrees.
    ///
    /// Each rank finishes the tree for a slice of the numbers, then all gather the slices. A rank with one subtree of n bytes sends
    /// 2 (p - 1) / p n bytes, as much as an ordinary sum over p ranks does.
    ///
    /// # Errors
    ///
    /// Returns an error if a rank has left, or if ranks have different lengths.
    ///
    /// # Panics
    ///
    /// Panics if `parts` are not one for each subtree, or not equally long.
    #[track_caller]
    pub fn sum<T: Float>(&self, mut parts: Vec<Vec<T>>) -> Result<Vec<T>> {
        let mut places: Vec<&mut [T]> = parts.iter_mut().map(Vec::as_mut_slice).collect();
        self.sum_in_place(&mut places)?;
        Ok(only(parts))
    }

    /// As [`sum`](Self::sum); the first part becomes the total, and the others keep what they have.
    ///
    /// ```
    /// use gradus_distributed::{Exchange, Reduction, threads};
    /// let answers = threads::run(2, |communicator| {
    ///     let mut numbers = [1.0_f32, communicator.rank() as f32];
    ///     Exchange::new(communicator, 2, Reduction::Exact)?.sum_in_place(&mut [&mut numbers])?;
    ///     gradus_distributed::Result::Ok(numbers)
    /// });
    /// assert_eq!(answers, [Ok([2.0, 1.0]), Ok([2.0, 1.0])]);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`sum`](Self::sum).
    ///
    /// # Panics
    ///
    /// As [`sum`](Self::sum).
    #[track_caller]
    pub fn sum_in_place<T: Float>(&self, parts: &mut [&mut [T]]) -> Result<()> {
        self.check("sum", parts.len());
        let length = parts[0].len();
        if let Some(other) = parts.iter().find(|part| part.len() != length) {
            panic!("sum: parts have the same length: {length}, {}", other.len());
        }
        if self.communicator.size() == 1 {
            return Ok(());
        }
        match self.reduction {
            Reduction::Exact => self.sum_slices(parts, length),
            Reduction::Fast => self.communicator.all_reduce(NumbersMut::of(parts[0])),
        }
    }

    /// Merges lists of a few numbers, one for each of this rank's subtrees, over all shards, at every rank.
    ///
    /// `merge` writes what the left and the right list give into the left one. It may be anything, and lengths may differ: the lists of
    /// all ranks are gathered, and merged in the order of the tree.
    ///
    /// ```
    /// use gradus_distributed::{Exchange, Reduction, threads};
    /// // The largest number and how many there are.
    /// let merge = |left: &mut Vec<f64>, right: &[f64]| *left = vec![left[0].max(right[0]), left[1] + right[1]];
    /// let answers = threads::run(2, |communicator| {
    ///     let exchange = Exchange::new(communicator, 2, Reduction::Exact).unwrap();
    ///     let own = [vec![3.0, 10.0], vec![5.0, 20.0]][exchange.own().start].clone();
    ///     exchange.merge(vec![own], merge)
    /// });
    /// assert_eq!(answers, [Ok(vec![5.0, 30.0]), Ok(vec![5.0, 30.0])]);
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a rank has left.
    ///
    /// # Panics
    ///
    /// Panics if `parts` are not one for each subtree.
    #[track_caller]
    pub fn merge(&self, parts: Vec<Vec<f64>>, merge: fn(&mut Vec<f64>, &[f64])) -> Result<Vec<f64>> {
        self.check("merge", parts.len());
        if self.communicator.size() == 1 {
            return Ok(only(parts));
        }
        let gathered = self.communicator.all_gather(&to_bytes(&parts))?;
        let lists = gathered.iter().zip(&self.subtrees).flat_map(|(bytes, subtrees)| from_bytes(bytes, subtrees.len()));
        let mut values = self.subtrees.iter().flatten().cloned().zip(lists).peekable();
        Ok(tree::fold(0..self.shards, &mut values, &mut |mut left, right| {
            merge(&mut left, &right);
            left
        }))
    }

    /// What it exchanges by.
    pub fn communicator(&self) -> &dyn Communicator {
        &*self.communicator
    }

    #[track_caller]
    fn check(&self, method: &str, parts: usize) {
        let subtrees = self.subtrees();
        let wanted = subtrees.len();
        assert!(
            parts == wanted,
            "{method}: there is a part for each subtree of this rank, {subtrees:?}: {parts} parts"
        );
    }

    fn sum_slices<T: Float>(&self, parts: &mut [&mut [T]], length: usize) -> Result<()> {
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        let slice_of = |rank| tree::shards_of(rank, size, length);
        let slices: Vec<usize> = (0..size).map(|rank| slice_of(rank).len()).collect();
        let send_counts: Vec<usize> = slices.iter().map(|slice| slice * parts.len()).collect();
        let receive_counts: Vec<usize> = self.subtrees.iter().map(|subtrees| subtrees.len() * slices[rank]).collect();

        // To every rank its slice of each part. A tensor's memory is that of one before.
        let mut received = Tensor::<T>::zeros([receive_counts.iter().sum()]);
        let received = received.as_mut_slice();
        let mut joined = Tensor::<T>::zeros([if parts.len() == 1 { 0 } else { parts.len() * length }]);
        let own = if let [only] = &*parts {
            &**only
        } else {
            let mut rest = joined.as_mut_slice();
            for (rank, part) in (0..size).flat_map(|rank| parts.iter().map(move |part| (rank, part))) {
                let slice = &part[slice_of(rank)];
                rest.split_off_mut(..slice.len()).expect("each has a slice").copy_from_slice(slice);
            }
            joined.as_mut_slice()
        };
        let place = NumbersMut::of(received);
        self.communicator.all_to_all_numbers(Numbers::of(own), &send_counts, place, &receive_counts)?;

        let mut rest = received;
        let values: Vec<_> = (self.subtrees.iter().flatten().cloned())
            .map(|subtree| (subtree, rest.split_off_mut(..slices[rank]).expect("each has a slice")))
            .collect();
        let slice = tree::fold(0..self.shards, &mut values.into_iter().peekable(), &mut |left, right| {
            for (left, right) in left.iter_mut().zip(right) {
                *left += *right;
            }
            left
        });
        self.communicator.all_gather_numbers(Numbers::of(slice), &slices, NumbersMut::of(parts[0]))
    }
}

/// The part of a rank that has one.
fn only<V>(mut parts: Vec<V>) -> V {
    parts.swap_remove(0)
}

/// Each list as its length and its numbers, least significant byte first.
fn to_bytes(lists: &[Vec<f64>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for list in lists {
        bytes.extend((list.len() as u64).to_le_bytes());
        bytes.extend(list.iter().flat_map(|number| number.to_le_bytes()));
    }
    bytes
}

/// The lists of [`to_bytes`].
fn from_bytes(bytes: &[u8], lists: usize) -> Vec<Vec<f64>> {
    let mut words = bytes.chunks_exact(8).map(|word| word.try_into().expect("a word has 8 bytes"));
    (0..lists)
        .map(|_| {
            let length = words.next().map_or(0, u64::from_le_bytes) as usize;
            words.by_ref().take(length).map(f64::from_le_bytes).collect()
        })
        .collect()
}
