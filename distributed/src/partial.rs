//! The sums of one rank's own shards.

use std::ops::Range;

use crate::tree;

/// The sums of one rank's shards, which come in any order; [`Exchange::partial`](crate::Exchange::partial) makes it.
///
/// Two neighbours in the tree are combined as soon as both are there, the left one first. So their order changes no bit, and values
/// that are not needed any more are gone early: of shards that come in order, one is kept for each level of the tree.
///
/// ```
/// use gradus_distributed::{Exchange, Reduction, threads};
/// let alone = threads::communicators(1).remove(0);
/// let exchange = Exchange::new(alone, 4, Reduction::Exact).unwrap();
/// let mut partial = exchange.partial();
/// for shard in [2, 0, 3, 1] {
///     partial.add(shard, shard.to_string(), &mut |left, right| format!("({left} + {right})"));
/// }
/// assert_eq!(partial.finish(), ["((0 + 1) + (2 + 3))"]);
/// ```
#[derive(Clone, Debug)]
pub struct Partial<V> {
    subtrees: Vec<Range<usize>>,
    /// Of each shard of this rank, whether it has come.
    seen: Vec<bool>,
    /// The values that wait for their neighbours, and those of whole subtrees, with what they are the sum of.
    waiting: Vec<(Range<usize>, V)>,
}

impl<V> Partial<V> {
    pub(crate) fn new(subtrees: &[Range<usize>]) -> Self {
        let shards = subtrees.iter().map(|subtree| subtree.len()).sum();
        Partial { subtrees: subtrees.to_vec(), seen: vec![false; shards], waiting: Vec::new() }
    }

    /// Takes the value of a shard. `combine` gives the sum of two neighbours, of which the first stands left.
    ///
    /// # Panics
    ///
    /// Panics if the shard is not one of this rank's, or has come before.
    #[track_caller]
    pub fn add(&mut self, shard: usize, value: V, combine: &mut impl FnMut(V, V) -> V) {
        let own = self.own();
        let Some(subtree) = self.subtrees.iter().find(|subtree| subtree.contains(&shard)).cloned() else {
            panic!("add: the shards of this rank are {own:?}: {shard}");
        };
        let seen = &mut self.seen[shard - own.start];
        assert!(!std::mem::replace(seen, true), "add: shard {shard} comes once");
        // The ranges that hold the shard, from the whole subtree down, and the neighbour of each but the first.
        let mut path = Vec::new();
        let mut range = subtree;
        while range.len() > 1 {
            let middle = tree::middle(&range);
            let (left, right) = (range.start..middle, middle..range.end);
            let is_left = shard < middle;
            let (within, neighbour) = if is_left { (left, right) } else { (right, left) };
            path.push((std::mem::replace(&mut range, within), neighbour, is_left));
        }
        let mut value = value;
        while let Some((above, neighbour, is_left)) = path.pop() {
            let Some(place) = self.waiting.iter().position(|(waits, _)| *waits == neighbour) else { break };
            let other = self.waiting.swap_remove(place).1;
            value = if is_left { combine(value, other) } else { combine(other, value) };
            range = above;
        }
        self.waiting.push((range, value));
    }

    /// The sums of this rank's [subtrees](crate::Exchange::subtrees), in order.
    ///
    /// # Panics
    ///
    /// Panics if a shard has not come.
    #[track_caller]
    pub fn finish(mut self) -> Vec<V> {
        let own = self.own();
        if let Some(missing) = self.seen.iter().position(|&seen| !seen) {
            panic!("finish: shard {} of {own:?} has not come", own.start + missing);
        }
        self.waiting.sort_by_key(|(range, _)| range.start);
        self.waiting.into_iter().map(|(_, value)| value).collect()
    }

    fn own(&self) -> Range<usize> {
        self.subtrees[0].start..self.subtrees[self.subtrees.len() - 1].end
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // Lists of subtrees, of which there may be one.
mod tests {
    use super::*;

    fn combine(left: String, right: String) -> String {
        format!("({left} {right})")
    }

    /// By hand: 2..5 of 8 shards are the pair 2..4 and the single shard 4.
    #[test]
    fn any_order_gives_the_same_tree() {
        let subtrees = [2..4, 4..5];
        for order in [[2, 3, 4], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3], [4, 3, 2]] {
            let mut partial = Partial::new(&subtrees);
            for shard in order {
                partial.add(shard, shard.to_string(), &mut combine);
            }
            assert_eq!(partial.finish(), ["(2 3)", "4"]);
        }
    }

    #[test]
    fn values_are_combined_early() {
        let mut partial = Partial::new(&[0..8]);
        for shard in 0..8 {
            partial.add(shard, shard.to_string(), &mut combine);
            // By hand: as many as there are ones in the binary number of those that have come.
            assert_eq!(partial.waiting.len(), (shard + 1_usize).count_ones() as usize);
        }
        assert_eq!(partial.finish(), ["(((0 1) (2 3)) ((4 5) (6 7)))"]);
    }

    #[test]
    #[should_panic = "add: the shards of this rank are 2..5: 5"]
    fn foreign_shards_are_refused() {
        Partial::new(&[2..4, 4..5]).add(5, String::new(), &mut combine);
    }

    #[test]
    #[should_panic = "add: shard 0 comes once"]
    fn a_shard_comes_once() {
        let mut partial = Partial::new(&[0..2]);
        partial.add(0, String::new(), &mut combine);
        partial.add(0, String::new(), &mut combine);
    }

    #[test]
    #[should_panic = "finish: shard 3 of 2..5 has not come"]
    fn every_shard_comes() {
        let mut partial = Partial::new(&[2..4, 4..5]);
        partial.add(2, String::new(), &mut combine);
        partial.finish();
    }
}
