//! Texts as pairs of bytes that often stand together.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use serde::{Deserialize, Serialize};

use super::alphabet::{Words, bytes_in_order, written};
use super::byte_pair_training::learn;
use crate::error::{DatasetError, Place, Result};

/// A pair of ids that becomes one token.
pub(super) type Pair = (u32, u32);

/// A vocabulary of bytes and of pairs of them: byte-pair encoding over bytes, as GPT-2's.
///
/// [`train`](BytePair::train) starts from the 256 bytes and, again and again, makes a token of the pair of tokens that stands
/// together most often (P. Gage, 1994; R. Sennrich and others, arXiv:1508.07909). So any text has ids, and every text comes back:
/// no token is unknown. Without training it is a vocabulary of bytes.
///
/// The ids of the special tokens come first, then those of the bytes in the order of the letters that GPT-2 writes for them, then
/// those of the pairs. Ties go to the pair of smaller ids, so the same texts give the same tokens, those of Hugging Face's
/// `ByteLevelBPETokenizer`.
///
/// ```
/// use gradus_datasets::BytePair;
/// let verses = ["the cat and the hat", "the rat that sat"];
/// let tokens = BytePair::new().special_tokens(["[PAD]"]).train(verses, 270)?;
/// let ids = tokens.encode("that hat");
/// assert_eq!(tokens.tokens_of(&ids)?, ["th", "at", "Ġ", "h", "at"]);
/// assert_eq!(tokens.decode(&ids)?, "that hat");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// It is a value that serde writes and reads; [`save`](BytePair::save) writes it as a text of its own.
#[doc(alias("BPE", "tokenizer"))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct BytePair {
    special_tokens: Vec<String>,
    min_frequency: u64,
    /// In the order in which they were found.
    merges: Vec<Pair>,
    /// The bytes of each token but the special ones.
    tokens: Vec<Vec<u8>>,
    /// The place of each merge, and the id that it makes.
    ranks: HashMap<Pair, (usize, u32)>,
    /// The id of each byte.
    byte_ids: Vec<u32>,
}

/// What is written of it: each merge as two tokens in printable letters, with a space between them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default)]
    special_tokens: Vec<String>,
    merges: Vec<String>,
}

impl Default for BytePair {
    fn default() -> Self {
        BytePair::new()
    }
}

impl BytePair {
    /// The vocabulary of the 256 bytes.
    pub fn new() -> Self {
        BytePair::of(Vec::new())
    }

    /// The vocabulary of the special tokens and the bytes.
    fn of(special_tokens: Vec<String>) -> Self {
        let bytes = bytes_in_order();
        let mut byte_ids = vec![0; bytes.len()];
        for (&byte, id) in bytes.iter().zip(special_tokens.len() as u32..) {
            byte_ids[usize::from(byte)] = id;
        }
        let tokens = bytes.into_iter().map(|byte| vec![byte]).collect();
        BytePair { special_tokens, min_frequency: 2, merges: Vec::new(), tokens, ranks: HashMap::new(), byte_ids }
    }

    /// Tokens that no text has, such as `"[PAD]"`, `"[START]"` and `"[END]"`: they have the ids 0, 1, ... Where a text has such
    /// letters they are letters. Call it before [`train`](BytePair::train); pairs that are there already are lost.
    ///
    /// # Panics
    /// If a token comes twice, is empty or has a line's end in it.
    #[track_caller]
    pub fn special_tokens(self, tokens: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tokens: Vec<String> = tokens.into_iter().map(Into::into).collect();
        if let Err(error) = check_special(&tokens) {
            panic!("special_tokens: {error}");
        }
        BytePair { min_frequency: self.min_frequency, ..BytePair::of(tokens) }
    }

    /// How often a pair must occur to become a token, 2 by default.
    pub fn min_frequency(self, occurrences: u64) -> Self {
        BytePair { min_frequency: occurrences, ..self }
    }

    /// Finds pairs in these texts until there are `vocabulary_size` tokens in all, or no pair occurs often enough. Pairs of an
    /// earlier training are forgotten.
    ///
    /// # Errors
    /// If the special tokens and the bytes alone are more tokens.
    pub fn train(self, texts: impl IntoIterator<Item = impl AsRef<str>>, vocabulary_size: usize) -> Result<Self> {
        let mut trained = BytePair { min_frequency: self.min_frequency, ..BytePair::of(self.special_tokens) };
        let least = trained.vocabulary_size();
        if vocabulary_size < least {
            let found = format!("a vocabulary of {vocabulary_size} tokens");
            let hint = "ask for a larger vocabulary";
            return Err(DatasetError::new(found, format!("at least {least}: special tokens and bytes"), hint));
        }
        let mut counts: HashMap<String, u64> = HashMap::new();
        for text in texts {
            for word in Words(text.as_ref()) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(word.to_owned(), 1);
                    }
                }
            }
        }
        let mut words: Vec<(Vec<u32>, u64)> =
            counts.into_iter().map(|(word, count)| (trained.byte_ids_of(word.as_bytes()), count)).collect();
        // So that nothing depends on the order in a hash table.
        words.sort_unstable();
        learn(&mut trained, words, vocabulary_size);
        Ok(trained)
    }

    /// Makes a token of a pair of ids, unless the same bytes are a token already. Returns its id.
    pub(super) fn merge(&mut self, pair: Pair, known: &mut HashMap<Vec<u8>, u32>) -> u32 {
        let bytes = [self.bytes_of(pair.0), self.bytes_of(pair.1)].concat();
        let id = *known.entry(bytes).or_insert_with_key(|bytes| {
            self.tokens.push(bytes.clone());
            (self.special_tokens.len() + self.tokens.len() - 1) as u32
        });
        self.ranks.entry(pair).or_insert((self.merges.len(), id));
        self.merges.push(pair);
        id
    }

    /// The id of each token that is none of the special ones.
    pub(super) fn known_tokens(&self) -> HashMap<Vec<u8>, u32> {
        self.tokens.iter().cloned().zip(self.special_tokens.len() as u32..).collect()
    }

    fn bytes_of(&self, id: u32) -> &[u8] {
        &self.tokens[id as usize - self.special_tokens.len()]
    }

    fn byte_ids_of(&self, bytes: &[u8]) -> Vec<u32> {
        bytes.iter().map(|&byte| self.byte_ids[usize::from(byte)]).collect()
    }

    /// The least number of occurrences of a pair.
    pub(super) fn least_occurrences(&self) -> u64 {
        self.min_frequency.max(1)
    }

    /// The number of tokens: special ones, bytes and pairs.
    pub fn vocabulary_size(&self) -> usize {
        self.special_tokens.len() + self.tokens.len()
    }

    /// The id of a special token.
    pub fn special_id(&self, token: &str) -> Option<i64> {
        self.special_tokens.iter().position(|special| special == token).map(|id| id as i64)
    }

    /// The special tokens.
    pub(super) fn special(&self) -> &[String] {
        &self.special_tokens
    }

    /// Each merge as two tokens in printable letters, with a space between them.
    pub(super) fn written_merges(&self) -> impl Iterator<Item = String> {
        self.merges.iter().map(|&(a, b)| format!("{} {}", written(self.bytes_of(a)), written(self.bytes_of(b))))
    }

    /// The ids of a text. It has no special tokens.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut known: HashMap<&str, Vec<i64>> = HashMap::new();
        let mut ids = Vec::new();
        for word in Words(text) {
            let of_word = known.entry(word).or_insert_with(|| {
                merged(self.byte_ids_of(word.as_bytes()), &self.ranks).into_iter().map(i64::from).collect()
            });
            ids.extend_from_slice(of_word);
        }
        ids
    }

    /// The text of these ids. Special tokens are left out, and bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// If an id is not one of the vocabulary.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(ids)?).into_owned())
    }

    /// The bytes of these ids, without special tokens: a single id may be a part of a character.
    ///
    /// # Errors
    /// If an id is not one of the vocabulary.
    pub fn decode_bytes(&self, ids: &[i64]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (place, &id) in ids.iter().enumerate() {
            let id = self.checked(id, place)?;
            if id as usize >= self.special_tokens.len() {
                bytes.extend_from_slice(self.bytes_of(id));
            }
        }
        Ok(bytes)
    }

    /// The token of each id, in printable letters: a space is `Ġ`, a line feed `Ċ`.
    ///
    /// # Errors
    /// If an id is not one of the vocabulary.
    pub fn tokens_of(&self, ids: &[i64]) -> Result<Vec<String>> {
        let token = |(place, &id): (usize, &i64)| {
            let id = self.checked(id, place)?;
            Ok(match self.special_tokens.get(id as usize) {
                Some(special) => special.clone(),
                None => written(self.bytes_of(id)),
            })
        };
        ids.iter().enumerate().map(token).collect()
    }

    fn checked(&self, id: i64, place: usize) -> Result<u32> {
        if (0..self.vocabulary_size() as i64).contains(&id) {
            return Ok(id as u32);
        }
        let expected = format!("an id from 0 to {}", self.vocabulary_size() - 1);
        let hint = "decode by the vocabulary that the ids were made by";
        Err(DatasetError::new(format!("the id {id}"), expected, hint).at(Place::Sample(place)))
    }

    /// The vocabulary of special tokens and written merges; an error has the number of the merge as its place.
    pub(super) fn of_written(special_tokens: Vec<String>, merges: impl Iterator<Item = String>) -> Result<Self> {
        check_special(&special_tokens)?;
        let mut read = BytePair::of(special_tokens);
        let mut known = read.known_tokens();
        for (place, merge) in merges.enumerate() {
            let id = |written: &str| {
                let bytes: Option<Vec<u8>> = written.chars().map(super::alphabet::byte).collect();
                known.get(&bytes?).copied()
            };
            let pair = merge.split_once(' ').and_then(|(a, b)| Some((id(a)?, id(b)?)));
            let Some(pair) = pair else {
                let found = format!("the merge {:?}", merge.chars().take(60).collect::<String>());
                let expected = "two tokens that are bytes or come before, with a space between them";
                let hint = "the file is damaged or no list of byte pairs";
                return Err(DatasetError::new(found, expected, hint).at(Place::Sample(place)));
            };
            read.merge(pair, &mut known);
        }
        Ok(read)
    }
}

fn check_special(tokens: &[String]) -> Result<()> {
    for (place, token) in tokens.iter().enumerate() {
        let is_bad = token.is_empty() || token.contains(['\n', '\r']) || tokens[..place].contains(token);
        if is_bad {
            let expected = "different special tokens, each of one line";
            return Err(DatasetError::new(format!("the special token {token:?}"), expected, "give it another name"));
        }
    }
    Ok(())
}

/// The ids of a word, with pairs merged: of the pairs that stand in it, always the one that was found first.
fn merged(mut ids: Vec<u32>, ranks: &HashMap<Pair, (usize, u32)>) -> Vec<u32> {
    // The ids are a linked list, so that a word of any length takes n log n steps.
    const END: usize = usize::MAX;
    let mut after: Vec<usize> = (1..=ids.len()).map(|next| if next == ids.len() { END } else { next }).collect();
    let mut before: Vec<usize> = (0..ids.len()).map(|place| place.checked_sub(1).unwrap_or(END)).collect();
    let mut is_there = vec![true; ids.len()];
    let mut found = BinaryHeap::new();
    let look = |place: usize, next: usize, ids: &[u32], found: &mut BinaryHeap<_>| {
        if let Some(&(rank, id)) = ranks.get(&(ids[place], ids[next])) {
            found.push(Reverse((rank, place, (ids[place], ids[next]), id)));
        }
    };
    for next in 1..ids.len() {
        look(next - 1, next, &ids, &mut found);
    }
    while let Some(Reverse((_, place, pair, id))) = found.pop() {
        let next = after[place];
        // The pair may be gone by now.
        if !is_there[place] || next == END || (ids[place], ids[next]) != pair {
            continue;
        }
        ids[place] = id;
        is_there[next] = false;
        after[place] = after[next];
        if after[place] != END {
            before[after[place]] = place;
            look(place, after[place], &ids, &mut found);
        }
        if before[place] != END {
            look(before[place], place, &ids, &mut found);
        }
    }
    ids.into_iter().zip(is_there).filter_map(|(id, is_there)| is_there.then_some(id)).collect()
}

impl TryFrom<Record> for BytePair {
    type Error = DatasetError;

    fn try_from(record: Record) -> Result<Self> {
        BytePair::of_written(record.special_tokens, record.merges.into_iter())
    }
}

impl From<BytePair> for Record {
    fn from(tokens: BytePair) -> Self {
        Record { merges: tokens.written_merges().collect(), special_tokens: tokens.special_tokens }
    }
}
