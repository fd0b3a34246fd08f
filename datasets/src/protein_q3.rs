//! Secondary structure of proteins: for each residue of 154 chains whether it is in a helix, in a strand, or in neither.
//!
//! Structures of the Protein Data Bank (CC0 1.0; H. Berman and others, Nucleic Acids Research 28, 2000), with states after W. Kabsch and
//! C. Sander, Biopolymers 22 (1983). The file lies in this crate's folder `data/protein-q3`, whose README says where each chain comes
//! from and what the limits are.

use std::path::Path;

use crate::error::{DatasetError, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::tabbed::{check_count, each_line};

/// The number of states.
pub const CLASSES: usize = 3;

/// The states: neither, helix, strand.
pub const CLASS_NAMES: [&str; CLASSES] = ["-", "H", "E"];

/// The file and its md5 sum.
pub const FILES: DataFiles =
    DataFiles { name: "protein-q3", files: &[("pdb_q3.tsv", Some("27df8b926becc97f0a6c549f0bca6233"))], remotes: &[] };

const CHAINS: usize = 154;

/// A chain of a protein with the state of each residue.
///
/// ```
/// use gradus_datasets::protein_q3::Protein;
/// let (id, source) = ("1abc_A".to_owned(), "PDB".to_owned());
/// let chain = Protein { id, source, is_test: false, sequence: "MKV".to_owned(), q3: "-HE".to_owned() };
/// assert_eq!(chain.classes(), [0, 1, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protein {
    /// The PDB id, and the chain where the file names one: `"1ahs_A"`.
    pub id: String,
    /// Where the coordinates came from.
    pub source: String,
    /// Whether the chain is one of those to test on.
    pub is_test: bool,
    /// A letter for each residue, of the 20 amino acids.
    pub sequence: String,
    /// The state of each residue: `H` helix, `E` strand, `-` neither.
    pub q3: String,
}

impl Protein {
    /// The state of each residue as a class, the place in [`CLASS_NAMES`].
    pub fn classes(&self) -> Vec<i64> {
        self.q3.chars().map(|state| i64::from(state == 'H') + 2 * i64::from(state == 'E')).collect()
    }
}

/// The chains, in the order of the file: from `protein-q3/` in the folder that the environment variable `GRADUS_DATA` names, or else
/// this crate's own copy. The chain of number i is to test on in the split `i % 5` of five; the file's own split is 4.
///
/// ```
/// use gradus_datasets::protein_q3;
/// let (test, train): (Vec<_>, Vec<_>) = protein_q3::load()?.into_iter().partition(|protein| protein.is_test);
/// assert_eq!((train.len(), test.len()), (124, 30));
/// assert_eq!((&train[0].sequence[..6], &train[0].q3[..6]), ("TGPYAG", "----E-"));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load() -> Result<Vec<Protein>> {
    read(&FILES.find()?)
}

/// The chains from a folder that holds `pdb_q3.tsv`, or `protein-q3/` with it.
///
/// ```
/// use gradus_datasets::protein_q3;
/// assert_eq!(protein_q3::load_from("data/protein-q3")?.len(), 154);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Vec<Protein>> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Vec<Protein>> {
    let (source, mut proteins) = (found.open("pdb_q3.tsv")?, Vec::new());
    let name = source.name().to_owned();
    let header = Some(["id", "source", "split", "sequence", "q3"]);
    each_line(source, header, |[id, source, split, sequence, q3]| {
        let hint = "the file is damaged: get it again";
        if sequence.len() != q3.len() {
            let found = format!("{} residues with {} states", sequence.len(), q3.len());
            return Err(DatasetError::new(found, "a state for each residue", hint));
        }
        let bad = |text: &str, letters: &str| text.chars().find(|letter| !letters.contains(*letter));
        if let Some(letter) = bad(sequence, "ACDEFGHIKLMNPQRSTVWY").or_else(|| bad(q3, "-HE")) {
            return Err(DatasetError::new(
                format!("the letter {letter:?}"),
                "amino acids, and states of -, H and E",
                hint,
            ));
        }
        let [id, source, sequence, q3] = [id, source, sequence, q3].map(str::to_owned);
        proteins.push(Protein { id, source, is_test: split == "test", sequence, q3 });
        Ok(())
    })?;
    check_count(&name, proteins.len(), CHAINS)?;
    Ok(proteins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chains_are_what_the_readme_says() {
        let proteins = load().unwrap();
        let count = |is_test: bool| {
            let mut counts = [0; CLASSES];
            let part = proteins.iter().filter(|protein| protein.is_test == is_test);
            part.flat_map(Protein::classes).for_each(|class| counts[class as usize] += 1);
            counts
        };
        assert_eq!((count(false), count(true)), ([9_002, 7_411, 4_337], [1_839, 1_305, 959]));
        assert!(proteins.iter().enumerate().all(|(row, protein)| protein.is_test == (row % 5 == 4)));
    }
}
