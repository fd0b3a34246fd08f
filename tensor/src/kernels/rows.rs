//! Functions of the rows of a row-major matrix.

use super::{CHUNK, Shared};
use crate::simd::vectorize;
use crate::team;

/// Calls `body(row of x, row of out)` for every row of `length` elements.
pub(crate) fn for_each_row<T: Copy + Send + Sync, R: Copy + Send + Sync>(
    x: &[T],
    out: &mut [R],
    length: usize,
    body: impl Fn(&[T], &mut [R]) + Sync,
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
