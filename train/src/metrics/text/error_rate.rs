//! How many words or characters of a text are wrong.

use serde::{Deserialize, Serialize};

use super::check_counts;

/// The least number of insertions, deletions and substitutions that turn one sequence into the other (V. Levenshtein, 1965).
///
/// It takes time for each pair of elements, and memory for the shorter sequence.
///
/// ```
/// use gradus_train::metrics::edit_distance;
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// assert_eq!(edit_distance(&[1, 2, 3], &[2, 3, 4]), 2);
/// ```
pub fn edit_distance<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    // distances[j] is that of the elements of `long` so far and the first j of `short`.
    let mut distances: Vec<usize> = (0..=short.len()).collect();
    for (i, x) in long.iter().enumerate() {
        let mut diagonal = distances[0];
        distances[0] = i + 1;
        for (j, y) in short.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = distances[j + 1];
            distances[j + 1] = substituted.min(distances[j] + 1).min(diagonal + 1);
        }
    }
    distances[short.len()]
}

/// The share of wrong elements: the edit distances of all sequences over the length of all references. It may be above 1.
///
/// Where all references are empty it is 0 without errors, else 1.
///
/// ```
/// use gradus_train::metrics::ErrorRate;
/// let mut digits = ErrorRate::new();
/// digits.add(&[3, 1, 4], &[3, 1, 1, 4]);
/// digits.add(&[1], &[1]);
/// assert_eq!((digits.result(), digits.errors(), digits.length()), (0.25, 1, 4));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRate {
    errors: u64,
    length: u64,
}

impl ErrorRate {
    /// No sequences so far.
    pub fn new() -> Self {
        ErrorRate::default()
    }

    /// Adds a sequence and what was recognised in its place.
    pub fn add<T: PartialEq>(&mut self, reference: &[T], recognised: &[T]) {
        self.errors += edit_distance(reference, recognised) as u64;
        self.length += reference.len() as u64;
    }

    /// Adds the words of a text, which white space divides.
    pub fn add_words(&mut self, reference: &str, recognised: &str) {
        let words = |text| str::split_whitespace(text).collect::<Vec<_>>();
        self.add(&words(reference), &words(recognised));
    }

    /// Adds the characters of a text, without the white space around it.
    pub fn add_characters(&mut self, reference: &str, recognised: &str) {
        let characters = |text| str::trim(text).chars().collect::<Vec<_>>();
        self.add(&characters(reference), &characters(recognised));
    }

    /// The share of wrong elements so far.
    pub fn result(&self) -> f64 {
        match self.length {
            0 => f64::from(self.errors > 0),
            length => self.errors as f64 / length as f64,
        }
    }

    /// The number of insertions, deletions and substitutions so far.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// The length of all references so far.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// The share of wrong words in recognised texts, as jiwer's `wer`, where words have single spaces between them: other white space
/// divides words here too.
///
/// ```
/// use gradus_train::metrics::word_error_rate;
/// assert_eq!(word_error_rate(&["the cat sat"], &["the cat sat down"]), 1.0 / 3.0);
/// ```
///
/// # Panics
/// If there is not one reference for each text.
#[track_caller]
pub fn word_error_rate(references: &[impl AsRef<str>], recognised: &[impl AsRef<str>]) -> f64 {
    check_counts("word_error_rate", recognised.len(), references.len());
    let mut rate = ErrorRate::new();
    references.iter().zip(recognised).for_each(|(a, b)| rate.add_words(a.as_ref(), b.as_ref()));
    rate.result()
}

/// The share of wrong characters in recognised texts, spaces among them, as jiwer's `cer`.
///
/// ```
/// use gradus_train::metrics::character_error_rate;
/// assert_eq!(character_error_rate(&["cat"], &["cut"]), 1.0 / 3.0);
/// ```
///
/// # Panics
/// If there is not one reference for each text.
#[track_caller]
pub fn character_error_rate(references: &[impl AsRef<str>], recognised: &[impl AsRef<str>]) -> f64 {
    check_counts("character_error_rate", recognised.len(), references.len());
    let mut rate = ErrorRate::new();
    references.iter().zip(recognised).for_each(|(a, b)| rate.add_characters(a.as_ref(), b.as_ref()));
    rate.result()
}
