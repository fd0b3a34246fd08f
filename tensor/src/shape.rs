//! Shapes, axes, and the messages about them.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The length of each axis of a tensor, outermost first. A scalar has the empty shape `[]`.
///
/// A shape is made from an array, a slice, a vector or a single length, and dereferences to `[usize]`.
///
/// ```
/// use gradus_tensor::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.size(), 6);
/// assert_eq!(shape.to_string(), "[2, 3]");
/// ```
#[derive(PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape(copy_of_list(&self.0))
    }
}

/// A copy of a short list of numbers, one for each axis. Every op copies some, so a list that has not spilled is copied as a
/// plain value and not element by element.
#[inline]
pub(crate) fn copy_of_list<T: Copy>(list: &SmallVec<[T; 4]>) -> SmallVec<[T; 4]> {
    if list.spilled() {
        return SmallVec::from_slice(list);
    }
    // SAFETY: a list that has not spilled owns no memory, and its elements are `Copy`, so its bytes are a list of their own.
    unsafe { std::ptr::read(list) }
}

impl Shape {
    /// The number of elements: the product of the lengths, 1 for a scalar.
    #[inline]
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// The product of the lengths with 1 in place of each 0, which bounds the strides; `None` if it is more than `isize::MAX`, so
    /// that memory cannot hold so many elements.
    pub(crate) fn extent(&self) -> Option<isize> {
        self.iter().try_fold(1_isize, |extent, &length| {
            isize::try_from(length.max(1)).ok().and_then(|length| extent.checked_mul(length))
        })
    }

    /// This shape, if memory can hold so many elements.
    pub(crate) fn checked(self) -> Result<Shape, ShapeError> {
        if self.extent().is_some() { Ok(self) } else { Err(ShapeError::overflow(&self)) }
    }

    /// This shape with a new axis of `length` before `axis`.
    pub fn with_axis(&self, axis: usize, length: usize) -> Shape {
        let mut shape = self.clone();
        shape.0.insert(axis, length);
        shape
    }

    /// This shape without `axis`.
    pub fn without_axis(&self, axis: usize) -> Shape {
        let mut shape = self.clone();
        shape.0.remove(axis);
        shape
    }

    /// These axes followed by those of `other`.
    pub fn join(&self, other: &[usize]) -> Shape {
        self.iter().chain(other).copied().collect()
    }

    /// Adds an axis of `length` at the end.
    pub fn push(&mut self, length: usize) {
        self.0.push(length);
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl DerefMut for Shape {
    #[inline]
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(lengths: I) -> Self {
        Shape(lengths.into_iter().collect())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(lengths: [usize; N]) -> Self {
        Shape(SmallVec::from_slice(&lengths))
    }
}

impl From<&[usize]> for Shape {
    fn from(lengths: &[usize]) -> Self {
        Shape(SmallVec::from_slice(lengths))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(lengths: Vec<usize>) -> Self {
        Shape(SmallVec::from_vec(lengths))
    }
}

impl From<usize> for Shape {
    fn from(length: usize) -> Self {
        Shape::from([length])
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self[..] == *other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self[..] == other[..]
    }
}

/// The axes of a reduction, and whether the result keeps them with length 1.
///
/// They are made from one axis, an array of axes, or `..` for all; negative axes count from the last. [`keepdims`] takes any of
/// these.
///
/// ```
/// use gradus_tensor::{Tensor, keepdims};
/// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.sum(0), Tensor::new([4.0, 6.0]));
/// assert_eq!(x.sum(keepdims(-1)), Tensor::new([[3.0], [7.0]]));
/// assert_eq!(x.sum(..), Tensor::new(10.0));
/// ```
#[derive(Clone, Debug)]
pub struct Axes {
    chosen: Option<SmallVec<[isize; 4]>>,
    keepdims: bool,
}

/// The same axes, which the result keeps with length 1, so that it broadcasts against the input.
///
/// ```
/// use gradus_tensor::{Tensor, keepdims};
/// // Each row divided by its sum.
/// let x = Tensor::new([[1.0, 3.0], [1.0, 1.0]]);
/// assert_eq!(&x / x.sum(keepdims(1)), Tensor::new([[0.25, 0.75], [0.5, 0.5]]));
/// ```
pub fn keepdims(axes: impl Into<Axes>) -> Axes {
    Axes { keepdims: true, ..axes.into() }
}

impl Axes {
    /// Whether the result keeps the reduced axes with length 1.
    pub fn keeps_dims(&self) -> bool {
        self.keepdims
    }

    /// For each axis of a tensor of this shape, whether it is reduced.
    ///
    /// # Panics
    /// If an axis is out of range or named twice; `op` begins the message.
    #[track_caller]
    pub fn mask(&self, op: &str, shape: &Shape) -> SmallVec<[bool; 4]> {
        let Some(chosen) = &self.chosen else {
            return SmallVec::from_elem(true, shape.len());
        };
        let mut mask = SmallVec::from_elem(false, shape.len());
        for &axis in chosen {
            let index = normalize_axis(op, axis, shape);
            if mask[index] {
                panic_axis_twice(op, axis, shape);
            }
            mask[index] = true;
        }
        mask
    }
}

#[cold]
#[track_caller]
fn panic_axis_twice(op: &str, axis: isize, shape: &Shape) -> ! {
    panic!("{op}: axis {axis} is named twice: {shape}")
}

/// The index in `0..ndim` of an axis that may be negative (-1 is the last).
///
/// ```
/// use gradus_tensor::{Shape, normalize_axis};
/// assert_eq!(normalize_axis("my_op", -1, &Shape::from([2, 3, 4])), 2);
/// ```
///
/// # Panics
/// If the axis is out of range.
#[track_caller]
pub fn normalize_axis(op: &str, axis: isize, shape: &Shape) -> usize {
    let ndim = shape.len() as isize;
    if axis < -ndim || axis >= ndim {
        panic_axis(op, axis, shape);
    }
    (if axis < 0 { axis + ndim } else { axis }) as usize
}

#[cold]
#[track_caller]
fn panic_axis(op: &str, axis: isize, shape: &Shape) -> ! {
    match shape.len() as isize {
        0 => panic!("{op}: axis {axis} of a scalar, which has no axes: {shape}"),
        ndim => panic!("{op}: axis {axis} is out of range, axes are {} to {}: {shape}", -ndim, ndim - 1),
    }
}

/// A number as `isize`; one beyond its range, which no axis reaches, as the largest or smallest.
pub(crate) trait Signed: Copy {
    fn signed(self) -> isize;
}

impl Signed for i32 {
    fn signed(self) -> isize {
        self as isize
    }
}

impl Signed for isize {
    fn signed(self) -> isize {
        self
    }
}

impl Signed for usize {
    fn signed(self) -> isize {
        // By `as`, usize::MAX would be -1, the last axis or element.
        isize::try_from(self).unwrap_or(isize::MAX)
    }
}

macro_rules! axes_from {
    ($($int:ty),*) => {$(
        impl From<$int> for Axes {
            fn from(axis: $int) -> Self {
                axes_of(&[axis])
            }
        }
        impl<const N: usize> From<[$int; N]> for Axes {
            fn from(axes: [$int; N]) -> Self {
                axes_of(&axes)
            }
        }
        impl From<&[$int]> for Axes {
            fn from(axes: &[$int]) -> Self {
                axes_of(axes)
            }
        }
    )*};
}

axes_from!(i32, isize, usize);

fn axes_of<I: Signed>(axes: &[I]) -> Axes {
    Axes { chosen: Some(axes.iter().map(|axis| axis.signed()).collect()), keepdims: false }
}

impl From<std::ops::RangeFull> for Axes {
    fn from(_: std::ops::RangeFull) -> Self {
        Axes { chosen: None, keepdims: false }
    }
}

/// A shape that does not fit, found at run time: what was asked of which shapes.
///
/// One pointer wide, so that a `Result` of a tensor stays small.
///
/// ```
/// use gradus_tensor::Tensor;
/// let error = Tensor::new([1.0, 2.0, 3.0]).try_broadcast_to([2]).unwrap_err();
/// assert!(error.to_string().contains("[3]"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::box_collection)] // A thin pointer: the box around the string is the point.
pub struct ShapeError(Box<String>);

impl ShapeError {
    pub(crate) fn new(message: String) -> Self {
        ShapeError(Box::new(message))
    }

    /// The error of a size that no memory can hold; `lengths` are the lengths of the axes, of which a sum that overflows is
    /// `usize::MAX`.
    pub(crate) fn overflow(lengths: impl fmt::Debug) -> Self {
        ShapeError::new(format!("tensor size overflows: {lengths:?}"))
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

/// The shape that both broadcast to under NumPy's rule: aligned at the last axis, equal lengths or a 1.
///
/// ```
/// use gradus_tensor::{Shape, broadcast_shapes};
/// let (column, row) = (Shape::from([3, 1]), Shape::from([4]));
/// assert_eq!(broadcast_shapes(&column, &row)?, [3, 4]);
/// assert!(broadcast_shapes(&Shape::from([3]), &row).is_err());
/// # Ok::<(), gradus_tensor::ShapeError>(())
/// ```
///
/// # Errors
/// If a pair of lengths differs and neither is 1.
pub fn broadcast_shapes(a: &Shape, b: &Shape) -> Result<Shape, ShapeError> {
    if a == b {
        return Ok(a.clone());
    }
    let ndim = a.len().max(b.len());
    let length = |shape: &Shape, axis: usize| (axis + shape.len()).checked_sub(ndim).map_or(1, |axis| shape[axis]);
    (0..ndim)
        .map(|axis| match (length(a, axis), length(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect::<Option<Shape>>()
        .ok_or_else(|| ShapeError::new(format!("the shapes do not broadcast together: {a} and {b}")))
}

impl FromIterator<isize> for Axes {
    fn from_iter<I: IntoIterator<Item = isize>>(axes: I) -> Self {
        Axes { chosen: Some(axes.into_iter().collect()), keepdims: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_as_in_numpy() {
        let cases: [(&[usize], &[usize], &[usize]); 5] = [
            (&[2, 3], &[3], &[2, 3]),
            (&[4, 1, 3], &[2, 1], &[4, 2, 3]),
            (&[], &[2], &[2]),
            (&[0, 3], &[1, 3], &[0, 3]),
            (&[1], &[0], &[0]),
        ];
        for (a, b, expected) in cases {
            assert_eq!(broadcast_shapes(&a.into(), &b.into()).unwrap(), *expected);
            assert_eq!(broadcast_shapes(&b.into(), &a.into()).unwrap(), *expected);
        }
        let error = broadcast_shapes(&[2, 3].into(), &[2].into()).unwrap_err();
        assert_eq!(error.to_string(), "the shapes do not broadcast together: [2, 3] and [2]");
        assert_eq!(size_of::<ShapeError>(), size_of::<usize>());
    }

    #[test]
    #[should_panic(expected = "sum: axis 2 is out of range, axes are -2 to 1: [3, 4]")]
    fn an_axis_out_of_range_is_named() {
        normalize_axis("sum", 2, &[3, 4].into());
    }
}
