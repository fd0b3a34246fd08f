//! Bases and amino acids as rows of numbers.

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Place, Result};
use crate::source::check_memory;

const BASES: &str = "ACGT";
const AMINO_ACIDS: &str = "ACDEFGHIKLMNPQRSTVWY";

/// The bases that a letter of IUPAC's code stands for, as bits of A, C, G and T; none for a gap.
pub(super) fn bases_of(letter: u8) -> Option<u8> {
    let [a, c, g, t] = [1, 2, 4, 8];
    Some(match letter.to_ascii_uppercase() {
        b'A' => a,
        b'C' => c,
        b'G' => g,
        b'T' | b'U' => t,
        b'R' => a | g,
        b'Y' => c | t,
        b'S' => c | g,
        b'W' => a | t,
        b'K' => g | t,
        b'M' => a | c,
        b'B' => c | g | t,
        b'D' => a | g | t,
        b'H' => a | c | t,
        b'V' => a | c | g,
        b'N' => a | c | g | t,
        b'-' | b'.' => 0,
        _ => return None,
    })
}

/// The amino acids that a letter stands for, as places in `AMINO_ACIDS`; none for a gap or a stop.
fn amino_acids_of(letter: u8) -> Option<Vec<usize>> {
    let letter = letter.to_ascii_uppercase();
    let places = |letters: &str| letters.chars().filter_map(|letter| AMINO_ACIDS.find(letter)).collect();
    Some(match letter {
        b'B' => places("DN"),
        b'Z' => places("EQ"),
        b'J' => places("IL"),
        // Selenocysteine and pyrrolysine are none of the 20.
        b'X' | b'U' | b'O' => (0..AMINO_ACIDS.len()).collect(),
        b'-' | b'.' | b'*' => Vec::new(),
        _ => vec![AMINO_ACIDS.find(char::from(letter))?],
    })
}

/// Sequences as one-hot rows, `[length, channels]`: a channel for each base, A, C, G, T, or for each of the 20 amino acids.
///
/// A letter that stands for several has equal fractions of them, which add up to 1, or zeros ([`Ambiguous`]). These are the codes
/// of IUPAC: N is 1/4 of each base, R is 1/2 of A and of G; X is 1/20 of each amino acid, and so are U and O, B is 1/2 of D and of N.
/// U of RNA is T. A gap, `-` or `.`, and a stop, `*`, are zeros. Small letters, as of masked repeats, are as capitals.
///
/// It is a value that serde writes and reads.
///
/// ```
/// use gradus_datasets::biology::OneHot;
/// use gradus_tensor::Tensor;
/// let dna = OneHot::dna();
/// assert_eq!(dna.encode("CaR-")?, Tensor::new([
///     [0.0, 1.0, 0.0, 0.0],
///     [1.0, 0.0, 0.0, 0.0],
///     [0.5, 0.0, 0.5, 0.0],
///     [0.0, 0.0, 0.0, 0.0],
/// ]));
/// assert_eq!(dna.encode_all(["ACGT", "TTTT"])?.shape(), &[2, 4, 4]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHot {
    alphabet: Alphabet,
    #[serde(default)]
    ambiguous: Ambiguous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Alphabet {
    Dna,
    Protein,
}

/// What a letter becomes that stands for several.
///
/// ```
/// use gradus_datasets::biology::{Ambiguous, OneHot};
/// use gradus_tensor::Tensor;
/// // N is any base.
/// assert_eq!(OneHot::dna().encode("N")?, Tensor::new([[0.25, 0.25, 0.25, 0.25]]));
/// assert_eq!(OneHot::dna().ambiguous(Ambiguous::Zeros).encode("N")?, Tensor::new([[0.0, 0.0, 0.0, 0.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// Equal fractions of those that it stands for.
    #[default]
    Fractions,
    /// Zeros, as a gap.
    Zeros,
}

impl OneHot {
    /// Bases: the channels are A, C, G, T.
    pub fn dna() -> Self {
        OneHot { alphabet: Alphabet::Dna, ambiguous: Ambiguous::default() }
    }

    /// Amino acids: the channels are A, C, D, E, F, G, H, I, K, L, M, N, P, Q, R, S, T, V, W, Y.
    pub fn protein() -> Self {
        OneHot { alphabet: Alphabet::Protein, ambiguous: Ambiguous::default() }
    }

    /// What a letter becomes that stands for several.
    pub fn ambiguous(self, ambiguous: Ambiguous) -> Self {
        OneHot { ambiguous, ..self }
    }

    /// The letter of each channel.
    pub fn letters(&self) -> &'static str {
        match self.alphabet {
            Alphabet::Dna => BASES,
            Alphabet::Protein => AMINO_ACIDS,
        }
    }

    /// One sequence, `[length, channels]`.
    ///
    /// # Errors
    /// If a letter is not one of the alphabet: the error has its place.
    pub fn encode(&self, sequence: &str) -> Result<Tensor<f32>> {
        let channels = self.letters().len();
        let mut rows = Vec::new();
        self.write(sequence, &mut rows)?;
        Ok(Tensor::from(rows).reshape([sequence.len(), channels]))
    }

    /// Sequences of one length, `[sequences, length, channels]`. Those of different lengths are encoded one by one, and padded
    /// with zeros by [`IndexedDataset::from_sequences`](crate::IndexedDataset::from_sequences).
    ///
    /// # Errors
    /// If a letter is not one of the alphabet, or the lengths differ: the error has the number of the sequence.
    pub fn encode_all(&self, sequences: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Tensor<f32>> {
        let (mut rows, mut length, mut count) = (Vec::new(), None, 0);
        for sequence in sequences {
            let sequence = sequence.as_ref();
            let first = *length.get_or_insert(sequence.len());
            if sequence.len() != first {
                let found = format!("a sequence of {} letters", sequence.len());
                let hint = "encode them one by one, and let `IndexedDataset::from_sequences` pad the batches";
                let error = DatasetError::new(found, format!("{first} letters, as of sequence 0"), hint);
                return Err(error.at(Place::Sample(count)));
            }
            self.write(sequence, &mut rows).map_err(|error| match error.place() {
                Some(Place::Sample(letter)) => {
                    let found = format!("{} at place {letter}", error.found());
                    DatasetError::new(found, error.expected(), error.hint()).at(Place::Sample(count))
                }
                _ => error,
            })?;
            count += 1;
        }
        Ok(Tensor::from(rows).reshape([count, length.unwrap_or(0), self.letters().len()]))
    }

    /// Appends the rows of a sequence.
    fn write(&self, sequence: &str, rows: &mut Vec<f32>) -> Result<()> {
        let channels = self.letters().len();
        check_memory(sequence.len().checked_mul(channels * size_of::<f32>()))?;
        for (place, letter) in sequence.bytes().enumerate() {
            let of_letter: Option<Vec<usize>> = match self.alphabet {
                Alphabet::Dna => bases_of(letter).map(|bits| (0..4).filter(|base| bits >> base & 1 == 1).collect()),
                Alphabet::Protein => amino_acids_of(letter),
            };
            let Some(of_letter) = of_letter else {
                let letter = sequence[..].get(place..).and_then(|rest| rest.chars().next()).unwrap_or('?');
                let expected = match self.alphabet {
                    Alphabet::Dna => "a base: A, C, G, T, U, or IUPAC's code for several",
                    Alphabet::Protein => "an amino acid: a letter of the 20, B, J, O, U, X or Z",
                };
                let hint = "check that the sequence is one of this alphabet";
                return Err(DatasetError::new(format!("{letter:?}"), expected, hint).at(Place::Sample(place)));
            };
            let row = rows.len();
            rows.resize(row + channels, 0.0);
            let fraction = match (of_letter.len(), self.ambiguous) {
                (2.., Ambiguous::Zeros) => 0.0,
                (count, _) => 1.0 / count as f32,
            };
            of_letter.into_iter().for_each(|channel| rows[row + channel] = fraction);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_what_iupac_says() {
        // IUPAC-IUB, Nucleic Acids Research 13 (1985), by hand.
        let bases = [("R", "AG"), ("Y", "CT"), ("S", "CG"), ("W", "AT"), ("K", "GT"), ("M", "AC"), ("U", "T")];
        let more = [("B", "CGT"), ("D", "AGT"), ("H", "ACT"), ("V", "ACG"), ("N", "ACGT"), ("-", "")];
        for (letter, expected) in bases.into_iter().chain(more) {
            let row = OneHot::dna().encode(letter).unwrap().to_vec();
            for (place, base) in BASES.chars().enumerate() {
                let fraction = if expected.contains(base) { 1.0 / expected.len() as f32 } else { 0.0 };
                assert_eq!(row[place], fraction, "{letter}");
            }
            let zeros = OneHot::dna().ambiguous(Ambiguous::Zeros).encode(&letter.to_lowercase()).unwrap();
            assert_eq!(zeros.sum(..).item(), if expected.len() == 1 { 1.0 } else { 0.0 });
        }
        let protein = |letter: &str| OneHot::protein().encode(letter).unwrap().to_vec();
        assert_eq!(protein("Y")[19], 1.0);
        assert_eq!((protein("B")[2], protein("B")[11], protein("B").iter().sum::<f32>()), (0.5, 0.5, 1.0));
        assert_eq!(protein("X"), vec![0.05; 20]);
        assert_eq!(protein("*"), vec![0.0; 20]);
    }

    #[test]
    fn what_is_no_letter_is_named() {
        let error = |result: Result<Tensor<f32>>| result.unwrap_err().to_string();
        assert_eq!(
            error(OneHot::dna().encode("ACX")),
            "sample 2: found 'X', expected a base: A, C, G, T, U, or IUPAC's code for several; check that the sequence is \
             one of this alphabet"
        );
        assert!(error(OneHot::protein().encode("é")).contains("found 'é'"));
        assert!(
            error(OneHot::dna().encode_all(["AC", "A1"]))
                .starts_with("sample 1: found '1' at place 1, expected a base")
        );
        assert!(error(OneHot::dna().encode_all(["AC", "ACG"])).starts_with("sample 1: found a sequence of 3 letters"));
        assert_eq!(OneHot::dna().encode("").unwrap().shape(), &[0, 4]);
        let none: [&str; 0] = [];
        assert_eq!(OneHot::dna().encode_all(none).unwrap().shape(), &[0, 0, 4]);
        let written = serde_json::to_string(&OneHot::protein()).unwrap();
        assert_eq!(written, r#"{"alphabet":"protein","ambiguous":"fractions"}"#);
        assert_eq!(serde_json::from_str::<OneHot>(&written).unwrap(), OneHot::protein());
    }
}
