//! Views: gradients go back through the inverse view.

use gradus_tensor::{Float, IntoSlice, Shape, normalize_axis};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The same elements under another shape.
    ///
    /// # Panics
    /// If the sizes differ.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Var<T> {
        let before = self.shape().clone();
        Op::new("reshape", self.value().reshape(shape)).input(self, move |g| g.reshape(before)).finish()
    }

    /// The var without an axis of length 1.
    ///
    /// # Panics
    /// If the axis is out of range or longer.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Var<T> {
        let before = self.shape().clone();
        Op::new("squeeze", self.value().squeeze(axis)).input(self, move |g| g.reshape(before)).finish()
    }

    /// The var with a new axis of length 1 before `axis`; -1 puts it last.
    ///
    /// # Panics
    /// If `axis` is not in `-ndim - 1 ..= ndim`.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Var<T> {
        let before = self.shape().clone();
        Op::new("unsqueeze", self.value().unsqueeze(axis)).input(self, move |g| g.reshape(before)).finish()
    }

    /// All elements along one axis, in row-major order.
    pub fn flatten(&self) -> Var<T> {
        self.reshape(self.value().size())
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this var.
    ///
    /// # Panics
    /// If `order` does not name each axis once.
    #[track_caller]
    pub fn permute(&self, order: impl AsRef<[isize]>) -> Var<T> {
        let value = self.value().permute(order.as_ref());
        let mut back = vec![0; order.as_ref().len()];
        for (axis, &from) in order.as_ref().iter().enumerate() {
            back[normalize_axis("permute", from, self.shape())] = axis as isize;
        }
        Op::new("permute", value).input(self, move |g| g.permute(back)).finish()
    }

    /// The two last axes exchanged: the transpose of a matrix, or of each matrix in a stack.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Var<T> {
        Op::new("t", self.value().t()).input(self, |g| g.t()).finish()
    }

    /// The two axes exchanged.
    ///
    /// # Panics
    /// If an axis is out of range.
    #[track_caller]
    pub fn swap_axes(&self, a: isize, b: isize) -> Var<T> {
        Op::new("swap_axes", self.value().swap_axes(a, b)).input(self, move |g| g.swap_axes(a, b)).finish()
    }

    /// A range of one axis: `x.slice(0, 1..3)`, `x.slice(-1, ..-1)`, `x.slice(0, (1, -1))`;
    /// [`step`](gradus_tensor::step) takes every n-th element, or goes backwards.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl IntoSlice) -> Var<T> {
        let range = range.into_slice();
        Op::new("slice", self.value().slice(axis, range))
            .input_part(self, move |g, sum| sum.slice_add_assign(axis, range, &g))
            .finish()
    }

    /// The elements at one index of an axis, which is removed. A negative index counts from the end.
    ///
    /// # Panics
    /// If the axis or the index is out of range.
    #[track_caller]
    pub fn select(&self, axis: isize, index: isize) -> Var<T> {
        let value = self.value().select(axis, index);
        let axis = normalize_axis("select", axis, self.shape());
        let first = index.rem_euclid(self.shape()[axis] as isize);
        let axis = axis as isize;
        Op::new("select", value)
            .input_part(self, move |g, sum| sum.slice_add_assign(axis, first..first + 1, &g.unsqueeze(axis)))
            .finish()
    }

    /// The elements of an axis in reverse.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Var<T> {
        Op::new("flip", self.value().flip(axis)).input(self, move |g| g.flip(axis)).finish()
    }

    /// The elements repeated along new leading axes and axes of length 1, without copying.
    ///
    /// # Panics
    /// If an axis has another length than in `shape` and is not 1.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Var<T> {
        Op::new("broadcast_to", self.value().broadcast_to(shape)).input(self, |g| g).finish()
    }

    /// Parts of the given lengths along an axis.
    ///
    /// # Panics
    /// If the lengths do not add up to the axis.
    #[track_caller]
    pub fn split(&self, axis: isize, lengths: &[usize]) -> Vec<Var<T>> {
        let mut start = 0;
        let parts = self.value().split(axis, lengths).into_iter().zip(lengths);
        parts
            .map(|(part, length)| {
                let range = start..start + length;
                start += length;
                Op::new("split", part).input_part(self, move |g, sum| sum.slice_add_assign(axis, range, &g)).finish()
            })
            .collect()
    }

    /// `count` parts along an axis, as even as possible; the first ones are longer by one where it does not divide.
    ///
    /// # Panics
    /// If `count` is zero or the axis is out of range.
    #[track_caller]
    pub fn chunk(&self, axis: isize, count: usize) -> Vec<Var<T>> {
        let index = normalize_axis("chunk", axis, self.shape());
        let lengths: Vec<usize> = self.value().chunk(axis, count).iter().map(|part| part.shape()[index]).collect();
        self.split(axis, &lengths)
    }
}
