//! Which pairs of tokens stand together most often.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::byte_pair::{BytePair, Pair};

/// Makes tokens of the pairs that occur most often in words, each given with its number of occurrences, until there are
/// `vocabulary_size` tokens or no pair occurs often enough.
pub(super) fn learn(tokens: &mut BytePair, mut words: Vec<(Vec<u32>, u64)>, vocabulary_size: usize) {
    let mut known = tokens.known_tokens();
    let mut pairs = Pairs::default();
    for (word, (ids, count)) in words.iter().enumerate() {
        for pair in ids.windows(2) {
            pairs.change((pair[0], pair[1]), *count as i64, word);
        }
    }
    pairs.requeue();
    while tokens.vocabulary_size() < vocabulary_size {
        let Some((pair, in_words)) = pairs.most_frequent(tokens.least_occurrences()) else { return };
        let id = tokens.merge(pair, &mut known);
        for word in in_words {
            let (ids, count) = &mut words[word];
            let mut read = 0;
            let mut kept: Vec<u32> = Vec::with_capacity(ids.len());
            while read < ids.len() {
                if read + 1 == ids.len() || (ids[read], ids[read + 1]) != pair {
                    kept.push(ids[read]);
                    read += 1;
                    continue;
                }
                let count = *count as i64;
                if let Some(&before) = kept.last() {
                    pairs.change((before, pair.0), -count, word);
                    pairs.change((before, id), count, word);
                }
                if let Some(&behind) = ids.get(read + 2) {
                    pairs.change((pair.1, behind), -count, word);
                    pairs.change((id, behind), count, word);
                }
                kept.push(id);
                read += 2;
            }
            *ids = kept;
        }
        pairs.requeue();
    }
}

/// How often each pair occurs, and where.
#[derive(Default)]
struct Pairs {
    counts: HashMap<Pair, i64>,
    /// The words of pairs that have occurred more often since the queue was changed.
    grown: HashMap<Pair, BTreeSet<usize>>,
    /// The words of pairs that are in the queue.
    places: HashMap<Pair, BTreeSet<usize>>,
    /// The most frequent pair first, of several the one of the smallest ids. A count may be one of before.
    queue: BinaryHeap<(i64, Reverse<Pair>)>,
}

impl Pairs {
    fn change(&mut self, pair: Pair, by: i64, word: usize) {
        *self.counts.entry(pair).or_default() += by;
        if by > 0 {
            self.grown.entry(pair).or_default().insert(word);
        }
    }

    /// Puts the pairs that have grown into the queue.
    fn requeue(&mut self) {
        for (pair, mut words) in self.grown.drain() {
            self.places.entry(pair).or_default().append(&mut words);
            self.queue.push((self.counts[&pair], Reverse(pair)));
        }
    }

    /// Takes the most frequent pair and the words that it is in, if it occurs at least so often.
    fn most_frequent(&mut self, least: u64) -> Option<(Pair, BTreeSet<usize>)> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.counts[&pair];
            if count != now {
                // It has become rarer; where it has become more frequent, it is in the queue once more.
                if count > now {
                    self.queue.push((now, Reverse(pair)));
                }
                continue;
            }
            if now < 1 || (now as u64) < least {
                return None;
            }
            if let Some(words) = self.places.remove(&pair) {
                return Some((pair, words));
            }
        }
        None
    }
}
