//! The result, block by block: a task has a block of queries of a head, which meets one block of keys after the other.

use std::sync::atomic::{AtomicBool, Ordering};

use super::block::{self, KEYS, PerQuery, QUERIES, Queries};
use super::operand::Rows;
use super::{Attention, GRAIN, Shared};
use crate::element::Float;
use crate::kernels::gemm::VectorWork;
use crate::kernels::gemm::lanes::Lanes;
use crate::memory::with_scratch;
use crate::team;

struct Forward<'a, T> {
    attention: &'a Attention<'a, T>,
    largest: Shared<T>,
    inverse: Shared<T>,
    out: Shared<T>,
    /// Whether the result is that of the definition.
    is_done: &'a mut bool,
}

/// Writes the result and the sums of its rows. Returns `false` where that is to be done row by row: on a processor without the
/// instructions, or if masks hide numbers that are not finite, which would leak into the products of blocks.
pub(super) fn forward<T: Float>(
    attention: &Attention<'_, T>,
    [largest, inverse]: [&mut [T]; 2],
    out: &mut [T],
) -> bool {
    let mut is_done = false;
    let (largest, inverse, out) = (Shared::new(largest), Shared::new(inverse), Shared::new(out));
    T::compute(Forward { attention, largest, inverse, out, is_done: &mut is_done });
    is_done
}

impl<T: Float> VectorWork<T> for Forward<'_, T> {
    unsafe fn compute_in<V: Lanes<Element = T>>(self) {
        let attention = self.attention;
        let heads = attention.heads();
        let blocks = attention.queries().div_ceil(QUERIES);
        let work = QUERIES.min(attention.queries()) * attention.keys() * (attention.depth() + attention.width());
        let each = (GRAIN / work.max(1)).max(1);
        let is_finite = AtomicBool::new(true);
        team::split(attention.samples() * heads * blocks, each, |range| {
            with_scratch(scratch(attention), |start: *mut T| {
                // SAFETY: the scratch is that long, initialised, and this task's own.
                let scratch = unsafe { std::slice::from_raw_parts_mut(start, scratch(attention)) };
                for task in range {
                    let head = task / blocks;
                    let queries = Queries::new([head / heads, head % heads], task % blocks, attention.queries());
                    // SAFETY: the caller's promise; each block of queries is one task's.
                    if !unsafe { self.block::<V>(queries, scratch) } {
                        is_finite.store(false, Ordering::Relaxed);
                    }
                }
            });
        });
        *self.is_done = is_finite.into_inner() || !attention.is_masked();
    }

    fn compute_portably(self) {}
}

/// The elements of a task's scratch.
fn scratch<T: Float>(attention: &Attention<'_, T>) -> usize {
    let (depth, width) = (attention.depth(), attention.width());
    let factors = if attention.dropout.is_some() { KEYS } else { 0 };
    (KEYS + factors) * QUERIES + 2 * QUERIES * (depth + width)
}

impl<T: Float> Forward<'_, T> {
    /// Writes the rows of some queries; returns whether they are finite.
    unsafe fn block<V: Lanes<Element = T>>(&self, queries: Queries, scratch: &mut [T]) -> bool {
        let attention = self.attention;
        let (depth, width) = (attention.depth(), attention.width());
        let (scores, scratch) = scratch.split_at_mut(KEYS * QUERIES);
        let (turned, scratch) = scratch.split_at_mut(QUERIES * depth);
        let (sums, scratch) = scratch.split_at_mut(QUERIES * width);
        let (rows, factors) = scratch.split_at_mut(QUERIES * (depth + width));

        Rows::of(attention.query, queries.at(), queries.range()).copy_to(rows);
        let scale = attention.scale2();
        rows[..queries.count * depth].iter_mut().for_each(|x| *x *= scale);
        block::transpose_rows(rows, [queries.count, depth], turned);
        sums.fill(T::ZERO);
        let mut largest: PerQuery<T> = [T::LOWEST; QUERIES];
        let (mut sum, mut factor): (PerQuery<T>, PerQuery<T>) = ([T::ZERO; QUERIES], [T::ZERO; QUERIES]);

        let kv = [queries.sample, queries.head / attention.group()];
        for keys in attention.blocks(queries, attention.keys_there(queries.sample)) {
            let columns = keys.from..queries.columns();
            let key = Rows::of(attention.key, kv, keys.range.clone());
            let value = Rows::of(attention.value, kv, keys.range.clone());
            let scores = &mut scores[..keys.range.len() * QUERIES];
            // SAFETY: the caller's promise.
            unsafe { block::scores::<V, T>(key, turned, columns.clone(), scores) };
            attention.mask_scores(queries, &keys, scores);
            block::weigh(scores, columns.clone(), [&mut largest, &mut sum, &mut factor]);
            if attention.draw(queries, &keys, factors) {
                block::scale_each(scores, factors);
            }
            block::scale_columns(sums, columns.clone(), &factor);
            // SAFETY: the caller's promise.
            unsafe { block::add_products::<V, T>(value, scores, columns, sums) };
        }
        for c in 0..QUERIES {
            if sum[c] == T::ZERO {
                [largest[c], factor[c]] = [T::ZERO; 2];
            } else {
                factor[c] = T::ONE / sum[c];
            }
        }
        block::scale_columns(sums, 0..QUERIES, &factor);
        block::transpose_columns(sums, [queries.count, width], rows);

        let (tq, heads) = (attention.queries(), attention.heads());
        let row = (queries.sample * heads + queries.head) * tq + queries.first;
        // SAFETY: the rows of these queries are this task's.
        unsafe {
            self.largest.part(row, queries.count).copy_from_slice(&largest[..queries.count]);
            self.inverse.part(row, queries.count).copy_from_slice(&factor[..queries.count]);
            for (i, row) in rows[..queries.count * width].chunks_exact(width.max(1)).enumerate() {
                let place = (queries.sample * tq + queries.first + i) * heads + queries.head;
                self.out.part(place * width, width).copy_from_slice(row);
            }
        }
        block::are_finite(&rows[..queries.count * width])
    }
}
