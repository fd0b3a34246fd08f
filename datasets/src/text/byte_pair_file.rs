//! A vocabulary of byte pairs as a text.

use std::io::Write;
use std::path::Path;

use gradus_tensor::write_atomically;

use super::byte_pair::BytePair;
use crate::error::{DatasetError, Place, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

const HEAD: &str = "gradus byte pairs 1";
/// The first line of GPT-2's `merges.txt` begins with it.
const GPT_2_HEAD: &str = "#version";

impl BytePair {
    /// Writes the vocabulary as a text: a first line that says so, `special TOKEN` for each special token, and `merge A B` for
    /// each pair in the order in which they were found, bytes as printable letters.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let written = write_atomically(path, |file| {
            let mut text = format!("{HEAD}\n");
            self.special().iter().for_each(|token| text += &format!("special {token}\n"));
            self.written_merges().for_each(|merge| text += &format!("merge {merge}\n"));
            file.write_all(text.as_bytes())
        });
        written.map_err(|error| {
            let hint = "check the path and the disk";
            DatasetError::new(format!("no file that can be written ({error})"), "a path to write to", hint)
                .in_file(path)
        })
    }

    /// Reads what [`save`](BytePair::save) has written, or a `merges.txt` of GPT-2, which has no special tokens.
    ///
    /// # Errors
    /// If the file is missing or damaged: the error names the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        BytePair::read(ByteSource::open(path)?)
    }

    fn read(source: ByteSource<'_>) -> Result<Self> {
        let mut lines = TextLines::new(source);
        let head = lines.next_line()?.unwrap_or_default().to_owned();
        let is_gpt_2 = head.starts_with(GPT_2_HEAD);
        if head != HEAD && !is_gpt_2 {
            let found = format!("the first line {:?}", head.chars().take(60).collect::<String>());
            let hint = "name a file that `BytePair::save` has written";
            return Err(lines.error(DatasetError::new(found, format!("{HEAD:?}"), hint)));
        }
        let (mut special, mut merges, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(line) = lines.next_line()? {
            let line = line.to_owned();
            match line.split_once(' ') {
                _ if is_gpt_2 && line.is_empty() => {}
                _ if is_gpt_2 => merges.push(line),
                Some(("merge", merge)) => merges.push(merge.to_owned()),
                Some(("special", token)) if merges.is_empty() => special.push(token.to_owned()),
                _ => {
                    let found = format!("the line {:?}", line.chars().take(60).collect::<String>());
                    let expected = "`merge A B`, or before all merges `special TOKEN`";
                    return Err(lines.error(DatasetError::new(found, expected, "the file is damaged: get it again")));
                }
            }
            if numbers.len() < merges.len() {
                numbers.push(lines.number());
            }
        }
        BytePair::of_written(special, merges.into_iter()).map_err(|error| {
            let error = error.in_file(lines.name());
            match error.place() {
                Some(Place::Sample(merge)) => error.at(Place::Line { line: numbers[merge], column: 1 }),
                _ => error,
            }
        })
    }
}
