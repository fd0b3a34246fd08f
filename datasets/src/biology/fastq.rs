//! FASTQ: sequences with the quality of each letter, as sequencers write them.

use std::path::Path;

use super::fasta::bad_letter;
use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// A sequence with its name and the quality of each letter.
///
/// ```
/// use gradus_datasets::ByteSource;
/// use gradus_datasets::biology::Fastq;
/// let record = Fastq::new(ByteSource::new(&b"@read1\nAC\n+\n+5\n"[..], "example")?).next().unwrap()?;
/// // `+` is 10, one error in 10 bases, `5` is 20, one in 100.
/// assert_eq!((&*record.id, record.quality), ("read1", vec![10, 20]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastqRecord {
    /// The first word behind `@`.
    pub id: String,
    /// The rest of this line.
    pub description: String,
    /// The bases, as they are in the file.
    pub sequence: String,
    /// The quality of each base, from 0 to 93: -10 lg of the probability that it is wrong (Sanger's form, the letter's code less 33).
    pub quality: Vec<u8>,
}

/// The records of a FASTQ file, plain or gzip'd, one after the other: an iterator. A record is in memory, the file is not.
///
/// A record is four lines: `@` and its name, the sequence, `+`, the qualities. A read may be empty. Empty lines may stand at the end.
/// What is damaged is an error with its line, which ends the iterator.
///
/// ```
/// use gradus_datasets::{ByteSource, biology::Fastq};
/// let text = "@read1 lane 3\nACG\n+\n!I~\n";
/// let record = Fastq::new(ByteSource::new(text.as_bytes(), "reads")?).next().unwrap()?;
/// assert_eq!((&*record.sequence, record.quality), ("ACG", vec![0, 40, 93]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub struct Fastq<'a> {
    lines: TextLines<'a>,
    is_ended: bool,
}

impl Fastq<'static> {
    /// The records of a file.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Fastq::new(ByteSource::open(path)?))
    }
}

impl<'a> Fastq<'a> {
    /// The records of any reader.
    pub fn new(source: ByteSource<'a>) -> Self {
        Fastq { lines: TextLines::new(source), is_ended: false }
    }

    fn record(&mut self) -> Result<Option<FastqRecord>> {
        const DAMAGED: &str = "the file is damaged: get it again";
        if self.lines.next_line()?.is_none() {
            return match self.lines.number() {
                0 => Err(self.lines.error(DatasetError::new("an empty file", "`@` and a name", DAMAGED))),
                _ => Ok(None),
            };
        }
        let line = self.lines.line();
        let Some(header) = line.strip_prefix('@') else {
            if line.trim_ascii().is_empty() && self.lines.number() > 1 {
                return self.end();
            }
            let found = format!("the line {:?}", line.chars().take(40).collect::<String>());
            let hint = "check that each record is four lines; FASTA begins with `>`";
            return Err(self.lines.error(DatasetError::new(found, "`@` and a name", hint)));
        };
        let (id, description) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        let (id, description, header) = (id.to_owned(), description.trim().to_owned(), header.to_owned());
        if id.is_empty() {
            return Err(self.lines.error(DatasetError::new("a record without a name", "`@` and a name", DAMAGED)));
        }
        let sequence = self.line("a sequence")?;
        if let Some(column) =
            sequence.bytes().position(|letter| !(letter.is_ascii_alphabetic() || b"-.*".contains(&letter)))
        {
            return Err(bad_letter(&self.lines, column));
        }
        let plus = self.line("`+`")?;
        match plus.strip_prefix('+') {
            Some(name) if name.is_empty() || name == header => {}
            Some(name) => {
                let found = format!("the name {:?}", name.chars().take(40).collect::<String>());
                return Err(self.lines.error(DatasetError::new(
                    found,
                    format!("no name, or {header:?} again"),
                    DAMAGED,
                )));
            }
            None => {
                let found = format!("the line {:?}", plus.chars().take(40).collect::<String>());
                let hint = "write each sequence on one line";
                return Err(self.lines.error(DatasetError::new(found, "`+`, behind one line of a sequence", hint)));
            }
        }
        let letters = self.line("qualities")?;
        if letters.len() != sequence.len() {
            let found = format!("{} qualities of {} bases", letters.len(), sequence.len());
            return Err(self.lines.error(DatasetError::new(found, "one for each base", DAMAGED)));
        }
        if let Some(column) = letters.bytes().position(|letter| !(b'!'..=b'~').contains(&letter)) {
            let expected = "a quality as a letter from `!` to `~`";
            let found = format!("{:?}", letters.get(column..).and_then(|rest| rest.chars().next()).unwrap_or('?'));
            return Err(self.lines.error_at(DatasetError::new(found, expected, DAMAGED), column as u64 + 1));
        }
        let quality = letters.bytes().map(|letter| letter - b'!').collect();
        Ok(Some(FastqRecord { id, description, sequence, quality }))
    }

    /// The next line of a record.
    fn line(&mut self, what: &str) -> Result<String> {
        if let Some(line) = self.lines.next_line()? {
            return Ok(line.to_owned());
        }
        let error = DatasetError::new("the end within a record", what, "the file is cut off: get it again");
        Err(self.lines.error(error))
    }

    /// Only empty lines may come behind an empty line.
    fn end(&mut self) -> Result<Option<FastqRecord>> {
        while let Some(line) = self.lines.next_line()? {
            if !line.trim_ascii().is_empty() {
                let error = DatasetError::new("a record behind an empty line", "the end", "take the empty line out");
                return Err(self.lines.error(error));
            }
        }
        Ok(None)
    }
}

impl Iterator for Fastq<'_> {
    type Item = Result<FastqRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let record = self.record();
        self.is_ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}
