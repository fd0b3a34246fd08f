//! Larger tensors from smaller ones: joining, padding, repeating.

use std::ops::Range;

use crate::element::Element;
use crate::kernels::paste::paste;
use crate::layout::Layout;
use crate::shape::{Shape, ShapeError, normalize_axis};
use crate::tensor::{Tensor, expect_shape};

/// The values that [`Tensor::pad`] adds. A number becomes [`PadMode::Constant`].
///
/// ```
/// use gradus_tensor::{PadMode, Tensor};
/// let x = Tensor::new([1.0, 2.0, 3.0]);
/// assert_eq!(x.pad(&[(1, 2)], 0.0), Tensor::new([0.0, 1.0, 2.0, 3.0, 0.0, 0.0]));
/// assert_eq!(x.pad(&[(1, 2)], PadMode::Reflect), Tensor::new([2.0, 1.0, 2.0, 3.0, 2.0, 1.0]));
/// assert_eq!(x.pad(&[(1, 2)], PadMode::Replicate), Tensor::new([1.0, 1.0, 2.0, 3.0, 3.0, 3.0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadMode<T> {
    /// The same value everywhere.
    Constant(T),
    /// The elements mirrored at the edge, which is not repeated: `3 2 [1 2 3] 2 1`.
    Reflect,
    /// The element at the edge: `1 1 [1 2 3] 3 3`. NumPy calls it "edge".
    Replicate,
}

impl<T: Element> From<T> for PadMode<T> {
    fn from(value: T) -> Self {
        PadMode::Constant(value)
    }
}

impl<T: Element> Tensor<T> {
    /// The tensors joined along an existing axis.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::new([[1.0, 2.0]]), Tensor::new([[3.0, 4.0], [5.0, 6.0]]));
    /// assert_eq!(Tensor::concat(&[a, b], 0), Tensor::new([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are none, the axis is out of range, or their shapes differ along another axis.
    #[track_caller]
    #[doc(alias("concatenate", "cat"))]
    pub fn concat(tensors: &[Tensor<T>], axis: isize) -> Tensor<T> {
        let Some(first) = tensors.first() else {
            panic_nothing("concat");
        };
        let index = normalize_axis("concat", axis, first.shape());
        let mut shape = first.shape().clone();
        for tensor in &tensors[1..] {
            let joins = tensor.ndim() == shape.len()
                && (0..shape.len()).all(|axis| axis == index || tensor.shape()[axis] == shape[axis]);
            if !joins {
                panic_join("concat", &format!("the shapes differ along another axis than {axis}"), tensors);
            }
            shape[index] = expect_size("concat", shape[index].checked_add(tensor.shape()[index]), &shape);
        }
        Tensor::written(shape.clone(), |out| {
            let whole = Layout::contiguous(shape);
            let mut start = 0;
            for tensor in tensors {
                let length = tensor.shape()[index];
                paste(tensor.view(), out, &whole.slice(index, start, 1, length));
                start += length;
            }
        })
    }

    /// The tensors, all of one shape, joined along a new axis.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (a, b) = (Tensor::new([1.0, 2.0]), Tensor::new([3.0, 4.0]));
    /// assert_eq!(Tensor::stack(&[a, b], -1), Tensor::new([[1.0, 3.0], [2.0, 4.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are none, their shapes differ, or the axis is not in `-ndim - 1 ..= ndim`.
    #[track_caller]
    pub fn stack(tensors: &[Tensor<T>], axis: isize) -> Tensor<T> {
        let Some(first) = tensors.first() else {
            panic_nothing("stack");
        };
        if tensors.iter().any(|tensor| tensor.shape() != first.shape()) {
            panic_join("stack", "the shapes differ", tensors);
        }
        let index = normalize_axis("stack", axis, &first.shape().with_axis(0, 1));
        let shape = first.shape().with_axis(index, tensors.len());
        Tensor::written(shape.clone(), |out| {
            let whole = Layout::contiguous(shape);
            for (place, tensor) in tensors.iter().enumerate() {
                paste(tensor.view(), out, &whole.select(index, place));
            }
        })
    }

    /// This tensor with `widths` elements before and after each axis: a constant, or copies of its own elements by [`PadMode`].
    ///
    /// ```
    /// use gradus_tensor::{PadMode, Tensor};
    /// let x = Tensor::new([1.0, 2.0, 3.0]);
    /// assert_eq!(x.pad(&[(1, 2)], 0.0), Tensor::new([0.0, 1.0, 2.0, 3.0, 0.0, 0.0]));
    /// assert_eq!(x.pad(&[(2, 0)], PadMode::Reflect), Tensor::new([3.0, 2.0, 1.0, 2.0, 3.0]));
    /// ```
    ///
    /// # Panics
    /// If `widths` does not name each axis, or an axis is too short: reflecting needs more elements than it adds on a
    /// side, replicating needs one.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], mode: impl Into<PadMode<T>>) -> Tensor<T> {
        if widths.len() != self.ndim() {
            panic_widths(widths, self.shape());
        }
        if widths.iter().all(|&width| width == (0, 0)) {
            return self.clone();
        }
        let mode = mode.into();
        let PadMode::Constant(value) = mode else {
            return self.pad_from_within(widths, mode == PadMode::Reflect);
        };
        let padded = |(&length, &(a, b)): (&usize, &(usize, usize))| a.saturating_add(length).saturating_add(b);
        let shape: Shape = self.shape().iter().zip(widths).map(padded).collect();
        Tensor::written(shape.clone(), |out| {
            let mut inside = Layout::contiguous(shape);
            for (axis, &(before, _)) in widths.iter().enumerate() {
                inside = inside.slice(axis, before, 1, self.shape()[axis]);
            }
            out.fill(value);
            paste(self.view(), out, &inside);
        })
    }

    /// This tensor padded with copies of its own elements.
    #[track_caller]
    fn pad_from_within(&self, widths: &[(usize, usize)], reflect: bool) -> Tensor<T> {
        let mut padded = self.clone();
        for (axis, &(before, after)) in widths.iter().enumerate() {
            if (before, after) == (0, 0) {
                continue;
            }
            let length = self.shape()[axis];
            let shortest = if reflect { before.max(after).saturating_add(1) } else { 1 };
            if length < shortest {
                panic_too_short(axis, shortest, self.shape());
            }
            let axis = axis as isize;
            let [first, last] = if reflect {
                let mirrored = |places: Range<usize>| padded.slice(axis, places).flip(axis);
                [mirrored(1..before + 1), mirrored(length - 1 - after..length - 1)]
            } else {
                let repeated = |place: usize, count| padded.slice(axis, place..place + 1).repeat(count, axis);
                [repeated(0, before), repeated(length - 1, after)]
            };
            padded = Tensor::concat(&[first, padded, last], axis);
        }
        padded
    }

    /// Each element repeated `count` times along an axis: `1 2` becomes `1 1 2 2`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([[1.0, 2.0]]).repeat(2, 1), Tensor::new([[1.0, 1.0, 2.0, 2.0]]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn repeat(&self, count: usize, axis: isize) -> Tensor<T> {
        let axis = normalize_axis("repeat", axis, self.shape());
        let mut shape = self.shape().clone();
        shape[axis] = expect_size("repeat", shape[axis].checked_mul(count), &[self.shape()[axis], count]);
        let each = self.unsqueeze(axis as isize + 1);
        each.broadcast_to(self.shape().with_axis(axis + 1, count)).reshape(shape)
    }

    /// The whole tensor repeated along each axis: `1 2` twice becomes `1 2 1 2`. As in NumPy, missing axes count as leading axes of
    /// length 1, and missing counts as leading counts of 1.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([1.0, 2.0]);
    /// assert_eq!(x.tile(&[2, 2]), Tensor::new([[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]));
    /// ```
    #[track_caller]
    pub fn tile(&self, counts: &[usize]) -> Tensor<T> {
        let ndim = self.ndim().max(counts.len());
        let in_front =
            |shape: &[usize]| std::iter::repeat_n(1, ndim - shape.len()).chain(shape.iter().copied()).collect();
        let (lengths, counts): (Shape, Shape) = (in_front(self.shape()), in_front(counts));
        // Each axis gets a new axis before it for its copies.
        let apart: Shape = lengths.iter().flat_map(|&length| [1, length]).collect();
        let copies: Shape = counts.iter().zip(lengths.iter()).flat_map(|(&count, &length)| [count, length]).collect();
        // The copies first: they are refused where the products below would overflow.
        let copied = expect_shape("tile", self.reshape(apart).try_broadcast_to(copies));
        let together: Shape = counts.iter().zip(lengths.iter()).map(|(&count, &length)| count * length).collect();
        copied.reshape(together)
    }
}

/// The size of an axis, if it has not overflowed; `lengths` are what it is made of.
#[track_caller]
fn expect_size(op: &str, size: Option<usize>, lengths: &[usize]) -> usize {
    expect_shape(op, size.ok_or_else(|| ShapeError::overflow(lengths)))
}

#[cold]
#[track_caller]
fn panic_nothing(op: &str) -> ! {
    panic!("{op}: there are no tensors to join")
}

#[cold]
#[track_caller]
fn panic_join<T: Element>(op: &str, problem: &str, tensors: &[Tensor<T>]) -> ! {
    let shapes: Vec<String> = tensors.iter().map(|tensor| tensor.shape().to_string()).collect();
    panic!("{op}: {problem}: {}", shapes.join(", "))
}

#[cold]
#[track_caller]
fn panic_widths(widths: &[(usize, usize)], shape: &Shape) -> ! {
    panic!("pad: {} pairs of widths for {} axes: {widths:?} for {shape}", widths.len(), shape.len())
}

#[cold]
#[track_caller]
fn panic_too_short(axis: usize, shortest: usize, shape: &Shape) -> ! {
    panic!("pad: axis {axis} needs {shortest} elements or more to be continued that far: {shape}")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values of this module: NumPy 2.4.6.

    #[test]
    fn tensors_join_along_old_and_new_axes() {
        let b = Tensor::arange(0, 6, 1).reshape([2, 3]);
        let both = [b.clone(), &b + 10];
        assert_eq!(Tensor::concat(&both, 0), Tensor::from([[0, 1, 2], [3, 4, 5], [10, 11, 12], [13, 14, 15]]));
        assert_eq!(Tensor::concat(&both, -1), Tensor::from([[0, 1, 2, 10, 11, 12], [3, 4, 5, 13, 14, 15]]));
        assert_eq!(Tensor::stack(&both, 1), Tensor::from([[[0, 1, 2], [10, 11, 12]], [[3, 4, 5], [13, 14, 15]]]));
        assert_eq!(Tensor::stack(&both, -1), Tensor::from([[[0, 10], [1, 11], [2, 12]], [[3, 13], [4, 14], [5, 15]]]));
        assert_eq!(Tensor::concat(&[b.t(), b.t().slice(0, 0..0)], 0), b.t());
        assert_eq!(Tensor::stack(&[Tensor::scalar(1), Tensor::scalar(2)], 0), Tensor::from([1, 2]));
    }

    #[test]
    fn padding_follows_numpy() {
        let a = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(
            a.pad(&[(0, 1), (2, 0)], 9.0),
            Tensor::new([[9.0, 9.0, 1.0, 2.0, 3.0], [9.0, 9.0, 4.0, 5.0, 6.0], [9.0; 5]])
        );
        let widths = [(1, 1), (2, 1)];
        let reflected = [[6.0, 5.0, 4.0, 5.0, 6.0, 5.0], [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]];
        let expected = Tensor::new([reflected[0], reflected[1], reflected[0], reflected[1]]);
        assert_eq!(a.pad(&widths, PadMode::Reflect), expected);
        let replicated = [[1.0, 1.0, 1.0, 2.0, 3.0, 3.0], [4.0, 4.0, 4.0, 5.0, 6.0, 6.0]];
        let expected = Tensor::new([replicated[0], replicated[0], replicated[1], replicated[1]]);
        assert_eq!(a.pad(&widths, PadMode::Replicate), expected);
        let line = Tensor::from([1, 2, 3, 4]);
        assert_eq!(line.pad(&[(3, 2)], PadMode::Reflect).to_vec(), [4, 3, 2, 1, 2, 3, 4, 3, 2]);
        assert_eq!(Tensor::<f32>::zeros([0, 2]).pad(&[(1, 0), (0, 0)], 5.0), Tensor::new([[5.0, 5.0]]));
    }

    #[test]
    fn repeats_and_tiles_follow_numpy() {
        let b = Tensor::arange(0, 6, 1).reshape([2, 3]);
        assert_eq!(b.repeat(2, 1), Tensor::from([[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]));
        let row = [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]];
        assert_eq!(b.tile(&[2, 2]), Tensor::from([row[0], row[1], row[0], row[1]]));
        assert_eq!(b.tile(&[2]), Tensor::from(row));
        assert_eq!(b.tile(&[2, 1, 1]).shape(), &[2, 2, 3]);
        assert_eq!(b.repeat(0, 0).shape(), &[0, 3]);
    }

    #[test]
    #[should_panic(expected = "concat: the shapes differ along another axis than 0: [2, 3], [2, 2]")]
    fn shapes_that_do_not_join_are_named() {
        Tensor::concat(&[Tensor::<f32>::zeros([2, 3]), Tensor::zeros([2, 2])], 0);
    }

    #[test]
    #[should_panic(expected = "pad: axis 0 needs 4 elements or more to be continued that far: [3]")]
    fn reflections_beyond_the_far_end_are_refused() {
        Tensor::new([1.0, 2.0, 3.0]).pad(&[(3, 0)], PadMode::Reflect);
    }

    #[test]
    #[should_panic(expected = "tensor size overflows")]
    fn padding_beyond_all_memory() {
        Tensor::<f32>::ones([2, 2]).pad(&[(usize::MAX, 1), (0, 0)], 0.0);
    }
}
