//! Strings read from frames: the best path, and prefix beam search.

use std::collections::HashMap;

use crate::element::Float;

/// The root of the tree of strings: the empty one.
const EMPTY: usize = 0;

/// The string that the most probable class of each frame spells, and ln of the probability of that path. Frames are rows of
/// log-softmax.
pub(crate) fn best_path<'a, T: Float>(frames: impl Iterator<Item = &'a [T]>, blank: usize) -> (Vec<usize>, f64) {
    let (mut labels, mut log_probability, mut before) = (Vec::new(), 0.0, blank);
    for log_p in frames {
        let mut best = 0;
        for (class, &x) in log_p.iter().enumerate() {
            if x > log_p[best] {
                best = class;
            }
        }
        log_probability += log_p[best].as_f64();
        if best != before && best != blank {
            labels.push(best);
        }
        before = best;
    }
    (labels, log_probability)
}

/// A string that may be the beginning of the result, with ln of the probability of the alignments that spell it so far.
#[derive(Clone, Copy)]
struct Prefix {
    /// Its place in the tree.
    node: usize,
    /// Of the alignments that end with the blank.
    ends_blank: f64,
    /// Of those that end with the last label.
    ends_label: f64,
}

impl Prefix {
    fn whole(&self) -> f64 {
        ln_sum(self.ends_blank, self.ends_label)
    }
}

/// A prefix after the next frame: one that was there, or one with a label more.
struct Candidate {
    prefix: Prefix,
    added: Option<usize>,
    whole: f64,
}

/// All strings that have been in the beam, as a tree: each is another one and a label.
struct Tree {
    parents: Vec<(usize, usize)>,
    children: HashMap<(usize, usize), usize>,
}

impl Tree {
    fn last_label(&self, node: usize) -> Option<usize> {
        (node != EMPTY).then(|| self.parents[node].1)
    }

    fn child(&mut self, node: usize, label: usize) -> usize {
        *self.children.entry((node, label)).or_insert_with(|| {
            self.parents.push((node, label));
            self.parents.len() - 1
        })
    }

    fn labels(&self, mut node: usize) -> Vec<usize> {
        let mut labels = Vec::new();
        while node != EMPTY {
            labels.push(self.parents[node].1);
            node = self.parents[node].0;
        }
        labels.reverse();
        labels
    }
}

/// The most probable strings that a beam of `width` prefixes meets, with ln of their probabilities, best first. Frames are rows of
/// log-softmax without NaN.
///
/// Hannun, Maas, Jurafsky and Ng, arXiv:1408.2873, without a language model. Equally probable prefixes stay in the order in which
/// they were found.
pub(crate) fn beam_search<'a, T: Float>(
    frames: impl Iterator<Item = &'a [T]>,
    blank: usize,
    width: usize,
    count: usize,
) -> Vec<(Vec<usize>, f64)> {
    let mut tree = Tree { parents: vec![(EMPTY, blank)], children: HashMap::new() };
    let mut beam = vec![Prefix { node: EMPTY, ends_blank: 0.0, ends_label: f64::NEG_INFINITY }];
    for log_p in frames {
        let at: HashMap<usize, usize> = beam.iter().enumerate().map(|(place, prefix)| (prefix.node, place)).collect();
        let stay = |prefix: &Prefix| {
            let again = tree.last_label(prefix.node).map_or(f64::NEG_INFINITY, |label| log_p[label].as_f64());
            let ends_blank = prefix.whole() + log_p[blank].as_f64();
            let prefix = Prefix { ends_blank, ends_label: prefix.ends_label + again, ..*prefix };
            Candidate { prefix, added: None, whole: 0.0 }
        };
        let mut candidates: Vec<Candidate> = beam.iter().map(stay).collect();
        for prefix in &beam {
            let (whole, last) = (prefix.whole(), tree.last_label(prefix.node));
            for (label, &x) in log_p.iter().enumerate() {
                if label == blank || x == T::LOWEST {
                    continue;
                }
                // The last label again is another label only behind a blank.
                let before = if last == Some(label) { prefix.ends_blank } else { whole };
                let ends_label = before + x.as_f64();
                let known = tree.children.get(&(prefix.node, label)).and_then(|node| at.get(node));
                if let Some(&place) = known {
                    let longer = &mut candidates[place].prefix;
                    longer.ends_label = ln_sum(longer.ends_label, ends_label);
                } else if ends_label > f64::NEG_INFINITY {
                    let prefix = Prefix { node: prefix.node, ends_blank: f64::NEG_INFINITY, ends_label };
                    candidates.push(Candidate { prefix, added: Some(label), whole: 0.0 });
                }
            }
        }
        for candidate in &mut candidates {
            candidate.whole = candidate.prefix.whole();
        }
        keep_best(&mut candidates, width);
        beam.clear();
        for Candidate { prefix, added, .. } in candidates {
            let node = added.map_or(prefix.node, |label| tree.child(prefix.node, label));
            beam.push(Prefix { node, ..prefix });
        }
    }
    beam.iter().take(count).map(|prefix| (tree.labels(prefix.node), prefix.whole())).collect()
}

/// Leaves the `width` most probable, sorted.
fn keep_best(candidates: &mut Vec<Candidate>, width: usize) {
    // A stable sort: equals stay in order. Those far below are put aside first.
    if candidates.len() > 2 * width {
        let mut all: Vec<f64> = candidates.iter().map(|candidate| candidate.whole).collect();
        let (_, &mut bound, _) = all.select_nth_unstable_by(width - 1, |a, b| b.total_cmp(a));
        candidates.retain(|candidate| candidate.whole >= bound);
    }
    candidates.sort_by(|a, b| b.whole.total_cmp(&a.whole));
    candidates.truncate(width);
}

/// ln(e^a + e^b); -inf where both are.
fn ln_sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
