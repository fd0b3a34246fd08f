//! Texts and numbers as ids by a hash, without a vocabulary.

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Texts as ids below a number of bins, by a hash: Keras's `Hashing`, for columns of too many different texts to list.
///
/// The hash is FNV-1a with 64 bits, of the bytes of the salt and then of the text, whose bits are mixed as at the end of MurmurHash3;
/// the id is the hash modulo the number of bins. It is the same on every machine and in every version. (Keras takes FarmHash, so its ids are others.)
///
/// ```
/// use gradus_datasets::Hashing;
/// let hashing = Hashing::new(100);
/// let ids = hashing.ids(["Paris", "Rome", "Paris"]);
/// assert_eq!(ids.to_vec()[0], ids.to_vec()[2]);
/// assert!(ids.iter().all(|id| id < 100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashing {
    num_bins: usize,
    #[serde(default)]
    salt: u64,
}

impl Hashing {
    /// Ids from 0 to before `num_bins`.
    ///
    /// # Panics
    /// If `num_bins` is 0.
    #[track_caller]
    pub fn new(num_bins: usize) -> Self {
        assert!(num_bins > 0, "Hashing: at least one bin is needed");
        Hashing { num_bins, salt: 0 }
    }

    /// Another salt gives other ids: a table of two hashed columns, or two hashes of one column, which rarely meet twice.
    pub fn salt(self, salt: u64) -> Self {
        Hashing { salt, ..self }
    }

    /// The number of bins.
    pub fn num_bins(&self) -> usize {
        self.num_bins
    }

    /// The id of a text.
    pub fn id(&self, text: &str) -> i64 {
        let salt = self.salt.to_le_bytes();
        let salt: &[u8] = if self.salt == 0 { &[] } else { &salt };
        // A file may claim that there are no bins.
        (mixed(fnv_1a(salt.iter().chain(text.as_bytes()))) % self.num_bins.max(1) as u64) as i64
    }

    /// The ids of texts, `[texts]`.
    pub fn ids(&self, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Tensor<i64> {
        texts.into_iter().map(|text| self.id(text.as_ref())).collect()
    }
}

/// The hash FNV-1a with 64 bits (Fowler, Noll and Vo).
fn fnv_1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The last lines of MurmurHash3 (Appleby), behind which each bit depends on all. The low bits of FNV-1a depend on low bits alone.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_authors() {
        // The authors' test vectors.
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8_u64)]
        {
            assert_eq!(fnv_1a(text.as_bytes().iter()), hash, "{text:?}");
        }
    }

    #[test]
    fn a_salt_moves_texts_to_other_bins() {
        let texts: Vec<String> = (0..1000).map(|i| format!("text {i}")).collect();
        let (plain, salted) = (Hashing::new(10).ids(&texts), Hashing::new(10).salt(7).ids(&texts));
        let same = plain.iter().zip(salted.iter()).filter(|(a, b)| a == b).count();
        assert!((50..200).contains(&same), "{same}");
        // 100 in each bin, with a deviation of 9.5.
        for bin in 0..10 {
            assert!((60..140).contains(&plain.iter().filter(|&id| id == bin).count()));
        }
    }
}
