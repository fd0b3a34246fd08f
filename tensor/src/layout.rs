//! Layouts: the places of a view's elements in its buffer. A layout is a plain value that never touches data.

use smallvec::SmallVec;

use crate::shape::{Shape, ShapeError, copy_of_list};

/// The stride of each axis in elements; 0 repeats an element, a negative stride runs backwards.
pub(crate) type Strides = SmallVec<[isize; 4]>;

/// Shape, strides and offset of a view: element `[i, j, ..]` lies at `offset + i * strides[0] + j * strides[1] + ..`.
///
/// Invariants: every such place lies within the buffer that the layout was made for, and the number of elements, with 1 in place
/// of each length of 0, is at most `isize::MAX`, so no product of lengths wraps around. Layouts are made for a whole buffer
/// ([`Layout::contiguous`]) or by the functions here, each of which addresses a subset of the places of its input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub shape: Shape,
    pub strides: Strides,
    pub offset: usize,
}

impl Clone for Layout {
    #[inline]
    fn clone(&self) -> Self {
        Layout { shape: self.shape.clone(), strides: copy_of_list(&self.strides), offset: self.offset }
    }
}

impl Layout {
    /// The layout in row-major order of a whole buffer of `shape.size()` elements.
    ///
    /// # Panics
    /// If memory cannot hold so many elements: the places of a layout must not wrap around.
    #[inline]
    #[track_caller]
    pub fn contiguous(shape: Shape) -> Layout {
        if shape.extent().is_none() {
            panic_size(&shape);
        }
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        let mut step = 1;
        for axis in (0..shape.len()).rev() {
            strides[axis] = step;
            step *= shape[axis] as isize;
        }
        Layout { shape, strides, offset: 0 }
    }

    /// Whether the elements are contiguous in row-major order (strides of axes of length 1 do not matter).
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for axis in (0..self.shape.len()).rev() {
            if self.shape[axis] != 1 {
                if self.strides[axis] != step {
                    return self.shape.size() == 0;
                }
                step *= self.shape[axis] as isize;
            }
        }
        true
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]`.
    pub fn permute(&self, order: &[usize]) -> Layout {
        Layout {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        }
    }

    /// Elements `start, start + step, ..` (`length` of them) along `axis`.
    pub fn slice(&self, axis: usize, start: usize, step: isize, length: usize) -> Layout {
        let mut layout = self.clone();
        // Without elements the offset stays as it is, within the buffer.
        if length > 0 && !self.shape.contains(&0) {
            layout.offset = self.offset.wrapping_add_signed(start as isize * self.strides[axis]);
        }
        layout.shape[axis] = length;
        // A step beyond the axis reaches no second element, and a product with it might overflow.
        if length > 1 {
            layout.strides[axis] *= step;
        }
        layout
    }

    /// Element `index` of `axis`, which is removed.
    pub fn select(&self, axis: usize, index: usize) -> Layout {
        let mut layout = self.slice(axis, index, 1, 1);
        layout.shape = layout.shape.without_axis(axis);
        layout.strides.remove(axis);
        layout
    }

    /// The diagonal of two axes of one length, in place of the first; the second is removed.
    pub fn diagonal(&self, first: usize, second: usize) -> Layout {
        debug_assert!(first < second && self.shape[first] == self.shape[second]);
        let mut layout = self.clone();
        layout.shape = layout.shape.without_axis(second);
        let stride = layout.strides.remove(second);
        layout.strides[first] += stride;
        layout
    }

    /// The elements of `axis` in reverse order.
    pub fn flip(&self, axis: usize) -> Layout {
        let length = self.shape[axis];
        self.slice(axis, length.saturating_sub(1), -1, length)
    }

    /// A new axis of length 1 before `axis`.
    pub fn unsqueeze(&self, axis: usize) -> Layout {
        let mut strides = self.strides.clone();
        strides.insert(axis, 0);
        Layout { shape: self.shape.with_axis(axis, 1), strides, offset: self.offset }
    }

    /// The elements repeated along new leading axes and axes of length 1. More elements than memory can hold are an error, though
    /// none is copied: the sizes of other tensors are computed from this one's.
    pub fn broadcast_to(&self, shape: &Shape) -> Result<Layout, ShapeError> {
        let refuse = || ShapeError::new(format!("{} does not broadcast to {shape}", self.shape));
        if shape.extent().is_none() {
            return Err(ShapeError::overflow(shape));
        }
        let leading = shape.len().checked_sub(self.shape.len()).ok_or_else(refuse)?;
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        for (axis, &length) in self.shape.iter().enumerate() {
            if length == shape[leading + axis] {
                strides[leading + axis] = self.strides[axis];
            } else if length != 1 {
                return Err(refuse());
            }
        }
        Ok(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// Checks that another shape has as many elements.
    pub fn check_reshape(&self, shape: &Shape) -> Result<(), ShapeError> {
        let size = shape.extent().map(|_| shape.size());
        let found = self.shape.size();
        if size == Some(found) {
            return Ok(());
        }
        let wanted = size.map_or("more than memory can hold".to_owned(), |size| size.to_string());
        let problem = format!("{found} elements do not fill a shape of {wanted}: {} to {shape}", self.shape);
        Err(ShapeError::new(problem))
    }

    /// The same elements in the same row-major order with another shape, or `None` if no strides describe it, so that a copy is
    /// needed.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        debug_assert_eq!(self.shape.size(), shape.size());
        if self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape.clone()) });
        }
        // Old and new axes are matched in groups of equal size. The old axes of a group must be evenly spaced.
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        let old: SmallVec<[usize; 4]> = (0..self.shape.len()).filter(|&axis| self.shape[axis] != 1).collect();
        let mut next_old = 0;
        let mut next_new = 0;
        while next_old < old.len() {
            let first_old = next_old;
            let first_new = next_new;
            let mut old_size = self.shape[old[next_old]];
            next_old += 1;
            let mut new_size = 1;
            while new_size != old_size {
                if new_size < old_size {
                    new_size *= shape[next_new];
                    next_new += 1;
                } else {
                    old_size *= self.shape[old[next_old]];
                    next_old += 1;
                }
            }
            for pair in old[first_old..next_old].windows(2) {
                if self.strides[pair[0]] != self.shape[pair[1]] as isize * self.strides[pair[1]] {
                    return None;
                }
            }
            let mut step = self.strides[old[next_old - 1]];
            for axis in (first_new..next_new).rev() {
                strides[axis] = step;
                step *= shape[axis] as isize;
            }
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }
}

#[cold]
#[track_caller]
fn panic_size(shape: &Shape) -> ! {
    panic!("{}", ShapeError::overflow(shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The buffer places of all elements in row-major order, straight from the definition.
    fn places(layout: &Layout) -> Vec<usize> {
        let mut places = vec![layout.offset as isize];
        for (&length, &stride) in layout.shape.iter().zip(&layout.strides) {
            places = places.iter().flat_map(|&p| (0..length as isize).map(move |i| p + i * stride)).collect();
        }
        places.into_iter().map(|p| p as usize).collect()
    }

    #[test]
    fn views_address_what_their_definition_says() {
        let base = Layout::contiguous([2, 3].into());
        assert_eq!(places(&base), [0, 1, 2, 3, 4, 5]);
        assert_eq!(places(&base.permute(&[1, 0])), [0, 3, 1, 4, 2, 5]);
        assert_eq!(places(&base.flip(1)), [2, 1, 0, 5, 4, 3]);
        assert_eq!(places(&base.slice(1, 2, -2, 2)), [2, 0, 5, 3]);
        assert_eq!(places(&base.select(0, 1)), [3, 4, 5]);
        assert_eq!(places(&Layout::contiguous([3, 2, 3].into()).diagonal(0, 2)), [0, 3, 7, 10, 14, 17]);
        let row = base.select(0, 1).broadcast_to(&[2, 3].into()).unwrap();
        assert_eq!(places(&row), [3, 4, 5, 3, 4, 5]);
    }

    #[test]
    fn empty_views_stay_within_the_buffer() {
        let nothing = Layout::contiguous([0, 2].into());
        assert_eq!(nothing.slice(1, 1, 1, 1).offset, 0);
        assert_eq!(nothing.flip(1).select(1, 0).offset, 0);
    }

    #[test]
    fn reshape_keeps_the_order_or_declines() {
        let base = Layout::contiguous([2, 3, 4].into());
        for view in [base.clone(), base.slice(0, 1, -1, 2), base.slice(2, 0, 2, 2), base.permute(&[2, 0, 1])] {
            let size = view.shape.size();
            for shape in [Shape::from([size]), [2, size / 2].into(), [size / 2, 1, 2].into(), [size / 4, 4].into()] {
                if let Some(reshaped) = view.reshape(&shape) {
                    assert_eq!(places(&reshaped), places(&view), "{view:?} to {shape}");
                }
            }
        }
        assert!(base.permute(&[1, 0, 2]).reshape(&[24].into()).is_none());
        assert!(base.flip(0).reshape(&[2, 12].into()).is_some());
    }
}
