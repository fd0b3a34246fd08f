//! A bias and a ReLU behind the products of a matrix, and back. Matrices are row-major, with a column for each number of the bias.

use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize_choices;
use crate::team;

/// The most rows that are added up one after the other, so that rounding errors stay small.
const MOST_ROWS: usize = 64;

/// y = y + bias for each row, and max(y, 0) in its place if `relu`.
pub(crate) fn add_bias<T: Float>(y: &mut [T], bias: &[T], relu: bool) {
    let columns = bias.len();
    let rows = y.len().checked_div(columns).unwrap_or(0);
    let y = Shared::new(y);
    team::split(rows, (CHUNK / columns.max(1)).max(1), |range| {
        // SAFETY: each row belongs to one task.
        let y = unsafe { y.part(range.start * columns, range.len() * columns) };
        vectorize_choices(
            #[inline(always)]
            || if relu { add_to_rows::<T, true>(y, bias) } else { add_to_rows::<T, false>(y, bias) },
        );
    });
}

#[inline(always)]
fn add_to_rows<T: Float, const RELU: bool>(y: &mut [T], bias: &[T]) {
    for row in y.chunks_exact_mut(bias.len()) {
        for (y, &bias) in row.iter_mut().zip(bias) {
            let sum = *y + bias;
            *y = if RELU { T::select(sum.less(T::ZERO), T::ZERO, sum) } else { sum };
        }
    }
}

/// The rows that [`bias_gradient`] adds up to one row of `sums`.
pub(crate) fn rows_of_sum(columns: usize) -> usize {
    (CHUNK / columns.max(1)).clamp(1, MOST_ROWS)
}

/// Sets the gradient g to 0 where the result `y` of a ReLU is not positive, if there is one, and adds up its rows:
/// [`rows_of_sum`] of them for each row of `sums`.
pub(crate) fn bias_gradient<T: Float>(y: Option<&[T]>, g: &mut [T], columns: usize, sums: &mut [T]) {
    let part = rows_of_sum(columns) * columns;
    let (len, parts) = (g.len(), sums.len().checked_div(columns).unwrap_or(0));
    let (g, sums) = (Shared::new(g), Shared::new(sums));
    team::split(parts, (CHUNK / part.max(1)).max(1), |range| {
        vectorize_choices(
            #[inline(always)]
            || {
                for index in range {
                    let (start, end) = (index * part, len.min((index + 1) * part));
                    // SAFETY: each part of the rows, and the row of its sums, belong to one task.
                    let (g, sums) = unsafe { (g.part(start, end - start), sums.part(index * columns, columns)) };
                    match y {
                        Some(y) => add_masked_rows(&y[start..end], g, sums),
                        None => add_rows(g, sums),
                    }
                }
            },
        );
    });
}

#[inline(always)]
fn add_masked_rows<T: Float>(y: &[T], g: &mut [T], sums: &mut [T]) {
    sums.fill(T::ZERO);
    let columns = sums.len();
    for (y, g) in y.chunks_exact(columns).zip(g.chunks_exact_mut(columns)) {
        for ((g, &y), sum) in g.iter_mut().zip(y).zip(sums.iter_mut()) {
            *g = if y > T::ZERO { *g } else { T::ZERO };
            *sum += *g;
        }
    }
}

#[inline(always)]
fn add_rows<T: Float>(g: &[T], sums: &mut [T]) {
    sums.fill(T::ZERO);
    for g in g.chunks_exact(sums.len()) {
        for (&g, sum) in g.iter().zip(sums.iter_mut()) {
            *sum += g;
        }
    }
}
