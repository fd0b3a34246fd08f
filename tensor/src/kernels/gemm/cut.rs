//! Cutting a product into tasks, and the pointer through which tasks write.

use std::ops::Range;

/// Multiply-adds that are worth a task of their own: some 5 µs of work.
pub(super) const GRAIN: usize = 1 << 19;

/// The start of memory that the tasks of a product write to, each at places of its own.
pub(super) struct Origin<T>(pub(super) *mut T);

// SAFETY: every write through the pointer says why no other task writes to the same place.
unsafe impl<T: Send> Sync for Origin<T> {}

impl<T> Origin<T> {
    pub(super) fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// `0..len` cut into `count` parts of length `each`; the last part may be shorter.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) len: usize,
    pub(super) count: usize,
    pub(super) each: usize,
}

impl Parts {
    pub(super) fn range(&self, part: usize) -> Range<usize> {
        part * self.each..self.len.min((part + 1) * self.each)
    }
}

/// `0..len` cut at multiples of `unit` into at most `wanted` parts.
pub(super) fn parts(len: usize, unit: usize, wanted: usize) -> Parts {
    let each = len.div_ceil(unit).div_ceil(wanted.max(1)) * unit;
    Parts { len, count: len.div_ceil(each), each }
}

/// The least blocks of k in a span.
const LEAST_BLOCKS: usize = 16;

/// The number of spans that the sum along k is cut into, given its number of blocks (KC). The products of the blocks of a span are
/// added up one after the other, and so are the sums of spans. There are about as many spans as blocks in each, so rounding
/// errors grow with the square root of k.
pub(super) fn span_count(blocks: usize) -> usize {
    blocks.div_ceil(blocks.isqrt().max(LEAST_BLOCKS))
}
