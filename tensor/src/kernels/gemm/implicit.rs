//! The operands of products whose left matrix is addressed implicitly: element (i, p) lies at `rows[i] + columns[p]`.
//!
//! The im2col matrix of a convolution is such a matrix: row i is a window, column p a kernel position and a channel, and an
//! element lies at the window's offset plus the column's. So the product reads the picture where it lies, and the im2col
//! matrix, many times as large as the picture, is never built. (Dukhan, "The indirect convolution algorithm",
//! arXiv:1907.02129, uses a table of pointers instead; sums of offsets need none.)

use std::ops::Range;

use super::cut::{parts, span_count};
use super::samples::Samples;
use crate::grid::{Grid, OffsetRun};

/// A stack of matrices, one for each sample: element (i, p) of matrix s lies `rows[i] + columns[p]` after the start of sample s.
///
/// Invariant: every element lies within the samples.
#[derive(Clone, Copy)]
pub struct ImplicitMatrix<'a, T> {
    pub(super) samples: Samples<'a, T>,
    pub(super) count: usize,
    pub(super) rows: &'a Grid,
    pub(super) columns: &'a Grid,
}

impl<'a, T: Copy + Default> ImplicitMatrix<'a, T> {
    /// The matrices of `count` samples with these offsets of rows and columns.
    ///
    /// # Panics
    ///
    /// If an element would lie outside the samples.
    pub fn new(samples: Samples<'a, T>, count: usize, rows: &'a Grid, columns: &'a Grid) -> Self {
        if let (Some(row), Some(column), true) = (rows.greatest(), columns.greatest(), count > 0) {
            // Checked, because offsets of pointers must not wrap around.
            let last = (count - 1).checked_mul(samples.size());
            let last = last.and_then(|last| last.checked_add(row)?.checked_add(column)).unwrap_or(usize::MAX);
            let elements = samples.elements(count);
            assert!(last < elements, "element {last} of an implicit matrix does not lie within {elements}");
        }
        Self { samples, count, rows, columns }
    }

    /// The offsets within a sample between which the elements of some rows lie.
    pub(super) fn span(&self, rows: Range<usize>) -> Range<usize> {
        let (mut least, mut greatest) = (usize::MAX, 0);
        self.rows.for_each_run(rows, |run| {
            least = least.min(run.start);
            greatest = greatest.max(run.start + run.count.saturating_sub(1) * run.step);
        });
        match self.columns.greatest() {
            Some(column) if least <= greatest => least..greatest + column + 1,
            _ => 0..0,
        }
    }
}

/// The right operand B as the kernels read it, in place or packed: element (p, j) lies at
/// `start + j / width * panel + p * row + j % width`, with the width of a panel known to the kernel.
#[derive(Clone, Copy)]
pub struct RightOperand<T> {
    pub(super) start: *const T,
    pub(super) row: isize,
    pub(super) panel: isize,
    /// Whether the width is 1, for kernels whose lanes run along k.
    pub(super) narrow: bool,
}

// SAFETY: a shared borrow of a slice, or of scratch that no thread writes to meanwhile.
unsafe impl<T: Sync> Sync for RightOperand<T> {}

impl<T> RightOperand<T> {
    /// The same operand without its first `rows` rows.
    pub(super) fn skip(&self, rows: usize) -> Self {
        Self { start: self.start.wrapping_offset(rows as isize * self.row), ..*self }
    }
}

/// The columns of a row whose products the kernels add up one after the other, at most.
pub(super) const BLOCK: usize = 128;

/// The most rows of a [`RowBlock`]: their addresses fit onto the stack, and there are enough to keep a panel of B busy.
pub(super) const MOST_ROWS: usize = 96;

/// The addresses of at most [`MOST_ROWS`] rows of A and of the same rows of C.
pub struct RowBlock<T> {
    a: [*const T; MOST_ROWS],
    c: [*mut T; MOST_ROWS],
    rows_of_a: usize,
    rows_of_c: usize,
}

impl<T> RowBlock<T> {
    pub(super) fn new() -> Self {
        RowBlock { a: [std::ptr::null(); MOST_ROWS], c: [std::ptr::null_mut(); MOST_ROWS], rows_of_a: 0, rows_of_c: 0 }
    }

    /// Adds rows of A at the offsets `run` from `start`.
    #[inline(always)]
    pub(super) fn add_to_a(&mut self, start: *const T, run: OffsetRun) {
        let mut place = start.wrapping_add(run.start);
        for row in &mut self.a[self.rows_of_a..][..run.count] {
            *row = place;
            place = place.wrapping_add(run.step);
        }
        self.rows_of_a += run.count;
    }

    /// Adds rows of C at the offsets `run` from `start`; in the end there are as many as of A.
    #[inline(always)]
    pub(super) fn add_to_c(&mut self, start: *mut T, run: OffsetRun) {
        let mut place = start.wrapping_add(run.start);
        for row in &mut self.c[self.rows_of_c..][..run.count] {
            *row = place;
            place = place.wrapping_add(run.step);
        }
        self.rows_of_c += run.count;
    }

    pub(super) fn clear(&mut self) {
        (self.rows_of_a, self.rows_of_c) = (0, 0);
    }

    /// The same rows of A, with results of n elements one after the other from `start` on.
    pub(super) fn with_results(&self, start: *mut T, n: usize) -> Self {
        let mut block = RowBlock { a: self.a, rows_of_a: self.rows_of_a, ..Self::new() };
        block.add_to_c(start, OffsetRun { start: 0, step: n, count: self.rows_of_c });
        block
    }

    pub(super) fn rows(&self) -> (&[*const T], &[*mut T]) {
        debug_assert_eq!(self.rows_of_a, self.rows_of_c);
        (&self.a[..self.rows_of_a], &self.c[..self.rows_of_c])
    }
}

/// The offsets of a row's elements from its start, of which `run` at a time follow each other without a gap.
pub struct ColumnOffsets {
    pub(super) offsets: Vec<usize>,
    pub(super) run: usize,
    /// The same offsets span by span, where there are several: see [`span_count`].
    pub(super) spans: Vec<ColumnOffsets>,
}

impl ColumnOffsets {
    pub(super) fn new(grid: &Grid) -> Self {
        let (offsets, run) = (grid.table(), grid.run());
        let count = span_count(offsets.len().div_ceil(BLOCK));
        let mut spans = Vec::new();
        if count > 1 {
            // Several whole runs, or parts of one.
            let most = offsets.len().div_ceil(count);
            let (runs, each) = if run < most {
                (offsets.len(), most.next_multiple_of(run))
            } else {
                (run, parts(run, 1, run.div_ceil(most)).each)
            };
            let span =
                |offsets: &[usize]| Self { offsets: offsets.into(), run: run.min(offsets.len()), spans: Vec::new() };
            spans.extend(offsets.chunks(runs).flat_map(|runs| runs.chunks(each)).map(span));
        }
        ColumnOffsets { offsets, run, spans }
    }
}

/// The values that a product is added to.
pub enum Addend<'a, T> {
    /// Zeros.
    Zero,
    /// The same row for each row of C, such as a bias.
    Row(&'a [T]),
    /// The values that C holds.
    Result,
}

impl<T> Clone for Addend<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Addend<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "element 12 of an implicit matrix does not lie within 12")]
    fn an_implicit_matrix_lies_within_its_data() {
        ImplicitMatrix::new(Samples::plain(&[0.0; 12], 6), 2, &Grid::new(0).axis(2, 3), &Grid::new(1).axis(2, 2));
    }

    #[test]
    #[should_panic(expected = "of an implicit matrix does not lie within 12")]
    fn offsets_do_not_wrap_around() {
        ImplicitMatrix::new(
            Samples::plain(&[0.0; 12], 6),
            2,
            &Grid::new(0).axis(2, 3),
            &Grid::new(0).axis(2, usize::MAX),
        );
    }
}
