//! English-Spanish verse pairs, derived from the World English Bible and the Reina-Valera of 1909, for models that translate.
//!
//! 12,893 pairs with at most 20 English words: 10,158 to train on, 1,253 to validate and 1,482 to test on, split by whole chapters.
//! Both translations are in the public domain. This is a changed text, which must carry the long name; the file lies in this
//! crate's folder `data/verses`, whose README says how it was made and what its limits are.

use std::path::Path;

use crate::error::Result;
use crate::folder::{DataFiles, FoundFiles};
use crate::tabbed::{check_count, each_line};

/// The files and their md5 sums.
pub const FILES: DataFiles = DataFiles {
    name: "verses",
    files: &[
        ("en_es.tsv", Some("77564430288940ef805e7b4e3a8d01d0")),
        ("split.tsv", Some("1a299a37c2c95f48e90d693b18e3ed18")),
    ],
    remotes: &[],
};

/// The pairs of each part, in the order of the file.
const PARTS: [(&str, usize); 3] = [("train", 10_158), ("valid", 1_253), ("test", 1_482)];

/// A verse in both languages.
///
/// ```
/// let verse = gradus_datasets::verses::load()?.train.swap_remove(0);
/// println!("{}: {} = {}", verse.place, verse.english, verse.spanish);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verse {
    /// The English text.
    pub english: String,
    /// The Spanish text.
    pub spanish: String,
    /// Book, chapter and verse: `"Genesis 1:1"`.
    pub place: String,
}

/// The verses of each part.
///
/// ```
/// use gradus_datasets::{TextVectorization, verses};
/// let verses = verses::load()?;
/// let words = TextVectorization::new().max_tokens(100).adapt(verses.valid.iter().map(|verse| &verse.english))?;
/// assert_eq!(words.vocabulary()[2], "the"); // The most frequent word.
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verses {
    /// The verses to learn from.
    pub train: Vec<Verse>,
    /// The verses to validate on.
    pub valid: Vec<Verse>,
    /// The verses to test on.
    pub test: Vec<Verse>,
}

/// The verses: from `verses/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own copy.
///
/// ```
/// use gradus_datasets::verses;
/// let verses = verses::load()?;
/// assert_eq!(verses.train[0].spanish, "EN el principio crió Dios los cielos y la tierra.");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Verses> {
    read(&FILES.find()?)
}

/// The verses from a folder that holds `en_es.tsv` and `split.tsv`, or `verses/` with them.
///
/// ```
/// let verses = gradus_datasets::verses::load_from("data/verses")?;
/// assert!(verses.train.len() > verses.test.len());
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Verses> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Verses> {
    let mut verses = Vec::new();
    each_line(found.open("en_es.tsv")?, None, |[english, spanish]| {
        let (english, spanish) = (english.to_owned(), spanish.to_owned());
        verses.push(Verse { english, spanish, place: String::new() });
        Ok(())
    })?;
    let (source, mut parts) = (found.open("split.tsv")?, Vec::new());
    let name = source.name().to_owned();
    each_line(source, None, |[part, place]| {
        if let Some(verse) = verses.get_mut(parts.len()) {
            verse.place = place.to_owned();
        }
        parts.push(part.to_owned());
        Ok(())
    })?;
    check_count(&name, parts.len(), verses.len())?;
    for (part, expected) in PARTS {
        check_count(&name, parts.iter().filter(|found| *found == part).count(), expected)?;
    }
    // All lines of a part stand together.
    let test = verses.split_off(PARTS[0].1 + PARTS[1].1);
    let valid = verses.split_off(PARTS[0].1);
    Ok(Verses { train: verses, valid, test })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verses_are_what_the_readme_says() {
        let verses = load().unwrap();
        let of = |verses: &[Verse]| {
            let chapter = |verse: &Verse| verse.place.rsplit_once(':').unwrap().0.to_owned();
            let chapters: std::collections::BTreeSet<String> = verses.iter().map(chapter).collect();
            (verses.len(), chapters.len())
        };
        assert_eq!(
            [&verses.train, &verses.valid, &verses.test].map(|part| of(part)),
            [(10_158, 926), (1_253, 122), (1_482, 130)]
        );
        let words = |part: &[Verse], of: fn(&Verse) -> &str| {
            let words: usize = part.iter().map(|verse| of(verse).split(' ').count()).sum();
            (10.0 * words as f64 / part.len() as f64).round() / 10.0
        };
        assert_eq!((words(&verses.test, |v| &v.english), words(&verses.test, |v| &v.spanish)), (14.9, 14.4));
        assert_eq!(verses.train[1].place, "Genesis 1:3");
    }
}
