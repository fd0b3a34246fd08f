//! Chains of residues with their secondary structure, put together of what a file says atom by atom.

use std::collections::HashMap;

use crate::error::{DatasetError, Result};

/// A chain of a protein: its residues, and for each the state of secondary structure that the file's authors give.
///
/// ```
/// use gradus_datasets::biology::{Chain, OneHot};
/// let chain = Chain { id: "A".into(), sequence: "AGVX".into(), q3: "-HH-".into() };
/// let in_helices = chain.q3.chars().filter(|&state| state == 'H').count();
/// assert_eq!((OneHot::protein().encode(&chain.sequence)?.shape(), in_helices), (&[4, 20].into(), 2));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The chain's name in the file, as the authors give it: `"A"`.
    pub id: String,
    /// A letter for each residue whose C-alpha atom is there: of the 20 amino acids, M also for selenomethionine, U and O for
    /// selenocysteine and pyrrolysine, B and Z, and X for any other.
    pub sequence: String,
    /// For each residue `H` in a helix of any kind, `E` in a strand, `-` in neither.
    pub q3: String,
}

/// The number of a residue in its chain, and the letter that tells residues of one number apart.
pub(super) type Number = (i64, String);

/// The residues from one to another of a chain.
pub(super) struct Range {
    pub chain: String,
    pub first: Number,
    pub last: Number,
    /// `H` or `E`.
    pub state: char,
}

/// The residues that were seen so far, in the order of the file.
#[derive(Default)]
pub(super) struct Residues {
    chains: Vec<(String, Vec<(Number, char)>)>,
    /// The place of each chain.
    places: HashMap<String, usize>,
}

impl Residues {
    /// Adds a residue of which a C-alpha atom was found. Another atom of the same residue, as of an alternative position, changes
    /// nothing.
    pub fn add(&mut self, chain: &str, number: Number, name: &str) {
        let place = *self.places.entry(chain.to_owned()).or_insert_with(|| {
            self.chains.push((chain.to_owned(), Vec::new()));
            self.chains.len() - 1
        });
        let residues = &mut self.chains[place].1;
        // Alternative positions of a residue stand together.
        if residues.last().is_none_or(|(last, _)| *last != number) {
            residues.push((number, letter(name)));
        }
    }

    /// The chains, with the states of these ranges; a residue in a helix and in a strand is one of the helix.
    pub fn finish(self, ranges: &[Range]) -> Result<Vec<Chain>> {
        if self.chains.is_empty() {
            let hint = "name a file of a protein with its coordinates";
            return Err(DatasetError::new("no C-alpha atom", "a structure of a protein", hint));
        }
        let state = |id: &str, number: &Number| {
            let within = |range: &&Range| range.chain == id && range.first <= *number && *number <= range.last;
            let has = |state: char| ranges.iter().filter(|range| range.state == state).any(|range| within(&range));
            if has('H') {
                'H'
            } else if has('E') {
                'E'
            } else {
                '-'
            }
        };
        let chain = |(id, residues): (String, Vec<(Number, char)>)| Chain {
            sequence: residues.iter().map(|(_, letter)| letter).collect(),
            q3: residues.iter().map(|(number, _)| state(&id, number)).collect(),
            id,
        };
        Ok(self.chains.into_iter().map(chain).collect())
    }
}

/// The letter of a residue by its name of three letters.
fn letter(name: &str) -> char {
    match name {
        "ALA" => 'A',
        "CYS" => 'C',
        "ASP" => 'D',
        "GLU" => 'E',
        "PHE" => 'F',
        "GLY" => 'G',
        "HIS" => 'H',
        "ILE" => 'I',
        "LYS" => 'K',
        "LEU" => 'L',
        "MET" | "MSE" => 'M',
        "ASN" => 'N',
        "PYL" => 'O',
        "PRO" => 'P',
        "GLN" => 'Q',
        "ARG" => 'R',
        "SER" => 'S',
        "THR" => 'T',
        "SEC" => 'U',
        "VAL" => 'V',
        "TRP" => 'W',
        "TYR" => 'Y',
        "ASX" => 'B',
        "GLX" => 'Z',
        _ => 'X',
    }
}
