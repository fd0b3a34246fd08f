//! The micro-kernel for AVX2 with FMA, and the loops right around it.
//!
//! A tile of C, some rows by some vectors, stays in registers while the kernel walks along k: each step broadcasts one
//! element of every row of A and multiplies it with one stretch of a row of B. A fused multiply-add takes 4 cycles and
//! two can start in each, so at least 8 sums should be under way; 6 rows by 2 vectors make 12 and leave registers for
//! the operands (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015).

use std::ops::Range;

use super::lanes::Lanes;

/// The most rows of a tile.
pub(super) const HEIGHT: usize = 6;

/// Rows of A, in place or packed: row i of strip s at `start + s * strip + i * row`, its elements `column` apart.
#[derive(Clone, Copy)]
pub(super) struct Strips<T> {
    pub(super) start: *const T,
    /// From a row to the next of its strip.
    pub(super) row: isize,
    /// From an element of a row to the next.
    pub(super) column: isize,
    /// From a strip to the next, where strips have been packed; in place it is the rows that tell.
    pub(super) strip: Option<isize>,
}

/// Columns of B, in place or packed: row p of panel j at `start + j * panel + p * row`, its elements side by side.
pub(super) struct Panels<T> {
    pub(super) start: *const T,
    /// From a row to the next.
    pub(super) row: isize,
    /// From a panel to the next.
    pub(super) panel: isize,
}

// SAFETY: panels are a shared borrow of a slice, or of room that nobody writes to meanwhile.
unsafe impl<T: Sync> Sync for Panels<T> {}

impl<T> Panels<T> {
    /// The panels from the `first` on.
    pub(super) fn skip(&self, first: usize) -> Self {
        Self { start: self.start.wrapping_offset(first as isize * self.panel), ..*self }
    }
}

/// A block of C, row-major.
#[derive(Clone, Copy)]
pub(super) struct Block<T> {
    pub(super) start: *mut T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// From a row to the next.
    pub(super) row: usize,
    /// Whether the product is added to what the block holds, or replaces it.
    pub(super) add: bool,
}

/// Which operand stays in the nearest cache.
#[derive(Clone, Copy)]
pub(super) enum Nearest {
    /// A strip of A, while the panels of B pass.
    Strip,
    /// A panel of B, while the strips of A pass.
    Panel,
}

/// `rows` cut into strips as even as can be, so that none is too low to keep the processor busy: 32 rows are strips of
/// 5, 5, 5, 6, 5 and 6.
pub(super) fn strips(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let count = rows.div_ceil(HEIGHT);
    (0..count).map(move |s| rows * s / count..rows * (s + 1) / count)
}

/// C = A · B, or C += A · B, with panels of `vectors` vectors: at most 2, or at most 4 where C has just 3 rows or less.
///
/// # Safety
///
/// AVX2 and FMA must be available, and every element that the arguments describe within bounds; no other thread may use
/// the block of C meanwhile.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply<T: Lanes>(
    k: usize,
    a: Strips<T>,
    b: Panels<T>,
    c: Block<T>,
    vectors: usize,
    nearest: Nearest,
) {
    let width = vectors * T::LANES;
    let panels = c.columns.div_ceil(width);
    let one = |s: usize, rows: Range<usize>, j: usize| {
        let columns = width.min(c.columns - j * width);
        let a_start = a.strip.map_or(rows.start as isize * a.row, |strip| s as isize * strip);
        let step = Step {
            k,
            a: a.start.wrapping_offset(a_start),
            a_row: a.row,
            a_column: a.column,
            b: b.start.wrapping_offset(j as isize * b.panel),
            b_row: b.row,
            c: c.start.wrapping_add(rows.start * c.row + j * width),
            c_row: c.row,
            add: c.add,
        };
        // SAFETY: the caller's promise; the tile has these rows and `columns` columns.
        unsafe {
            match rows.len() {
                1 => by_width::<T, 1, 4>(columns, &step),
                2 => by_width::<T, 2, 4>(columns, &step),
                3 => by_width::<T, 3, 4>(columns, &step),
                4 => by_width::<T, 4, 2>(columns, &step),
                5 => by_width::<T, 5, 2>(columns, &step),
                _ => by_width::<T, 6, 2>(columns, &step),
            }
        };
    };
    match nearest {
        Nearest::Strip => {
            strips(c.rows).enumerate().for_each(|(s, rows)| (0..panels).for_each(|j| one(s, rows.clone(), j)))
        }
        Nearest::Panel => (0..panels).for_each(|j| strips(c.rows).enumerate().for_each(|(s, rows)| one(s, rows, j))),
    }
}

/// What the micro-kernel works on: see [`Strips`], [`Panels`] and [`Block`].
struct Step<T> {
    k: usize,
    a: *const T,
    a_row: isize,
    a_column: isize,
    b: *const T,
    b_row: isize,
    c: *mut T,
    c_row: usize,
    add: bool,
}

/// The tile of `MR` rows and as many vectors, up to `MOST`, as `columns` need.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn by_width<T: Lanes, const MR: usize, const MOST: usize>(columns: usize, step: &Step<T>) {
    let vectors = columns.div_ceil(T::LANES);
    let last = columns % T::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        match (vectors, last) {
            (1, 0) => tile::<T, MR, 1, false>(last, step),
            (1, _) => tile::<T, MR, 1, true>(last, step),
            (2, 0) => tile::<T, MR, 2, false>(last, step),
            (2, _) => tile::<T, MR, 2, true>(last, step),
            _ if MOST < 4 => unreachable!("panels of {vectors} vectors for {MR} rows"),
            (3, 0) => tile::<T, MR, 3, false>(last, step),
            (3, _) => tile::<T, MR, 3, true>(last, step),
            (_, 0) => tile::<T, MR, 4, false>(last, step),
            (_, _) => tile::<T, MR, 4, true>(last, step),
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
        for _ in 0..step.k {
            let row: [T::Vector; NV] = std::array::from_fn(|v| load(b, v));
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
