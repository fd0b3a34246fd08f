//! Rows of one head.

use std::ops::Range;

use super::{View, place};
use crate::element::Float;
#[cfg(target_arch = "x86_64")]
use crate::kernels::gemm::Mat;

/// Rows of equal length, each contiguous, some step apart: the positions of one head.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    data: &'a [T],
    start: usize,
    step: isize,
    pub(super) count: usize,
    pub(super) length: usize,
}

impl<'a, T: Float> Rows<'a, T> {
    /// Some positions of a head of a sample of `[n, t, heads, d]`.
    pub(super) fn of(view: View<'a, T>, [sample, head]: [usize; 2], positions: Range<usize>) -> Self {
        let start = if positions.is_empty() { 0 } else { place(view, [sample, positions.start, head, 0]) };
        let step = view.layout.strides[1];
        Rows { data: view.data, start, step, count: positions.len(), length: view.layout.shape[3] }
    }

    pub(super) fn row(&self, i: usize) -> &'a [T] {
        if self.length == 0 {
            return &[];
        }
        &self.data[self.start.wrapping_add_signed(i as isize * self.step)..][..self.length]
    }

    /// Writes the rows one after the other.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn copy_to(&self, target: &mut [T]) {
        if self.length > 0 {
            let rows = target[..self.count * self.length].chunks_exact_mut(self.length);
            rows.enumerate().for_each(|(i, row)| row.copy_from_slice(self.row(i)));
        }
    }

    /// Some of the rows.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn part(&self, rows: Range<usize>) -> Self {
        let start = self.start.wrapping_add_signed(rows.start as isize * self.step);
        Rows { start, count: rows.len(), ..*self }
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn matrix(&self) -> Mat<'a, T> {
        Mat::new(self.data, self.start, [self.count, self.length], [self.step, 1])
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn transposed(&self) -> Mat<'a, T> {
        Mat::new(self.data, self.start, [self.length, self.count], [1, self.step])
    }
}
