//! The other strand of DNA.

use gradus_tensor::{Float, Tensor};

use crate::error::{DatasetError, Place, Result};

/// The letters of IUPAC's code, and behind each that of the bases that pair with its own.
const PAIRS: &[u8; 32] = b"ATTACGGCRYYRSSWWKMMKBVVBDHHDNN--";

/// The complement of a letter. That of U is A, that of A is T.
fn complement(letter: u8) -> Option<u8> {
    let capital = match letter.to_ascii_uppercase() {
        b'U' => b'A',
        b'.' => b'.',
        capital => PAIRS.chunks(2).find(|pair| pair[0] == capital)?[1],
    };
    Some(if letter.is_ascii_lowercase() { capital.to_ascii_lowercase() } else { capital })
}

/// The sequence of the other strand, read in its direction: the complements of the letters from the last to the first.
///
/// Letters of IUPAC's code for several bases have complements too. Small letters stay small.
///
/// ```
/// use gradus_datasets::biology::reverse_complement;
/// assert_eq!(reverse_complement("AAGTcR")?, "YgACTT");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a letter is no base: the error has its place.
pub fn reverse_complement(sequence: &str) -> Result<String> {
    let mut strand = String::with_capacity(sequence.len());
    for (place, letter) in sequence.char_indices().rev() {
        let complemented = u8::try_from(letter).ok().and_then(complement);
        let Some(complemented) = complemented else {
            let error = DatasetError::new(
                format!("{letter:?}"),
                "a base: A, C, G, T, U, or IUPAC's code for several",
                "check that the sequence is DNA",
            );
            return Err(error.at(Place::Sample(place)));
        };
        strand.push(char::from(complemented));
    }
    Ok(strand)
}

/// The other strands of one-hot DNA, `[.., length, 4]` with the channels A, C, G, T of [`OneHot`](super::OneHot): positions and
/// channels in reverse order, as a view. So A and T are exchanged, and C and G.
///
/// ```
/// use gradus_datasets::biology::{OneHot, reverse_complement_one_hot};
/// let dna = OneHot::dna();
/// assert_eq!(reverse_complement_one_hot(&dna.encode("AAGN")?), dna.encode("NCTT")?);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Panics
/// If there are fewer than two axes, or the last one is not 4.
#[track_caller]
pub fn reverse_complement_one_hot<T: Float>(sequences: &Tensor<T>) -> Tensor<T> {
    let shape = sequences.shape();
    assert!(
        shape.len() >= 2 && shape[shape.len() - 1] == 4,
        "reverse_complement_one_hot: sequences [.., length, 4] are needed: {shape}"
    );
    sequences.flip(-2).flip(-1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::biology::OneHot;

    #[test]
    fn the_strand_of_the_strand_is_the_first() {
        let letters = "ACGTRYSWKMBDHVN-acgtryswkmbdhvn";
        let strand = reverse_complement(letters).unwrap();
        assert_eq!(reverse_complement(&strand).unwrap(), letters);
        assert_eq!(reverse_complement("GATTACA").unwrap(), "TGTAATC");
        assert_eq!(reverse_complement("AU.").unwrap(), ".AT");
        let dna = OneHot::dna();
        let both = dna.encode_all([letters, &strand]).unwrap();
        let other = dna.encode_all([&strand[..], letters]).unwrap();
        assert_eq!(reverse_complement_one_hot(&both), other);
        // Views of any strides.
        let turned = both.permute([1, 0, 2]).permute([1, 0, 2]);
        assert_eq!(reverse_complement_one_hot(&turned.slice(0, 1..)), other.slice(0, 1..));
        assert_eq!(
            reverse_complement("AXT").unwrap_err().to_string(),
            "sample 1: found 'X', expected a base: A, C, G, T, U, or IUPAC's code for several; check that the sequence is DNA"
        );
        assert!(reverse_complement("Aé").is_err());
    }

    #[test]
    #[should_panic(expected = "sequences [.., length, 4] are needed: [3, 5]")]
    fn other_channels_are_refused() {
        reverse_complement_one_hot(&Tensor::<f32>::ones([3, 5]));
    }
}
