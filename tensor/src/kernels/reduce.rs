//! Reductions over the middle axis of `[outer, length, inner]` in row-major order. The ops bring any other reduction to this
//! form by views and copies.
//!
//! The order of additions is part of the result: it depends on the shape alone, never on the number of threads or the
//! vector width of the machine. Long rows are folded into [`LANES`] running values per block, then lanes and blocks are
//! merged as a balanced tree. Rows that are folded down their columns are halved until there are at most [`ROWS`]. So the
//! rounding error of a sum is near that of pairwise summation.
//!
//! An element is lifted to the type of the result when it is read: whole numbers are summed in i64.

use super::{CHUNK, Shared};
use crate::simd::vectorize;
use crate::team;

/// The running values of one block: four vectors of eight f32.
const LANES: usize = 32;
/// The elements that are folded into the lanes of one block before blocks are merged.
const BLOCK: usize = 1024;

/// The rows that are folded one after the other.
const ROWS: usize = 64;
/// The most columns that are folded side by side: two pages of f32.
const WIDTH: usize = 2048;
/// Rows up to this length are folded several at once.
const NARROW: usize = 64;

/// An associative and commutative operation with an identity, such as a sum or a maximum.
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

/// Folds the middle axis of `a`, seen as `[outer, length, inner]`, into `out`, `[outer, inner]`; `lift` makes the result of one
/// element.
///
/// `partial` has `chunks * outer * inner` elements where [`chunks`] is more than one.
pub(crate) fn reduce<T: Copy + Send + Sync, R: Copy + Send + Sync, F: Fold<R>>(
    fold: F,
    lift: impl Fn(T) -> R + Copy + Sync,
    a: &[T],
    [outer, length, inner]: [usize; 3],
    out: &mut [R],
    partial: &mut [R],
) {
    let chunks = chunks(outer, length, inner);
    if chunks == 1 {
        let slots_per_task = (CHUNK / (length * inner).max(1)).max(1);
        let out = Shared::new(out);
        team::split(outer, slots_per_task, |range| {
            for slot in range {
                // SAFETY: each slot of the result is written by one task.
                let out = unsafe { out.part(slot * inner, inner) };
                fold_slab(fold, lift, &a[slot * length * inner..][..length * inner], out);
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
        fold_slab(fold, lift, &a[(slot * length + first) * inner..][..rows * inner], out);
    });
    for (slot, out) in out.chunks_exact_mut(inner).enumerate() {
        fold_slab(fold, same, &partial[slot * chunks * inner..][..chunks * inner], out);
    }
}

/// The lift of what is a result already.
#[inline(always)]
pub(crate) fn same<R>(x: R) -> R {
    x
}

/// Folds the rows of `slab` into one row, `out`.
fn fold_slab<T: Copy, R: Copy, F: Fold<R>>(fold: F, lift: impl Fn(T) -> R + Copy, slab: &[T], out: &mut [R]) {
    let inner = out.len();
    match inner {
        1 => vectorize(
            #[inline(always)]
            || out[0] = fold_run(fold, lift, slab),
        ),
        _ if inner <= NARROW / 2 && slab.len() >= 2 * NARROW => fold_narrow(fold, lift, slab, out),
        _ if inner <= NARROW => fold_rows::<_, _, _, NARROW>(fold, lift, (slab, inner, 0), out),
        _ if inner <= 512 => fold_rows::<_, _, _, 512>(fold, lift, (slab, inner, 0), out),
        _ => {
            for (strip, out) in out.chunks_mut(WIDTH).enumerate() {
                fold_rows::<_, _, _, WIDTH>(fold, lift, (slab, inner, strip * WIDTH), out);
            }
        }
    }
}

/// Folds rows of few elements: several rows, seen as one, at once.
fn fold_narrow<T: Copy, R: Copy, F: Fold<R>>(fold: F, lift: impl Fn(T) -> R + Copy, slab: &[T], out: &mut [R]) {
    let inner = out.len();
    let wide = NARROW / inner * inner;
    let (whole, rest) = slab.split_at(slab.len() / wide * wide);
    let mut values = [fold.identity(); NARROW];
    fold_rows::<_, _, _, NARROW>(fold, lift, (whole, wide, 0), &mut values[..wide]);
    for (value, &x) in values.iter_mut().zip(rest) {
        *value = fold.merge(*value, lift(x));
    }
    // The rows seen as one are halved.
    let mut rows = wide / inner;
    while rows > 1 {
        let kept = rows.div_ceil(2);
        for place in 0..(rows - kept) * inner {
            values[place] = fold.merge(values[place], values[kept * inner + place]);
        }
        rows = kept;
    }
    out.copy_from_slice(&values[..inner]);
}

/// Folds the columns from `first` on of rows of `inner` elements; there are at most `W` of them, as many as `out` has elements.
fn fold_rows<T: Copy, R: Copy, F: Fold<R>, const W: usize>(
    fold: F,
    lift: impl Fn(T) -> R + Copy,
    (slab, inner, first): (&[T], usize, usize),
    out: &mut [R],
) {
    let rows = slab.len() / inner;
    if rows <= ROWS {
        return vectorize(
            #[inline(always)]
            || {
                out.fill(fold.identity());
                for row in slab.chunks_exact(inner) {
                    for (out, &x) in out.iter_mut().zip(&row[first..]) {
                        *out = fold.merge(*out, lift(x));
                    }
                }
            },
        );
    }
    let (upper, lower) = slab.split_at(rows.div_ceil(2).next_multiple_of(ROWS) * inner);
    fold_rows::<T, R, F, W>(fold, lift, (upper, inner, first), out);
    let mut others = [fold.identity(); W];
    let others = &mut others[..out.len()];
    fold_rows::<T, R, F, W>(fold, lift, (lower, inner, first), others);
    vectorize(
        #[inline(always)]
        || out.iter_mut().zip(others).for_each(|(out, &mut other)| *out = fold.merge(*out, other)),
    );
}

/// Folds contiguous elements into one value.
#[inline(always)]
fn fold_run<T: Copy, R: Copy, F: Fold<R>>(fold: F, lift: impl Fn(T) -> R + Copy, run: &[T]) -> R {
    // One running value per level of the tree over blocks, merged like the carries of a binary counter.
    let mut levels = [fold.identity(); usize::BITS as usize];
    let mut count = 0_usize;
    for block in run.chunks(BLOCK) {
        let mut value = fold_block(fold, lift, block);
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
fn fold_block<T: Copy, R: Copy, F: Fold<R>>(fold: F, lift: impl Fn(T) -> R + Copy, block: &[T]) -> R {
    let (groups, rest) = block.as_chunks::<LANES>();
    let mut lanes = [fold.identity(); LANES];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane = fold.merge(*lane, lift(x));
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = fold.merge(*lane, lift(x));
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
