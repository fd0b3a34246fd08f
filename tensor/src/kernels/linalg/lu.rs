//! The factorization P A = L U by elimination with partial pivoting.

use std::ops::Range;

use super::triangular::{Diagonal, rows, solve_lower, solve_upper};
use super::{Block, Matrix, SMALL, subtract_product, with_copy};
use crate::element::Float;
use crate::simd::vectorize;

/// Replaces a row-major `[n, n]` by L below the diagonal, whose own is 1, and U. At step k rows k and `swaps[k]` change places.
/// A column without an element that is not 0 leaves a pivot of 0.
///
/// The columns go by halves (Toledo, "Locality of reference in LU decomposition with partial pivoting", 1997).
pub(crate) fn factor<T: Float>(a: &mut [T], swaps: &mut [i64]) {
    let n = swaps.len();
    assert!(a.len() == n * n);
    factor_columns(a, n, 0..n, swaps);
}

/// The factorization of some columns, from the row of the first on.
fn factor_columns<T: Float>(a: &mut [T], n: usize, columns: Range<usize>, swaps: &mut [i64]) {
    let Range { start, end } = columns;
    if columns.len() <= SMALL {
        return vectorize(
            #[inline(always)]
            || eliminate(a, n, columns, swaps),
        );
    }
    let (middle, whole) = (start + columns.len() / 2, Block::whole(n, n));
    let (left, right) = (middle - start, end - middle);
    factor_columns(a, n, start..middle, swaps);
    let (beside, below) =
        (whole.part([start, middle], [left, right]), whole.part([middle, middle], [n - middle, right]));
    with_copy(a, whole.part([start, start], [left, left]), |a, corner| {
        let corner = Matrix { data: corner, block: Block::whole(left, left) };
        solve_lower(corner, Diagonal::Ones, a, beside);
    });
    let lower = whole.part([middle, start], [n - middle, left]);
    subtract_product(a, below, None, lower, beside);
    factor_columns(a, n, middle..end, swaps);
}

#[inline(always)]
fn eliminate<T: Float>(a: &mut [T], n: usize, columns: Range<usize>, swaps: &mut [i64]) {
    for k in columns.clone() {
        let mut pivot = k;
        for i in k + 1..n {
            if num_traits::Float::abs(a[i * n + k]) > num_traits::Float::abs(a[pivot * n + k]) {
                pivot = i;
            }
        }
        swaps[k] = pivot as i64;
        if pivot != k {
            let [first, second] = rows(a, [k * n, pivot * n], n);
            first.swap_with_slice(second);
        }
        let (above, below) = a.split_at_mut((k + 1) * n);
        let row = &above[k * n..];
        if row[k] == T::ZERO {
            continue;
        }
        for target in below.chunks_exact_mut(n) {
            let factor = target[k] / row[k];
            target[k] = factor;
            let (target, row) = (&mut target[k + 1..columns.end], &row[k + 1..columns.end]);
            target.iter_mut().zip(row).for_each(|(a, &u)| *a -= factor * u);
        }
    }
}

/// B = A^-1 B for a row-major B of these columns.
pub(crate) fn solve<T: Float>(factors: Matrix<'_, T>, swaps: impl Fn(usize) -> usize, b: &mut [T], columns: usize) {
    let n = factors.block.shape[0];
    (0..n).for_each(|k| swap_rows(b, columns, k, swaps(k)));
    solve_lower(factors, Diagonal::Ones, b, Block::whole(n, columns));
    solve_upper(factors, Diagonal::Stored, b, Block::whole(n, columns));
}

/// B = A^-T B.
pub(crate) fn solve_transposed<T: Float>(
    factors: Matrix<'_, T>,
    swaps: impl Fn(usize) -> usize,
    b: &mut [T],
    columns: usize,
) {
    let n = factors.block.shape[0];
    solve_lower(factors.transposed(), Diagonal::Stored, b, Block::whole(n, columns));
    solve_upper(factors.transposed(), Diagonal::Ones, b, Block::whole(n, columns));
    (0..n).rev().for_each(|k| swap_rows(b, columns, k, swaps(k)));
}

fn swap_rows<T>(b: &mut [T], columns: usize, first: usize, second: usize) {
    if first != second && columns > 0 {
        let [first, second] = rows(b, [first * columns, second * columns], columns);
        first.swap_with_slice(second);
    }
}
