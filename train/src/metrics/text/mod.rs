//! How near texts are to others: translations, recognised speech.

mod bleu;
mod chrf;
mod error_rate;
mod ngrams;
mod tokenize;

pub use bleu::{Bleu, bleu};
pub use chrf::{Chrf, chrf};
pub use error_rate::{ErrorRate, character_error_rate, edit_distance, word_error_rate};

/// Panics if there is not one reference for each text.
#[track_caller]
fn check_counts(op: &str, texts: usize, references: usize) {
    assert!(texts == references, "{op}: one reference for each text is needed: {texts} texts, {references} references");
}
