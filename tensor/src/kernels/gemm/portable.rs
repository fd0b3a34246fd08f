//! Products for processors without kernels of this crate: by the crate `matrixmultiply`, tile by tile.

use std::ops::AddAssign;
use std::slice;

use matrixmultiply::{dgemm, sgemm};
use num_traits::NumAssign;

use super::Mat;
use super::cut::{GRAIN, Origin, parts, span_count};
use super::implicit::{Addend, BLOCK, ColumnOffsets, RightOperand, RowBlock};
use crate::kernels::accumulate::add_to;
use crate::memory::with_scratch;
use crate::team;

/// An element type of `matrixmultiply`.
pub trait PortableProduct: Copy + AddAssign + Send + Sync + 'static {
    /// C = A · B, where row i of C begins at `c + i * row`.
    ///
    /// # Safety
    ///
    /// The caller may write every element of C.
    unsafe fn tile(a: Mat<'_, Self>, b: Mat<'_, Self>, c: *mut Self, row: usize);
}

macro_rules! element {
    ($($type:ident: $gemm:ident),*) => {$(
        impl PortableProduct for $type {
            unsafe fn tile(a: Mat<'_, Self>, b: Mat<'_, Self>, c: *mut Self, row: usize) {
                // SAFETY: the operands lie within borrowed slices, and the caller may write C.
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

/// C = A · B; the longer side of C is cut into tasks.
pub(super) fn multiply<T: PortableProduct>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let wanted = (m * k * n / GRAIN).clamp(1, 64);
    let c = Origin(c.as_mut_ptr());
    if m >= n {
        let rows = parts(m, 16, wanted);
        team::run(rows.count, |task| {
            let i = rows.range(task);
            // SAFETY: each task has rows of C of its own.
            unsafe { spans(a.part([i.start, 0], [i.len(), k]), b, c.at(i.start * n), n) };
        });
    } else {
        let columns = parts(n, 16, wanted);
        team::run(columns.count, |task| {
            let j = columns.range(task);
            // SAFETY: each task has columns of C of its own.
            unsafe { spans(a, b.part([0, j.start], [k, j.len()]), c.at(j.start), n) };
        });
    }
}

/// The columns of A that `matrixmultiply` multiplies before it adds to C (its KC).
const DEPTH: usize = 256;

/// C = A · B, where row i of C begins at `c + i * row`. The products of spans of k are added up apart, as in
/// [`driver`](super::driver).
///
/// # Safety
///
/// The caller may write every element of C.
unsafe fn spans<T: PortableProduct>(a: Mat<'_, T>, b: Mat<'_, T>, c: *mut T, row: usize) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let spans = parts(k, 1, span_count(k.div_ceil(DEPTH)));
    for p in (0..spans.count).map(|span| spans.range(span)) {
        let (a, b) = (a.part([0, p.start], [m, p.len()]), b.part([p.start, 0], [p.len(), n]));
        if p.start == 0 {
            // SAFETY: the caller's promise.
            unsafe { T::tile(a, b, c, row) };
            continue;
        }
        with_scratch(m * n, |scratch: *mut T| {
            // SAFETY: the scratch has m rows of n elements; the caller may write every row of C.
            let row_of = |i: usize| unsafe {
                (slice::from_raw_parts_mut(c.add(i * row), n), slice::from_raw_parts(scratch.add(i * n), n))
            };
            // SAFETY: as above.
            unsafe { T::tile(a, b, scratch, n) };
            for (sums, products) in (0..m).map(row_of) {
                add_to(sums, products);
            }
        });
    }
}

/// Calls `body` with the rows of B, copied unless each is contiguous.
pub(super) fn with_right_operand<T: PortableProduct, R>(b: Mat<'_, T>, body: impl FnOnce(&RightOperand<T>) -> R) -> R {
    if b.column_stride == 1 {
        return body(&RightOperand { start: b.start, row: b.row_stride, panel: 0, narrow: false });
    }
    // SAFETY: elements of a matrix lie within a borrowed slice.
    let element = |at: usize| unsafe { *b.at(at / b.columns, at % b.columns) };
    let rows: Vec<T> = (0..b.rows * b.columns).map(element).collect();
    body(&RightOperand { start: rows.as_ptr(), row: b.columns as isize, panel: 0, narrow: false })
}

/// C = addend + A · B for a block of rows, each a sum of rows of B; max(C, 0) in its place if `relu`.
///
/// # Safety
///
/// As [`Gemm::multiply_block`](super::Gemm::multiply_block).
pub(super) unsafe fn multiply_block<T: PortableProduct + NumAssign + PartialOrd>(
    block: &RowBlock<T>,
    columns: &ColumnOffsets,
    n: usize,
    b: &RightOperand<T>,
    addend: Addend<'_, T>,
    relu: bool,
) {
    let (a, c) = block.rows();
    let mut sums = vec![T::zero(); n];
    for (&a, &c) in a.iter().zip(c) {
        // SAFETY: the caller's promise.
        let c = unsafe { slice::from_raw_parts_mut(c, n) };
        match addend {
            Addend::Zero => c.fill(T::zero()),
            Addend::Row(row) => c.copy_from_slice(row),
            Addend::Result => {}
        }
        for (number, columns) in columns.offsets.chunks(BLOCK).enumerate() {
            sums.fill(T::zero());
            for (p, &column) in columns.iter().enumerate() {
                let p = number * BLOCK + p;
                // SAFETY: the caller's promise.
                let (x, row) =
                    unsafe { (*a.add(column), slice::from_raw_parts(b.start.offset(p as isize * b.row), n)) };
                sums.iter_mut().zip(row).for_each(|(sum, &y)| *sum += x * y);
            }
            add_to(c, &sums);
        }
        if relu {
            c.iter_mut().filter(|c| **c < T::zero()).for_each(|c| *c = T::zero());
        }
    }
}
