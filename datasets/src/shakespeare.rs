//! Eight plays of Shakespeare, for models that write text letter by letter.
//!
//! 1,036,489 characters of ASCII. Seven plays are to train on and The Tempest to test on, so that neither the play nor its names
//! were seen. The plays are in the public domain; the texts are those of Project Gutenberg, as the Python package `shakespeare`
//! 0.6 of the Open Knowledge Foundation distributes them. The file lies in this crate's folder `data/shakespeare`, whose README says
//! more.

use std::io::Read;
use std::path::Path;

use crate::error::{DatasetError, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::tabbed::check_count;

/// The file and its md5 sum.
pub const FILES: DataFiles = DataFiles {
    name: "shakespeare",
    files: &[("eight_plays.txt", Some("b01bb766c1b46df67863e1bef15c8cc7"))],
    remotes: &[],
};

/// The byte at which each play begins, and its name.
const PLAYS: [(usize, &str); 8] = [
    (0, "Hamlet"),
    (173_945, "Macbeth"),
    (277_375, "Othello"),
    (431_897, "King Lear"),
    (583_822, "Romeo and Juliet"),
    (725_578, "Julius Caesar"),
    (841_797, "A Midsummer Night's Dream"),
    (938_049, "The Tempest"),
];
const BYTES: usize = 1_036_489;

/// The plays as texts.
///
/// ```
/// let plays = gradus_datasets::shakespeare::load()?;
/// let names: Vec<&str> = plays.plays().map(|(name, _)| name).collect();
/// assert!(names.contains(&"The Tempest") && !plays.train().contains("PROSPERO"));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shakespeare {
    text: String,
}

impl Shakespeare {
    /// Seven plays to train on: all but The Tempest.
    pub fn train(&self) -> &str {
        &self.text[..PLAYS[7].0]
    }

    /// The Tempest, to test on.
    pub fn test(&self) -> &str {
        &self.text[PLAYS[7].0..]
    }

    /// The name and the text of each play, in the order of the file.
    pub fn plays(&self) -> impl ExactSizeIterator<Item = (&'static str, &str)> {
        PLAYS.iter().enumerate().map(|(place, &(start, name))| {
            let end = PLAYS.get(place + 1).map_or(BYTES, |&(end, _)| end);
            (name, &self.text[start..end])
        })
    }
}

/// The plays: from `shakespeare/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own copy.
///
/// ```
/// use gradus_datasets::{Split, Standardize, TextVectorization, shakespeare};
/// let plays = shakespeare::load()?;
/// let letters = TextVectorization::new().standardize(Standardize::None).split(Split::Character).adapt([plays.train()])?;
/// let ids = letters.ids_of(plays.test())?;
/// assert_eq!((letters.vocabulary_size(), ids.len()), (75, 98_440));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load() -> Result<Shakespeare> {
    read(&FILES.find()?)
}

/// The plays from a folder that holds `eight_plays.txt`, or `shakespeare/` with it.
///
/// ```
/// let plays = gradus_datasets::shakespeare::load_from("data/shakespeare")?;
/// assert_eq!(plays.plays().len(), 8);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Shakespeare> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Shakespeare> {
    let mut source = found.open("eight_plays.txt")?;
    let name = source.name().to_owned();
    let mut bytes = Vec::new();
    source.by_ref().take(2 * BYTES as u64).read_to_end(&mut bytes).map_err(|error| source.error(&error))?;
    check_count(&name, bytes.len(), BYTES)?;
    if let Some(place) = bytes.iter().position(|byte| !byte.is_ascii()) {
        let hint = "the file is damaged or another one: get it again";
        let error = DatasetError::new(format!("the byte {}", bytes[place]), "letters of ASCII", hint);
        return Err(error.in_file(name).at(crate::error::Place::Byte(place as u64)));
    }
    Ok(Shakespeare { text: String::from_utf8_lossy(&bytes).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plays_are_those_that_the_split_says() {
        let plays = load().unwrap();
        assert_eq!((plays.train().len(), plays.test().len()), (938_049, 98_440));
        let firsts: Vec<&str> = plays.plays().map(|(_, text)| text.lines().next().unwrap()).collect();
        let names: Vec<&str> = plays.plays().map(|(name, _)| name).collect();
        for (first, name) in firsts.iter().zip(&names) {
            let letters = |text: &str| text.to_uppercase().replace('\u{2019}', "'");
            let last_word = letters(name.rsplit(' ').next().unwrap());
            assert!(letters(first).contains(&last_word), "{first:?} {name:?}");
        }
        assert_eq!(plays.plays().map(|(_, text)| text.len()).sum::<usize>(), BYTES);
    }
}
