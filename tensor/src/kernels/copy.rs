//! Copies of views into row-major order.

use super::map::map;
use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::team;

/// A square of this side is copied at a time where source and result run along different axes, so that the cache lines
/// of both are used whole while they are there.
const TILE: usize = 32;

/// `out = a`, in row-major order.
pub(crate) fn copy<T: Copy + Default + Send + Sync>(a: View<'_, T>, out: &mut [T]) {
    match transposed_matrices(a) {
        Some(matrices) => copy_transposed(a, out, &matrices),
        None => map(
            a,
            out,
            #[inline(always)]
            |x| x,
        ),
    }
}

/// A stack of matrices whose rows lie along the columns of the result.
struct Transposed {
    rows: usize,
    columns: usize,
    column_stride: isize,
}

/// Whether the two last merged axes of the view are a transposed matrix: unit stride along the outer of the two.
fn transposed_matrices<T>(a: View<'_, T>) -> Option<Transposed> {
    let ndim = a.layout.shape.len();
    if ndim < 2 {
        return None;
    }
    let (rows, columns) = (a.layout.shape[ndim - 2], a.layout.shape[ndim - 1]);
    let (row_stride, column_stride) = (a.layout.strides[ndim - 2], a.layout.strides[ndim - 1]);
    let worth_tiling = rows >= 8 && columns >= 8;
    (worth_tiling && row_stride == 1 && column_stride != 1).then_some(Transposed { rows, columns, column_stride })
}

fn copy_transposed<T: Copy + Send + Sync>(a: View<'_, T>, out: &mut [T], matrices: &Transposed) {
    let &Transposed { rows, columns, column_stride } = matrices;
    let ndim = a.layout.shape.len();
    // One place for each matrix of the stack: the start of its first row.
    let mut stack = a.layout.select(ndim - 1, 0);
    stack = stack.select(ndim - 2, 0);
    let nest = Nest::new([&stack]);
    let bands = rows.div_ceil(TILE);
    let count = out.len() / (rows * columns).max(1);
    let bands_per_task = (CHUNK / (TILE * columns)).max(1);
    let shared = Shared::new(out);
    team::split(count * bands, bands_per_task, |range| {
        for band in range {
            let (matrix, first_row) = (band / bands, band % bands * TILE);
            let band_rows = TILE.min(rows - first_row);
            let mut source = 0;
            nest.for_each_run(matrix..matrix + 1, |_, _, [start]| source = start);
            let source = source + first_row;
            // SAFETY: each task writes whole bands of rows, which are disjoint parts of the result.
            let out = unsafe { shared.part((matrix * rows + first_row) * columns, band_rows * columns) };
            for first_column in (0..columns).step_by(TILE) {
                let last_column = columns.min(first_column + TILE);
                for row in 0..band_rows {
                    let out = &mut out[row * columns + first_column..row * columns + last_column];
                    for (out, column) in out.iter_mut().zip(first_column..) {
                        let place = (source + row).wrapping_add_signed(column as isize * column_stride);
                        debug_assert!(place < a.data.len());
                        // SAFETY: the layout addresses this place, which lies within its buffer.
                        *out = unsafe { *a.data.get_unchecked(place) };
                    }
                }
            }
        }
    });
}
