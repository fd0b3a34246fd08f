//! Packing: copies of parts of A and B in the order in which the micro-kernel reads them.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::Mat;
use super::lanes::{Lanes, Shuffle};

/// The columns that are copied at a time from rows that lie far apart: some cache lines of each.
const COLUMNS: usize = 128;
/// The bytes between two panels beyond their own, so that their rows do not share the sets of a cache.
const PADDING: usize = 64;

/// The elements from a panel to the next, where a panel has `rows` rows of `unit` columns.
pub(super) fn panel_size<V: Lanes>(rows: usize, unit: usize) -> usize {
    unit.next_multiple_of(V::LANES) * rows + PADDING / size_of::<V::Element>()
}

/// Copies a matrix in panels of `unit` columns (strips of A are panels of its transpose). The rows of a panel follow each other,
/// each padded to whole vectors with values that no kernel uses.
///
/// # Safety
///
/// AVX2 is available, and the target has room for the panels, each of [`panel_size`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pack<V: Shuffle>(source: Mat<'_, V::Element>, unit: usize, target: *mut V::Element) {
    let panel = panel_size::<V>(source.rows, unit);
    let each = (COLUMNS / unit).max(1);
    for first in (0..source.columns.div_ceil(unit)).step_by(each) {
        let columns = first * unit..source.columns.min((first + each) * unit);
        let part = source.part([0, columns.start], [source.rows, columns.len()]);
        // SAFETY: the caller's promise, for some of the panels.
        unsafe { pack_some::<V>(part, unit, panel, target.add(first * panel)) };
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn pack_some<V: Shuffle>(source: Mat<'_, V::Element>, unit: usize, panel: usize, target: *mut V::Element) {
    let width = unit.next_multiple_of(V::LANES);
    // SAFETY: the matrix lies within a slice, and the target has room for it.
    unsafe {
        if source.column_stride == 1 {
            // Row by row, so that whole cache lines are read at a time.
            let (whole, rest) = (source.columns / unit, source.columns % unit);
            for p in 0..source.rows {
                // The processor does not prefetch rows that lie far apart by itself.
                let (row, ahead) = (source.at(p, 0), source.at(p + 8, 0));
                for q in 0..whole {
                    copy_row::<V>(
                        row.add(q * unit),
                        ahead.wrapping_add(q * unit),
                        target.add(q * panel + p * width),
                        unit,
                    );
                }
                if rest > 0 {
                    let start = whole * unit;
                    let target = target.add(whole * panel + p * width);
                    copy_row::<V>(row.add(start), ahead.wrapping_add(start), target, rest);
                }
            }
        } else {
            for (q, first) in (0..source.columns).step_by(unit).enumerate() {
                let end = source.columns.min(first + unit);
                for j in (first..end).step_by(V::LANES) {
                    let columns = source.part([0, j], [source.rows, V::LANES.min(end - j)]);
                    pack_vectors::<V>(columns, target.add(q * panel + j - first), width);
                }
            }
        }
    }
}

/// Copies a row of some elements, padded to whole vectors, and prefetches as many elements from `ahead` on.
#[inline(always)]
unsafe fn copy_row<V: Lanes>(
    source: *const V::Element,
    ahead: *const V::Element,
    target: *mut V::Element,
    columns: usize,
) {
    let (vectors, rest) = (columns / V::LANES, columns % V::LANES);
    // SAFETY: the caller's promise.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
        for v in (0..vectors).map(|v| v * V::LANES) {
            V::store(target.add(v), V::load(source.add(v)));
        }
        if rest > 0 {
            let v = vectors * V::LANES;
            V::store(target.add(v), V::load_masked(source.add(v), V::mask(rest)));
        }
    }
}

/// Copies at most a vector of columns, row by row; the rows of the target are `stride` elements apart.
#[target_feature(enable = "avx2,fma")]
unsafe fn pack_vectors<V: Shuffle>(source: Mat<'_, V::Element>, target: *mut V::Element, stride: usize) {
    let squares = if source.row_stride == 1 { source.rows / V::LANES } else { 0 };
    // SAFETY: the caller's promise; all elements read are those of the matrix.
    unsafe {
        for p in (0..squares).map(|square| square * V::LANES) {
            let column = |j: usize| if j < source.columns { V::load(source.at(p, j)) } else { V::zero() };
            V::store_transposed(column, target.add(p * stride), stride);
        }
        for p in squares * V::LANES..source.rows {
            for j in 0..source.columns {
                *target.add(p * stride + j) = *source.at(p, j);
            }
        }
    }
}
