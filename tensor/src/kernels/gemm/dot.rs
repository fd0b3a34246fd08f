//! Products of few rows by contiguous columns: each element of C is a dot product, read once along k.

use super::Mat;
use super::lanes::Shuffle;

/// The vectors along k whose products are added up one after the other, and those of a span of such blocks. Rounding errors grow
/// with these lengths and with the number of spans, not with k.
const BLOCK: usize = 128;
const SPAN: usize = 64 * BLOCK;

/// C = A · B, where row i of C begins at `c + i * row`.
///
/// # Safety
///
/// AVX2 and FMA are available. A has at most 3 rows; its rows and the columns of B are contiguous. No other thread uses C
/// meanwhile.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply<V: Shuffle>(
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: *mut V::Element,
    row: usize,
) {
    // As many sums are under way as the processor can start before the first is done.
    // SAFETY: the caller's promise.
    unsafe {
        match a.rows {
            1 => columns::<V, 1, 8>(a, b, c, row),
            2 => columns::<V, 2, 4>(a, b, c, row),
            _ => columns::<V, 3, 4>(a, b, c, row),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn columns<V: Shuffle, const MR: usize, const NR: usize>(
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: *mut V::Element,
    row: usize,
) {
    let whole = b.columns / NR * NR;
    for j in (0..whole).step_by(NR) {
        // SAFETY: the caller's promise, for `NR` columns.
        unsafe { dots::<V, MR, NR>(a, b.part([0, j], [b.rows, NR]), c.add(j), row) };
    }
    for j in whole..b.columns {
        // SAFETY: as above, for one column.
        unsafe { dots::<V, MR, 1>(a, b.part([0, j], [b.rows, 1]), c.add(j), row) };
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn dots<V: Shuffle, const MR: usize, const NR: usize>(
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: *mut V::Element,
    row: usize,
) {
    for first in (0..b.rows).step_by(SPAN * V::LANES) {
        let len = (b.rows - first).min(SPAN * V::LANES);
        // SAFETY: the caller's promise, for a part of the operands.
        unsafe { span::<V, MR, NR>(a.part([0, first], [MR, len]), b.part([first, 0], [len, NR]), c, row, first > 0) };
    }
}

/// The dot products of a span of k, which replace C or are added to it.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn span<V: Shuffle, const MR: usize, const NR: usize>(
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: *mut V::Element,
    row: usize,
    add: bool,
) {
    // SAFETY: the caller's promise; the last step along k is masked to what is left.
    unsafe {
        let (mut sums, mut totals) = ([[V::zero(); NR]; MR], [[V::zero(); NR]; MR]);
        let whole = b.rows / V::LANES * V::LANES;
        let step = |p: usize, sums: &mut [[V::Vector; NR]; MR], load: &dyn Fn(*const V::Element) -> V::Vector| {
            let y: [V::Vector; NR] = std::array::from_fn(|j| load(b.at(p, j)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = load(a.at(i, p));
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
        };
        for block in (0..whole).step_by(BLOCK * V::LANES) {
            for p in (block..whole.min(block + BLOCK * V::LANES)).step_by(V::LANES) {
                step(p, &mut sums, &|source| V::load(source));
            }
            for (total, sum) in totals.iter_mut().flatten().zip(sums.iter_mut().flatten()) {
                (*total, *sum) = (V::add(*total, *sum), V::zero());
            }
        }
        if whole < b.rows {
            let mask = V::mask(b.rows - whole);
            step(whole, &mut totals, &|source| V::load_masked(source, mask));
        }
        for (i, totals) in totals.into_iter().enumerate() {
            for (j, total) in totals.into_iter().enumerate() {
                let (c, sum) = (c.add(i * row + j), V::sum(total));
                if add { *c += sum } else { *c = sum }
            }
        }
    }
}
