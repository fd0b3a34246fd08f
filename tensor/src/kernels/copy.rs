//! Copies of views into row-major order.

use super::View;
use super::map::{SHORT, loop1, map};
use super::transpose::Transposition;

/// `out = a`, in row-major order.
pub(crate) fn copy<T: Copy + Default + Send + Sync>(a: View<'_, T>, out: &mut [T]) {
    match Transposition::of(a.layout) {
        Some(transposition) => transposition.copy(a, out),
        None => map(a, out, &loop1::<SHORT, _, _>(|x| x)),
    }
}
