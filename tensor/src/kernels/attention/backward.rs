//! The gradients, block by block: a task has the keys of a head, or a part of them, which meet one block of queries after the
//! other. The weights are computed again.
//!
//! The gradient by a query is a sum over the parts of the keys. Their number depends on the shapes alone, and they are added
//! up in order.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::block::{self, KEYS, PerQuery, QUERIES, Queries};
use super::operand::Rows;
use super::rows::dot;
use super::{Attention, Results, Shared};
use crate::element::Float;
use crate::kernels::CHUNK;
use crate::kernels::accumulate::add_to;
use crate::kernels::gemm::block::multiply;
use crate::kernels::gemm::lanes::Lanes;
use crate::kernels::gemm::{Mat, VectorWork};
use crate::memory::with_scratch;
use crate::simd::vectorize;
use crate::team;

/// The tasks from which on the keys of a head are not cut into parts.
const ENOUGH_TASKS: usize = 16;

struct Backward<'a, T> {
    attention: &'a Attention<'a, T>,
    results: &'a Results<'a, T>,
    gradients: [Shared<T>; 3],
    /// The elements of the gradient by the query.
    size: usize,
    /// Whether the gradients are those of the definition.
    is_done: &'a mut bool,
}

/// Writes the gradients. Returns `false` where that is to be done row by row, as the forward pass.
pub(super) fn backward<T: Float>(
    attention: &Attention<'_, T>,
    results: &Results<'_, T>,
    [by_query, by_key, by_value]: [&mut [T]; 3],
) -> bool {
    let mut is_done = false;
    let size = by_query.len();
    let gradients = [by_query, by_key, by_value].map(Shared::new);
    T::compute(Backward { attention, results, gradients, size, is_done: &mut is_done });
    is_done
}

impl<T: Float> VectorWork<T> for Backward<'_, T> {
    unsafe fn compute_in<V: Lanes<Element = T>>(self) {
        let attention = self.attention;
        let (keys, kv_heads) = (attention.keys(), attention.kv_heads());
        let heads = attention.samples() * kv_heads;
        let parts = (ENOUGH_TASKS / heads).clamp(1, keys.div_ceil(2 * KEYS));
        let each = keys.div_ceil(parts);
        let parts = keys.div_ceil(each);
        let is_finite = AtomicBool::new(true);
        let work = attention.queries() * each * (attention.depth() + attention.width()) * attention.group();
        let chunk = (super::GRAIN / work.max(1)).max(1);
        with_scratch((parts - 1) * self.size, |others: *mut T| {
            // SAFETY: the scratch is that long, initialised, and used here alone.
            let others = unsafe { std::slice::from_raw_parts_mut(others, (parts - 1) * self.size) };
            let shared = Shared::new(others);
            team::split(heads * parts, chunk, |range| {
                with_scratch(scratch(attention, each), |start: *mut T| {
                    // SAFETY: the scratch is that long, initialised, and this task's own.
                    let scratch = unsafe { std::slice::from_raw_parts_mut(start, scratch(attention, each)) };
                    for task in range {
                        let (head, part) = (task / parts, task % parts);
                        let by_query = match part {
                            0 => (self.gradients[0], 0),
                            part => (shared, (part - 1) * self.size),
                        };
                        let keys = part * each..keys.min((part + 1) * each);
                        // SAFETY: the caller's promise; each part of the keys of a head is one task's, and so are the rows of
                        // the gradient by the queries in the memory of this part.
                        let finite =
                            unsafe { self.part::<V>([head / kv_heads, head % kv_heads], keys, by_query, scratch) };
                        if !finite {
                            is_finite.store(false, Ordering::Relaxed);
                        }
                    }
                });
            });
            for part in 1..parts {
                team::split(self.size, CHUNK, |range| {
                    // SAFETY: the ranges of all tasks are disjoint, and the tasks above have written all elements.
                    let (sums, others) = unsafe {
                        let start = (part - 1) * self.size + range.start;
                        (self.gradients[0].part(range.start, range.len()), shared.read(start, range.len()))
                    };
                    vectorize(
                        #[inline(always)]
                        || add_to(sums, others),
                    );
                });
            }
        });
        *self.is_done = is_finite.into_inner() || !attention.is_masked();
    }

    fn compute_portably(self) {}
}

/// The elements of the scratch of a task with so many keys.
fn scratch<T: Float>(attention: &Attention<'_, T>, keys: usize) -> usize {
    let (depth, width) = (attention.depth(), attention.width());
    let factors = if attention.dropout.is_some() { KEYS } else { 0 };
    (2 * KEYS + factors) * QUERIES + (keys + 2 * QUERIES) * (depth + width) + QUERIES * depth
}

impl<T: Float> Backward<'_, T> {
    /// Writes the gradients by some keys and values of a head, and their part of the gradient by the queries that see them;
    /// returns whether all are finite.
    unsafe fn part<V: Lanes<Element = T>>(
        &self,
        kv: [usize; 2],
        keys: Range<usize>,
        by_query: (Shared<T>, usize),
        scratch: &mut [T],
    ) -> bool {
        let attention = self.attention;
        let (depth, width, group) = (attention.depth(), attention.width(), attention.group());
        let (by_key, scratch) = scratch.split_at_mut(keys.len() * depth);
        let (by_value, scratch) = scratch.split_at_mut(keys.len() * width);
        by_key.fill(T::ZERO);
        by_value.fill(T::ZERO);
        let key = Rows::of(attention.key, kv, keys.clone());
        let value = Rows::of(attention.value, kv, keys.clone());
        let mut finite = true;
        for head in kv[1] * group..(kv[1] + 1) * group {
            for index in 0..attention.queries().div_ceil(QUERIES) {
                let queries = Queries::new([kv[0], head], index, attention.queries());
                // SAFETY: the caller's promise.
                finite &= unsafe {
                    self.block::<V>(queries, &keys, [key, value], [&mut *by_key, &mut *by_value], by_query, scratch)
                };
            }
        }
        let (tk, kv_heads) = (attention.keys(), attention.kv_heads());
        for (gradient, rows, length) in [(1, &*by_key, depth), (2, &*by_value, width)] {
            for (j, row) in keys.clone().zip(rows.chunks_exact(length.max(1))) {
                let place = (kv[0] * tk + j) * kv_heads + kv[1];
                // SAFETY: the rows of these keys are this task's.
                unsafe { self.gradients[gradient].part(place * length, length).copy_from_slice(row) };
            }
            finite &= block::are_finite(rows);
        }
        finite
    }

    /// Adds the share of a block of queries to the gradients by keys and values, and writes that by the queries.
    unsafe fn block<V: Lanes<Element = T>>(
        &self,
        queries: Queries,
        all: &Range<usize>,
        [key, value]: [Rows<'_, T>; 2],
        [by_key, by_value]: [&mut [T]; 2],
        (by_query, offset): (Shared<T>, usize),
        scratch: &mut [T],
    ) -> bool {
        let (attention, results) = (self.attention, self.results);
        let (depth, width) = (attention.depth(), attention.width());
        let (scores, scratch) = scratch.split_at_mut(KEYS * QUERIES);
        let (products, scratch) = scratch.split_at_mut(KEYS * QUERIES);
        let (query_rows, scratch) = scratch.split_at_mut(QUERIES * depth);
        let (turned_query, scratch) = scratch.split_at_mut(QUERIES * depth);
        let (gradient_rows, scratch) = scratch.split_at_mut(QUERIES * width);
        let (turned_gradient, scratch) = scratch.split_at_mut(QUERIES * width);
        let (sums, factors) = scratch.split_at_mut(QUERIES * depth);

        let (count, tq, heads) = (queries.count, attention.queries(), attention.heads());
        let row = (queries.sample * heads + queries.head) * tq + queries.first;
        let (mut largest, mut share): (PerQuery<T>, PerQuery<T>) = ([T::ZERO; QUERIES], [T::ZERO; QUERIES]);
        largest[..count].copy_from_slice(&results.largest[row..][..count]);
        let output = Rows::of(results.output, queries.at(), queries.range());
        Rows::of(results.gradient, queries.at(), queries.range()).copy_to(gradient_rows);
        for c in 0..count {
            // Weights are computed without 1 / sum, which the gradient of the result takes instead.
            let inverse = results.inverse[row + c];
            let gradient = &mut gradient_rows[c * width..][..width];
            vectorize(
                #[inline(always)]
                || {
                    gradient.iter_mut().for_each(|g| *g *= inverse);
                    share[c] = dot(gradient, output.row(c));
                },
            );
        }
        block::transpose_rows(gradient_rows, [count, width], turned_gradient);
        let scale2 = attention.scale2();
        let query = Rows::of(attention.query, queries.at(), queries.range());
        query.copy_to(query_rows);
        query_rows[..count * depth].iter_mut().for_each(|x| *x *= scale2);
        block::transpose_rows(query_rows, [count, depth], turned_query);
        // (The scores are to have the bits of the forward pass; the gradient by the keys is scaled by itself.)
        query.copy_to(query_rows);
        query_rows[..count * depth].iter_mut().for_each(|x| *x *= attention.scale);
        sums.fill(T::ZERO);

        let there = attention.keys_there(queries.sample);
        let seen = all.start.max(there.start)..all.end.min(there.end).max(all.start.max(there.start));
        for keys in attention.blocks(queries, seen) {
            let columns = keys.from..queries.columns();
            let part = keys.range.start - all.start..keys.range.end - all.start;
            let (key, value) = (key.part(part.clone()), value.part(part.clone()));
            let scores = &mut scores[..part.len() * QUERIES];
            let products = &mut products[..part.len() * QUERIES];
            // SAFETY: the caller's promise.
            unsafe {
                block::scores::<V, T>(key, turned_query, columns.clone(), scores);
                block::scores::<V, T>(value, turned_gradient, columns.clone(), products);
            }
            attention.mask_scores(queries, &keys, scores);
            let dropped = attention.draw(queries, &keys, factors).then_some(&*factors);
            block::differentiate(scores, products, dropped, columns.clone(), [&largest, &share]);
            let real = keys.from..count.max(keys.from);
            let sum_over_queries = |weights: &[T], rows: &[T], length: usize, sums: &mut [T]| {
                let left = Mat::new(weights, real.start, [part.len(), real.len()], [QUERIES as isize, 1]);
                let right = Mat::new(rows, real.start * length, [real.len(), length], [length as isize, 1]);
                // SAFETY: the caller's promise.
                unsafe { multiply::<V>(left, right, &mut sums[part.start * length..], length, true) };
            };
            sum_over_queries(scores, gradient_rows, width, by_value);
            sum_over_queries(products, query_rows, depth, by_key);
            // SAFETY: the caller's promise.
            unsafe { block::add_products::<V, T>(key, products, columns, sums) };
        }
        block::scale_columns(sums, 0..QUERIES, &[attention.scale; QUERIES]);
        block::transpose_columns(sums, [count, depth], query_rows);
        let rows = &query_rows[..count * depth];
        for (i, row) in rows.chunks_exact(depth.max(1)).enumerate() {
            let place = (queries.sample * tq + queries.first + i) * heads + queries.head;
            // SAFETY: the rows of these queries are this task's in the memory of its part.
            unsafe { by_query.part(offset + place * depth, depth).copy_from_slice(row) };
        }
        block::are_finite(rows)
    }
}
