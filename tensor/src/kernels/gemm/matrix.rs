//! Matrices as they lie in memory, with any strides.

use std::marker::PhantomData;

/// A borrowed matrix: element (i, j) lies at `start + i * row_stride + j * column_stride`.
///
/// Strides may be zero or negative. Invariant: every element lies within a slice that is borrowed for `'a`.
#[derive(Clone, Copy)]
pub struct Mat<'a, T> {
    pub(super) start: *const T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: isize,
    pub(super) column_stride: isize,
    data: PhantomData<&'a [T]>,
}

// SAFETY: a matrix is a shared borrow of a slice.
unsafe impl<T: Sync> Send for Mat<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Mat<'_, T> {}

impl<'a, T> Mat<'a, T> {
    /// The matrix of `shape` (rows and columns) whose first element is `data[offset]`, with `strides` from row to row and
    /// from column to column.
    ///
    /// # Panics
    ///
    /// If an element would lie outside `data`.
    pub fn new(data: &'a [T], offset: usize, shape: [usize; 2], strides: [isize; 2]) -> Self {
        if shape[0] > 0 && shape[1] > 0 {
            // Saturated, so that nothing wraps around to a place within the data.
            let (mut first, mut last) = (offset as isize, offset as isize);
            for (len, stride) in shape.into_iter().zip(strides) {
                let reach = isize::try_from(len - 1).unwrap_or(isize::MAX).saturating_mul(stride);
                if reach < 0 { first = first.saturating_add(reach) } else { last = last.saturating_add(reach) }
            }
            assert!(
                first >= 0 && last < data.len() as isize,
                "matrix of {shape:?} with strides {strides:?} from element {offset} does not lie within {} elements",
                data.len()
            );
        }
        Self {
            start: data.as_ptr().wrapping_add(offset),
            rows: shape[0],
            columns: shape[1],
            row_stride: strides[0],
            column_stride: strides[1],
            data: PhantomData,
        }
    }

    /// The address of element (i, j).
    pub(super) fn at(&self, i: usize, j: usize) -> *const T {
        self.start.wrapping_offset(i as isize * self.row_stride + j as isize * self.column_stride)
    }

    /// The part of `rows` rows and `columns` columns that begins at element (i, j).
    pub(super) fn part(&self, [i, j]: [usize; 2], [rows, columns]: [usize; 2]) -> Self {
        debug_assert!(i + rows <= self.rows && j + columns <= self.columns);
        Self { start: self.at(i, j), rows, columns, ..*self }
    }

    /// The transpose, without a copy.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "does not lie within 6 elements")]
    fn a_matrix_lies_within_its_data() {
        Mat::new(&[0.0; 6], 1, [2, 3], [3, 1]);
    }

    #[test]
    #[should_panic(expected = "does not lie within 6 elements")]
    fn a_matrix_does_not_begin_before_its_data() {
        Mat::new(&[0.0; 6], 2, [2, 3], [-3, 1]);
    }
}
