//! The micro-kernel for spread matrices, for AVX2 with FMA: as [`kernel`](super::kernel), but each row of A and of C has
//! a place of its own, and a table says where along a row of A the next element lies.

use super::kernel::HEIGHT;
use super::lanes::Lanes;
use super::pack::pack;
use super::scratch::with_room;
use super::spread::{Base, Block, Panels};
use super::tile::DEPTH;
use super::{Mat, parts};
use crate::grid::Grid;

/// Vectors in a row of a panel of B.
const VECTORS: usize = 2;
/// Rows of A from which on it pays to pack B.
const WORTH_PACKING: usize = 24;

/// Calls `body` with B in panels, packed if that pays for so many rows of A.
///
/// # Safety
///
/// AVX2 and FMA must be available.
pub(super) unsafe fn with_panels<T: Lanes, R>(b: Mat<'_, T>, rows: usize, body: impl FnOnce(&Panels<T>) -> R) -> R {
    let width = VECTORS * T::LANES;
    if b.column_stride == 1 && rows < WORTH_PACKING {
        return body(&Panels { start: b.start, row: b.row_stride, panel: width as isize });
    }
    with_room(b.columns.next_multiple_of(width) * b.rows, |room: *mut T| {
        // SAFETY: the caller has AVX2, and the room is as large as that.
        unsafe { pack(b, width, room) };
        body(&Panels { start: room, row: width as isize, panel: (width * b.rows) as isize })
    })
}

/// C = base + A · B for a block of rows, what is negative made 0 if `relu`.
///
/// # Safety
///
/// AVX2 and FMA must be available; every element of A, B and C lie where the caller may read, or write, it; a row to
/// begin with have n elements.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_block<T: Lanes>(
    block: &Block<T>,
    columns: &Grid,
    n: usize,
    b: &Panels<T>,
    base: Base<'_, T>,
    relu: bool,
) {
    let width = VECTORS * T::LANES;
    let (rows, k) = (block.rows(), columns.len());
    let depths = parts(k.max(1), 1, k.div_ceil(DEPTH));
    let mut places = [0; DEPTH];
    for depth in 0..depths.count {
        let p = depths.range(depth);
        let p = p.start..p.end.min(k);
        places.iter_mut().zip(columns.iter(p.clone())).for_each(|(place, column)| *place = column);
        for j in 0..n.div_ceil(width) {
            let panel = Panel {
                columns: &places[..p.len()],
                b: b.start.wrapping_offset(j as isize * b.panel + p.start as isize * b.row),
                b_row: b.row,
                first: j * width,
                base: if depth > 0 { Base::Result } else { base },
                relu: relu && depth + 1 == depths.count,
            };
            let columns = width.min(n - j * width);
            let last = columns % T::LANES;
            // SAFETY: the caller's promise.
            unsafe {
                match (columns.div_ceil(T::LANES), last) {
                    (1, 0) => strips::<T, 1, false>(rows, last, &panel),
                    (1, _) => strips::<T, 1, true>(rows, last, &panel),
                    (_, 0) => strips::<T, 2, false>(rows, last, &panel),
                    (_, _) => strips::<T, 2, true>(rows, last, &panel),
                }
            }
        }
    }
}

/// What the micro-kernel multiplies rows of A with, and where in rows of C it puts the products.
struct Panel<'a, T> {
    /// Where along a row of A its elements lie.
    columns: &'a [usize],
    b: *const T,
    b_row: isize,
    /// The first column of C.
    first: usize,
    base: Base<'a, T>,
    relu: bool,
}

/// All rows, cut into strips of even height: their starts in A and in C.
#[target_feature(enable = "avx2,fma")]
unsafe fn strips<T: Lanes, const NV: usize, const PARTIAL: bool>(
    (mut a, mut c): (&[*const T], &[*mut T]),
    last: usize,
    panel: &Panel<'_, T>,
) {
    let count = a.len().div_ceil(HEIGHT).max(1);
    let (height, higher) = (a.len() / count, a.len() % count);
    for strip in 0..count {
        let height = height + usize::from(strip < higher);
        // SAFETY: the caller's promise.
        unsafe {
            match height {
                0 => {}
                1 => tile::<T, 1, NV, PARTIAL>(a, c, last, panel),
                2 => tile::<T, 2, NV, PARTIAL>(a, c, last, panel),
                3 => tile::<T, 3, NV, PARTIAL>(a, c, last, panel),
                4 => tile::<T, 4, NV, PARTIAL>(a, c, last, panel),
                5 => tile::<T, 5, NV, PARTIAL>(a, c, last, panel),
                _ => tile::<T, 6, NV, PARTIAL>(a, c, last, panel),
            }
        }
        (a, c) = (&a[height..], &c[height..]);
    }
}

/// A tile of the first `MR` rows and `NV` vectors, of the last just the first `last` lanes if it is `PARTIAL`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<T: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(
    a: &[*const T],
    c: &[*mut T],
    last: usize,
    panel: &Panel<'_, T>,
) {
    // SAFETY: the caller's promise: AVX2 and FMA, and the tile within the matrices.
    unsafe {
        let mask = T::mask(last);
        let load = |source: *const T, v: usize| {
            let source = source.add(v * T::LANES);
            if PARTIAL && v == NV - 1 { T::load_masked(source, mask) } else { T::load(source) }
        };
        let (mut rows, mut results) = ([std::ptr::null(); MR], [std::ptr::null_mut(); MR]);
        rows.copy_from_slice(&a[..MR]);
        results.copy_from_slice(&c[..MR]);
        let mut sums = [[T::zero(); NV]; MR];
        if !matches!(panel.base, Base::Zero) {
            for (sums, &c) in sums.iter_mut().zip(&results) {
                let source = if let Base::Row(row) = panel.base { row.as_ptr() } else { c };
                (0..NV).for_each(|v| sums[v] = load(source.add(panel.first), v));
            }
        }
        let mut b = panel.b;
        for &column in panel.columns {
            let mut vectors = [T::zero(); NV];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = load(b, v);
            }
            for (row, sums) in rows.iter().zip(&mut sums) {
                let x = T::splat(row.add(column));
                for (sum, &y) in sums.iter_mut().zip(&vectors) {
                    *sum = T::multiply_add(x, y, *sum);
                }
            }
            b = b.wrapping_offset(panel.b_row);
        }
        for (&c, sums) in results.iter().zip(&sums) {
            let c = c.add(panel.first);
            for (v, &sum) in sums.iter().enumerate() {
                let sum = if panel.relu { T::relu(sum) } else { sum };
                let c = c.add(v * T::LANES);
                if PARTIAL && v == NV - 1 { T::store_first(c, sum, last) } else { T::store(c, sum) }
            }
        }
    }
}
