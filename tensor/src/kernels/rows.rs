//! Kernels over the rows of a row-major matrix: softmax and its kin.

use super::math::Math;
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// Calls `body(row of x, row of out)` for every row of `length` elements.
pub(crate) fn for_each_row<T: Copy + Send + Sync>(
    x: &[T],
    out: &mut [T],
    length: usize,
    body: impl Fn(&[T], &mut [T]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let rows = out.len() / length;
    let out = Shared::new(out);
    team::split(rows, (CHUNK / length).max(1), |range| {
        vectorize(
            #[inline(always)]
            || {
                for row in range {
                    // SAFETY: each row of the result is written by one task.
                    body(&x[row * length..][..length], unsafe { out.part(row * length, length) });
                }
            },
        );
    });
}

/// The larger of two, NaN if either is.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if a > b || a.is_nan_value() { a } else { b }
}

/// The largest element, in a form that vectorises: running maxima side by side.
#[inline(always)]
fn largest<T: Float>(row: &[T]) -> T {
    const LANES: usize = 8;
    let (groups, rest) = row.as_chunks::<LANES>();
    let mut lanes = [T::LOWEST; LANES];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane = larger(*lane, x);
        }
    }
    rest.iter().chain(&lanes).fold(T::LOWEST, |max, &x| larger(max, x))
}

/// The sum in a fixed order over eight lanes.
#[inline(always)]
fn total<T: Float>(row: &[T]) -> T {
    const LANES: usize = 8;
    let (groups, rest) = row.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane += x;
        }
    }
    let mut sum = T::ZERO;
    for &x in lanes.iter().chain(rest) {
        sum += x;
    }
    sum
}

/// exp(x - max) / sum of it, and never 0 where x is finite.
///
/// A probability that would underflow is the smallest normal number instead: then a loss that divides by it stays
/// finite, and the gradient through softmax, p (g - sum g p), keeps its value -1 at the true class.
#[inline(always)]
pub(crate) fn softmax_row<T: Float>(x: &[T], out: &mut [T]) {
    let max = largest(x);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = Math::exp(x - max);
    }
    let scale = T::ONE / total(out);
    let smallest = T::min_positive_value();
    for (out, &x) in out.iter_mut().zip(x) {
        let probability = *out * scale;
        let floor = if x > T::LOWEST { smallest } else { T::ZERO };
        *out = if probability < floor { floor } else { probability };
    }
}

/// x - max - ln of the sum of exp(x - max). `out` also serves as scratch.
#[inline(always)]
pub(crate) fn log_softmax_row<T: Float>(x: &[T], out: &mut [T]) {
    let max = largest(x);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = Math::exp(x - max);
    }
    let shift = max + Math::ln(total(out));
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x - shift;
    }
}
