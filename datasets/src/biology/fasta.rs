//! FASTA: sequences under lines that name them.

use std::path::Path;

use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// A sequence with its name.
///
/// ```
/// use gradus_datasets::ByteSource;
/// use gradus_datasets::biology::{Fasta, FastaRecord};
/// let record = Fasta::new(ByteSource::new(&b">seq1 of a phage\nACGT\n"[..], "example")?).next().unwrap()?;
/// let (id, description, sequence) = ("seq1".to_owned(), "of a phage".to_owned(), "ACGT".to_owned());
/// assert_eq!(record, FastaRecord { id, description, sequence });
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastaRecord {
    /// The first word behind `>`.
    pub id: String,
    /// The rest of this line.
    pub description: String,
    /// The letters of all lines of the sequence, as they are in the file.
    pub sequence: String,
}

/// The records of a FASTA file, plain or gzip'd, one after the other: an iterator. A record is in memory, the file is not.
///
/// The letters of a sequence are those of the alphabet, `*` for a stop, `-` and `.` for gaps. Whether they are bases or amino acids,
/// [`OneHot`](super::OneHot) checks. Empty lines are skipped. What is damaged is an error with its line, which ends the iterator.
///
/// ```
/// use gradus_datasets::{ByteSource, biology::Fasta};
/// let text = ">chr1 a short one\nACGT\nAC\n>chr2\nTTT\n";
/// let records: Vec<_> = Fasta::new(ByteSource::new(text.as_bytes(), "genome")?).collect::<Result<_, _>>()?;
/// assert_eq!((&*records[0].id, &*records[0].description, &*records[0].sequence), ("chr1", "a short one", "ACGTAC"));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub struct Fasta<'a> {
    lines: TextLines<'a>,
    /// The name of the next record, which was read behind the sequence before it.
    next: Next,
}

enum Next {
    /// Nothing was read so far.
    Start,
    /// The line that names the next record, without `>`.
    Named(String),
    End,
}

impl Fasta<'static> {
    /// The records of a file.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Fasta::new(ByteSource::open(path)?))
    }
}

impl<'a> Fasta<'a> {
    /// The records of any reader.
    pub fn new(source: ByteSource<'a>) -> Self {
        Fasta { lines: TextLines::new(source), next: Next::Start }
    }

    fn record(&mut self) -> Result<Option<FastaRecord>> {
        let header = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Named(header) => header,
            Next::Start => self.first_header()?,
        };
        let (id, description) = header.split_once([' ', '\t']).unwrap_or((&header, ""));
        let number = self.lines.number();
        let mut sequence = String::new();
        while let Some(line) = self.lines.next_line()? {
            if let Some(header) = line.strip_prefix('>') {
                self.next = Next::Named(header.to_owned());
                break;
            }
            let letters = line.trim_ascii_end();
            if let Some(column) = letters.bytes().position(|letter| !is_letter(letter)) {
                return Err(bad_letter(&self.lines, column));
            }
            sequence.push_str(letters);
        }
        if id.is_empty() || sequence.is_empty() {
            let found = if id.is_empty() { "a record without a name" } else { "a record without a sequence" };
            let error = DatasetError::new(found, "`>`, a name, and a sequence on the lines behind", "complete it");
            return Err(self.lines.error_on(error, number));
        }
        Ok(Some(FastaRecord { id: id.to_owned(), description: description.trim().to_owned(), sequence }))
    }

    /// The line that names the first record.
    fn first_header(&mut self) -> Result<String> {
        let found = loop {
            match self.lines.next_line()? {
                Some(line) if line.trim_ascii().is_empty() => {}
                Some(line) => match line.strip_prefix('>') {
                    Some(header) => return Ok(header.to_owned()),
                    None => break format!("the line {:?}", line.chars().take(40).collect::<String>()),
                },
                None => break "the end".to_owned(),
            }
        };
        let hint = "check that the file is FASTA; FASTQ begins with `@`";
        Err(self.lines.error(DatasetError::new(found, "`>` and a name", hint)))
    }
}

fn is_letter(letter: u8) -> bool {
    letter.is_ascii_alphabetic() || b"*-.".contains(&letter)
}

/// The error of a letter that no sequence has.
pub(super) fn bad_letter(lines: &TextLines<'_>, column: usize) -> DatasetError {
    let letter = lines.line().get(column..).and_then(|rest| rest.chars().next()).unwrap_or('?');
    let expected = "letters of a sequence: A to Z, `*`, `-` or `.`";
    lines.error_at(
        DatasetError::new(format!("{letter:?}"), expected, "the file is damaged: get it again"),
        column as u64 + 1,
    )
}

impl Iterator for Fasta<'_> {
    type Item = Result<FastaRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record();
        if record.is_err() {
            self.next = Next::End;
        }
        record.transpose()
    }
}
