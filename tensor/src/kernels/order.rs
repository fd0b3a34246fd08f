//! Sorting of rows, and the index of a row's largest or smallest element. Rows are contiguous.

use std::cmp::Ordering;

use super::{CHUNK, Shared};
use crate::element::Element;
use crate::team;

/// The order of numbers, with NaN as the largest.
#[inline(always)]
fn order<T: Element>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan_value().cmp(&b.is_nan_value()))
}

/// Calls `body` with each row of `x` and its row of `out`.
fn for_each_pair<T: Sync, R: Send>(
    x: &[T],
    length: usize,
    out: &mut [R],
    out_length: usize,
    body: impl Fn(&[T], &mut [R]) + Sync,
) {
    let rows = x.len().checked_div(length).unwrap_or(0);
    let out = Shared::new(out);
    team::split(rows, (CHUNK / length.max(1)).max(1), |range| {
        for row in range {
            // SAFETY: each row of the result is written by one task.
            body(&x[row * length..][..length], unsafe { out.part(row * out_length, out_length) });
        }
    });
}

/// The index of the first element in each row than which no other is `better`; the first NaN if there is one.
pub(crate) fn first<T: Element>(x: &[T], length: usize, out: &mut [i64], better: impl Fn(T, T) -> bool + Sync) {
    for_each_pair(
        x,
        length,
        out,
        1,
        #[inline(always)]
        |row, out| {
            let mut best = 0;
            for (i, &value) in row.iter().enumerate() {
                if better(value, row[best]) || value.is_nan_value() && !row[best].is_nan_value() {
                    best = i;
                }
                if row[best].is_nan_value() {
                    break;
                }
            }
            out[0] = best as i64;
        },
    );
}

/// The indices of each row's elements in ascending order; equal elements keep their order.
pub(crate) fn argsort<T: Element>(x: &[T], length: usize, out: &mut [i64]) {
    for_each_pair(x, length, out, length, |row, out| {
        number(out);
        // Equal elements are ordered by index, so an unstable sort, which needs no memory, gives a stable order.
        out.sort_unstable_by(|&i, &j| order(row[i as usize], row[j as usize]).then(i.cmp(&j)));
    });
}

/// The indices of each row's elements, the `k` largest first in descending order; equal elements keep their order. The others
/// follow in any order.
pub(crate) fn largest_first<T: Element>(x: &[T], length: usize, k: usize, out: &mut [i64]) {
    for_each_pair(x, length, out, length, |row, out| {
        number(out);
        let descending = |&i: &i64, &j: &i64| order(row[j as usize], row[i as usize]).then(i.cmp(&j));
        if 0 < k && k < length {
            out.select_nth_unstable_by(k - 1, descending);
        }
        out[..k].sort_unstable_by(descending);
    });
}

/// Writes 0, 1, 2, and so on.
fn number(out: &mut [i64]) {
    for (out, i) in out.iter_mut().zip(0..) {
        *out = i;
    }
}
