//! Larger vars from smaller ones: joined, padded, repeated.

use gradus_tensor::{Axes, Float, PadMode, Shape, Tensor, normalize_axis};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The vars one after the other along an existing axis.
    ///
    /// ```
    /// use gradus_autograd::{Tape, Var};
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var(Tensor::new([1.0])), tape.var(Tensor::new([2.0, 3.0])));
    /// let both = Var::concat(&[a.clone(), b], 0);
    /// assert_eq!(both.value(), &Tensor::new([1.0, 2.0, 3.0]));
    /// assert_eq!(tape.backward(&both.square().sum(..)).of(&a), Tensor::new([2.0]));
    /// ```
    ///
    /// # Panics
    /// If there are none, the axis is out of range, or their shapes differ along another axis.
    #[track_caller]
    pub fn concat(vars: &[Var<T>], axis: isize) -> Var<T> {
        let mut op = Op::new("concat", Tensor::concat(&values(vars), axis));
        let mut start = 0;
        for var in vars {
            let end = start + var.shape()[normalize_axis("concat", axis, var.shape())];
            op = op.input(var, move |g| g.slice(axis, start..end));
            start = end;
        }
        op.finish()
    }

    /// The vars, all of one shape, side by side along a new axis.
    ///
    /// # Panics
    /// If there are none, their shapes differ, or the axis is not in `-ndim - 1 ..= ndim`.
    #[track_caller]
    pub fn stack(vars: &[Var<T>], axis: isize) -> Var<T> {
        let mut op = Op::new("stack", Tensor::stack(&values(vars), axis));
        for (place, var) in vars.iter().enumerate() {
            op = op.input(var, move |g| g.select(axis, place as isize));
        }
        op.finish()
    }

    /// The var padded: `widths` says how many elements come before and after each axis, [`PadMode`] which ones. NumPy's
    /// `pad`.
    ///
    /// # Panics
    /// If `widths` does not name each axis, or an axis is too short: reflecting needs more elements than it adds on a
    /// side, replicating needs one.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], mode: impl Into<PadMode<T>>) -> Var<T> {
        let mode = mode.into();
        let (shape, widths) = (self.shape().clone(), widths.to_vec());
        Op::new("pad", self.value().pad(&widths, mode))
            .input(self, move |mut g| {
                for (axis, (&length, (before, after))) in shape.iter().zip(widths).enumerate() {
                    g = match mode {
                        PadMode::Constant(_) => g.slice(axis as isize, before..before + length),
                        PadMode::Reflect => fold(g, axis, length, (before, after), PadMode::Reflect),
                        PadMode::Replicate => fold(g, axis, length, (before, after), PadMode::Replicate),
                    };
                }
                g
            })
            .finish()
    }

    /// Every element repeated `count` times in a row along an axis: `1 2` becomes `1 1 2 2`.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn repeat(&self, count: usize, axis: isize) -> Var<T> {
        let after = normalize_axis("repeat", axis, self.shape()) + 1;
        let apart = self.shape().with_axis(after, count);
        Op::new("repeat", self.value().repeat(count, axis)).input(self, move |g| g.reshape(apart).sum(after)).finish()
    }

    /// The whole var repeated along each axis: `1 2` twice becomes `1 2 1 2`. Where there are more counts than axes, or
    /// the reverse, axes of length 1 or counts of 1 are put in front, as in NumPy.
    pub fn tile(&self, counts: &[usize]) -> Var<T> {
        let before = self.shape().clone();
        let ndim = before.len().max(counts.len());
        let in_front = |shape: &[usize]| -> Vec<usize> {
            std::iter::repeat_n(1, ndim - shape.len()).chain(shape.iter().copied()).collect()
        };
        // Each axis gets a new axis before it, which counts its copies.
        let copies: Shape = in_front(counts).into_iter().zip(in_front(&before)).flat_map(<[usize; 2]>::from).collect();
        let counted: Axes = (0..ndim as isize).map(|axis| 2 * axis).collect();
        Op::new("tile", self.value().tile(counts))
            .input(self, move |g| g.reshape(copies).sum(counted).reshape(before))
            .finish()
    }
}

/// The gradient of an axis with that of each padded place added to the place that it copies.
fn fold<T: Float>(g: Tensor<T>, axis: usize, length: usize, widths: (usize, usize), mode: PadMode<i64>) -> Tensor<T> {
    let sources = Tensor::arange(0, length as i64, 1).pad(&[widths], mode);
    let mut shape = g.shape().clone();
    shape[axis] = length;
    let mut inside = Tensor::zeros(shape);
    inside.index_add_assign(axis as isize, &sources, &g);
    inside
}

fn values<T: Float>(vars: &[Var<T>]) -> Vec<Tensor<T>> {
    vars.iter().map(|var| var.value().clone()).collect()
}
