//! The macro-kernel: the loops right around the micro-kernel, over the strips and panels of a tile of C (BLIS's loops 2 and
//! 1).

use std::ops::{AddAssign, Range};
use std::slice;

use super::kernel::{self, HEIGHT, MicroTile};
use super::lanes::Lanes;
use crate::kernels::accumulate::add_to;

/// The left operand A, in place or packed: row i of strip s begins at `start + s * strip + i * row`, its elements are
/// `column` apart.
pub(super) struct Strips<T> {
    pub(super) start: *const T,
    /// The elements from a row to the next in a strip.
    pub(super) row: isize,
    /// The elements from a column to the next.
    pub(super) column: isize,
    /// The elements from a packed strip to the next; `None` in place, where a strip begins at its first row.
    pub(super) strip: Option<isize>,
}

// SAFETY: a shared borrow of a slice, or of scratch that no thread writes to meanwhile.
unsafe impl<T: Sync> Sync for Strips<T> {}

impl<T> Strips<T> {
    /// The strips from row `first` on, which is the first row of a strip, and from column `p` on.
    pub(super) fn part(&self, first: usize, p: usize) -> Self {
        let offset = self.strip.map_or(first as isize * self.row, |strip| (first / HEIGHT) as isize * strip);
        Self { start: self.start.wrapping_offset(offset + p as isize * self.column), ..*self }
    }

    /// The number and the rows of each strip. In place the heights are as even as can be, so that no strip is too low to keep
    /// the processor busy: 32 rows make strips of 5, 5, 6, 5, 5 and 6.
    fn cut(&self, rows: usize) -> impl Iterator<Item = (usize, Range<usize>)> + use<T> {
        let (count, packed) = (rows.div_ceil(HEIGHT), self.strip.is_some());
        let first = move |s: usize| if packed { rows.min(s * HEIGHT) } else { rows * s / count };
        (0..count).map(move |s| (s, first(s)..first(s + 1)))
    }
}

/// The right operand B, in place or packed: row p of panel j begins at `start + j * panel + p * row`, its elements are
/// contiguous.
pub(super) struct Panels<V: Lanes> {
    pub(super) start: *const V::Element,
    /// The elements from a row to the next.
    pub(super) row: isize,
    /// The elements from a panel to the next.
    pub(super) panel: isize,
    /// The vectors in a row of a panel: at most [`Lanes::VECTORS`]; at most 4 if A has up to 3 rows, 8 if it has one.
    pub(super) vectors: usize,
}

// SAFETY: as for strips.
unsafe impl<V: Lanes> Sync for Panels<V> {}

impl<V: Lanes> Panels<V> {
    /// The columns of a panel.
    pub(super) fn width(&self) -> usize {
        self.vectors * V::LANES
    }

    /// The panels from column `first` on, which is the first column of a panel, and from row `p` on.
    pub(super) fn part(&self, first: usize, p: usize) -> Self {
        let offset = (first / self.width()) as isize * self.panel + p as isize * self.row;
        Self { start: self.start.wrapping_offset(offset), ..*self }
    }
}

/// A tile of the result C, row-major.
#[derive(Clone, Copy)]
pub(super) struct ResultTile<T> {
    pub(super) start: *mut T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// The elements from a row to the next.
    pub(super) row: usize,
    /// Whether the product is added to the values of the tile, or replaces them.
    pub(super) add: bool,
}

// SAFETY: tasks write through the pointer, each to rows and columns of its own.
unsafe impl<T: Send> Sync for ResultTile<T> {}

impl<T: Copy + AddAssign> ResultTile<T> {
    /// Some rows and columns of the tile.
    pub(super) fn part(&self, rows: &Range<usize>, columns: &Range<usize>) -> Self {
        let start = self.start.wrapping_add(rows.start * self.row + columns.start);
        Self { start, rows: rows.len(), columns: columns.len(), ..*self }
    }

    /// Adds another tile of as many rows and columns.
    ///
    /// # Safety
    ///
    /// Every element of both lies within bounds, and no other thread uses them meanwhile.
    pub(super) unsafe fn add_tile(&self, other: ResultTile<T>) {
        for i in 0..self.rows {
            // SAFETY: the caller's promise.
            let (sums, others) = unsafe {
                let row = self.start.wrapping_add(i * self.row);
                let other = other.start.wrapping_add(i * other.row);
                (slice::from_raw_parts_mut(row, self.columns), slice::from_raw_parts(other, self.columns))
            };
            add_to(sums, others);
        }
    }
}

/// The operand that stays in the first-level cache.
#[derive(Clone, Copy)]
pub(super) enum Nearest {
    /// A strip of A, while the panels of B pass.
    Strip,
    /// A panel of B, while the strips of A pass.
    Panel,
}

/// C = A · B, or C += A · B, for a tile of C.
///
/// # Safety
///
/// The instructions are available, every element that the arguments describe is within bounds, and no other thread uses the
/// tile of C meanwhile.
pub(super) unsafe fn multiply<V: Lanes>(
    k: usize,
    a: &Strips<V::Element>,
    b: &Panels<V>,
    c: ResultTile<V::Element>,
    nearest: Nearest,
) {
    let width = b.width();
    let panels = c.columns.div_ceil(width);
    let one = |(s, rows): (usize, Range<usize>), j: usize| {
        let strip = a.strip.map_or(rows.start as isize * a.row, |strip| s as isize * strip);
        let tile = MicroTile {
            k,
            a: a.start.wrapping_offset(strip),
            a_row: a.row,
            a_column: a.column,
            b: b.start.wrapping_offset(j as isize * b.panel),
            b_row: b.row,
            c: c.start.wrapping_add(rows.start * c.row + j * width),
            c_row: c.row,
            add: c.add,
        };
        let columns = width.min(c.columns - j * width);
        // SAFETY: the caller's promise, for these rows and columns of the tile.
        unsafe {
            match rows.len() {
                1 => kernel::up_to_8::<V, 1>(columns, &tile),
                2 => kernel::up_to_4::<V, 2>(columns, &tile),
                3 => kernel::up_to_4::<V, 3>(columns, &tile),
                4 => kernel::up_to_vectors::<V, 4>(columns, &tile),
                5 => kernel::up_to_vectors::<V, 5>(columns, &tile),
                _ => kernel::up_to_vectors::<V, 6>(columns, &tile),
            }
        }
    };
    match nearest {
        Nearest::Strip => a.cut(c.rows).for_each(|strip| (0..panels).for_each(|j| one(strip.clone(), j))),
        Nearest::Panel => (0..panels).for_each(|j| a.cut(c.rows).for_each(|strip| one(strip, j))),
    }
}
