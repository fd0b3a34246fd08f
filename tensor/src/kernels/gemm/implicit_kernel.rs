//! The micro-kernel for implicit matrices: as [`kernel`](super::kernel), but each row of A and of C has an address of its
//! own, and a table holds the offsets of the elements of a row of A.

use super::cut::parts;
use super::implicit::{Addend, ColumnOffsets, RightOperand, RowBlock};
use super::kernel::HEIGHT;
use super::lanes::Lanes;
use super::pack::{pack, panel_size};
use super::{Mat, narrow_kernel};
use crate::memory::with_scratch;

/// The rows of A from which on it pays to pack B.
const WORTH_PACKING: usize = 24;

/// Calls `body` with B in panels: in place where its rows are contiguous and packing would not pay for `rows` rows of A, else
/// packed.
///
/// # Safety
///
/// The instructions must be available.
pub(super) unsafe fn with_right_operand<V: Lanes, R>(
    b: Mat<'_, V::Element>,
    columns: &ColumnOffsets,
    rows: usize,
    body: impl FnOnce(&RightOperand<V::Element>) -> R,
) -> R {
    if narrow_kernel::is_worth_while::<V>(b.columns, columns.run) {
        return narrow_kernel::with_right_operand(b, body);
    }
    let width = V::VECTORS * V::LANES;
    let panels = |start, row, panel| RightOperand { start, row, panel: panel as isize, narrow: false };
    // A single panel of contiguous rows close together lies as it would when packed.
    let packed = b.columns <= width && b.row_stride.unsigned_abs() <= width;
    if b.column_stride == 1 && (packed || rows < WORTH_PACKING) {
        return body(&panels(b.start, b.row_stride, width));
    }
    let panel = panel_size::<V::Short>(b.rows, width);
    with_scratch(b.columns.div_ceil(width) * panel, |scratch: *mut V::Element| {
        // SAFETY: the caller has AVX2, and the scratch is as large as that.
        unsafe { pack::<V::Short>(b, width, scratch) };
        body(&panels(scratch, width as isize, panel))
    })
}

/// C = addend + A · B for a block of rows, and max(C, 0) in its place if `relu`.
///
/// # Safety
///
/// The instructions are available, the caller may read every element of A and B and write every element of C, and an addend
/// that is a row has n elements.
pub(super) unsafe fn multiply_block<V: Lanes>(
    block: &RowBlock<V::Element>,
    columns: &ColumnOffsets,
    n: usize,
    b: &RightOperand<V::Element>,
    addend: Addend<'_, V::Element>,
    relu: bool,
) {
    if b.narrow {
        // SAFETY: the caller's promise.
        return unsafe { narrow_kernel::multiply_block::<V>(block, columns, n, b, addend, relu) };
    }
    let width = V::VECTORS * V::LANES;
    let (rows, k) = (block.rows(), columns.offsets.len());
    let depths = parts(k.max(1), 1, k.div_ceil(V::DEPTH));
    for depth in 0..depths.count {
        let p = depths.range(depth);
        let p = p.start..p.end.min(k);
        for j in 0..n.div_ceil(width) {
            let panel = VectorPanel {
                columns: &columns.offsets[p.clone()],
                b: b.start.wrapping_offset(j as isize * b.panel + p.start as isize * b.row),
                b_row: b.row,
                first: j * width,
                addend: if depth > 0 { Addend::Result } else { addend },
                relu: relu && depth + 1 == depths.count,
            };
            let columns = width.min(n - j * width);
            // SAFETY: the caller's promise.
            unsafe {
                match columns.div_ceil(V::LANES) {
                    1 => strips::<V, 1>(rows, columns, &panel),
                    2 => strips::<V, 2>(rows, columns, &panel),
                    3 if V::VECTORS > 2 => strips::<V, 3>(rows, columns, &panel),
                    4 if V::VECTORS > 2 => strips::<V, 4>(rows, columns, &panel),
                    vectors => unreachable!("a panel of {vectors} vectors"),
                }
            }
        }
    }
}

/// A panel of B for a block of k, with the columns of C that it yields.
struct VectorPanel<'a, T> {
    /// The offsets of a row's elements of A.
    columns: &'a [usize],
    b: *const T,
    b_row: isize,
    /// The first column of C.
    first: usize,
    addend: Addend<'a, T>,
    relu: bool,
}

/// All rows, given by their addresses in A and C, by `NV` vectors; the last vector may be partial.
unsafe fn strips<V: Lanes, const NV: usize>(
    rows: (&[*const V::Element], &[*mut V::Element]),
    columns: usize,
    panel: &VectorPanel<'_, V::Element>,
) {
    let last = columns % V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        if last == 0 {
            V::with(
                #[inline(always)]
                || tiles::<V, NV, false>(rows, last, panel),
            );
        } else {
            V::with(
                #[inline(always)]
                || tiles::<V, NV, true>(rows, last, panel),
            );
        }
    }
}

/// All rows, cut into strips of even height.
#[inline(always)]
unsafe fn tiles<V: Lanes, const NV: usize, const PARTIAL: bool>(
    (mut a, mut c): (&[*const V::Element], &[*mut V::Element]),
    last: usize,
    panel: &VectorPanel<'_, V::Element>,
) {
    let count = a.len().div_ceil(HEIGHT).max(1);
    let (height, higher) = (a.len() / count, a.len() % count);
    for strip in 0..count {
        let height = height + usize::from(strip < higher);
        // If C comes from memory, the lines of the next strip arrive while this strip is computed.
        for next in &c[height..c.len().min(2 * height)] {
            (0..NV).for_each(|v| V::prefetch_to_write(next.wrapping_add(panel.first + v * V::LANES)));
        }
        // SAFETY: the caller's promise.
        unsafe {
            match height {
                0 => {}
                1 => tile::<V, 1, NV, PARTIAL>(a, c, last, panel),
                2 => tile::<V, 2, NV, PARTIAL>(a, c, last, panel),
                3 => tile::<V, 3, NV, PARTIAL>(a, c, last, panel),
                4 => tile::<V, 4, NV, PARTIAL>(a, c, last, panel),
                5 => tile::<V, 5, NV, PARTIAL>(a, c, last, panel),
                _ => tile::<V, 6, NV, PARTIAL>(a, c, last, panel),
            }
        }
        (a, c) = (&a[height..], &c[height..]);
    }
}

/// A tile of the first `MR` rows and `NV` vectors; the last vector has only its first `last` lanes if it is `PARTIAL`.
#[inline(always)]
unsafe fn tile<V: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(
    a: &[*const V::Element],
    c: &[*mut V::Element],
    last: usize,
    panel: &VectorPanel<'_, V::Element>,
) {
    // SAFETY: the caller's promise: the instructions, and the tile within the matrices.
    unsafe {
        let mask = V::mask(last);
        let load = |source: *const V::Element, v: usize| {
            let source = source.add(v * V::LANES);
            if PARTIAL && v == NV - 1 { V::load_masked(source, mask) } else { V::load(source) }
        };
        let (mut rows, mut results) = ([std::ptr::null(); MR], [std::ptr::null_mut(); MR]);
        rows.copy_from_slice(&a[..MR]);
        results.copy_from_slice(&c[..MR]);
        let mut sums = [[V::zero(); NV]; MR];
        if !matches!(panel.addend, Addend::Zero) {
            for (sums, &c) in sums.iter_mut().zip(&results) {
                let source = if let Addend::Row(row) = panel.addend { row.as_ptr() } else { c };
                (0..NV).for_each(|v| sums[v] = load(source.add(panel.first), v));
            }
        }
        let mut b = panel.b;
        for &column in panel.columns {
            let mut vectors = [V::zero(); NV];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = load(b, v);
            }
            for (row, sums) in rows.iter().zip(&mut sums) {
                let x = V::splat(row.add(column));
                for (sum, &y) in sums.iter_mut().zip(&vectors) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
            b = b.wrapping_offset(panel.b_row);
        }
        for (&c, sums) in results.iter().zip(&sums) {
            let c = c.add(panel.first);
            for (v, &sum) in sums.iter().enumerate() {
                let sum = if panel.relu { V::relu(sum) } else { sum };
                let c = c.add(v * V::LANES);
                if PARTIAL && v == NV - 1 { V::store_first(c, sum, last) } else { V::store(c, sum) }
            }
        }
    }
}
