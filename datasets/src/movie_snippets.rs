//! Sentences of film reviews, rated by at least 20 readers each from -4, negative, to 4, positive.
//!
//! 10,605 snippets: 8,434 to train on, 2,171 to test on. Ratings by C. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for
//! Sentiment Analysis of Social Media Text", ICWSM-14 (2014). The sentences are excerpts of reviews that other people wrote, whose
//! licence nobody has stated: they are not part of this crate, and what is made of them should hold none.
//!
//! With the feature `download`, [`load`] fetches them from where the authors publish them, the Python package `vaderSentiment` 3.3.2. Or
//! unpack its `additional_resources/hutto_ICWSM_2014.tar.gz`, and give [`load_from`] the path of
//! `movieReviewSnippets_GroundTruth.txt`.
//!
//! A snippet is to test on by a hash of its words, so that equal ones are on one side: its text in lower case, with a space for
//! whatever is neither letter nor digit, has a SHA-256 whose first 8 hexadecimal digits are a multiple of 5. For two classes take the
//! sign of the rating, and leave out the 37 zeros; to leave out weak ratings too makes the task easier. TF-IDF of words and pairs of
//! words with logistic regression (scikit-learn 1.9.1) is right in 79.1 % of the 2,160 of the test part that are not 0; one
//! standard error is 0.9 points.
//!
//! These are English reviews of about the year 2000; names of films and people are on both sides of the split.

use std::path::Path;

use hmac_sha256::Hash;

use crate::error::{DatasetError, Result};
use crate::folder::DataFiles;
use crate::remote::Remote;
use crate::source::ByteSource;
use crate::tabbed::check_count;
use crate::text_lines::TextLines;

const GROUND_TRUTH: &str = "movieReviewSnippets_GroundTruth.txt";

/// The file and its md5 sum.
pub const FILES: DataFiles = DataFiles {
    name: "movie-snippets",
    files: &[(GROUND_TRUTH, Some("0f3af01bfd9659ccaff4195eb171511f"))],
    // The archive whose SHA-256 PyPI gives as 5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9.
    remotes: &[Remote {
        url: "https://files.pythonhosted.org/packages/77/8c/4a48c10a50f750ae565e341e697d74a38075a3e43ff0df6f1ab72e186902/vaderSentiment-3.3.2.tar.gz",
        md5: "a04f43dfcc57119bcabaa12f356c8c40",
    }],
};

const TRAIN: usize = 8_434;
const TEST: usize = 2_171;

/// A snippet of a review.
///
/// ```no_run
/// let snippets = gradus_datasets::movie_snippets::load()?.train;
/// // Two classes, without what is neither good nor bad.
/// let praise: Vec<bool> = snippets.iter().filter(|s| s.rating != 0.0).map(|s| s.rating > 0.0).collect();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Snippet {
    /// The number in the source, from 1.
    pub id: u32,
    /// The mean of the ratings, from -4, negative, to 4, positive.
    pub rating: f32,
    /// The text.
    pub text: String,
}

/// The snippets of both parts, in the order of the source.
///
/// ```no_run
/// let snippets = gradus_datasets::movie_snippets::load()?;
/// let best = snippets.test.iter().max_by(|a, b| a.rating.total_cmp(&b.rating)).unwrap();
/// println!("{}: {}", best.rating, best.text);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MovieSnippets {
    /// The snippets to learn from.
    pub train: Vec<Snippet>,
    /// The snippets to test on.
    pub test: Vec<Snippet>,
}

/// The snippets: from `movie-snippets/` in the folder that the environment variable `GRADUS_DATA` names, or, with the feature
/// `download`, from where their authors publish them.
///
/// ```no_run
/// use gradus_datasets::{TextVectorization, movie_snippets};
/// let mut snippets = movie_snippets::load()?;
/// snippets.train.retain(|snippet| snippet.rating != 0.0);
/// let words = TextVectorization::new().max_tokens(10_000).adapt(snippets.train.iter().map(|snippet| &snippet.text))?;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged, or cannot be fetched.
pub fn load() -> Result<MovieSnippets> {
    whole(FILES.find()?.open(GROUND_TRUTH)?)
}

/// The snippets from a file, plain or gzip'd: that of the authors, or one of the columns `id`, `split`, `rating` and `text` under a
/// line of these names, with tabs between them. Or from the folder that holds the authors'.
///
/// ```no_run
/// let snippets = gradus_datasets::movie_snippets::load_from("downloads/movieReviewSnippets_GroundTruth.txt")?;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(path: impl AsRef<Path>) -> Result<MovieSnippets> {
    let path = path.as_ref();
    whole(if path.is_dir() { FILES.find_in(path)?.open(GROUND_TRUTH)? } else { ByteSource::open(path)? })
}

fn whole(source: ByteSource<'_>) -> Result<MovieSnippets> {
    let name = source.name().to_owned();
    let snippets = read(source)?;
    check_count(&name, snippets.train.len() + snippets.test.len(), TRAIN + TEST)?;
    check_count(&name, snippets.test.len(), TEST)?;
    Ok(snippets)
}

fn read(source: ByteSource<'_>) -> Result<MovieSnippets> {
    const COLUMNS: &str = "id\tsplit\trating\ttext";
    let mut lines = TextLines::new(source);
    let (mut snippets, mut has_split) = (MovieSnippets::default(), false);
    while let Some(line) = lines.next_line()? {
        if line == COLUMNS {
            has_split = true;
            continue;
        }
        let parsed = parse(line, has_split);
        let Some((snippet, is_test)) = parsed else {
            let found = format!("a line of {} fields", line.split('\t').count());
            let expected = if has_split { "id, train or test, rating and text" } else { "id, rating and text" };
            let hint = "the file is damaged or another one: get it again";
            return Err(lines.error(DatasetError::new(found, format!("{expected}, with tabs between them"), hint)));
        };
        if is_test { &mut snippets.test } else { &mut snippets.train }.push(snippet);
    }
    Ok(snippets)
}

/// A snippet, and whether it is to test on.
fn parse(line: &str, has_split: bool) -> Option<(Snippet, bool)> {
    let mut fields = line.split('\t');
    let id = fields.next()?.parse().ok()?;
    let split = if has_split { Some(fields.next()?) } else { None };
    let rating: f32 = fields.next()?.parse().ok()?;
    let text = fields.next()?.trim().to_owned();
    let is_rating = (-4.0..=4.0).contains(&rating) && fields.next().is_none();
    let is_test = match split {
        Some("test") => true,
        Some("train") => false,
        Some(_) => return None,
        None => is_test(&text),
    };
    is_rating.then_some((Snippet { id, rating, text }, is_test))
}

/// Whether a text is to test on: see the top of this page.
fn is_test(text: &str) -> bool {
    let letters = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' });
    let lower: String = letters.flat_map(char::to_lowercase).collect();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let hash = Hash::hash(words.join(" ").as_bytes());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).is_multiple_of(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippets(text: &str) -> Result<MovieSnippets> {
        read(ByteSource::new(text.as_bytes(), "snippets.txt").unwrap())
    }

    #[test]
    fn a_text_is_on_the_side_that_its_words_say() {
        // Python: int(sha256(words.encode()).hexdigest()[:8], 16) % 5 of "a", "b", ..., in that order.
        let expected = [0, 1, 3, 3, 4, 0, 2, 1, 3, 0];
        for (letter, remainder) in ('a'..='j').zip(expected) {
            assert_eq!(is_test(&letter.to_string()), remainder == 0, "{letter}");
            assert_eq!(is_test(&format!(" {}!?\u{a0}", letter.to_uppercase())), remainder == 0);
        }
        assert!(expected.contains(&0));
        assert_eq!(is_test("A good, GOOD film"), is_test("a good good   film."));
    }

    #[test]
    fn either_file_is_read() {
        let both = snippets("1\t2.26\t Made up. \r\n2\t-0.5\tMade up too\r\n").unwrap();
        let mut all = [both.train, both.test].concat();
        all.sort_by_key(|snippet| snippet.id);
        let snippet = |id, rating, text: &str| Snippet { id, rating, text: text.to_owned() };
        assert_eq!(all, [snippet(1, 2.26, "Made up."), snippet(2, -0.5, "Made up too")]);
        let split = snippets("id\tsplit\trating\ttext\n7\ttest\t0\ta\n8\ttrain\t4\tb\n").unwrap();
        assert_eq!((split.test, split.train), (vec![snippet(7, 0.0, "a")], vec![snippet(8, 4.0, "b")]));
        let error = |text: &str| snippets(text).unwrap_err().to_string();
        assert_eq!(
            error("1\t2.26\tMade up\n2\tx\tMade up\n"),
            "snippets.txt, line 2, column 1: found a line of 3 fields, expected id, rating and text, with tabs between them; the \
             file is damaged or another one: get it again"
        );
        for bad in ["1\t5\ta\n", "1\tNaN\ta\n", "1\t1\ta\tb\n", "id\tsplit\trating\ttext\n1\tvalid\t1\ta\n", "\n"] {
            assert!(error(bad).contains("found a line of"), "{bad:?}");
        }
        let few = whole(ByteSource::new(&b"1\t1\ta\n"[..], "snippets.txt").unwrap()).unwrap_err();
        assert_eq!(few.found(), "the end after 1 samples");
    }
}
