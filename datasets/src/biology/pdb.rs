//! Structures in the format of the Protein Data Bank, whose fields stand in fixed columns (PDB file format 3.3).

use std::collections::HashSet;

use super::structure::{Chain, Number, Range, Residues};
use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// The chains of a protein structure in a PDB file, plain or gzip'd, with the secondary structure of its HELIX and SHEET records.
///
/// Residues are those of the first model with a C-alpha atom, the first of alternative positions. HETATM records count before the
/// TER record of their chain: modified residues, which are X, but for selenomethionine, which is M. Helices of any kind are H, so
/// that the states are the authors' and may differ from those that a program finds in the coordinates.
///
/// ```no_run
/// use gradus_datasets::{ByteSource, biology::read_pdb};
/// for chain in read_pdb(ByteSource::open("1a8o.pdb.gz")?)? {
///     println!("{}\n{}\n{}", chain.id, chain.sequence, chain.q3);
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file cannot be read, a record is damaged (the error has its line), or there is no C-alpha atom.
pub fn read_pdb(source: ByteSource<'_>) -> Result<Vec<Chain>> {
    let mut lines = TextLines::new(source);
    let (mut residues, mut ranges) = (Residues::default(), Vec::new());
    // The chains whose polymer has ended.
    let mut ended: HashSet<String> = HashSet::new();
    while let Some(line) = lines.next_line()? {
        let record = line.get(..6).unwrap_or(line).trim_end();
        match record {
            "ATOM" | "HETATM" => {
                let line = line.to_owned();
                let chain = field(&line, 22, 22);
                let is_polymer = record == "ATOM" || !ended.contains(chain) || field(&line, 18, 20) == "MSE";
                // A calcium atom begins a column earlier than a C-alpha.
                if line.get(12..16) == Some(" CA ") && is_polymer {
                    let number = number(&lines, &line, 23)?;
                    residues.add(chain, number, field(&line, 18, 20));
                } else if line.len() < 16 {
                    return Err(cut_off(&lines));
                }
            }
            "TER" => {
                ended.insert(field(line, 22, 22).to_owned());
            }
            "HELIX" => {
                let line = line.to_owned();
                ranges.push(range(&lines, &line, 'H', [20, 22, 32, 34])?);
            }
            "SHEET" => {
                let line = line.to_owned();
                ranges.push(range(&lines, &line, 'E', [22, 23, 33, 34])?);
            }
            "ENDMDL" => break,
            _ => {}
        }
    }
    residues.finish(&ranges).map_err(|error| error.in_file(lines.name()))
}

/// The text in these columns, from 1, without spaces around it.
fn field(line: &str, first: usize, last: usize) -> &str {
    line.get(first - 1..last.min(line.len())).unwrap_or_default().trim()
}

/// The number of a residue in the four columns from `first` on, and the letter behind it.
fn number(lines: &TextLines<'_>, line: &str, first: usize) -> Result<Number> {
    let digits = field(line, first, first + 3);
    if line.len() < first + 3 {
        return Err(cut_off(lines));
    }
    match digits.parse() {
        Ok(number) => Ok((number, field(line, first + 4, first + 4).to_owned())),
        Err(_) => {
            let hint = "the file is damaged or in another format: mmCIF is read by `read_mmcif`";
            let error = DatasetError::new(format!("the number {digits:?} of a residue"), "a whole number", hint);
            Err(lines.error_at(error, first as u64))
        }
    }
}

/// A helix or a strand: the columns of its first chain and number, and of its last.
fn range(lines: &TextLines<'_>, line: &str, state: char, columns: [usize; 4]) -> Result<Range> {
    let [first_chain, first, last_chain, last] = columns;
    let [first, last] = [number(lines, line, first)?, number(lines, line, last)?];
    let [chain, other] = [field(line, first_chain, first_chain), field(line, last_chain, last_chain)];
    if chain != other {
        let error = DatasetError::new(format!("ends in the chains {chain:?} and {other:?}"), "one chain", HINT);
        return Err(lines.error_at(error, last_chain as u64));
    }
    Ok(Range { chain: chain.to_owned(), first, last, state })
}

const HINT: &str = "the file is damaged: get it again";

fn cut_off(lines: &TextLines<'_>) -> DatasetError {
    lines.error(DatasetError::new("a record that is cut off", "all columns of the record", HINT))
}
