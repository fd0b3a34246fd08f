//! Householder's reflections H = 1 - tau v v', of which a QR factorization is made.
//!
//! A matrix is held by columns: column j of an `[m, n]` is the row `x[j * m..][..m]`. (Golub and Van Loan, "Matrix Computations",
//! 5.1 and 5.2; the signs are LAPACK's.)

use super::{add_multiple, dot, length_of};
use crate::element::Float;
use crate::simd::vectorize;

/// Replaces x by v, with v[0] for 1, where H x = (beta, 0, ..); gives beta and tau.
#[inline(always)]
pub(super) fn reflection<T: Float>(x: &mut [T]) -> [T; 2] {
    let (first, rest) = x.split_first_mut().expect("one element at least");
    let below = length_of(rest);
    let beta = -num_traits::Float::copysign(num_traits::Float::hypot(*first, below), *first);
    let alpha = std::mem::replace(first, T::ONE);
    if below == T::ZERO {
        return [alpha, T::ZERO];
    }
    // Of two numbers with different signs, so nothing cancels.
    let difference = alpha - beta;
    rest.iter_mut().for_each(|x| *x /= difference);
    [beta, -difference / beta]
}

/// y = H y.
#[inline(always)]
pub(super) fn reflect<T: Float>(y: &mut [T], v: &[T], tau: T) {
    let factor = -(tau * dot(y, v));
    add_multiple(y, factor, v);
}

/// The QR factorization of an `[m, n]` held by columns: R takes its upper triangle, the vectors v below their first elements what
/// is below; `taus` has one number for each of the min(m, n) reflections. With `order` the column that is longest below
/// the rows that are done comes first (pivoting); `order[j]` is the place that column j had before.
pub(crate) fn factor<T: Float>(x: &mut [T], m: usize, taus: &mut [T], mut order: Option<&mut [usize]>) {
    let columns = x.len() / m.max(1);
    vectorize(
        #[inline(always)]
        || {
            for k in 0..taus.len() {
                if let Some(order) = &mut order {
                    let lengths = (k..columns).map(|j| length_of(&x[j * m + k..(j + 1) * m]));
                    let longest =
                        lengths.enumerate().fold((0, T::LOWEST), |best, now| if now.1 > best.1 { now } else { best });
                    if longest.0 > 0 {
                        order.swap(k, k + longest.0);
                        let (before, after) = x.split_at_mut((k + longest.0) * m);
                        before[k * m..][..m].swap_with_slice(&mut after[..m]);
                    }
                }
                let (done, others) = x.split_at_mut((k + 1) * m);
                let v = &mut done[k * m + k..];
                let [beta, tau] = reflection(v);
                others.chunks_exact_mut(m).for_each(|column| reflect(&mut column[k..], v, tau));
                v[0] = beta;
                taus[k] = tau;
            }
        },
    );
}

/// y = H_0 H_1 .. y, by the reflections of [`factor`], for each of the vectors of length m one after the other in `y`.
pub(crate) fn apply<T: Float>(x: &[T], m: usize, taus: &[T], y: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            for y in y.chunks_exact_mut(m.max(1)) {
                for (k, &tau) in taus.iter().enumerate().rev() {
                    // v begins with 1, where x has an element of R.
                    let v = &x[k * m + k + 1..(k + 1) * m];
                    let (first, rest) = y[k..].split_first_mut().expect("k is below m");
                    let factor = -(tau * (*first + dot(rest, v)));
                    *first += factor;
                    add_multiple(rest, factor, v);
                }
            }
        },
    );
}

/// The first columns of Q, as many as `q` has room for.
pub(crate) fn columns_of_q<T: Float>(x: &[T], m: usize, taus: &[T], q: &mut [T]) {
    q.fill(T::ZERO);
    for (j, column) in q.chunks_exact_mut(m.max(1)).enumerate() {
        column[j] = T::ONE;
        // Later reflections leave it as it is.
        apply(x, m, &taus[..taus.len().min(j + 1)], column);
    }
}
