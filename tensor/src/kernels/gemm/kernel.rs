//! The micro-kernel.
//!
//! A micro-tile of C, MR rows by some vectors, stays in registers while the kernel walks along k: each step broadcasts one
//! element of every row of A and multiplies it with the vectors of a row of B. A fused multiply-add takes 4 cycles and two can
//! start in each cycle, so at least 8 sums should be under way; 6 rows by 2 vectors take 12 of AVX2's 16 registers, 6 by 4
//! take 24 of AVX-512's 32, and leave some for the operands (Van Zee and van de Geijn, "BLIS: a framework for rapidly
//! instantiating BLAS functionality", 2015).

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::lanes::Lanes;

/// The most rows of a micro-tile (BLIS's MR).
pub(super) const HEIGHT: usize = 6;

/// The operands of the micro-kernel: the addresses and strides of a strip of A, a panel of B and a micro-tile of C. The
/// product replaces C, or is added to it if `add`.
pub(super) struct MicroTile<T> {
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

/// Computes a micro-tile of `MR` rows and as many vectors as `columns` need, up to [`Lanes::VECTORS`].
///
/// # Safety
///
/// The instructions are available, and the micro-tile lies within the matrices.
pub(super) unsafe fn up_to_vectors<V: Lanes, const MR: usize>(columns: usize, tile: &MicroTile<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        if V::VECTORS > 2 {
            up_to_4::<V, MR>(columns, tile);
        } else {
            up_to_2::<V, MR>(columns, tile);
        }
    }
}

unsafe fn up_to_2<V: Lanes, const MR: usize>(columns: usize, tile: &MicroTile<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            1 => vectors::<V, MR, 1>(columns, tile),
            2 => vectors::<V, MR, 2>(columns, tile),
            vectors => unreachable!("a panel of {vectors} vectors for {MR} rows"),
        }
    }
}

/// As [`up_to_vectors`], for up to 4 vectors. (One function for any number of vectors would compile the micro-tiles of 6 rows
/// by 8 vectors too, which do not fit into the registers.)
///
/// # Safety
///
/// As for [`up_to_vectors`].
pub(super) unsafe fn up_to_4<V: Lanes, const MR: usize>(columns: usize, tile: &MicroTile<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            3 => vectors::<V, MR, 3>(columns, tile),
            4 => vectors::<V, MR, 4>(columns, tile),
            _ => up_to_2::<V, MR>(columns, tile),
        }
    }
}

/// As [`up_to_vectors`], for up to 8 vectors.
///
/// # Safety
///
/// As for [`up_to_vectors`].
pub(super) unsafe fn up_to_8<V: Lanes, const MR: usize>(columns: usize, tile: &MicroTile<V::Element>) {
    // SAFETY: the caller's promise.
    unsafe {
        match columns.div_ceil(V::LANES) {
            5 => vectors::<V, MR, 5>(columns, tile),
            6 => vectors::<V, MR, 6>(columns, tile),
            7 => vectors::<V, MR, 7>(columns, tile),
            8 => vectors::<V, MR, 8>(columns, tile),
            _ => up_to_4::<V, MR>(columns, tile),
        }
    }
}

/// As [`up_to_vectors`], for `NV` vectors; the last may be partial.
unsafe fn vectors<V: Lanes, const MR: usize, const NV: usize>(columns: usize, tile: &MicroTile<V::Element>) {
    let last = columns % V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        if last == 0 {
            V::with(
                #[inline(always)]
                || multiply::<V, MR, NV, false>(last, tile),
            );
        } else {
            V::with(
                #[inline(always)]
                || multiply::<V, MR, NV, true>(last, tile),
            );
        }
    }
}

/// The micro-kernel: `MR` rows by `NV` vectors; the last vector has only its first `last` lanes if it is `PARTIAL`.
///
/// The sums of a block of k begin with 0 and are then added to C, so that rounding errors do not grow along all of k.
#[inline(always)]
unsafe fn multiply<V: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(
    last: usize,
    tile: &MicroTile<V::Element>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mask = V::mask(last);
        let load = |source: *const V::Element, v: usize| {
            let source = source.add(v * V::LANES);
            if PARTIAL && v == NV - 1 { V::load_masked(source, mask) } else { V::load(source) }
        };
        let mut sums = [[V::zero(); NV]; MR];
        let (mut a, mut b) = (tile.a, tile.b);
        // The processor does not prefetch rows that are not contiguous by itself. Rows far apart share few sets of the
        // first-level cache and would displace each other.
        let near = tile.b_row.unsigned_abs() * size_of::<V::Element>() <= 1024;
        let ahead = if near { 12 * tile.b_row } else { 0 };
        // C is on its way from the second-level cache while the sums are computed.
        for r in 0..MR {
            for v in 0..NV {
                V::prefetch_to_write(tile.c.wrapping_add(r * tile.c_row + v * V::LANES));
            }
        }
        for _ in 0..tile.k {
            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_offset(ahead).cast());
            let mut row = [V::zero(); NV];
            for (v, row) in row.iter_mut().enumerate() {
                *row = load(b, v);
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(a.wrapping_offset(r as isize * tile.a_row));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = V::multiply_add(x, y, *sum);
                }
            }
            a = a.wrapping_offset(tile.a_column);
            b = b.wrapping_offset(tile.b_row);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let c = tile.c.add(r * tile.c_row);
            for (v, sum) in sums.into_iter().enumerate() {
                let sum = if tile.add { V::add(load(c, v), sum) } else { sum };
                let c = c.add(v * V::LANES);
                if PARTIAL && v == NV - 1 { V::store_first(c, sum, last) } else { V::store(c, sum) }
            }
        }
    }
}
