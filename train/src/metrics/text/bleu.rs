//! BLEU: the share of n-grams that a translation has in common with references.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::check_counts;
use super::ngrams::ngrams;
use super::tokenize::{is_python_space, tokenize};

/// The longest n-grams.
const ORDER: usize = 4;

/// BLEU of a corpus, from 0 to 100: the geometric mean of the shares of n-grams, of 1 to 4 tokens, that the references have too,
/// times exp(1 - r / c) where the translations have c tokens, fewer than the r of the references (K. Papineni and others, ACL 2002).
///
/// The numbers are those of sacreBLEU 2.6 with its defaults: the tokens of mteval-v13a, and where no n-gram of a length fits,
/// 1/2, 1/4, .. of one do (`exp`). Texts are added one by one.
///
/// ```
/// use gradus_train::metrics::Bleu;
/// let mut bleu = Bleu::new().lowercase(true);
/// bleu.add("The cat sat on the mat.", &["the cat sat on a mat.", "there was a cat on the mat."]);
/// assert!((bleu.result() - 76.52).abs() < 0.01);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bleu {
    lowercase: bool,
    /// The n-grams of each length that are in a reference.
    correct: [u64; ORDER],
    /// All n-grams of each length.
    total: [u64; ORDER],
    tokens: u64,
    /// The tokens of the references: of several the one whose length is nearest.
    reference_tokens: u64,
}

/// The [`Bleu`] of texts with one reference each.
///
/// ```
/// use gradus_train::metrics::bleu;
/// assert!((bleu(&["a dog ran far away"], &["a dog ran far away"]) - 100.0).abs() < 1e-9);
/// ```
///
/// # Panics
/// If there is not one reference for each text.
#[track_caller]
pub fn bleu(texts: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> f64 {
    check_counts("bleu", texts.len(), references.len());
    let mut bleu = Bleu::new();
    texts.iter().zip(references).for_each(|(text, reference)| bleu.add(text.as_ref(), &[reference]));
    bleu.result()
}

impl Bleu {
    /// No texts so far; capitals count.
    pub fn new() -> Self {
        Bleu::default()
    }

    /// Whether capitals count as small letters.
    pub fn lowercase(self, lowercase: bool) -> Self {
        Bleu { lowercase, ..self }
    }

    /// Adds a translation and its references.
    ///
    /// # Panics
    /// If there is no reference.
    #[track_caller]
    pub fn add(&mut self, text: &str, references: &[impl AsRef<str>]) {
        assert!(!references.is_empty(), "bleu: a text needs a reference");
        let tokens = self.tokens(text);
        let references: Vec<Vec<String>> = references.iter().map(|reference| self.tokens(reference.as_ref())).collect();
        for n in 1..=ORDER {
            // Of several references the one that has an n-gram most often.
            let mut most: HashMap<&[String], usize> = HashMap::new();
            for reference in &references {
                for (ngram, count) in ngrams(reference, n) {
                    let known = most.entry(ngram).or_default();
                    *known = count.max(*known);
                }
            }
            self.correct[n - 1] += super::ngrams::shared(&ngrams(&tokens, n), &most) as u64;
            self.total[n - 1] += (tokens.len() + 1).saturating_sub(n) as u64;
        }
        let distance = |length: &usize| (length.abs_diff(tokens.len()), *length);
        let nearest = references.iter().map(Vec::len).min_by_key(distance).unwrap_or(0);
        self.tokens += tokens.len() as u64;
        self.reference_tokens += nearest as u64;
    }

    fn tokens(&self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_python_space);
        if self.lowercase { tokenize(&text.to_lowercase()) } else { tokenize(text) }
    }

    /// The score of all texts so far, from 0 to 100; 0 where no token fits.
    pub fn result(&self) -> f64 {
        if self.correct.iter().all(|&count| count == 0) {
            return 0.0;
        }
        let (mut logarithms, mut smoothed) = (0.0, 1.0);
        for (&correct, &total) in self.correct.iter().zip(&self.total) {
            if total == 0 {
                // There is no n-gram of this length at all.
                return 0.0;
            }
            let correct = match correct {
                0 => {
                    smoothed *= 0.5;
                    smoothed
                }
                _ => correct as f64,
            };
            logarithms += (100.0 * correct / total as f64).ln();
        }
        let ratio = self.reference_tokens as f64 / self.tokens as f64;
        let brevity = if ratio > 1.0 { (1.0 - ratio).exp() } else { 1.0 };
        brevity * (logarithms / ORDER as f64).exp()
    }

    /// Forgets all texts.
    pub fn reset(&mut self) {
        *self = Bleu::new().lowercase(self.lowercase);
    }
}
