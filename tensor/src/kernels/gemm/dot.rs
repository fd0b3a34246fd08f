//! Products of few rows by contiguous columns: each element of C is a dot product, read once along k.

use super::Mat;
use super::lanes::Shuffle;

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
    // SAFETY: the caller's promise; the last step along k is masked to what is left.
    unsafe {
        let mut sums = [[V::zero(); NR]; MR];
        let whole = b.rows / V::LANES * V::LANES;
        let mut step = |p: usize, load: &dyn Fn(*const V::Element) -> V::Vector| {
            let y: [V::Vector; NR] = std::array::from_fn(|j| load(b.at(p, j)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = load(a.at(i, p));
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
        };
        for p in (0..whole).step_by(V::LANES) {
            step(p, &|source| V::load(source));
        }
        if whole < b.rows {
            let mask = V::mask(b.rows - whole);
            step(whole, &|source| V::load_masked(source, mask));
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                *c.add(i * row + j) = V::sum(sum);
            }
        }
    }
}
