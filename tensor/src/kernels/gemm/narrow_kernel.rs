//! The micro-kernel for implicit matrices by a B of few columns, whose rows would leave most lanes of a vector idle. Here the
//! lanes of a vector run along k instead, in A and in B, and the lanes of each sum are added up at the end.

use std::mem::MaybeUninit;

use super::Mat;
use super::implicit::{Addend, ColumnOffsets, RightOperand, RowBlock};
use super::lanes::{Lanes, Shuffle};
use crate::memory::with_scratch;

/// Sums under way: as many as the processor can start before the first is done, and no more than AVX2 has registers for.
const SUMS: usize = 8;

/// Whether this kernel is faster for `n` columns of B, where `run` elements along k are contiguous in A.
pub(super) fn is_worth_while<V: Lanes>(n: usize, run: usize) -> bool {
    2 * n <= V::LANES && run >= V::LANES
}

/// Calls `body` with the columns of B, copied unless each is contiguous.
pub(super) fn with_right_operand<T: Copy, R>(b: Mat<'_, T>, body: impl FnOnce(&RightOperand<T>) -> R) -> R {
    let panels = |start, panel| RightOperand { start, row: 1, panel, narrow: true };
    if b.row_stride == 1 {
        return body(&panels(b.start, b.column_stride));
    }
    with_scratch(b.rows * b.columns, |scratch: *mut T| {
        for j in 0..b.columns {
            for p in 0..b.rows {
                // SAFETY: an element of B lies within a borrowed slice, and the scratch is as large as B.
                unsafe { *scratch.add(j * b.rows + p) = *b.at(p, j) };
            }
        }
        body(&panels(scratch.cast_const(), b.rows as isize))
    })
}

/// C = addend + A · B for a block of rows, and max(C, 0) in its place if `relu`.
///
/// # Safety
///
/// As for [`implicit_kernel::multiply_block`](super::implicit_kernel::multiply_block), with panels of one column each.
pub(super) unsafe fn multiply_block<V: Lanes>(
    block: &RowBlock<V::Element>,
    columns: &ColumnOffsets,
    n: usize,
    b: &RightOperand<V::Element>,
    addend: Addend<'_, V::Element>,
    relu: bool,
) {
    let mut first = 0;
    while first < n {
        let panel = ColumnPanel { columns, b, first, addend, relu };
        // SAFETY: the caller's promise.
        first += unsafe {
            match n - first {
                1 => rows::<V, 8, 1>(block, &panel),
                2 | 3 => rows::<V, 4, 2>(block, &panel),
                _ => rows::<V, 2, 4>(block, &panel),
            }
        };
    }
}

/// Some columns of B and the addend of their products.
struct ColumnPanel<'a, T> {
    columns: &'a ColumnOffsets,
    b: &'a RightOperand<T>,
    /// The first column of C.
    first: usize,
    addend: Addend<'a, T>,
    relu: bool,
}

/// All rows by `NC` columns, `MR` rows at a time; returns `NC`.
unsafe fn rows<V: Lanes, const MR: usize, const NC: usize>(
    block: &RowBlock<V::Element>,
    panel: &ColumnPanel<'_, V::Element>,
) -> usize {
    const { assert!(MR * NC == SUMS) };
    let (a, c) = block.rows();
    // SAFETY: the caller's promise.
    unsafe {
        V::with(
            #[inline(always)]
            || {
                for (a, c) in a.chunks(MR).zip(c.chunks(MR)) {
                    // The last row stands in for those that are missing.
                    let rows: [*const V::Element; MR] = std::array::from_fn(|i| a[i.min(a.len() - 1)]);
                    let addend = |i: usize| match panel.addend {
                        Addend::Zero => None,
                        Addend::Row(row) => Some(row.as_ptr()),
                        Addend::Result => Some(c[i.min(c.len() - 1)].cast_const()),
                    };
                    let sums = tile::<V, MR, NC>(rows, addend, panel);
                    for (i, &c) in c.iter().enumerate() {
                        (0..NC).for_each(|j| c.add(panel.first + j).write(sums[i * NC + j].assume_init()));
                    }
                }
            },
        );
    }
    NC
}

/// The results of `MR` rows by `NC` columns, row by row; row i is added to the elements at `addend(i)`, if there are any.
#[inline(always)]
unsafe fn tile<V: Lanes, const MR: usize, const NC: usize>(
    rows: [*const V::Element; MR],
    addend: impl Fn(usize) -> Option<*const V::Element>,
    panel: &ColumnPanel<'_, V::Element>,
) -> [MaybeUninit<V::Element>; SUMS] {
    let (offsets, run) = (&panel.columns.offsets, panel.columns.run);
    // SAFETY: the caller's promise: the instructions, and elements within the matrices.
    unsafe {
        let mut sums = [[V::zero(); NC]; MR];
        for (i, sums) in sums.iter_mut().enumerate() {
            if let Some(addend) = addend(i) {
                let one = V::mask(1);
                (0..NC).for_each(|j| sums[j] = V::load_masked(addend.add(panel.first + j), one));
            }
        }
        let mut b: [*const V::Element; NC] =
            std::array::from_fn(|j| panel.b.start.wrapping_offset((panel.first + j) as isize * panel.b.panel));
        let (whole, mask) = (run / V::LANES * V::LANES, V::mask(run % V::LANES));
        for &offset in offsets.iter().step_by(run) {
            let mut step = |p: usize, whole: bool| {
                let load = |source| if whole { V::load(source) } else { V::load_masked(source, mask) };
                let y: [V::Vector; NC] = std::array::from_fn(|j| load(b[j].add(p)));
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let x = load(row.add(offset + p));
                    for (sum, y) in sums.iter_mut().zip(y) {
                        *sum = V::multiply_add(x, y, *sum);
                    }
                }
            };
            (0..whole).step_by(V::LANES).for_each(|p| step(p, true));
            if whole < run {
                step(whole, false);
            }
            b = b.map(|b| b.add(run));
        }
        let mut results = [const { MaybeUninit::uninit() }; SUMS];
        for first in (0..SUMS).step_by(V::Short::LANES) {
            let target = results.as_mut_ptr().add(first).cast();
            V::Short::store_sums(
                #[inline(always)]
                |i| V::shortened(sums[(first + i) / NC][(first + i) % NC]),
                target,
            );
            if panel.relu {
                V::Short::store(target, V::Short::relu(V::Short::load(target)));
            }
        }
        results
    }
}
