//! Texts whose lines are fields with tabs between them, without quoting.

use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// Calls `each` with the fields of each line, in the order of the lines. The first line holds the names of the fields, if there
/// are names. An error of `each` gets the line as its place.
pub(crate) fn each_line<const FIELDS: usize>(
    source: ByteSource<'_>,
    names: Option<[&str; FIELDS]>,
    mut each: impl FnMut([&str; FIELDS]) -> Result<()>,
) -> Result<()> {
    let mut lines = TextLines::new(source);
    let mut header = names;
    while let Some(line) = lines.next_line()? {
        let mut fields = line.split('\t');
        let found: [&str; FIELDS] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        let count = line.split('\t').count();
        let result = match header.take() {
            _ if count != FIELDS => Err(DatasetError::new(
                format!("{count} fields"),
                format!("{FIELDS}, with tabs between them"),
                "the file is damaged or another one: get it again",
            )),
            Some(names) if found != names => Err(DatasetError::new(
                format!("the header {:?}", found.join(" ").chars().take(60).collect::<String>()),
                format!("{:?}", names.join(" ")),
                "the file is another one: get the data set again",
            )),
            Some(_) => Ok(()),
            None => each(found),
        };
        result.map_err(|error| lines.error(error))?;
    }
    Ok(())
}

/// The error of a file of a data set with another number of samples.
pub(crate) fn check_count(name: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let hint = "the file is cut off or another one: get it again";
    Err(DatasetError::new(format!("the end after {found} samples"), format!("{expected} samples"), hint).in_file(name))
}
