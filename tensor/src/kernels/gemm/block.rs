//! Products of blocks that lie in a core's caches, on the thread at hand: the inner loops of kernels that cut their work
//! themselves.

use super::Mat;
use super::lanes::Lanes;
use super::tile::{self, Nearest, Panels, ResultTile, Strips};

/// C = A · B, or C += A · B if `add`. The rows of B are contiguous; those of C begin `pitch` elements apart.
///
/// # Safety
///
/// The instructions are available.
///
/// # Panics
///
/// If the shapes do not match.
pub(in crate::kernels) unsafe fn multiply<V: Lanes>(
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: &mut [V::Element],
    pitch: usize,
    add: bool,
) {
    let (rows, k, columns) = (a.rows, a.columns, b.columns);
    if rows == 0 || columns == 0 {
        return;
    }
    let fits = k == b.rows && columns <= pitch && (rows - 1) * pitch + columns <= c.len();
    assert!(fits && (b.column_stride == 1 || columns == 1), "block: {rows} x {k} by {} x {columns}", b.rows);
    let strips = Strips { start: a.start, row: a.row_stride, column: a.column_stride, strip: None };
    let width = V::VECTORS * V::LANES;
    let panels = Panels::<V> { start: b.start, row: b.row_stride, panel: width as isize, vectors: V::VECTORS };
    let tile = ResultTile { start: c.as_mut_ptr(), rows, columns, row: pitch, add };
    // SAFETY: the caller's promise; the matrices lie within their slices, and `c` is borrowed.
    unsafe { tile::multiply(k, &strips, &panels, tile, Nearest::Panel) }
}
