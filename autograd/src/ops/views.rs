//! Views: gradients go back through the inverse view.

use gradus_tensor::{Float, Shape};

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

    /// Without an axis of length 1.
    ///
    /// # Panics
    /// If the axis is out of range or longer.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Var<T> {
        let before = self.shape().clone();
        Op::new("squeeze", self.value().squeeze(axis)).input(self, move |g| g.reshape(before)).finish()
    }

    /// With a new axis of length 1 before `axis`; -1 puts it last.
    ///
    /// # Panics
    /// If `axis` is not in `-ndim - 1 ..= ndim`.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Var<T> {
        let before = self.shape().clone();
        Op::new("unsqueeze", self.value().unsqueeze(axis)).input(self, move |g| g.reshape(before)).finish()
    }
}
