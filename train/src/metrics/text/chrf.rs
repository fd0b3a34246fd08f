//! chrF: the n-grams of characters that a translation has in common with a reference.

use serde::{Deserialize, Serialize};

use super::check_counts;
use super::ngrams::{ngrams, shared};
use super::tokenize::is_python_space;

/// The longest n-grams.
const ORDER: usize = 6;
/// How much more recall counts than precision.
const BETA: f64 = 2.0;

/// chrF2 of a corpus, from 0 to 100: the F-score of n-grams of 1 to 6 characters, in which recall counts twice as much as precision (M.
/// Popović, WMT 2015). White space does not count.
///
/// The numbers are those of sacreBLEU 2.6 with its defaults: precision and recall are means over the lengths that occur, and of several
/// references the one of the best score counts. Texts are added one by one.
///
/// ```
/// use gradus_train::metrics::Chrf;
/// let mut chrf = Chrf::new().lowercase(true);
/// chrf.add("The cat sat.", &["the cats sat."]);
/// assert!((chrf.result() - 67.79).abs() < 0.01);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chrf {
    lowercase: bool,
    sums: [Counts; ORDER],
}

/// The n-grams of one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    text: u64,
    reference: u64,
    shared: u64,
}

/// The [`Chrf`] of texts with one reference each.
///
/// ```
/// use gradus_train::metrics::chrf;
/// assert_eq!(chrf(&["a dog ran"], &["a dog ran"]), 100.0);
/// ```
///
/// # Panics
/// If there is not one reference for each text.
#[track_caller]
pub fn chrf(texts: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> f64 {
    check_counts("chrf", texts.len(), references.len());
    let mut chrf = Chrf::new();
    texts.iter().zip(references).for_each(|(text, reference)| chrf.add(text.as_ref(), &[reference]));
    chrf.result()
}

impl Chrf {
    /// No texts so far; capitals count.
    pub fn new() -> Self {
        Chrf::default()
    }

    /// Whether capitals count as small letters.
    pub fn lowercase(self, lowercase: bool) -> Self {
        Chrf { lowercase, ..self }
    }

    /// Adds a translation and its references.
    ///
    /// # Panics
    /// If there is no reference.
    #[track_caller]
    pub fn add(&mut self, text: &str, references: &[impl AsRef<str>]) {
        let text = self.characters(text);
        let mut best: Option<(f64, [Counts; ORDER])> = None;
        for reference in references {
            let reference = self.characters(reference.as_ref());
            let counts = counted(&text, &reference);
            let score = score(&counts);
            if best.is_none_or(|(before, _)| score > before) {
                best = Some((score, counts));
            }
        }
        let Some((_, counts)) = best else { panic!("chrf: a text needs a reference") };
        for (sum, Counts { text, reference, shared }) in self.sums.iter_mut().zip(counts) {
            sum.text += text;
            sum.reference += reference;
            sum.shared += shared;
        }
    }

    fn characters(&self, text: &str) -> Vec<char> {
        let text = if self.lowercase { text.to_lowercase() } else { text.to_owned() };
        text.chars().filter(|&c| !is_python_space(c)).collect()
    }

    /// The score of all texts so far, from 0 to 100.
    pub fn result(&self) -> f64 {
        score(&self.sums)
    }

    /// Forgets all texts.
    pub fn reset(&mut self) {
        *self = Chrf::new().lowercase(self.lowercase);
    }
}

fn counted(text: &[char], reference: &[char]) -> [Counts; ORDER] {
    std::array::from_fn(|place| {
        let n = place + 1;
        let many = |characters: &[char]| (characters.len() + 1).saturating_sub(n) as u64;
        let shared = shared(&ngrams(text, n), &ngrams(reference, n)) as u64;
        // A reference without n-grams of this length says nothing of those of the text.
        let in_text = if many(reference) == 0 { 0 } else { many(text) };
        Counts { text: in_text, reference: many(reference), shared }
    })
}

fn score(counts: &[Counts]) -> f64 {
    let there = || counts.iter().filter(|counts| counts.text > 0 && counts.reference > 0);
    let lengths = there().count().max(1) as f64;
    let precision = there().map(|counts| counts.shared as f64 / counts.text as f64).sum::<f64>() / lengths;
    let recall = there().map(|counts| counts.shared as f64 / counts.reference as f64).sum::<f64>() / lengths;
    if precision + recall == 0.0 {
        return 0.0;
    }
    let factor = BETA * BETA;
    100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
}
