//! Attention row by row, by its definition: a pair of a query and a key that it does not see takes part in nothing.

use super::operand::Rows;
use super::{Attention, GRAIN, Results, RowSums, Shared};
use crate::element::Float;
use crate::kernels::math::Math;
use crate::memory::with_scratch;
use crate::simd::vectorize;
use crate::team;

// Within `vectorize` it is loops that call `mul_add`, not closures: a closure that the compiler does not inline is compiled for any
// processor, where `mul_add` is a function that is called.

/// The running sums of a dot product.
const LANES: usize = 16;
/// The columns of a result that are computed at a time.
const COLUMNS: usize = 32;

#[inline(always)]
pub(super) fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = num_traits::Float::mul_add(a, b, *sum);
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum = num_traits::Float::mul_add(a, b, *sum);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The sum of all elements.
#[inline(always)]
fn total<T: Float>(x: &[T]) -> T {
    let (x, rest) = x.as_chunks::<LANES>();
    let mut sums = [T::ZERO; LANES];
    for x in x {
        for (sum, &x) in sums.iter_mut().zip(x) {
            *sum += x;
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum += x;
    }
    sums.into_iter().sum()
}

/// sums += factor · x
#[inline(always)]
fn add_scaled<T: Float>(sums: &mut [T], factor: T, x: &[T]) {
    for (sum, &x) in sums.iter_mut().zip(x) {
        *sum = num_traits::Float::mul_add(factor, x, *sum);
    }
}

/// 2^(score - largest), where both are given times log2 e.
#[inline(always)]
fn weight<T: Float>(score: T, largest: T) -> T {
    Math::exp((score - largest) * T::of(std::f64::consts::LN_2))
}

impl<T: Float> Attention<'_, T> {
    /// The heads of a task.
    fn heads_of_task(&self) -> usize {
        let work = self.queries() * self.keys() * (self.depth() + self.width());
        (GRAIN / 4 / work.max(1)).max(1)
    }
}

/// Writes the result, and the sums of its rows.
pub(super) fn forward<T: Float>(attention: &Attention<'_, T>, sums: RowSums<'_, T>, out: &mut [T]) {
    let (tq, tk, heads, width) = (attention.queries(), attention.keys(), attention.heads(), attention.width());
    let (largest, inverse, out) = (Shared::new(sums.largest), Shared::new(sums.inverse), Shared::new(out));
    team::split(attention.samples() * heads, attention.heads_of_task(), |range| {
        with_scratch(tk, |scratch: *mut T| {
            // SAFETY: the scratch is as long, initialised, and this task's own.
            let weights = unsafe { std::slice::from_raw_parts_mut(scratch, tk) };
            for head in range {
                let at = [head / heads, head % heads];
                let kv = [at[0], at[1] / attention.group()];
                let (key, value) = (Rows::of(attention.key, kv, 0..tk), Rows::of(attention.value, kv, 0..tk));
                let query = Rows::of(attention.query, at, 0..tq);
                for i in 0..tq {
                    // SAFETY: every row of the result and of the sums belongs to one task.
                    let (out, largest, inverse) = unsafe {
                        let row = head * tq + i;
                        (
                            out.part(((at[0] * tq + i) * heads + at[1]) * width, width),
                            largest.part(row, 1),
                            inverse.part(row, 1),
                        )
                    };
                    vectorize(
                        #[inline(always)]
                        || {
                            [largest[0], inverse[0]] =
                                one_row(attention, [at[0], at[1], i], query.row(i), [key, value], weights, out);
                        },
                    );
                }
            }
        });
    });
}

/// Writes a row of the result, and returns its largest score and 1 over its sum.
#[inline(always)]
fn one_row<T: Float>(
    attention: &Attention<'_, T>,
    [sample, head, i]: [usize; 3],
    query: &[T],
    [key, value]: [Rows<'_, T>; 2],
    weights: &mut [T],
    out: &mut [T],
) -> [T; 2] {
    let scale = attention.scale2();
    let weights = &mut weights[..attention.end(i)];
    // Up to `end` the query sees every key unless a mask hides it.
    let has_mask = attention.key_mask.is_some() || attention.mask.is_some();
    let is_visible = |j: usize| !has_mask || attention.is_visible([sample, head, i, j]);
    let mut largest = T::LOWEST;
    for (j, score) in weights.iter_mut().enumerate() {
        *score = if is_visible(j) { dot(query, key.row(j)) * scale } else { T::LOWEST };
        // (A NaN is lost here, and found in the sum.)
        largest = if *score > largest { *score } else { largest };
    }
    let largest = if largest == T::LOWEST { T::ZERO } else { largest };
    for w in weights.iter_mut() {
        *w = weight(*w, largest);
    }
    let sum = total(weights);
    let inverse = if sum == T::ZERO { T::ZERO } else { T::ONE / sum };
    let factor = |j: usize| if is_visible(j) { attention.dropped([sample, head, i, j]) } else { T::ZERO };
    // Some columns of the result at a time stay in registers.
    for (chunk, out) in out.chunks_mut(COLUMNS).enumerate() {
        let columns = chunk * COLUMNS..chunk * COLUMNS + out.len();
        let mut sums = [T::ZERO; COLUMNS];
        for (j, &weight) in weights.iter().enumerate() {
            let factor = factor(j);
            if factor == T::ZERO {
                continue;
            }
            let row = &value.row(j)[columns.clone()];
            // The same sums twice: in the first arm the compiler knows the length, and keeps them in registers.
            match row.first_chunk::<COLUMNS>() {
                Some(row) => add_scaled(&mut sums, weight * factor, row),
                None => add_scaled(&mut sums, weight * factor, row),
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum * inverse;
        }
    }
    [largest, inverse]
}

/// Writes the gradients by query, key and value.
pub(super) fn backward<T: Float>(
    attention: &Attention<'_, T>,
    results: &Results<'_, T>,
    [by_query, by_key, by_value]: [&mut [T]; 3],
) {
    let (tq, tk, heads) = (attention.queries(), attention.keys(), attention.heads());
    let (depth, width, kv_heads, group) =
        (attention.depth(), attention.width(), attention.kv_heads(), attention.group());
    by_query.fill(T::ZERO);
    by_key.fill(T::ZERO);
    by_value.fill(T::ZERO);
    let [by_query, by_key, by_value] = [by_query, by_key, by_value].map(Shared::new);
    team::split(attention.samples() * kv_heads, attention.heads_of_task(), |range| {
        for kv in range {
            let (sample, kv_head) = (kv / kv_heads, kv % kv_heads);
            let key = Rows::of(attention.key, [sample, kv_head], 0..tk);
            let value = Rows::of(attention.value, [sample, kv_head], 0..tk);
            for head in kv_head * group..(kv_head + 1) * group {
                let rows = |view| Rows::of(view, [sample, head], 0..tq);
                let [query, gradient, output] = [attention.query, results.gradient, results.output].map(rows);
                for i in 0..tq {
                    let row = (sample * heads + head) * tq + i;
                    let (largest, inverse) = (results.largest[row], results.inverse[row]);
                    let (query, gradient) = (query.row(i), gradient.row(i));
                    // SAFETY: every head's gradients belong to one task, which uses one row of each at a time.
                    let row_of = |of: Shared<T>, row: usize, length: usize| unsafe { of.part(row * length, length) };
                    let by_query = row_of(by_query, (sample * tq + i) * heads + head, depth);
                    vectorize(
                        #[inline(always)]
                        || {
                            let share = dot(gradient, output.row(i));
                            for j in 0..attention.end(i) {
                                if inverse == T::ZERO || !attention.is_visible([sample, head, i, j]) {
                                    continue;
                                }
                                let p = weight(dot(query, key.row(j)) * attention.scale2(), largest) * inverse;
                                let kept = attention.dropped([sample, head, i, j]);
                                let by_score = attention.scale
                                    * p
                                    * (if kept == T::ZERO { T::ZERO } else { dot(gradient, value.row(j)) * kept }
                                        - share);
                                let kv_row = (sample * tk + j) * kv_heads + kv_head;
                                if kept != T::ZERO {
                                    add_scaled(row_of(by_value, kv_row, width), p * kept, gradient);
                                }
                                add_scaled(row_of(by_key, kv_row, depth), by_score, query);
                                add_scaled(by_query, by_score, key.row(j));
                            }
                        },
                    );
                }
            }
        }
    });
}
