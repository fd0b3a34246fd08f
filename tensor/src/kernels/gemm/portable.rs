//! The product for processors that we have no kernels for: the crate `matrixmultiply`'s, on tiles.

use matrixmultiply::{dgemm, sgemm};

use super::{GRAIN, Mat, Origin, parts};
use crate::team;

/// An element type that `matrixmultiply` knows.
pub trait Element: Copy + Send + Sync + 'static {
    /// C = A · B, where row i of C begins at `c + i * row`.
    ///
    /// # Safety
    ///
    /// C must lie within what the caller may write.
    unsafe fn tile(a: Mat<'_, Self>, b: Mat<'_, Self>, c: *mut Self, row: usize);
}

macro_rules! element {
    ($($type:ident: $gemm:ident),*) => {$(
        impl Element for $type {
            unsafe fn tile(a: Mat<'_, Self>, b: Mat<'_, Self>, c: *mut Self, row: usize) {
                // SAFETY: the operands lie within borrowed slices, C where the caller may write.
                unsafe {
                    $gemm(
                        a.rows,
                        a.columns,
                        b.columns,
                        1.0,
                        a.start,
                        a.row_stride,
                        a.column_stride,
                        b.start,
                        b.row_stride,
                        b.column_stride,
                        0.0,
                        c,
                        row as isize,
                        1,
                    );
                }
            }
        }
    )*};
}

element!(f32: sgemm, f64: dgemm);

/// C = A · B, the longer side of C cut into tasks.
pub(super) fn multiply<T: Element>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let wanted = (m * k * n / GRAIN).clamp(1, 64);
    let c = Origin(c.as_mut_ptr());
    if m >= n {
        let rows = parts(m, 16, wanted);
        team::run(rows.count, |task| {
            let i = rows.range(task);
            // SAFETY: each task has rows of C of its own.
            unsafe { T::tile(a.part([i.start, 0], [i.len(), k]), b, c.at(i.start * n), n) };
        });
    } else {
        let columns = parts(n, 16, wanted);
        team::run(columns.count, |task| {
            let j = columns.range(task);
            // SAFETY: each task has columns of C of its own.
            unsafe { T::tile(a, b.part([0, j.start], [k, j.len()]), c.at(j.start), n) };
        });
    }
}
