//! Singular values by one-sided Jacobi rotations, after a QR factorization with pivoting.
//!
//! A P = Q R. Rotations of the rows of R make them orthogonal: J R = W, so R = J' W. The lengths of W's rows are the
//! singular values, the rows divided by them the right vectors, and the columns of Q J' the left ones. The pivoting makes R's
//! rows nearly orthogonal, so few sweeps are needed (Drmac and Veselic, "New fast and accurate Jacobi SVD algorithm", 2008).

use super::reflections;
use super::{dot, largest, length_of, with_elements};
use crate::element::Float;
use crate::simd::vectorize;

/// Sweeps end when no pair of rows was rotated, after some six of them. This many are never needed.
const MOST_SWEEPS: usize = 60;
/// The rows of a block: two blocks of a matrix with 500 columns and of J are 256 KiB of f64.
const BLOCK: usize = 16;

/// The singular value decomposition of an `[m, n]` held by columns, where n is at most m: `u` gets the n left vectors, `s` the
/// singular values, largest first, `v` the n right vectors, all as rows. All three are NaN if the matrix is not finite.
pub(crate) fn decompose<T: Float>(x: &mut [T], m: usize, u: &mut [T], s: &mut [T], v: &mut [T]) {
    let n = s.len();
    let size = largest(x);
    if !num_traits::Float::is_finite(size) {
        [u, s, v].into_iter().for_each(|out| out.fill(T::of(f64::NAN)));
        return;
    }
    let unit = size.power_of_two();
    x.iter_mut().for_each(|x| *x /= unit);
    let (mut taus, mut order) = (vec![T::ZERO; n], (0..n).collect::<Vec<usize>>());
    reflections::factor(x, m, &mut taus, Some(&mut order));
    let rank = with_elements(2 * n * n, |scratch| {
        scratch.fill(T::ZERO);
        let (w, j) = scratch.split_at_mut(n * n);
        for i in 0..n {
            j[i * n + i] = T::ONE;
            for column in i..n {
                w[i * n + column] = x[column * m + i];
            }
        }
        vectorize(
            #[inline(always)]
            || rotate_rows(w, j, n),
        );
        place_by_length(w, j, &order, unit, m, [&mut *u, s, &mut *v])
    });
    reflections::apply(x, m, &taus, u);
    complete(v, n, rank);
}

/// Gives the lengths of `w`'s rows, largest first, the rows of `j`, in vectors of length m, and the rows of `w` divided by their
/// lengths; column i of `w` is column `order[i]` of the result. Returns how many rows have a direction.
fn place_by_length<T: Float>(w: &[T], j: &[T], order: &[usize], unit: T, m: usize, [u, s, v]: [&mut [T]; 3]) -> usize {
    let n = order.len();
    let lengths: Vec<T> = w.chunks_exact(n.max(1)).map(length_of).collect();
    let mut ranked: Vec<usize> = (0..n).collect();
    ranked.sort_by(|&a, &b| lengths[b].partial_cmp(&lengths[a]).expect("finite"));
    // Below this length the squares of a row's elements may be lost, so that nothing says that it is orthogonal to others. It is
    // far below the error of the largest singular value.
    let shortest = num_traits::Float::sqrt(T::min_positive_value()) / T::epsilon();
    let mut rank = 0;
    for (place, &row) in ranked.iter().enumerate() {
        s[place] = lengths[row] * unit;
        u[place * m..][..n].copy_from_slice(&j[row * n..][..n]);
        u[place * m + n..(place + 1) * m].fill(T::ZERO);
        if lengths[row] > shortest {
            rank = place + 1;
            for (&column, &w) in order.iter().zip(&w[row * n..][..n]) {
                v[place * n + column] = w / lengths[row];
            }
        }
    }
    rank
}

/// Rotates pairs of rows until all are orthogonal, those of `j` with those of `w`.
#[inline(always)]
fn rotate_rows<T: Float>(w: &mut [T], j: &mut [T], n: usize) {
    let tolerance = T::epsilon() * T::of((n as f64).sqrt());
    let mut squares = vec![T::ZERO; n];
    // Pairs of two blocks follow each other, so that their rows stay in the cache.
    let starts = (0..n).step_by(BLOCK).flat_map(|first| (first..n).step_by(BLOCK).map(move |second| [first, second]));
    for _ in 0..MOST_SWEEPS {
        for (square, row) in squares.iter_mut().zip(w.chunks_exact(n.max(1))) {
            *square = dot(row, row);
        }
        let mut is_done = true;
        for [first, second] in starts.clone() {
            for p in first..n.min(first + BLOCK) {
                for q in second.max(p + 1)..n.min(second + BLOCK) {
                    is_done &= !rotate_pair(w, j, &mut squares, [p, q], tolerance);
                }
            }
        }
        if is_done {
            return;
        }
    }
}

/// Makes rows p and q orthogonal, where p comes first; returns whether they had to be rotated. `squares` are the squares of the
/// rows' lengths.
#[inline(always)]
fn rotate_pair<T: Float>(w: &mut [T], j: &mut [T], squares: &mut [T], [p, q]: [usize; 2], tolerance: T) -> bool {
    let n = squares.len();
    let [row_p, row_q] = pair(w, p, q, n);
    let product = dot(row_p, row_q);
    let size = num_traits::Float::sqrt(squares[p]) * num_traits::Float::sqrt(squares[q]);
    if num_traits::Float::abs(product) <= tolerance * size || product == T::ZERO {
        return false;
    }
    // The smaller root of t^2 + 2 zeta t - 1 = 0 (Rutishauser).
    let zeta = (squares[q] - squares[p]) / (product + product);
    let root = num_traits::Float::hypot(T::ONE, zeta);
    let t = num_traits::Float::copysign(T::ONE, zeta) / (num_traits::Float::abs(zeta) + root);
    let cosine = T::ONE / num_traits::Float::hypot(T::ONE, t);
    rotate(row_p, row_q, cosine, cosine * t);
    let [row_p, row_q] = pair(j, p, q, n);
    rotate(row_p, row_q, cosine, cosine * t);
    squares[p] = (squares[p] - t * product).maximum(T::ZERO);
    squares[q] += t * product;
    true
}

/// (p, q) = (cosine p - sine q, sine p + cosine q).
#[inline(always)]
fn rotate<T: Float>(p: &mut [T], q: &mut [T], cosine: T, sine: T) {
    for (p, q) in p.iter_mut().zip(q) {
        (*p, *q) = (cosine * *p - sine * *q, sine * *p + cosine * *q);
    }
}

/// Rows p and q, where p comes first.
#[inline(always)]
pub(super) fn pair<T>(rows: &mut [T], p: usize, q: usize, n: usize) -> [&mut [T]; 2] {
    let (before, after) = rows.split_at_mut(q * n);
    [&mut before[p * n..][..n], &mut after[..n]]
}

/// Makes the rows from `rank` on orthogonal to those before and to each other.
fn complete<T: Float>(v: &mut [T], n: usize, rank: usize) {
    if rank == n {
        return;
    }
    let (mut x, mut taus, mut q) = (v[..rank * n].to_vec(), vec![T::ZERO; rank], vec![T::ZERO; n * n]);
    reflections::factor(&mut x, n, &mut taus, None);
    reflections::columns_of_q(&x, n, &taus, &mut q);
    v[rank * n..].copy_from_slice(&q[rank * n..]);
}
