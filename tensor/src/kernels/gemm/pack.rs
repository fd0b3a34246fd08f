//! Packing: copies of parts of A and B in the order in which the micro-kernel reads them.

use super::Mat;
use super::lanes::Lanes;

/// Copies a matrix row by row, each `stride` elements after the one before and filled up with zeros to whole vectors.
///
/// # Safety
///
/// AVX2 must be available, and the target hold `stride` elements for each row, where `stride` is at least the number
/// of columns rounded up to whole vectors.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pack<T: Lanes>(source: Mat<'_, T>, target: *mut T, stride: usize) {
    let (k, along) = (source.rows, source.row_stride);
    let across = source.column_stride;
    for group in (0..source.columns).step_by(T::LANES) {
        let count = T::LANES.min(source.columns - group);
        let source = source.at(0, group);
        let target = target.wrapping_add(group);
        // SAFETY: the matrix lies within a slice and the target has room for it; a vector of columns at a time.
        unsafe {
            if across == 1 {
                let mask = T::mask(count);
                for p in 0..k {
                    let source = source.offset(p as isize * along);
                    let row = if count == T::LANES { T::load(source) } else { T::load_masked(source, mask) };
                    T::store(target.add(p * stride), row);
                }
                continue;
            }
            let squares = if along == 1 { k / T::LANES } else { 0 };
            for square in 0..squares {
                let p = square * T::LANES;
                let column = |j: usize| {
                    if j < count { T::load(source.offset(j as isize * across).add(p)) } else { T::zero() }
                };
                T::store_transposed(column, target.add(p * stride), stride);
            }
            for p in squares * T::LANES..k {
                let target = target.add(p * stride);
                T::store(target, T::zero());
                for j in 0..count {
                    *target.add(j) = *source.offset(j as isize * across + p as isize * along);
                }
            }
        }
    }
}
