//! The micro-kernel for spread matrices, for AVX2 with FMA: as [`kernel`](super::kernel), but each row of A and of C has
//! a place of its own, and a table says where along a row of A the next element lies.

use super::kernel::HEIGHT;
use super::lanes::Lanes;
use super::pack::pack;
use super::scratch::with_room;
use super::spread::{Block, Panels};
use super::tile::DEPTH;
use super::{Mat, parts};

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

/// C = A · B or C += A · B for a block of rows.
///
/// # Safety
///
/// AVX2 and FMA must be available; every element of A, B and C lie where the caller may read, or write, it.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_block<T: Lanes>(block: &Block<T>, columns: &[usize], n: usize, b: &Panels<T>, add: bool) {
    let width = VECTORS * T::LANES;
    let (a, c) = block.rows();
    let strips = a.len().div_ceil(HEIGHT);
    let depths = parts(columns.len(), 1, columns.len().div_ceil(DEPTH).max(1));
    for depth in 0..depths.count.max(1) {
        let p = depths.range(depth);
        for j in 0..n.div_ceil(width) {
            for s in 0..strips {
                let rows = a.len() * s / strips..a.len() * (s + 1) / strips;
                let step = Step {
                    columns: &columns[p.clone()],
                    a: &a[rows.clone()],
                    b: b.start.wrapping_offset(j as isize * b.panel + p.start as isize * b.row),
                    b_row: b.row,
                    c: &c[rows.clone()],
                    first: j * width,
                    add: add || depth > 0,
                };
                let columns = width.min(n - j * width);
                // SAFETY: the caller's promise.
                unsafe {
                    match rows.len() {
                        1 => by_width::<T, 1>(columns, &step),
                        2 => by_width::<T, 2>(columns, &step),
                        3 => by_width::<T, 3>(columns, &step),
                        4 => by_width::<T, 4>(columns, &step),
                        5 => by_width::<T, 5>(columns, &step),
                        _ => by_width::<T, 6>(columns, &step),
                    }
                }
            }
        }
    }
}

/// What the micro-kernel works on.
struct Step<'a, T> {
    columns: &'a [usize],
    a: &'a [*const T],
    b: *const T,
    b_row: isize,
    c: &'a [*mut T],
    /// The first column of C.
    first: usize,
    add: bool,
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn by_width<T: Lanes, const MR: usize>(columns: usize, step: &Step<'_, T>) {
    let last = columns % T::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        match (columns.div_ceil(T::LANES), last) {
            (1, 0) => tile::<T, MR, 1, false>(last, step),
            (1, _) => tile::<T, MR, 1, true>(last, step),
            (_, 0) => tile::<T, MR, 2, false>(last, step),
            (_, _) => tile::<T, MR, 2, true>(last, step),
        }
    }
}

/// A tile of `MR` rows and `NV` vectors, of the last just the first `last` lanes if it is `PARTIAL`.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<T: Lanes, const MR: usize, const NV: usize, const PARTIAL: bool>(last: usize, step: &Step<'_, T>) {
    // SAFETY: the caller's promise: AVX2 and FMA, and the tile within the matrices.
    unsafe {
        let mask = T::mask(last);
        let load = |source: *const T, v: usize| {
            let source = source.add(v * T::LANES);
            if PARTIAL && v == NV - 1 { T::load_masked(source, mask) } else { T::load(source) }
        };
        let mut rows = [std::ptr::null(); MR];
        rows.copy_from_slice(&step.a[..MR]);
        let mut sums = [[T::zero(); NV]; MR];
        let mut b = step.b;
        for &column in step.columns {
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
            b = b.wrapping_offset(step.b_row);
        }
        for (&c, sums) in step.c.iter().zip(&sums) {
            let c = c.add(step.first);
            for (v, &sum) in sums.iter().enumerate() {
                let sum = if step.add { T::add(load(c, v), sum) } else { sum };
                let c = c.add(v * T::LANES);
                if PARTIAL && v == NV - 1 { T::store_first(c, sum, last) } else { T::store(c, sum) }
            }
        }
    }
}
