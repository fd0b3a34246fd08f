//! Copies of views into row-major order, and of one value to all places.

use super::map::{SHORT, loop1, map};
use super::transpose::Transposition;
use super::{CHUNK, Shared, View};
use crate::team;

/// `out = a`, in row-major order.
pub(crate) fn copy<T: Copy + Default + Send + Sync>(a: View<'_, T>, out: &mut [T]) {
    match Transposition::of(a.layout) {
        Some(transposition) => transposition.copy(a, out),
        None => map(a, out, &loop1::<SHORT, _, _>(|x| x)),
    }
}

/// Sets every element to `value`.
pub(crate) fn fill<T: Copy + Send + Sync>(out: &mut [T], value: T) {
    let (len, out) = (out.len(), Shared::new(out));
    team::split(len, 4 * CHUNK, |range| {
        // SAFETY: the ranges of all tasks are disjoint.
        unsafe { out.part(range.start, range.len()) }.fill(value);
    });
}
