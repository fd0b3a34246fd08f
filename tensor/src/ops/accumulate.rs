//! Sums into a part of a tensor, of which the gradients of views and selections consist.

use crate::element::Number;
use crate::kernels::View;
use crate::kernels::accumulate::accumulate;
use crate::layout::Layout;
use crate::shape::normalize_axis;
use crate::tensor::Tensor;
use crate::views::IntoSlice;

impl<T: Number> Tensor<T> {
    /// Adds `values`, broadcast, to the elements of a [`slice`](Tensor::slice), in place if no other tensor shares the memory.
    ///
    /// ```
    /// use gradus_tensor::{Tensor, step};
    /// let mut x = Tensor::new([1.0, 1.0, 1.0, 1.0]);
    /// x.slice_add_assign(0, step(.., -2), &Tensor::new([10.0, 20.0]));
    /// assert_eq!(x, Tensor::new([1.0, 21.0, 1.0, 11.0]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range, or `values` does not broadcast to the slice.
    #[track_caller]
    pub fn slice_add_assign(&mut self, axis: isize, range: impl IntoSlice, values: &Tensor<T>) {
        let axis = normalize_axis("slice_add_assign", axis, self.shape());
        let range = range.into_slice();
        let (start, length) = range.resolve(self.shape()[axis]);
        let part = Layout::contiguous(self.shape().clone()).slice(axis, start, range.step(), length);
        let layout = values.broadcast_layout("slice_add_assign", &part.shape);
        accumulate(View { data: &values.buffer, layout: &layout }, self.as_mut_slice(), &part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step;

    #[test]
    fn only_the_slice_changes() {
        // By hand, as NumPy's x[:, 1:5:2] += [[1, 2], [3, 4]] and x[1:] += 10.
        let mut x = Tensor::<f64>::zeros([2, 5]);
        x.slice_add_assign(1, step(1..5, 2), &Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        x.slice_add_assign(0, 1.., &Tensor::scalar(10.0));
        assert_eq!(x, Tensor::from([[0.0, 1.0, 0.0, 2.0, 0.0], [10.0, 13.0, 10.0, 14.0, 10.0]]));
        x.slice_add_assign(1, 3..3, &Tensor::zeros([2, 0]));
        assert_eq!(x.sum(..).item(), 60.0);
    }

    #[test]
    fn large_parts_are_shared_among_threads() {
        let mut x = Tensor::<f32>::zeros([1000, 100]);
        let seen = x.clone();
        x.slice_add_assign(0, step(.., 3), &Tensor::arange(0.0, 334.0, 1.0).unsqueeze(1));
        assert_eq!(x.slice(0, step(.., 3)).sum(1).to_vec(), Tensor::arange(0.0, 33400.0, 100.0).to_vec());
        assert_eq!(x.sum(..).item(), 100.0 * 334.0 * 333.0 / 2.0);
        assert_eq!(seen, Tensor::zeros([1000, 100]));
    }

    #[test]
    #[should_panic(expected = "slice_add_assign: [3] does not broadcast to [2]")]
    fn values_of_another_shape_are_refused() {
        Tensor::new([1.0, 2.0, 3.0]).slice_add_assign(0, 1.., &Tensor::new([1.0; 3]));
    }
}
