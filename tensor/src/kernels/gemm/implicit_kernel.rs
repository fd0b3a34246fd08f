//! The micro-kernel for implicit matrices: as [`kernel`](super::kernel), but each row of A and of C has an address of its
//! own, and a table holds the offsets of the elements of a row of A.

use super::cut::parts;
use super::implicit::{Addend, ColumnOffsets, RightOperand, RowBlock};
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
            // At least 8 sums are under way, or the processor would wait for their results. More rows than 8 need more addresses than
            // there are registers.
            // SAFETY: the caller's promise.
            unsafe {
                match (columns.div_ceil(V::LANES), V::VECTORS) {
                    (1, _) => strips::<V, 8, 4, 1>(rows, columns, &panel),
                    (2, 4) => strips::<V, 8, 4, 2>(rows, columns, &panel),
                    (2, _) => strips::<V, 6, 3, 2>(rows, columns, &panel),
                    (3, 4) => strips::<V, 8, 4, 3>(rows, columns, &panel),
                    (4, 4) => strips::<V, 6, 3, 4>(rows, columns, &panel),
                    (vectors, _) => unreachable!("a panel of {vectors} vectors"),
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

/// All rows, given by their addresses in A and C, by `NV` vectors; the last vector may be partial. Strips have up to `MOST` rows,
/// or `HALF` as many.
unsafe fn strips<V: Lanes, const MOST: usize, const HALF: usize, const NV: usize>(
    rows: (&[*const V::Element], &[*mut V::Element]),
    columns: usize,
    panel: &VectorPanel<'_, V::Element>,
) {
    let last = columns - (NV - 1) * V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        if last == V::LANES && !V::FREE_MASKS {
            V::with(
                #[inline(always)]
                || tiles::<V, MOST, HALF, NV, false>(rows, last, panel),
            );
        } else {
            V::with(
                #[inline(always)]
                || tiles::<V, MOST, HALF, NV, true>(rows, last, panel),
            );
        }
    }
}

/// All rows, cut into strips of even height.
#[inline(always)]
unsafe fn tiles<V: Lanes, const MOST: usize, const HALF: usize, const NV: usize, const MASKED: bool>(
    (mut a, mut c): (&[*const V::Element], &[*mut V::Element]),
    last: usize,
    panel: &VectorPanel<'_, V::Element>,
) {
    let count = a.len().div_ceil(MOST).max(1);
    let (height, higher) = (a.len() / count, a.len() % count);
    for strip in 0..count {
        let height = height + usize::from(strip < higher);
        // If C comes from memory, the lines of the next strip arrive while this strip is computed.
        for next in &c[height..c.len().min(2 * height)] {
            (0..NV).for_each(|v| V::prefetch_to_write(next.wrapping_add(panel.first + v * V::LANES)));
        }
        let (a_strip, c_strip) = (&a[..height], &c[..height]);
        // SAFETY: the caller's promise.
        unsafe {
            match height {
                0 => {}
                1.. if height <= HALF => tile::<V, HALF, NV, MASKED>(a_strip, c_strip, last, panel),
                _ => tile::<V, MOST, NV, MASKED>(a_strip, c_strip, last, panel),
            }
        }
        (a, c) = (&a[height..], &c[height..]);
    }
}

/// A tile of at most `MR` rows and `NV` vectors; the last vector has only its first `last` lanes if it is `MASKED`.
#[inline(always)]
unsafe fn tile<V: Lanes, const MR: usize, const NV: usize, const MASKED: bool>(
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
            if MASKED && v == NV - 1 { V::load_masked(source, mask) } else { V::load(source) }
        };
        // The last row stands in for those that are missing.
        let rows: [*const V::Element; MR] = std::array::from_fn(|r| a[r.min(a.len() - 1)]);
        let mut sums = [[V::zero(); NV]; MR];
        if let Addend::Row(row) = panel.addend {
            let addend: [V::Vector; NV] = std::array::from_fn(|v| load(row.as_ptr().add(panel.first), v));
            sums = [addend; MR];
        }
        let mut b = panel.b;
        for &column in panel.columns {
            let vectors: [V::Vector; NV] = std::array::from_fn(|v| load(b, v));
            for (row, sums) in rows.iter().zip(&mut sums) {
                let x = V::splat(row.add(column));
                for (sum, &y) in sums.iter_mut().zip(&vectors) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
            b = b.wrapping_offset(panel.b_row);
        }
        // The loop over all rows has a fixed length, so that the sums stay in registers.
        for (r, sums) in sums.iter().enumerate() {
            if r >= c.len() {
                break;
            }
            let c = c[r].add(panel.first);
            for (v, &sum) in sums.iter().enumerate() {
                let sum = if let Addend::Result = panel.addend { V::add(load(c, v), sum) } else { sum };
                let sum = if panel.relu { V::relu(sum) } else { sum };
                let c = c.add(v * V::LANES);
                if MASKED && v == NV - 1 { V::store_first(c, sum, last) } else { V::store(c, sum) }
            }
        }
    }
}
