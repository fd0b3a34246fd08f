//! The factorization A = L L' of a positive definite matrix.

use super::triangular::{Diagonal, solve_lower};
use super::{Block, Matrix, SMALL, dot, subtract_product, with_copy};
use crate::element::Float;
use crate::simd::vectorize;

/// Replaces the lower triangle of a row-major `[n, n]` by L, and what is above by 0. The upper triangle is not read.
///
/// # Errors
/// The first pivot that is not above 0, with its number.
pub(crate) fn factor<T: Float>(a: &mut [T], n: usize) -> Result<(), (usize, T)> {
    assert!(a.len() == n * n);
    factor_corner(a, n, 0, n)?;
    for i in 0..n {
        a[i * n + i + 1..][..n - i - 1].fill(T::ZERO);
    }
    Ok(())
}

/// The factor of the `len` rows and columns from `start` on, from which what came before has been subtracted.
fn factor_corner<T: Float>(a: &mut [T], n: usize, start: usize, len: usize) -> Result<(), (usize, T)> {
    if len <= SMALL {
        return vectorize(
            #[inline(always)]
            || factor_small(a, n, start, len),
        );
    }
    let (half, rest, whole) = (len / 2, len - len / 2, Block::whole(n, n));
    factor_corner(a, n, start, half)?;
    let below = whole.part([start + half, start], [rest, half]);
    with_copy(a, whole.part([start, start], [half, half]), |a, corner| {
        let corner = Matrix { data: corner, block: Block::whole(half, half) };
        solve_lower(corner, Diagonal::Stored, a, below.transposed());
    });
    let corner = whole.part([start + half; 2], [rest; 2]);
    subtract_product(a, corner, None, below, below.transposed());
    factor_corner(a, n, start + half, rest)
}

#[inline(always)]
fn factor_small<T: Float>(a: &mut [T], n: usize, start: usize, len: usize) -> Result<(), (usize, T)> {
    for i in start..start + len {
        let (above, row) = a.split_at_mut(i * n);
        for j in start..i {
            let other = &above[j * n..];
            let left = row[j] - dot(&row[start..j], &other[start..j]);
            row[j] = left / other[j];
        }
        let pivot = row[i] - dot(&row[start..i], &row[start..i]);
        // Not `pivot <= 0`: NaN, too, has no factor.
        if !(pivot > T::ZERO && pivot < T::HIGHEST) {
            return Err((i, pivot));
        }
        row[i] = num_traits::Float::sqrt(pivot);
    }
    Ok(())
}
