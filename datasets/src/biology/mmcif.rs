//! Structures in mmCIF, the Protein Data Bank's format of today.

use super::cif::{CifRows, Row};
use super::structure::{Chain, Number, Range, Residues};
use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// The chains of a protein structure in an mmCIF file, plain or gzip'd, with the secondary structure of its `struct_conf` and
/// `struct_sheet_range`: the residues and states are those of [`read_pdb`](super::read_pdb) for the same structure.
///
/// Chains and residues go by the authors' names and numbers, as in a PDB file. Modified residues are HETATM with a number in the
/// polymer's sequence.
///
/// ```
/// use gradus_datasets::{ByteSource, biology::read_mmcif};
/// let file = "data_x\nloop_\n_atom_site.label_atom_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n\
///             _atom_site.label_comp_id\nCA A 1 ALA\nCA A 2 GLY\n";
/// let chains = read_mmcif(ByteSource::new(file.as_bytes(), "x.cif")?)?;
/// assert_eq!((&*chains[0].id, &*chains[0].sequence, &*chains[0].q3), ("A", "AG", "--"));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file cannot be read or is damaged (the error has its line), or there is no C-alpha atom.
pub fn read_mmcif(source: ByteSource<'_>) -> Result<Vec<Chain>> {
    let mut rows = CifRows::new(source);
    let (mut residues, mut ranges) = (Residues::default(), Vec::new());
    let mut model: Option<String> = None;
    loop {
        let found = match rows.next_row()? {
            None => break,
            Some(row) if row.is_of("_atom_site") => atom(&row, &mut model).map(|atom| {
                if let Some(Atom { chain, number, name }) = atom {
                    residues.add(&chain, number, &name);
                }
            }),
            Some(row) if row.is_of("_struct_conf") => {
                let is_helix =
                    row.get("conf_type_id").is_some_and(|kind| kind.to_ascii_uppercase().starts_with("HELX"));
                if is_helix { range(&row, 'H').map(|range| ranges.push(range)) } else { Ok(()) }
            }
            Some(row) if row.is_of("_struct_sheet_range") => range(&row, 'E').map(|range| ranges.push(range)),
            Some(_) => Ok(()),
        };
        found.map_err(|problem| problem.error(rows.lines()))?;
    }
    residues.finish(&ranges).map_err(|error| error.in_file(rows.lines().name()))
}

/// What is wrong with a row.
struct Problem {
    found: String,
    expected: &'static str,
}

impl Problem {
    fn error(self, lines: &TextLines<'_>) -> DatasetError {
        lines.error(DatasetError::new(self.found, self.expected, "the file is damaged: get it again"))
    }
}

/// The C-alpha atom of a residue.
struct Atom {
    chain: String,
    number: Number,
    name: String,
}

/// The atom of a row, if it is a C-alpha of the first model.
fn atom(row: &Row<'_>, model: &mut Option<String>) -> Result<Option<Atom>, Problem> {
    let of = row.get("pdbx_PDB_model_num").unwrap_or_default();
    if model.get_or_insert_with(|| of.to_owned()) != of {
        return Ok(None);
    }
    let is_carbon = row.get("type_symbol").is_none_or(|symbol| symbol.eq_ignore_ascii_case("C"));
    let is_residue = row.get("group_PDB") != Some("HETATM") || row.get("label_seq_id").is_some();
    if row.get("label_atom_id") != Some("CA") || !is_carbon || !is_residue {
        return Ok(None);
    }
    let chain = text(row, &["auth_asym_id", "label_asym_id"])?.to_owned();
    let number = number(row, &["auth_seq_id", "label_seq_id"], "pdbx_PDB_ins_code")?;
    let name = text(row, &["label_comp_id", "auth_comp_id"])?.to_owned();
    Ok(Some(Atom { chain, number, name }))
}

fn range(row: &Row<'_>, state: char) -> Result<Range, Problem> {
    let chain = text(row, &["beg_auth_asym_id", "beg_label_asym_id"])?.to_owned();
    let first = number(row, &["beg_auth_seq_id", "beg_label_seq_id"], "pdbx_beg_PDB_ins_code")?;
    let last = number(row, &["end_auth_seq_id", "end_label_seq_id"], "pdbx_end_PDB_ins_code")?;
    Ok(Range { chain, first, last, state })
}

/// The value of the first of these items that the row has.
fn text<'a>(row: &Row<'a>, items: &[&str]) -> Result<&'a str, Problem> {
    let value = items.iter().find_map(|item| row.get(item));
    value.ok_or_else(|| Problem { found: format!("a row without {}", items[0]), expected: "a value for it" })
}

fn number(row: &Row<'_>, items: &[&str], letter: &str) -> Result<Number, Problem> {
    let digits = text(row, items)?;
    let number = digits.parse().map_err(|_| Problem {
        found: format!("the number {:?} of a residue", digits.chars().take(40).collect::<String>()),
        expected: "a whole number",
    })?;
    Ok((number, row.get(letter).unwrap_or_default().to_owned()))
}
