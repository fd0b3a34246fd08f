//! Reductions over the middle axis of `[outer, length, inner]` in row-major order. The ops bring any other reduction to this
//! form by views and copies.
//!
//! The order of additions is part of the result: it depends on the shape alone, never on the number of threads or the
//! vector width of the machine. Long rows are folded into [`LANES`] running values per block, then lanes and blocks are
//! merged as a balanced tree, which also keeps the rounding error of a sum near that of pairwise summation.

use super::{CHUNK, Shared};
use crate::simd::vectorize;
use crate::team;

/// The running values of one block: four vectors of eight f32.
const LANES: usize = 32;
/// The elements that are folded into the lanes of one block before blocks are merged.
const BLOCK: usize = 1024;

/// An associative operation with an identity, such as a sum or a maximum.
pub(crate) trait Fold<T>: Copy + Sync {
    /// The result of no elements.
    fn identity(self) -> T;
    /// The result of two values.
    fn merge(self, a: T, b: T) -> T;
}

/// The number of chunks that the reduced axis is cut into. With more than one, [`reduce`] needs `chunks * outer * inner` partial
/// results.
pub(crate) fn chunks(outer: usize, length: usize, inner: usize) -> usize {
    // Many outer slots are enough tasks for every core.
    if outer * inner >= CHUNK || length * inner <= 4 * CHUNK || outer >= 64 {
        return 1;
    }
    length.div_ceil((CHUNK / inner).max(1))
}

/// Folds the middle axis of `a`, seen as `[outer, length, inner]`, into `out`, `[outer, inner]`.
///
/// `partial` has `chunks * outer * inner` elements where [`chunks`] is more than one.
pub(crate) fn reduce<T: Copy + Send + Sync, F: Fold<T>>(
    fold: F,
    a: &[T],
    [outer, length, inner]: [usize; 3],
    out: &mut [T],
    partial: &mut [T],
) {
    let chunks = chunks(outer, length, inner);
    if chunks == 1 {
        let slots_per_task = (CHUNK / (length * inner).max(1)).max(1);
        let out = Shared::new(out);
        team::split(outer, slots_per_task, |range| {
            for slot in range {
                // SAFETY: each slot of the result is written by one task.
                let out = unsafe { out.part(slot * inner, inner) };
                fold_slab(fold, &a[slot * length * inner..][..length * inner], inner, out);
            }
        });
        return;
    }
    let chunk_length = (CHUNK / inner).max(1);
    let shared = Shared::new(partial);
    team::run(outer * chunks, |task| {
        let (slot, chunk) = (task / chunks, task % chunks);
        let first = chunk * chunk_length;
        let rows = chunk_length.min(length - first);
        // SAFETY: each partial result is written by one task.
        let out = unsafe { shared.part(task * inner, inner) };
        fold_slab(fold, &a[(slot * length + first) * inner..][..rows * inner], inner, out);
    });
    for (slot, out) in out.chunks_exact_mut(inner).enumerate() {
        fold_slab(fold, &partial[slot * chunks * inner..][..chunks * inner], inner, out);
    }
}

/// Folds the rows of `slab`, each of `inner` elements, into one row.
fn fold_slab<T: Copy, F: Fold<T>>(fold: F, slab: &[T], inner: usize, out: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            if inner == 1 {
                out[0] = fold_run(fold, slab);
            } else {
                fold_rows(fold, slab, inner, out);
            }
        },
    );
}

#[inline(always)]
fn fold_rows<T: Copy, F: Fold<T>>(fold: F, slab: &[T], inner: usize, out: &mut [T]) {
    out.fill(fold.identity());
    for row in slab.chunks_exact(inner) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out = fold.merge(*out, x);
        }
    }
}

/// Folds contiguous elements into one value.
#[inline(always)]
pub(crate) fn fold_run<T: Copy, F: Fold<T>>(fold: F, run: &[T]) -> T {
    // One running value per level of the tree over blocks, merged like the carries of a binary counter.
    let mut levels = [fold.identity(); usize::BITS as usize];
    let mut count = 0_usize;
    for block in run.chunks(BLOCK) {
        let mut value = fold_block(fold, block);
        let mut level = 0;
        while count >> level & 1 == 1 {
            value = fold.merge(levels[level], value);
            level += 1;
        }
        levels[level] = value;
        count += 1;
    }
    let mut total = None;
    for (level, &value) in levels.iter().enumerate() {
        if count >> level & 1 == 1 {
            total = Some(total.map_or(value, |total| fold.merge(value, total)));
        }
    }
    total.unwrap_or(fold.identity())
}

#[inline(always)]
fn fold_block<T: Copy, F: Fold<T>>(fold: F, block: &[T]) -> T {
    let (groups, rest) = block.as_chunks::<LANES>();
    let mut lanes = [fold.identity(); LANES];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane = fold.merge(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = fold.merge(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = fold.merge(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
