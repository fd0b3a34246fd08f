//! How often each n-gram stands in a sequence.

use std::collections::HashMap;
use std::hash::Hash;

/// The n-grams of one length, each with its number.
pub(super) type Ngrams<'a, T> = HashMap<&'a [T], usize>;

/// The n-grams of `n` tokens.
pub(super) fn ngrams<T: Eq + Hash>(tokens: &[T], n: usize) -> Ngrams<'_, T> {
    let mut counts = HashMap::new();
    tokens.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// How many n-grams both have, each as often as in the one that has it less often.
pub(super) fn shared<T: Eq + Hash>(a: &Ngrams<'_, T>, b: &Ngrams<'_, T>) -> usize {
    a.iter().map(|(ngram, &count)| count.min(b.get(ngram).copied().unwrap_or(0))).sum()
}
