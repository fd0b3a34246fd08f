//! The micro-kernel for AVX2 with FMA.
//!
//! A tile of C, some rows by some vectors, stays in registers while the kernel walks along k: each step broadcasts one
//! element of every row of A and multiplies it with one stretch of a row of B. A fused multiply-add takes 4 cycles and
//! two can start in each, so at least 8 sums should be under way; 6 rows by 2 vectors make 12 and leave registers for
//! the operands (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015).

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::lanes::Lanes;

/// The most rows of a tile.
pub(super) const HEIGHT: usize = 6;

/// What the micro-kernel works on: see [`Strips`], [`Panels`] and [`Block`].
pub(super) struct Step<T> {
    pub(super) k: usize,
    pub(super) a: *const T,
    pub(super) a_row: isize,
    pub(super) a_column: isize,
    pub(super) b: *const T,
    pub(super) b_row: isize,
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) add: bool,
}

/// The tile of `MR` rows and as many vectors, up to 2, as `columns` need.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn up_to_2<T: Lanes, const MR: usize>(columns: usize, step: &Step<T>) {
    let last = columns % T::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        match (columns.div_ceil(T::LANES), last) {
            (1, 0) => tile::<T, MR, 1, false>(last, step),
            (1, _) => tile::<T, MR, 1, true>(last, step),
            (2, 0) => tile::<T, MR, 2, false>(last, step),
            (2, _) => tile::<T, MR, 2, true>(last, step),
            (vectors, _) => unreachable!("a panel of {vectors} vectors for {MR} rows"),
        }
    }
}

/// The same up to 4 vectors. (Not one function for any number: that would compile the tiles of 6 rows by 8 vectors too,
/// which do not fit into the registers.)
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn up_to_4<T: Lanes, const MR: usize>(columns: usize, step: &Step<T>) {
    let last = columns % T::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        match (columns.div_ceil(T::LANES), last) {
            (3, 0) => tile::<T, MR, 3, false>(last, step),
            (3, _) => tile::<T, MR, 3, true>(last, step),
            (4, 0) => tile::<T, MR, 4, false>(last, step),
            (4, _) => tile::<T, MR, 4, true>(last, step),
            _ => up_to_2::<T, MR>(columns, step),
        }
    }
}

/// The same up to 8 vectors.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn up_to_8<T: Lanes, const MR: usize>(columns: usize, step: &Step<T>) {
    let last = columns % T::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        match (columns.div_ceil(T::LANES), last) {
            (5, 0) => tile::<T, MR, 5, false>(last, step),
            (5, _) => tile::<T, MR, 5, true>(last, step),
            (6, 0) => tile::<T, MR, 6, false>(last, step),
            (6, _) => tile::<T, MR, 6, true>(last, step),
            (7, 0) => tile::<T, MR, 7, false>(last, step),
            (7, _) => tile::<T, MR, 7, true>(last, step),
            (8, 0) => tile::<T, MR, 8, false>(last, step),
            (8, _) => tile::<T, MR, 8, true>(last, step),
            _ => up_to_4::<T, MR>(columns, step),
        }
    }
}

/// The micro-kernel: a tile of `MR` rows and `NV` vectors, of the last just the first `last` lanes if it is `PARTIAL`.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<T: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(last: usize, step: &Step<T>) {
    // SAFETY: the caller's promise: AVX2 and FMA, and the tile within the matrices.
    unsafe {
        let mask = T::mask(last);
        let load = |source: *const T, v: usize| {
            let source = source.add(v * T::LANES);
            if PARTIAL && v == NV - 1 { T::load_masked(source, mask) } else { T::load(source) }
        };
        let mut sums = [[T::zero(); NV]; MR];
        let (mut a, mut b) = (step.a, step.b);
        // Rows that lie apart are not foreseen by the processor. Those far apart share few sets of the first-level
        // cache, and would displace each other.
        let near = step.b_row.unsigned_abs() * size_of::<T>() <= 1024;
        let ahead = if near { 12 * step.b_row } else { 0 };
        for _ in 0..step.k {
            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_offset(ahead).cast());
            let mut row = [T::zero(); NV];
            for (v, row) in row.iter_mut().enumerate() {
                *row = load(b, v);
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = T::splat(a.wrapping_offset(r as isize * step.a_row));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = T::multiply_add(x, y, *sum);
                }
            }
            a = a.wrapping_offset(step.a_column);
            b = b.wrapping_offset(step.b_row);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let c = step.c.add(r * step.c_row);
            for (v, sum) in sums.into_iter().enumerate() {
                let sum = if step.add { T::add(load(c, v), sum) } else { sum };
                let c = c.add(v * T::LANES);
                if PARTIAL && v == NV - 1 { T::store_first(c, sum, last) } else { T::store(c, sum) }
            }
        }
    }
}
