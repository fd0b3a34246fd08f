//! Scores of a block of queries and a block of keys, a column for each query.
//!
//! Vectors run along queries: so the largest score and the sum of weights of a query are lanes, and no sum runs across a vector.

use std::ops::Range;

use super::Attention;
use super::operand::Rows;
use crate::element::Float;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::block::multiply;
use crate::kernels::gemm::lanes::Lanes;
use crate::kernels::transpose;
use crate::simd::vectorize_choices;

/// The queries of a block: the columns of a micro-tile of AVX-512.
pub(super) const QUERIES: usize = 64;
/// The most keys of a block: its scores stay in the first-level cache.
pub(super) const KEYS: usize = 96;
/// The keys of a block that some of the queries see by their place and some do not, and the queries that it may leave out.
const STEP: usize = 32;

/// A number for each query of a block.
pub(super) type PerQuery<T> = [T; QUERIES];

/// Queries of a head that meet the keys together.
#[derive(Clone, Copy)]
pub(super) struct Queries {
    pub(super) sample: usize,
    pub(super) head: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Queries {
    /// Block number `index` of a head of `queries`.
    pub(super) fn new([sample, head]: [usize; 2], index: usize, queries: usize) -> Self {
        let first = index * QUERIES;
        Queries { sample, head, first, count: QUERIES.min(queries - first) }
    }

    pub(super) fn at(&self) -> [usize; 2] {
        [self.sample, self.head]
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }

    /// The columns that are computed: whole steps.
    pub(super) fn columns(&self) -> usize {
        self.count.next_multiple_of(STEP)
    }
}

/// Keys that meet some of the queries of a block: those from column `from` on.
pub(super) struct Keys {
    pub(super) range: Range<usize>,
    pub(super) from: usize,
}

impl<T: Float> Attention<'_, T> {
    /// The blocks of keys, all within `keys`, that the queries meet: long ones that all of them see by their place, then
    /// short ones at the end of which are keys that the last query alone sees.
    pub(super) fn blocks(&self, queries: Queries, keys: Range<usize>) -> impl Iterator<Item = Keys> {
        let end = self.end(queries.first + queries.count - 1).min(keys.end);
        let seen_by_all = self.end(queries.first).clamp(keys.start, end.max(keys.start));
        let whole = cut(keys.start..seen_by_all, KEYS).map(|range| Keys { range, from: 0 });
        let beyond = self.keys() as isize - self.queries() as isize + queries.first as isize;
        whole.chain(cut(seen_by_all..end, STEP).map(move |range| {
            // The query in column c sees the keys up to `beyond + c`.
            let from = (range.start as isize - beyond).max(0) as usize / STEP * STEP;
            Keys { range, from }
        }))
    }

    /// Sets the scores of pairs to minus infinity whose query does not see the key.
    pub(super) fn mask_scores(&self, queries: Queries, keys: &Keys, scores: &mut [T]) {
        let causal = self.causal && keys.range.end > self.end(queries.first);
        if !causal && self.key_mask.is_none() && self.mask.is_none() {
            return;
        }
        for (key, scores) in keys.range.clone().zip(scores.chunks_exact_mut(QUERIES)) {
            if !self.is_there(queries.sample, key) {
                scores.fill(T::LOWEST);
                continue;
            }
            if causal {
                // The last column that does not see the key is that of the query before `key + tq - tk`.
                let first = (key + self.queries()).saturating_sub(self.keys()).saturating_sub(queries.first);
                scores[..first.min(QUERIES)].fill(T::LOWEST);
            }
            if let Some(mask) = self.mask {
                let start = super::place(mask, [queries.sample, queries.head, queries.first, key]);
                let step = mask.layout.strides[2];
                for (c, score) in scores[..queries.count].iter_mut().enumerate() {
                    if !mask.data[start.wrapping_add_signed(c as isize * step)] {
                        *score = T::LOWEST;
                    }
                }
            }
        }
    }

    /// Writes the factors of the weights by dropout; returns whether there is dropout.
    pub(super) fn draw(&self, queries: Queries, keys: &Keys, factors: &mut [T]) -> bool {
        let Some(dropout) = self.dropout else { return false };
        let (tq, tk) = (self.queries() as u64, self.keys() as u64);
        let first = (queries.sample * self.heads() + queries.head) as u64 * tq + queries.first as u64;
        vectorize_choices(
            #[inline(always)]
            || {
                for (key, factors) in keys.range.clone().zip(factors.chunks_exact_mut(QUERIES)) {
                    let index = first * tk + key as u64;
                    for (c, factor) in factors.iter_mut().enumerate() {
                        *factor = dropout.factor_of(index + c as u64 * tk);
                    }
                }
            },
        );
        true
    }
}

/// `range` cut into parts of nearly equal length, at most `most`, which are whole strips of the matrix product.
fn cut(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = range.len().div_ceil(most);
    let each = range.len().div_ceil(parts.max(1)).next_multiple_of(6).clamp(1, most);
    let parts = range.len().div_ceil(each);
    (0..parts).map(move |part| range.start + part * each..range.end.min(range.start + (part + 1) * each))
}

/// Writes the transpose of the first `rows` rows of `source`, times `factor(row)`; the other columns are 0. The rows of the
/// result have room for [`QUERIES`].
pub(super) fn transpose_rows<T: Float>(source: &[T], [rows, length]: [usize; 2], target: &mut [T]) {
    let (source, target) = (&source[..rows * length], &mut target[..length * QUERIES]);
    if rows < QUERIES {
        target.fill(T::ZERO);
    }
    // SAFETY: column `row` of the target has `length` elements, as row `row` of the source.
    unsafe {
        transpose::transpose([length, rows], source.as_ptr(), [1, length as isize], target.as_mut_ptr(), QUERIES);
    }
}

/// Writes the transpose of columns: the first `rows` columns of `source`, whose rows have room for [`QUERIES`], become rows.
pub(super) fn transpose_columns<T: Float>(source: &[T], [rows, length]: [usize; 2], target: &mut [T]) {
    let (source, target) = (&source[..length * QUERIES], &mut target[..rows * length]);
    if rows * length > 0 {
        // SAFETY: column `row` of the source has `length` elements, as row `row` of the target.
        unsafe {
            let steps = [1, QUERIES as isize];
            transpose::transpose([rows, length], source.as_ptr(), steps, target.as_mut_ptr(), length);
        }
    }
}

/// Scores of keys: the products of the keys with the transposed queries, from column `from` to `columns`.
///
/// # Safety
///
/// The instructions of V are available.
pub(super) unsafe fn scores<V: Lanes<Element = T>, T: Float>(
    keys: Rows<'_, T>,
    queries: &[T],
    columns: Range<usize>,
    scores: &mut [T],
) {
    let right = Mat::new(queries, columns.start, [keys.length, columns.len()], [QUERIES as isize, 1]);
    // SAFETY: the caller's promise.
    unsafe { multiply::<V>(keys.matrix(), right, &mut scores[columns.start..], QUERIES, false) }
}

/// Adds the products of the transposed keys with the weights to the sums, a column for each query.
///
/// # Safety
///
/// The instructions of V are available.
pub(super) unsafe fn add_products<V: Lanes<Element = T>, T: Float>(
    keys: Rows<'_, T>,
    weights: &[T],
    columns: Range<usize>,
    sums: &mut [T],
) {
    let right = Mat::new(weights, columns.start, [keys.count, columns.len()], [QUERIES as isize, 1]);
    // SAFETY: the caller's promise.
    unsafe { multiply::<V>(keys.transposed(), right, &mut sums[columns.start..], QUERIES, true) }
}

/// The strip of a row that begins at `first`.
#[inline(always)]
fn strip<T>(row: &[T], first: usize) -> &[T; STEP] {
    row[first..].first_chunk().expect("a row has whole strips")
}

#[inline(always)]
fn strip_mut<T>(row: &mut [T], first: usize) -> &mut [T; STEP] {
    row[first..].first_chunk_mut().expect("a row has whole strips")
}

#[inline(always)]
fn larger<T: Float>(x: T, y: T) -> T {
    if x > y { x } else { y }
}

/// Raises `largest` to the largest score of each column, and writes the weights 2^(score - largest) in place of scores. Writes to
/// `factor` what earlier weights have to be multiplied with, and adds the weights to `sum` times that.
pub(super) fn weigh<T: Float>(scores: &mut [T], columns: Range<usize>, [largest, sum, factor]: [&mut PerQuery<T>; 3]) {
    vectorize_choices(
        #[inline(always)]
        || {
            for first in columns.step_by(STEP) {
                let (largest, sum) = (strip_mut(largest, first), strip_mut(sum, first));
                let factor = strip_mut(factor, first);
                let before = *largest;
                let mut most = before;
                for rows in scores.chunks(2 * QUERIES) {
                    let (x, y) = (strip(rows, first), strip(&rows[rows.len() - QUERIES..], first));
                    for l in 0..STEP {
                        // (A NaN may be lost here, and is found in the sum.)
                        most[l] = larger(larger(x[l], y[l]), most[l]);
                    }
                }
                *largest = most;
                let mut total = [T::ZERO; STEP];
                for l in 0..STEP {
                    // Where there is no score yet, anything finite will do.
                    most[l] = if most[l] == T::LOWEST { T::ZERO } else { most[l] };
                    factor[l] = (before[l] - most[l]).exp2_nonpositive();
                }
                for row in scores.chunks_exact_mut(QUERIES) {
                    let row = strip_mut(row, first);
                    for l in 0..STEP {
                        let weight = (row[l] - most[l]).exp2_nonpositive();
                        total[l] += weight;
                        row[l] = weight;
                    }
                }
                for l in 0..STEP {
                    sum[l] = num_traits::Float::mul_add(sum[l], factor[l], total[l]);
                }
            }
        },
    );
}

/// Multiplies each column of rows with its factor.
pub(super) fn scale_columns<T: Float>(rows: &mut [T], columns: Range<usize>, factors: &PerQuery<T>) {
    vectorize_choices(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(QUERIES) {
                for (x, &factor) in row[columns.clone()].iter_mut().zip(&factors[columns.clone()]) {
                    *x *= factor;
                }
            }
        },
    );
}

/// Multiplies elements one by one.
pub(super) fn scale_each<T: Float>(x: &mut [T], factors: &[T]) {
    vectorize_choices(
        #[inline(always)]
        || x.iter_mut().zip(factors).for_each(|(x, &factor)| *x *= factor),
    );
}

/// Writes the weights 2^(score - largest) in place of scores, and (product - share) times the weight in place of products. With
/// dropout, the products are multiplied with the factors first, and the weights last.
pub(super) fn differentiate<T: Float>(
    scores: &mut [T],
    products: &mut [T],
    factors: Option<&[T]>,
    columns: Range<usize>,
    [largest, share]: [&PerQuery<T>; 2],
) {
    vectorize_choices(
        #[inline(always)]
        || {
            for first in columns.step_by(STEP) {
                let (largest, share) = (*strip(largest, first), *strip(share, first));
                let rows = scores.chunks_exact_mut(QUERIES).zip(products.chunks_exact_mut(QUERIES)).enumerate();
                for (row, (score, product)) in rows {
                    let (score, product) = (strip_mut(score, first), strip_mut(product, first));
                    match factors {
                        None => {
                            for l in 0..STEP {
                                let weight = (score[l] - largest[l]).exp2_nonpositive();
                                score[l] = weight;
                                product[l] = (product[l] - share[l]) * weight;
                            }
                        }
                        Some(factors) => {
                            let factors = strip(&factors[row * QUERIES..], first);
                            for l in 0..STEP {
                                let weight = (score[l] - largest[l]).exp2_nonpositive();
                                score[l] = weight * factors[l];
                                product[l] = (product[l] * factors[l] - share[l]) * weight;
                            }
                        }
                    }
                }
            }
        },
    );
}

/// Whether all elements are finite.
pub(super) fn are_finite<T: Float>(x: &[T]) -> bool {
    vectorize_choices(
        #[inline(always)]
        || {
            let mut sums = [T::ZERO; STEP];
            let (groups, rest) = x.as_chunks::<STEP>();
            for group in groups {
                for l in 0..STEP {
                    sums[l] += group[l] * T::ZERO;
                }
            }
            sums.iter().all(|&sum| sum == T::ZERO) && rest.iter().all(|&x| x * T::ZERO == T::ZERO)
        },
    )
}
