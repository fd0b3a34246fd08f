//! The micro-kernel for spread matrices by a B of few columns, which would leave most lanes of a vector without work.
//! So lanes are elements along k instead, of A and B alike, and the lanes of each sum are added up in the end.

use std::mem::MaybeUninit;

use super::Mat;
use super::lanes::{Lanes, Shuffle};
use super::spread::{Base, Block, Columns, Panels};
use crate::memory::with_scratch;

/// Sums under way: as many as the processor can start before the first is done, and as few as AVX2 has registers for.
const SUMS: usize = 8;

/// Whether products with so few columns of B, so many elements along k side by side, are faster in this way.
pub(super) fn is_worth_while<V: Lanes>(n: usize, run: usize) -> bool {
    2 * n <= V::LANES && run >= V::LANES
}

/// Calls `body` with the columns of B, copied if they do not lie in one piece each.
pub(super) fn with_panels<T: Copy, R>(b: Mat<'_, T>, body: impl FnOnce(&Panels<T>) -> R) -> R {
    let panels = |start, panel| Panels { start, row: 1, panel, narrow: true };
    if b.row_stride == 1 {
        return body(&panels(b.start, b.column_stride));
    }
    with_scratch(b.rows * b.columns, |scratch: *mut T| {
        for j in 0..b.columns {
            for p in 0..b.rows {
                // SAFETY: an element of B, which lies within a borrowed slice; the scratch is as large.
                unsafe { *scratch.add(j * b.rows + p) = *b.at(p, j) };
            }
        }
        body(&panels(scratch.cast_const(), b.rows as isize))
    })
}

/// C = base + A · B for a block of rows, what is negative made 0 if `relu`.
///
/// # Safety
///
/// As [`spread_kernel::multiply_block`](super::spread_kernel::multiply_block), for panels of one column each.
pub(super) unsafe fn multiply_block<V: Lanes>(
    block: &Block<V::Element>,
    columns: &Columns,
    n: usize,
    b: &Panels<V::Element>,
    base: Base<'_, V::Element>,
    relu: bool,
) {
    let mut first = 0;
    while first < n {
        let panel = Panel { columns, b, first, base, relu };
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

/// What the micro-kernel multiplies rows of A with, and what it does with the products.
struct Panel<'a, T> {
    columns: &'a Columns,
    b: &'a Panels<T>,
    /// The first column of C.
    first: usize,
    base: Base<'a, T>,
    relu: bool,
}

/// All rows by `NC` columns, `MR` at a time; returns how many columns these were.
unsafe fn rows<V: Lanes, const MR: usize, const NC: usize>(
    block: &Block<V::Element>,
    panel: &Panel<'_, V::Element>,
) -> usize {
    const { assert!(MR * NC == SUMS) };
    let (a, c) = block.rows();
    // SAFETY: the caller's promise.
    unsafe {
        V::with(
            #[inline(always)]
            || {
                for (a, c) in a.chunks(MR).zip(c.chunks(MR)) {
                    // Where there are fewer, the last again.
                    let rows: [*const V::Element; MR] = std::array::from_fn(|i| a[i.min(a.len() - 1)]);
                    let base = |i: usize| match panel.base {
                        Base::Zero => None,
                        Base::Row(row) => Some(row.as_ptr()),
                        Base::Result => Some(c[i.min(c.len() - 1)].cast_const()),
                    };
                    let sums = tile::<V, MR, NC>(rows, base, panel);
                    for (i, &c) in c.iter().enumerate() {
                        (0..NC).for_each(|j| c.add(panel.first + j).write(sums[i * NC + j].assume_init()));
                    }
                }
            },
        );
    }
    NC
}

/// The results of `MR` rows by `NC` columns, row by row; those of row i are added to what is at `base(i)`, if that is some.
#[inline(always)]
unsafe fn tile<V: Lanes, const MR: usize, const NC: usize>(
    rows: [*const V::Element; MR],
    base: impl Fn(usize) -> Option<*const V::Element>,
    panel: &Panel<'_, V::Element>,
) -> [MaybeUninit<V::Element>; SUMS] {
    let (places, run) = (&panel.columns.places, panel.columns.run);
    // SAFETY: the caller's promise: the instructions, and elements within the matrices.
    unsafe {
        let mut sums = [[V::zero(); NC]; MR];
        for (i, sums) in sums.iter_mut().enumerate() {
            if let Some(base) = base(i) {
                let one = V::mask(1);
                (0..NC).for_each(|j| sums[j] = V::load_masked(base.add(panel.first + j), one));
            }
        }
        let mut b: [*const V::Element; NC] =
            std::array::from_fn(|j| panel.b.start.wrapping_offset((panel.first + j) as isize * panel.b.panel));
        let (whole, mask) = (run / V::LANES * V::LANES, V::mask(run % V::LANES));
        for &place in places.iter().step_by(run) {
            let mut step = |p: usize, whole: bool| {
                let load = |source| if whole { V::load(source) } else { V::load_masked(source, mask) };
                let y: [V::Vector; NC] = std::array::from_fn(|j| load(b[j].add(p)));
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let x = load(row.add(place + p));
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
