//! The micro-kernel.
//!
//! A tile of C, some rows by some vectors, stays in registers while the kernel walks along k: each step broadcasts one
//! element of every row of A and multiplies it with one stretch of a row of B. A fused multiply-add takes 4 cycles and
//! two can start in each, so at least 8 sums should be under way; 6 rows by 2 vectors make 12 of AVX2's 16 registers, 6 by
//! 4 make 24 of AVX-512's 32, and leave some for the operands (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015).

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

/// The tile of `MR` rows and as many vectors, up to [`Lanes::VECTORS`], as `columns` need.
///
/// # Safety
///
/// The instructions must be available, and the tile lie within the matrices.
pub(super) unsafe fn tile<V: Lanes, const MR: usize>(columns: usize, step: &Step<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        if V::VECTORS > 2 {
            up_to_4::<V, MR>(columns, step);
        } else {
            up_to_2::<V, MR>(columns, step);
        }
    }
}

unsafe fn up_to_2<V: Lanes, const MR: usize>(columns: usize, step: &Step<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            1 => vectors::<V, MR, 1>(columns, step),
            2 => vectors::<V, MR, 2>(columns, step),
            vectors => unreachable!("a panel of {vectors} vectors for {MR} rows"),
        }
    }
}

/// The same up to 4 vectors. (Not one function for any number: that would compile the tiles of 6 rows by 8 vectors too,
/// which do not fit into the registers.)
///
/// # Safety
///
/// As for [`tile`].
pub(super) unsafe fn up_to_4<V: Lanes, const MR: usize>(columns: usize, step: &Step<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            3 => vectors::<V, MR, 3>(columns, step),
            4 => vectors::<V, MR, 4>(columns, step),
            _ => up_to_2::<V, MR>(columns, step),
        }
    }
}

/// The same up to 8 vectors.
///
/// # Safety
///
/// As for [`tile`].
pub(super) unsafe fn up_to_8<V: Lanes, const MR: usize>(columns: usize, step: &Step<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            5 => vectors::<V, MR, 5>(columns, step),
            6 => vectors::<V, MR, 6>(columns, step),
            7 => vectors::<V, MR, 7>(columns, step),
            8 => vectors::<V, MR, 8>(columns, step),
            _ => up_to_4::<V, MR>(columns, step),
        }
    }
}

/// The same for `NV` vectors, of which the last may be partial.
unsafe fn vectors<V: Lanes, const MR: usize, const NV: usize>(columns: usize, step: &Step<V::Element>) {
    let last = columns % V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        if last == 0 {
            V::with(
                #[inline(always)]
                || multiply::<V, MR, NV, false>(last, step),
            );
        } else {
            V::with(
                #[inline(always)]
                || multiply::<V, MR, NV, true>(last, step),
            );
        }
    }
}

/// The micro-kernel: a tile of `MR` rows and `NV` vectors, of the last just the first `last` lanes if it is `PARTIAL`.
///
/// What is added to is where the sums begin. So they are the same bits however k is cut into blocks.
#[inline(always)]
unsafe fn multiply<V: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(
    last: usize,
    step: &Step<V::Element>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mask = V::mask(last);
        let load = |source: *const V::Element, v: usize| {
            let source = source.add(v * V::LANES);
            if PARTIAL && v == NV - 1 { V::load_masked(source, mask) } else { V::load(source) }
        };
        let mut sums = [[V::zero(); NV]; MR];
        if step.add {
            for (r, sums) in sums.iter_mut().enumerate() {
                (0..NV).for_each(|v| sums[v] = load(step.c.add(r * step.c_row), v));
            }
        }
        let (mut a, mut b) = (step.a, step.b);
        // Rows that lie apart are not foreseen by the processor. Those far apart share few sets of the first-level
        // cache, and would displace each other.
        let near = step.b_row.unsigned_abs() * size_of::<V::Element>() <= 1024;
        let ahead = if near { 12 * step.b_row } else { 0 };
        for _ in 0..step.k {
            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_offset(ahead).cast());
            let mut row = [V::zero(); NV];
            for (v, row) in row.iter_mut().enumerate() {
                *row = load(b, v);
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(a.wrapping_offset(r as isize * step.a_row));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
            a = a.wrapping_offset(step.a_column);
            b = b.wrapping_offset(step.b_row);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let c = step.c.add(r * step.c_row + v * V::LANES);
                if PARTIAL && v == NV - 1 { V::store_first(c, sum, last) } else { V::store(c, sum) }
            }
        }
    }
}
