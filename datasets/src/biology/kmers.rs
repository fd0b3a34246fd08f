//! DNA as words of k bases.

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::one_hot::bases_of;
use crate::error::{DatasetError, Place, Result};
use crate::source::check_memory;

/// The ids of padding and of a k-mer with a letter that stands for several bases, or a gap.
const SPECIAL: i64 = 2;

/// DNA as k-mers: its words of k consecutive bases, each of which begins one base behind the one before.
///
/// [`ids`](Kmers::ids) are for an embedding: 0 is padding, 1 a k-mer with a letter that is no single base, and the 4^k k-mers have
/// the ids from 2 on in alphabetical order. [`counts`](Kmers::counts) count each of the 4^k. It is a value that serde writes and reads.
///
/// ```
/// use gradus_datasets::biology::Kmers;
/// let pairs = Kmers::new(2);
/// assert_eq!(pairs.ids("AACN")?, [2, 3, 1]);
/// assert_eq!((pairs.name(3), pairs.vocabulary_size()), ("AC".to_owned(), 18));
/// assert_eq!(pairs.counts("AAAC")?.to_vec()[..3], [2.0, 1.0, 0.0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Kmers {
    k: usize,
}

impl Kmers {
    /// Words of `k` bases.
    ///
    /// # Panics
    /// If `k` is 0 or above 30, beyond which the ids have no room in i64.
    #[track_caller]
    pub fn new(k: usize) -> Self {
        assert!((1..=30).contains(&k), "Kmers::new: a k from 1 to 30 is needed: {k}");
        Kmers { k }
    }

    /// The number of ids: 2 + 4^k.
    pub fn vocabulary_size(&self) -> usize {
        (SPECIAL as usize).saturating_add(4_usize.saturating_pow(self.k as u32))
    }

    /// The letters of an id: `""` for padding, `"[UNK]"` for 1.
    ///
    /// # Panics
    /// If there is no such id.
    #[track_caller]
    pub fn name(&self, id: i64) -> String {
        assert!(id >= 0 && (id as usize) < self.vocabulary_size(), "name: there is no k-mer of the id {id}");
        match id {
            0 => String::new(),
            1 => "[UNK]".to_owned(),
            _ => (0..self.k)
                .rev()
                .map(|place| "ACGT".as_bytes()[(id - SPECIAL) as usize >> (2 * place) & 3] as char)
                .collect(),
        }
    }

    /// The id of each k-mer: `length - k + 1` of them, or none of a shorter sequence.
    ///
    /// # Errors
    /// If a letter is no base: the error has its place.
    pub fn ids(&self, sequence: &str) -> Result<Vec<i64>> {
        let mask = (1_i64 << (2 * self.k)) - 1;
        // The number of the last k bases, and how many single bases came in sequence.
        let (mut number, mut run) = (0, 0);
        let mut ids = Vec::with_capacity((sequence.len() + 1).saturating_sub(self.k));
        for (place, letter) in sequence.bytes().enumerate() {
            let Some(bases) = bases_of(letter) else {
                let letter = sequence.get(place..).and_then(|rest| rest.chars().next()).unwrap_or('?');
                let expected = "a base: A, C, G, T, U, or IUPAC's code for several";
                let error = DatasetError::new(format!("{letter:?}"), expected, "check that the sequence is DNA");
                return Err(error.at(Place::Sample(place)));
            };
            run = if bases.count_ones() == 1 { run + 1 } else { 0 };
            number = (number << 2 | i64::from(bases.trailing_zeros() as u8 & 3)) & mask;
            if place + 1 >= self.k {
                ids.push(if run >= self.k { SPECIAL + number } else { 1 });
            }
        }
        Ok(ids)
    }

    /// How often each of the 4^k k-mers occurs, `[4^k]`, in alphabetical order. A k-mer with a letter that is no single base
    /// does not count.
    ///
    /// # Errors
    /// If a letter is no base, or memory does not hold so many counts.
    pub fn counts(&self, sequence: &str) -> Result<Tensor<f32>> {
        let kinds = self.vocabulary_size() - SPECIAL as usize;
        check_memory(kinds.checked_mul(size_of::<f32>()))?;
        let mut counts = vec![0.0; kinds];
        self.ids(sequence)?
            .into_iter()
            .filter(|&id| id >= SPECIAL)
            .for_each(|id| counts[(id - SPECIAL) as usize] += 1.0);
        Ok(Tensor::from(counts))
    }
}

impl TryFrom<usize> for Kmers {
    type Error = String;

    fn try_from(k: usize) -> Result<Self, String> {
        if (1..=30).contains(&k) {
            Ok(Kmers { k })
        } else {
            Err(format!("found k-mers of {k} bases, expected 1 to 30"))
        }
    }
}

impl From<Kmers> for usize {
    fn from(kmers: Kmers) -> usize {
        kmers.k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kmer_has_its_id() {
        // By hand: A, C, G, T are 0 to 3, the first letter counts most.
        let triples = Kmers::new(3);
        assert_eq!(triples.ids("acgtU").unwrap(), [2 + 0b00_01_10, 2 + 0b01_10_11, 2 + 0b10_11_11]);
        for (id, name) in [(2, "AAA"), (65, "TTT"), (2 + 0b00_01_10, "ACG"), (0, ""), (1, "[UNK]")] {
            assert_eq!(triples.name(id), name);
        }
        assert_eq!(triples.ids("ACGNACG-ACG").unwrap(), [8, 1, 1, 1, 8, 1, 1, 1, 8]);
        assert_eq!(triples.counts("ACGNACG").unwrap().get([6]), 2.0);
        assert_eq!(triples.counts("ACGNACG").unwrap().sum(..).item(), 2.0);
        assert_eq!(triples.ids("AC").unwrap(), [0_i64; 0]);
        assert_eq!(Kmers::new(30).ids(&"T".repeat(31)).unwrap(), [(1 << 60) + 1; 2]);
        assert!(Kmers::new(30).counts("A").is_err());
        assert!(triples.ids("AXG").unwrap_err().to_string().starts_with("sample 1: found 'X'"));
        assert_eq!(serde_json::from_str::<Kmers>("3").unwrap(), triples);
        assert!(serde_json::from_str::<Kmers>("31").is_err());
    }
}
