//! The balanced tree over the shards, along which values are summed.
//!
//! It is fixed by the number of shards alone. The shards a..b are halved at a + (b - a) / 2, rounded down, until one is left. For 8
//! shards these are pairs, fours and all.

use std::iter::Peekable;
use std::ops::Range;

/// Where a range of two shards or more is halved.
pub(crate) fn middle(range: &Range<usize>) -> usize {
    range.start + (range.end - range.start) / 2
}

/// The shards of one of `ranks`: as many on each as the division allows.
pub(crate) fn shards_of(rank: usize, ranks: usize, shards: usize) -> Range<usize> {
    // In u128, so that no number of shards overflows.
    let bound = |rank: usize| (rank as u128 * shards as u128 / ranks as u128) as usize;
    bound(rank)..bound(rank + 1)
}

/// The largest subtrees of the tree over `tree` that lie wholly in `own`, in order.
pub(crate) fn subtrees(tree: Range<usize>, own: &Range<usize>) -> Vec<Range<usize>> {
    if own.start <= tree.start && tree.end <= own.end {
        return vec![tree];
    }
    if tree.end <= own.start || own.end <= tree.start {
        return Vec::new();
    }
    let middle = middle(&tree);
    let mut found = subtrees(tree.start..middle, own);
    found.extend(subtrees(middle..tree.end, own));
    found
}

/// The value of the tree over `range` from those of subtrees that cover it, in order. `combine` is given the left one first.
pub(crate) fn fold<V>(
    range: Range<usize>,
    values: &mut Peekable<impl Iterator<Item = (Range<usize>, V)>>,
    combine: &mut impl FnMut(V, V) -> V,
) -> V {
    if let Some((_, value)) = values.next_if(|(subtree, _)| *subtree == range) {
        return value;
    }
    assert!(range.len() > 1, "subtrees cover the tree");
    let middle = middle(&range);
    let left = fold(range.start..middle, values, combine);
    let right = fold(middle..range.end, values, combine);
    combine(left, right)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // Lists of subtrees, of which there may be one.
mod tests {
    use super::*;

    #[test]
    fn each_rank_has_whole_subtrees_where_ranks_are_a_power_of_two() {
        for ranks in [1, 2, 4, 8, 16] {
            for factor in 1..8 {
                let shards = ranks * factor;
                for rank in 0..ranks {
                    let own = shards_of(rank, ranks, shards);
                    assert_eq!(subtrees(0..shards, &own), [own]);
                }
            }
        }
    }

    /// By hand: 3 ranks have the shards 0 and 1, 2 to 4, 5 to 7 of 8.
    #[test]
    fn three_ranks_have_pairs_and_single_shards() {
        let subtrees_of = |rank| subtrees(0..8, &shards_of(rank, 3, 8));
        assert_eq!((subtrees_of(0), subtrees_of(1), subtrees_of(2)), (vec![0..2], vec![2..4, 4..5], vec![5..6, 6..8]));
    }

    #[test]
    fn a_fold_from_subtrees_is_that_from_shards() {
        let mut combine = |left: String, right: String| format!("({left} {right})");
        for shards in 1..30 {
            let mut leaves = (0..shards).map(|shard| (shard..shard + 1, shard.to_string())).peekable();
            let whole = fold(0..shards, &mut leaves, &mut combine);
            for ranks in 1..=shards {
                let subtrees = (0..ranks).flat_map(|rank| subtrees(0..shards, &shards_of(rank, ranks, shards)));
                let mut values = subtrees
                    .map(|subtree| {
                        let mut leaves = subtree.clone().map(|shard| (shard..shard + 1, shard.to_string())).peekable();
                        (subtree.clone(), fold(subtree, &mut leaves, &mut combine))
                    })
                    .collect::<Vec<_>>()
                    .into_iter()
                    .peekable();
                assert_eq!(fold(0..shards, &mut values, &mut combine), whole);
            }
        }
    }
}
