//! Eigenvalues of symmetric matrices: reflections make a matrix tridiagonal, QL steps with implicit shifts make that diagonal.
//!
//! (Golub and Van Loan, "Matrix Computations", 8.3; the shifts are Wilkinson's, the steps those of EISPACK's `tql2`.)

use super::jacobi::pair;
use super::reflections::{reflect, reflection};
use super::{add_multiple, dot, largest, with_elements};
use crate::element::Float;
use crate::simd::vectorize;

/// Steps for one eigenvalue; some two are needed on average.
const MOST_STEPS: usize = 100;

/// The eigenvalues of a symmetric row-major `[n, n]`, smallest first, into `w`, and the vectors into the rows of `v`. Both are
/// NaN if the matrix is not finite. Only the lower triangle is read; `a` is overwritten.
pub(crate) fn decompose<T: Float>(a: &mut [T], w: &mut [T], v: &mut [T]) {
    let n = w.len();
    for i in 0..n {
        for j in 0..i {
            a[j * n + i] = a[i * n + j];
        }
    }
    let size = largest(a);
    if !num_traits::Float::is_finite(size) {
        [w, v].into_iter().for_each(|out| out.fill(T::of(f64::NAN)));
        return;
    }
    let unit = size.power_of_two();
    a.iter_mut().for_each(|a| *a /= unit);
    let (mut diagonal, mut beside) = (vec![T::ZERO; n], vec![T::ZERO; n]);
    with_elements(n * n, |rows| {
        vectorize(
            #[inline(always)]
            || {
                make_tridiagonal(a, &mut diagonal, &mut beside, rows);
                make_diagonal(&mut diagonal, &mut beside, rows);
            },
        );
        let mut ranked: Vec<usize> = (0..n).collect();
        ranked.sort_by(|&a, &b| diagonal[a].partial_cmp(&diagonal[b]).expect("finite"));
        for (place, &row) in ranked.iter().enumerate() {
            w[place] = diagonal[row] * unit;
            v[place * n..][..n].copy_from_slice(&rows[row * n..][..n]);
        }
    });
}

/// A = Q T Q': the diagonal of T, what is below it, and the columns of Q as rows.
#[inline(always)]
fn make_tridiagonal<T: Float>(a: &mut [T], diagonal: &mut [T], beside: &mut [T], rows: &mut [T]) {
    let n = diagonal.len();
    let (mut taus, mut p) = (vec![T::ZERO; n], vec![T::ZERO; n]);
    for k in 0..n {
        diagonal[k] = a[k * n + k];
        if k + 1 == n {
            break;
        }
        let (above, below) = a.split_at_mut((k + 1) * n);
        let v = &mut above[k * n + k + 1..];
        let [beta, tau] = reflection(v);
        (beside[k], taus[k]) = (beta, tau);
        // H B H = B - v q' - q v' with q = p - (tau / 2) (p'v) v and p = tau B v.
        let q = &mut p[k + 1..];
        for (q, row) in q.iter_mut().zip(below.chunks_exact(n)) {
            *q = tau * dot(&row[k + 1..], v);
        }
        let share = tau * dot(q, v) / T::of(2.0);
        add_multiple(q, -share, v);
        for (i, row) in below.chunks_exact_mut(n).enumerate() {
            add_multiple(&mut row[k + 1..], -v[i], q);
            add_multiple(&mut row[k + 1..], -q[i], v);
        }
    }
    rows.fill(T::ZERO);
    for (j, row) in rows.chunks_exact_mut(n.max(1)).enumerate() {
        row[j] = T::ONE;
        for k in (0..j).rev() {
            reflect(&mut row[k + 1..], &a[k * n + k + 1..(k + 1) * n], taus[k]);
        }
    }
}

/// Makes a tridiagonal matrix diagonal, and rotates the rows with it.
#[inline(always)]
fn make_diagonal<T: Float>(diagonal: &mut [T], beside: &mut [T], rows: &mut [T]) {
    let n = diagonal.len();
    let abs = num_traits::Float::abs;
    for first in 0..n {
        for _ in 0..MOST_STEPS {
            // The block from `first` to the next element beside the diagonal that is as good as 0.
            let is_end =
                |&k: &usize| k + 1 == n || abs(beside[k]) <= T::epsilon() * (abs(diagonal[k]) + abs(diagonal[k + 1]));
            let last = (first..n).find(is_end).expect("the last is one");
            if last == first {
                break;
            }
            step(diagonal, beside, rows, first, last);
        }
    }
}

/// One QL step from row `last` up to row `first`.
#[inline(always)]
fn step<T: Float>(diagonal: &mut [T], beside: &mut [T], rows: &mut [T], first: usize, last: usize) {
    let (n, two, hypot) = (diagonal.len(), T::of(2.0), num_traits::Float::hypot);
    let half = (diagonal[first + 1] - diagonal[first]) / (two * beside[first]);
    let root = num_traits::Float::copysign(hypot(half, T::ONE), half);
    let mut bulge = diagonal[last] - diagonal[first] + beside[first] / (half + root);
    let (mut sine, mut cosine, mut change) = (T::ONE, T::ONE, T::ZERO);
    for i in (first..last).rev() {
        let (f, b) = (sine * beside[i], cosine * beside[i]);
        let length = hypot(f, bulge);
        beside[i + 1] = length;
        if length == T::ZERO {
            // The matrix falls apart here.
            diagonal[i + 1] -= change;
            beside[last] = T::ZERO;
            return;
        }
        (sine, cosine) = (f / length, bulge / length);
        let below = diagonal[i + 1] - change;
        let other = (diagonal[i] - below) * sine + two * cosine * b;
        change = sine * other;
        diagonal[i + 1] = below + change;
        bulge = cosine * other - b;
        let [upper, lower] = pair(rows, i, i + 1, n);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            (*upper, *lower) = (cosine * *upper - sine * *lower, sine * *upper + cosine * *lower);
        }
    }
    diagonal[first] -= change;
    (beside[first], beside[last]) = (bulge, T::ZERO);
}
