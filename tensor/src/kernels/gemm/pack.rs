//! Packing: copies of parts of A and B in the order in which the micro-kernel reads them.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::Mat;
use super::lanes::Lanes;

/// Copies a matrix in panels of `unit` columns (strips of A are panels of its transpose). The rows of a panel follow
/// each other, and a panel the one before; each row is filled up to whole vectors with what nobody should read.
///
/// # Safety
///
/// AVX2 must be available, and the target have room for the panels: `unit` rounded up to whole vectors, times the rows,
/// for each.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pack<T: Lanes>(source: Mat<'_, T>, unit: usize, target: *mut T) {
    let width = unit.next_multiple_of(T::LANES);
    let panel = width * source.rows;
    // SAFETY: the matrix lies within a slice, and the target has room for it.
    unsafe {
        if source.column_stride == 1 {
            // Row by row, so that whole cache lines are read at a time.
            for p in 0..source.rows {
                let row = source.at(p, 0);
                for (q, first) in (0..source.columns).step_by(unit).enumerate() {
                    let end = source.columns.min(first + unit);
                    let target = target.add(q * panel + p * width);
                    // Rows that lie far apart are not foreseen by the processor.
                    _mm_prefetch::<_MM_HINT_T0>(source.at(p + 8, first).cast());
                    for j in (first..end).step_by(T::LANES) {
                        let vector = match end - j {
                            count if count < T::LANES => T::load_masked(row.add(j), T::mask(count)),
                            _ => T::load(row.add(j)),
                        };
                        T::store(target.add(j - first), vector);
                    }
                }
            }
        } else {
            for (q, first) in (0..source.columns).step_by(unit).enumerate() {
                let end = source.columns.min(first + unit);
                for j in (first..end).step_by(T::LANES) {
                    let columns = source.part([0, j], [source.rows, T::LANES.min(end - j)]);
                    pack_vectors(columns, target.add(q * panel + j - first), width);
                }
            }
        }
    }
}

/// Copies up to a vector of columns, row by row, each `stride` elements after the one before.
#[target_feature(enable = "avx2,fma")]
unsafe fn pack_vectors<T: Lanes>(source: Mat<'_, T>, target: *mut T, stride: usize) {
    let squares = if source.row_stride == 1 { source.rows / T::LANES } else { 0 };
    // SAFETY: the caller's promise; the elements read are the matrix's.
    unsafe {
        for p in (0..squares).map(|square| square * T::LANES) {
            let column = |j: usize| if j < source.columns { T::load(source.at(p, j)) } else { T::zero() };
            T::store_transposed(column, target.add(p * stride), stride);
        }
        for p in squares * T::LANES..source.rows {
            for j in 0..source.columns {
                *target.add(p * stride + j) = *source.at(p, j);
            }
        }
    }
}
