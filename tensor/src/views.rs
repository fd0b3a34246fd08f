//! Views: the same elements with other shapes and layouts. None copies, except a reshape that strides cannot describe.

use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

use crate::element::Element;
use crate::shape::{Shape, ShapeError, Signed, normalize_axis};
use crate::tensor::{Tensor, expect_shape};

/// A range of an axis, possibly with negative bounds, and a step.
///
/// A slice is made from one of Rust's ranges or a pair of bounds; [`step`] adds a step. As in NumPy, a negative bound counts from
/// the end, and a bound beyond the axis is cut to it. A negative step walks backwards from the last element of the range.
///
/// If the second of two bounds counts from the end, write a pair: Clippy takes `1..-1` for an empty range and refuses it
/// (`reversed_empty_ranges`).
///
/// ```
/// use gradus_tensor::{Tensor, step};
/// let x = Tensor::arange(0, 6, 1);
/// assert_eq!(x.slice(0, (1, -1)), Tensor::from([1, 2, 3, 4])); // x[1:-1] in NumPy
/// assert_eq!(x.slice(0, 1..3), x.slice(0, (1, 3)));
/// assert_eq!(x.slice(0, step((1, -1), 2)), Tensor::from([1, 3])); // x[1:-1:2]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    start: Option<isize>,
    end: Option<isize>,
    step: isize,
}

/// Every `step`-th element of a range. A negative step walks the elements of the range backwards, from its last.
///
/// ```
/// use gradus_tensor::{Tensor, step};
/// let x = Tensor::arange(0, 6, 1);
/// assert_eq!(x.slice(0, step(.., 2)), Tensor::from([0, 2, 4]));
/// assert_eq!(x.slice(0, step(1..4, -1)), Tensor::from([3, 2, 1]));
/// assert_eq!(x.slice(0, -2..), Tensor::from([4, 5]));
/// ```
///
/// # Panics
/// If `step` is zero.
#[track_caller]
pub fn step(range: impl IntoSlice, step: isize) -> Slice {
    assert!(step != 0, "slice: the step must not be 0");
    Slice { step, ..range.into_slice() }
}

impl Slice {
    /// The first element and the number of elements, for an axis of `length`.
    pub(crate) fn resolve(self, length: usize) -> (usize, usize) {
        let place = |bound: isize| {
            let length = length as isize;
            (if bound < 0 { bound + length } else { bound }).clamp(0, length) as usize
        };
        let start = self.start.map_or(0, place);
        let end = self.end.map_or(length, place);
        let count = end.saturating_sub(start).div_ceil(self.step.unsigned_abs());
        (if self.step > 0 || count == 0 { start } else { end - 1 }, count)
    }

    /// The step from one element to the next.
    pub(crate) fn step(self) -> isize {
        self.step
    }
}

/// What says a range of an axis: Rust's ranges, a pair of bounds, or a [`Slice`].
///
/// ```
/// use gradus_tensor::{IntoSlice, Tensor};
/// fn columns(x: &Tensor, range: impl IntoSlice) -> Tensor {
///     x.slice(1, range)
/// }
/// let x = Tensor::new([[1.0, 2.0, 3.0]]);
/// assert_eq!(columns(&x, 1..), Tensor::new([[2.0, 3.0]]));
/// assert_eq!(columns(&x, (0, -1)), Tensor::new([[1.0, 2.0]])); // Python's 0:-1
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of an axis",
    label = "give a range, such as 0..1, ..-1 or (1, -1)",
    note = "one place of an axis is taken by `select(axis, place)`"
)]
pub trait IntoSlice {
    /// The range.
    fn into_slice(self) -> Slice;
}

impl IntoSlice for Slice {
    fn into_slice(self) -> Slice {
        self
    }
}

impl IntoSlice for RangeFull {
    fn into_slice(self) -> Slice {
        Slice { start: None, end: None, step: 1 }
    }
}

macro_rules! into_slice {
    ($($int:ty),*) => {$(
        impl IntoSlice for Range<$int> {
            fn into_slice(self) -> Slice {
                Slice { start: Some(self.start.signed()), end: Some(self.end.signed()), step: 1 }
            }
        }
        impl IntoSlice for ($int, $int) {
            fn into_slice(self) -> Slice {
                (self.0..self.1).into_slice()
            }
        }
        impl IntoSlice for RangeFrom<$int> {
            fn into_slice(self) -> Slice {
                Slice { start: Some(self.start.signed()), end: None, step: 1 }
            }
        }
        impl IntoSlice for RangeTo<$int> {
            fn into_slice(self) -> Slice {
                Slice { start: None, end: Some(self.end.signed()), step: 1 }
            }
        }
    )*};
}

// A bare literal is an i32.
into_slice!(i32, isize, usize);

impl<T: Element> Tensor<T> {
    /// The same elements in row-major order with another shape.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::arange(0, 6, 1);
    /// assert_eq!(x.reshape([2, 3]), Tensor::from([[0, 1, 2], [3, 4, 5]]));
    /// ```
    ///
    /// # Panics
    /// If the sizes differ; see [`Tensor::try_reshape`].
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor<T> {
        expect_shape("reshape", self.try_reshape(shape))
    }

    /// The same elements in row-major order with another shape.
    ///
    /// # Errors
    /// If the sizes differ.
    pub fn try_reshape(&self, shape: impl Into<Shape>) -> Result<Tensor<T>, ShapeError> {
        let shape = shape.into();
        self.layout.check_reshape(&shape)?;
        Ok(match self.layout.reshape(&shape) {
            Some(layout) => self.with_layout(layout),
            None => {
                let copy = self.contiguous();
                let layout = copy.layout.reshape(&shape).expect("contiguous elements take any shape of their size");
                copy.with_layout(layout)
            }
        })
    }

    /// All elements along one axis, in row-major order.
    pub fn flatten(&self) -> Tensor<T> {
        self.reshape(self.size())
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::<f32>::zeros([2, 3, 4]);
    /// assert_eq!(x.permute([2, 0, 1]).shape(), &[4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If `order` does not name each axis once.
    #[track_caller]
    pub fn permute(&self, order: impl AsRef<[isize]>) -> Tensor<T> {
        let order = order.as_ref();
        let axes: Shape = order.iter().map(|&axis| normalize_axis("permute", axis, self.shape())).collect();
        let each_once = axes.len() == self.ndim() && (0..self.ndim()).all(|axis| axes.contains(&axis));
        if !each_once {
            panic_permute(order, self.shape());
        }
        self.with_layout(self.layout.permute(&axes))
    }

    /// The transpose: the two last axes exchanged, of a matrix or of each matrix in a stack.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Tensor<T> {
        assert!(self.ndim() >= 2, "t: a matrix is needed, two axes or more: {}", self.shape());
        self.swap_axes(-1, -2)
    }

    /// This tensor with two axes exchanged.
    ///
    /// # Panics
    /// If an axis is out of range.
    #[track_caller]
    pub fn swap_axes(&self, a: isize, b: isize) -> Tensor<T> {
        let mut order: Shape = (0..self.ndim()).collect();
        order.swap(normalize_axis("swap_axes", a, self.shape()), normalize_axis("swap_axes", b, self.shape()));
        self.with_layout(self.layout.permute(&order))
    }

    /// A range of one axis: `x.slice(0, 1..3)`, `x.slice(-1, ..-1)`, `x.slice(0, (1, -1))` for NumPy's `x[1:-1]`;
    /// [`step`] adds a step, which may be negative.
    ///
    /// ```
    /// use gradus_tensor::{Tensor, step};
    /// let x = Tensor::from([[0, 1, 2, 3], [4, 5, 6, 7]]);
    /// assert_eq!(x.slice(1, 1..3), Tensor::from([[1, 2], [5, 6]]));
    /// assert_eq!(x.slice(-1, step(.., 2)), Tensor::from([[0, 2], [4, 6]]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl IntoSlice) -> Tensor<T> {
        let axis = normalize_axis("slice", axis, self.shape());
        let range = range.into_slice();
        let (start, length) = range.resolve(self.shape()[axis]);
        self.with_layout(self.layout.slice(axis, start, range.step, length))
    }

    /// One element of an axis, which is removed. A negative index counts from the end.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(0, -1), Tensor::new([3.0, 4.0]));
    /// ```
    ///
    /// # Panics
    /// If the axis or the index is out of range.
    #[track_caller]
    pub fn select(&self, axis: isize, index: isize) -> Tensor<T> {
        let axis = normalize_axis("select", axis, self.shape());
        let length = self.shape()[axis] as isize;
        if index < -length || index >= length {
            panic_select(axis, index, self.shape());
        }
        let index = if index < 0 { index + length } else { index };
        self.with_layout(self.layout.select(axis, index as usize))
    }

    /// The elements of an axis in reverse.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2, 3]]).flip(1), Tensor::from([[3, 2, 1]]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Tensor<T> {
        self.with_layout(self.layout.flip(normalize_axis("flip", axis, self.shape())))
    }

    /// The elements repeated along new leading axes and axes of length 1, without copying.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).broadcast_to([3, 2]), Tensor::from([[1, 2], [1, 2], [1, 2]]));
    /// ```
    ///
    /// # Panics
    /// If an axis has another length than in `shape` and is not 1, or memory could not hold so many elements.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor<T> {
        expect_shape("broadcast_to", self.try_broadcast_to(shape))
    }

    /// As [`Tensor::broadcast_to`], for shapes known at run time.
    ///
    /// # Errors
    /// If an axis has another length than in `shape` and is not 1, or memory could not hold so many elements.
    pub fn try_broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor<T>, ShapeError> {
        Ok(self.with_layout(self.layout.broadcast_to(&shape.into())?))
    }

    /// This tensor without an axis of length 1.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2]]).squeeze(0), Tensor::from([1, 2]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range or longer.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor<T> {
        let index = normalize_axis("squeeze", axis, self.shape());
        if self.shape()[index] != 1 {
            panic_squeeze(axis, self.shape());
        }
        self.with_layout(self.layout.select(index, 0))
    }

    /// This tensor with a new axis of length 1 before `axis`; -1 makes it the last.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).unsqueeze(-1), Tensor::from([[1], [2]]));
    /// ```
    ///
    /// # Panics
    /// If `axis` is not in `-ndim - 1 ..= ndim`.
    #[track_caller]
    #[doc(alias("expand_dims", "newaxis"))]
    pub fn unsqueeze(&self, axis: isize) -> Tensor<T> {
        let grown = self.shape().with_axis(0, 1);
        self.with_layout(self.layout.unsqueeze(normalize_axis("unsqueeze", axis, &grown)))
    }

    /// Parts of the given lengths along an axis.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let parts = Tensor::from([1, 2, 3]).split(0, &[1, 2]);
    /// assert_eq!(parts, [Tensor::from([1]), Tensor::from([2, 3])]);
    /// ```
    ///
    /// # Panics
    /// If the lengths do not add up to the axis.
    #[track_caller]
    pub fn split(&self, axis: isize, lengths: &[usize]) -> Vec<Tensor<T>> {
        let index = normalize_axis("split", axis, self.shape());
        let sum = lengths.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length));
        if sum != Some(self.shape()[index]) {
            panic_split(axis, lengths, self.shape());
        }
        let mut start = 0;
        let part = |&length: &usize| {
            start += length;
            self.with_layout(self.layout.slice(index, start - length, 1, length))
        };
        lengths.iter().map(part).collect()
    }

    /// `count` parts along an axis, as even as possible; if the length is not a multiple of `count`, the first parts are longer by
    /// 1.
    ///
    /// # Panics
    /// If `count` is zero or the axis is out of range.
    #[track_caller]
    pub fn chunk(&self, axis: isize, count: usize) -> Vec<Tensor<T>> {
        let length = self.shape()[normalize_axis("chunk", axis, self.shape())];
        assert!(count > 0, "chunk: the number of parts must not be 0: {}", self.shape());
        let lengths: Vec<usize> = (0..count).map(|i| length / count + usize::from(i < length % count)).collect();
        self.split(axis, &lengths)
    }
}

#[cold]
#[track_caller]
fn panic_permute(order: &[isize], shape: &Shape) -> ! {
    panic!("permute: the order {order:?} must name each of the {} axes once: {shape}", shape.len())
}

#[cold]
#[track_caller]
fn panic_select(axis: usize, index: isize, shape: &Shape) -> ! {
    panic!("select: axis {axis} has no element {index}: {shape}")
}

#[cold]
#[track_caller]
fn panic_squeeze(axis: isize, shape: &Shape) -> ! {
    panic!("squeeze: axis {axis} is not of length 1: {shape}")
}

#[cold]
#[track_caller]
fn panic_split(axis: isize, lengths: &[usize], shape: &Shape) -> ! {
    panic!("split: the lengths {lengths:?} do not add up to axis {axis}: {shape}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_numpy() {
        // Python: x = np.arange(5); x[1:-1], x[-100:2], x[3:1], x[4:], x[1:4][::-1], x[::-2].
        let x = Tensor::arange(0, 5, 1);
        assert_eq!(x.slice(0, (1, -1)).to_vec(), [1, 2, 3]);
        assert_eq!(x.slice(0, -100..2).to_vec(), [0, 1]);
        assert_eq!(x.slice(0, (3, 1)).to_vec(), [0; 0]);
        assert_eq!(x.slice(0, 4..).to_vec(), [4]);
        assert_eq!(x.slice(0, step(1..4, -1)).to_vec(), [3, 2, 1]);
        assert_eq!(x.slice(0, step(.., -2)).to_vec(), [4, 2, 0]);
    }

    #[test]
    fn chunks_are_even() {
        let lengths: Vec<usize> = Tensor::arange(0, 7, 1).chunk(0, 3).iter().map(Tensor::size).collect();
        assert_eq!(lengths, [3, 2, 2]);
    }

    #[test]
    #[should_panic(expected = "reshape: 6 elements do not fill a shape of 8: [2, 3] to [2, 4]")]
    fn a_reshape_of_another_size_is_refused() {
        Tensor::<f32>::zeros([2, 3]).reshape([2, 4]);
    }
}
