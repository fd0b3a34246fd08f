//! Few rows by columns that lie in one piece: each element of C is a dot product, read once along k.

use super::Mat;
use super::lanes::Lanes;

/// C = A · B, where row i of C begins at `c + i * row`.
///
/// # Safety
///
/// AVX2 and FMA must be available; A has at most 3 rows, its columns and the rows of B are side by side, and no other
/// thread uses C meanwhile.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply<T: Lanes>(a: Mat<'_, T>, b: Mat<'_, T>, c: *mut T, row: usize) {
    // SAFETY: the caller's promise. As many sums are under way as the processor can start before the first is done.
    unsafe {
        match a.rows {
            1 => columns::<T, 1, 8>(a, b, c, row),
            2 => columns::<T, 2, 4>(a, b, c, row),
            _ => columns::<T, 3, 4>(a, b, c, row),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn columns<T: Lanes, const MR: usize, const NR: usize>(a: Mat<'_, T>, b: Mat<'_, T>, c: *mut T, row: usize) {
    let whole = b.columns / NR * NR;
    for j in (0..whole).step_by(NR) {
        // SAFETY: the caller's promise, for `NR` columns.
        unsafe { dots::<T, MR, NR>(a, b.part([0, j], [b.rows, NR]), c.add(j), row) };
    }
    for j in whole..b.columns {
        // SAFETY: as above, for one column.
        unsafe { dots::<T, MR, 1>(a, b.part([0, j], [b.rows, 1]), c.add(j), row) };
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn dots<T: Lanes, const MR: usize, const NR: usize>(a: Mat<'_, T>, b: Mat<'_, T>, c: *mut T, row: usize) {
    // SAFETY: the caller's promise; the last step along k is masked to what is left.
    unsafe {
        let mut sums = [[T::zero(); NR]; MR];
        let whole = b.rows / T::LANES * T::LANES;
        let mut step = |p: usize, load: &dyn Fn(*const T) -> T::Vector| {
            let y: [T::Vector; NR] = std::array::from_fn(|j| load(b.at(p, j)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = load(a.at(i, p));
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = T::multiply_add(x, y, *sum);
                }
            }
        };
        for p in (0..whole).step_by(T::LANES) {
            step(p, &|source| T::load(source));
        }
        if whole < b.rows {
            let mask = T::mask(b.rows - whole);
            step(whole, &|source| T::load_masked(source, mask));
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                *c.add(i * row + j) = T::sum(sum);
            }
        }
    }
}
