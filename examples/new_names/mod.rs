//! Pieces of plays with new names, so that a network learns to find names in what it has read rather than by heart.

use std::collections::{BTreeMap, BTreeSet};

use gradus::prelude::*;

/// What new names are made of: the words of some plays in lower case, without the shortest, and the names of those who speak.
pub struct NewNames {
    words: Vec<String>,
    names: Vec<String>,
}

impl NewNames {
    /// Of the words and the names of these plays.
    pub fn new(plays: &[&str], names: &[BTreeSet<String>]) -> Self {
        let long = |word: &&str| word.len() > 3;
        let words: BTreeSet<String> =
            plays.iter().flat_map(|play| words(play)).filter(long).map(str::to_lowercase).collect();
        let names: BTreeSet<String> = names.iter().flatten().cloned().collect();
        NewNames { words: words.into_iter().collect(), names: names.into_iter().collect() }
    }

    /// The first half of a name or a word and the second half of another, so that there are very many. Names alone would be too few,
    /// and words end otherwise than names do.
    fn make(&self, generator: &mut Generator) -> String {
        let mut any = |count: usize| (generator.next_u64() % count as u64) as usize;
        let [first, last] = [0; 2].map(|_| {
            let pool = [&self.words, &self.names][any(2)];
            &*pool[any(pool.len())]
        });
        format!("{}{}", &first[..first.len().div_ceil(2)], &last[last.len() / 2..])
    }
}

/// A piece of a play with new names for these. Plays differ in whether a heading is in capitals; by a toss of a coin all are here.
pub fn renamed(piece: &str, names: &BTreeSet<String>, new_names: &NewNames, generator: &mut Generator) -> String {
    let capitals = generator.next_u64().is_multiple_of(2);
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    let mut text = String::new();
    for line in piece.split_inclusive('\n') {
        let (start, mut has_name) = (text.len(), false);
        for word_and_mark in line.split_inclusive(is_no_letter) {
            let (word, mark) = word_and_mark.split_at(word_and_mark.trim_end_matches(is_no_letter).len());
            let name = word.to_lowercase();
            if names.contains(&name) {
                let name = given.entry(name).or_insert_with(|| new_names.make(generator));
                if word == word.to_uppercase() {
                    text += &name.to_uppercase();
                } else {
                    text.extend([&*name[..1].to_uppercase(), &name[1..]]);
                }
                has_name = true;
            } else {
                text += word;
            }
            text += mark;
        }
        if capitals && has_name && is_heading(line) {
            text[start..].make_ascii_uppercase();
        }
    }
    text
}

/// The names of those who speak in a play, in lower case: the words of its headings, such as "LADY MACBETH.", that are no other words
/// too. A line that occurs once may be no heading.
pub fn names_of(play: &str) -> BTreeSet<String> {
    let is_lower = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_lowercase());
    let others: BTreeSet<&str> = words(play).filter(is_lower).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in play.lines().filter(|line| is_heading(line)).flat_map(words) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let is_name = |(name, count): &(String, usize)| *count > 1 && !others.contains(&**name);
    counts.into_iter().filter(is_name).map(|(name, _)| name).collect()
}

fn is_no_letter(c: char) -> bool {
    !c.is_ascii_alphabetic()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_no_letter).filter(|word| word.len() > 2)
}

/// Whether a line may say who speaks: up to three words with a capital and a full stop, or in capitals.
fn is_heading(line: &str) -> bool {
    let line = line.trim_end();
    let name = line.strip_suffix('.').unwrap_or(line);
    let is_words = name.chars().all(|c| c.is_ascii_alphabetic() || c == ' ') && name.split(' ').count() <= 3;
    let has_capital = name.starts_with(|c: char| c.is_ascii_uppercase());
    is_words && has_capital && (line.ends_with('.') || name == name.to_uppercase())
}
