//! A tile of C: the loops right around the micro-kernel.

use std::ops::Range;

use super::kernel::{self, HEIGHT, Step};
use super::lanes::Lanes;
use super::parts;

/// Rows of A, in place or packed: row i of strip s at `start + s * strip + i * row`, its elements `column` apart.
pub(super) struct Strips<T> {
    pub(super) start: *const T,
    /// From a row to the next of its strip.
    pub(super) row: isize,
    /// From an element of a row to the next.
    pub(super) column: isize,
    /// From a strip to the next, where strips have been packed; in place it is the rows that tell.
    pub(super) strip: Option<isize>,
}

// SAFETY: strips are a shared borrow of a slice, or of scratch that nobody writes to meanwhile.
unsafe impl<T: Sync> Sync for Strips<T> {}

impl<T> Strips<T> {
    /// The strips from that of row `first` on; it must be the first of a strip.
    pub(super) fn skip(&self, first: usize) -> Self {
        let offset = self.strip.map_or(first as isize * self.row, |strip| (first / HEIGHT) as isize * strip);
        Self { start: self.start.wrapping_offset(offset), ..*self }
    }

    /// The rows of each strip. In place they are as even as can be, so that none is too low to keep the processor busy:
    /// 32 rows make strips of 5, 5, 6, 5, 5 and 6.
    fn cut(&self, rows: usize) -> impl Iterator<Item = (usize, Range<usize>)> + use<T> {
        let (count, packed) = (rows.div_ceil(HEIGHT), self.strip.is_some());
        let first = move |s: usize| if packed { rows.min(s * HEIGHT) } else { rows * s / count };
        (0..count).map(move |s| (s, first(s)..first(s + 1)))
    }
}

/// Columns of B, in place or packed: row p of panel j at `start + j * panel + p * row`, its elements side by side.
pub(super) struct Panels<V: Lanes> {
    pub(super) start: *const V::Element,
    /// From a row to the next.
    pub(super) row: isize,
    /// From a panel to the next.
    pub(super) panel: isize,
    /// Vectors in a row of a panel: at most [`Lanes::VECTORS`], or for 3 rows of A at most 4, or for one row at most 8.
    pub(super) vectors: usize,
}

// SAFETY: as for strips.
unsafe impl<V: Lanes> Sync for Panels<V> {}

impl<V: Lanes> Panels<V> {
    /// Columns in a panel.
    pub(super) fn width(&self) -> usize {
        self.vectors * V::LANES
    }

    /// The panels from that of column `first` on; it must be the first of a panel.
    pub(super) fn skip(&self, first: usize) -> Self {
        let offset = (first / self.width()) as isize * self.panel;
        Self { start: self.start.wrapping_offset(offset), ..*self }
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

/// C = A · B, or C += A · B.
///
/// # Safety
///
/// The instructions must be available, and every element that the arguments describe within bounds; no other thread may use
/// the block of C meanwhile.
pub(super) unsafe fn multiply<V: Lanes>(
    k: usize,
    a: Strips<V::Element>,
    b: Panels<V>,
    c: Block<V::Element>,
    nearest: Nearest,
) {
    let width = b.width();
    let panels = c.columns.div_ceil(width);
    let depths = parts(k, 1, k.div_ceil(V::DEPTH));
    for p in (0..depths.count).map(|block| depths.range(block)) {
        let one = |(s, rows): (usize, Range<usize>), j: usize| {
            let strip = a.strip.map_or(rows.start as isize * a.row, |strip| s as isize * strip);
            let step = Step {
                k: p.len(),
                a: a.start.wrapping_offset(strip + p.start as isize * a.column),
                a_row: a.row,
                a_column: a.column,
                b: b.start.wrapping_offset(j as isize * b.panel + p.start as isize * b.row),
                b_row: b.row,
                c: c.start.wrapping_add(rows.start * c.row + j * width),
                c_row: c.row,
                add: c.add || p.start > 0,
            };
            let columns = width.min(c.columns - j * width);
            // SAFETY: the caller's promise; the tile has these rows and columns.
            unsafe {
                match rows.len() {
                    1 => kernel::up_to_8::<V, 1>(columns, &step),
                    2 => kernel::up_to_4::<V, 2>(columns, &step),
                    3 => kernel::up_to_4::<V, 3>(columns, &step),
                    4 => kernel::tile::<V, 4>(columns, &step),
                    5 => kernel::tile::<V, 5>(columns, &step),
                    _ => kernel::tile::<V, 6>(columns, &step),
                }
            }
        };
        match nearest {
            Nearest::Strip => a.cut(c.rows).for_each(|strip| (0..panels).for_each(|j| one(strip.clone(), j))),
            Nearest::Panel => (0..panels).for_each(|j| a.cut(c.rows).for_each(|strip| one(strip, j))),
        }
    }
}
