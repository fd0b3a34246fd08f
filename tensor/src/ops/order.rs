//! Order along an axis: the index of the largest element, the largest few, sorting. NaN counts as larger than every number.

use crate::element::Element;
use crate::kernels::order;
use crate::shape::{Shape, normalize_axis};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The index of the largest element along an axis, which is removed: the first of equal elements, or the first NaN if there is
    /// one. `x.flatten().argmax(0)` compares all elements.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let scores = Tensor::new([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]]);
    /// assert_eq!(scores.argmax(-1), Tensor::from([1_i64, 0]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range or has no elements.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor<i64> {
        first(
            "argmax",
            self,
            axis,
            #[inline(always)]
            |a, b| a > b,
        )
    }

    /// The index of the smallest element along an axis, which is removed: the first of equal elements, or the first NaN if there is
    /// one.
    ///
    /// # Panics
    /// If the axis is out of range or has no elements.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor<i64> {
        first(
            "argmin",
            self,
            axis,
            #[inline(always)]
            |a, b| a < b,
        )
    }

    /// The elements in ascending order along an axis; equal elements keep their order, NaN comes last.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([[3, 1, 2]]).sort(1), Tensor::from([[1, 2, 3]]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn sort(&self, axis: isize) -> Tensor<T> {
        self.gather(axis, &ordered("sort", self, axis, order::argsort))
    }

    /// The indices of the elements in ascending order along an axis: `x.gather(axis, &x.argsort(axis))` is sorted. Equal elements
    /// keep their order, NaN comes last.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([3.0, 1.0, 2.0, 1.0]).argsort(0), Tensor::from([1_i64, 3, 2, 0]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn argsort(&self, axis: isize) -> Tensor<i64> {
        ordered("argsort", self, axis, order::argsort)
    }

    /// The `k` largest elements along an axis in descending order, and their indices; equal elements keep their order.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (values, places) = Tensor::new([0.1, 0.7, 0.2]).topk(0, 2);
    /// assert_eq!(values, Tensor::new([0.7, 0.2]));
    /// assert_eq!(places, Tensor::from([1_i64, 2]));
    /// ```
    ///
    /// # Panics
    /// If the axis is out of range or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, axis: isize, k: usize) -> (Tensor<T>, Tensor<i64>) {
        let length = self.shape()[normalize_axis("topk", axis, self.shape())];
        if k > length {
            panic_topk(k, axis, self.shape());
        }
        let order = ordered("topk", self, axis, |x, length, out| order::largest_first(x, length, k, out));
        let places = order.slice(axis, ..k).contiguous();
        (self.gather(axis, &places), places)
    }
}

#[track_caller]
fn first<T: Element>(op: &str, x: &Tensor<T>, axis: isize, better: impl Fn(T, T) -> bool + Sync) -> Tensor<i64> {
    let index = normalize_axis(op, axis, x.shape());
    let length = x.shape()[index];
    if length == 0 {
        panic_nothing(op, axis, x.shape());
    }
    // The axis moves to the end, the others keep their order.
    let order: Vec<isize> =
        (0..x.ndim()).filter(|&axis| axis != index).chain([index]).map(|axis| axis as isize).collect();
    let moved = x.permute(order).contiguous();
    let elements = moved.as_slice().expect("rows were laid side by side");
    Tensor::written(x.shape().without_axis(index), |out| order::first(elements, length, out, better))
}

/// The indices along an axis in the order that `kernel` gives them.
#[track_caller]
fn ordered<T: Element>(op: &str, x: &Tensor<T>, axis: isize, kernel: impl Fn(&[T], usize, &mut [i64])) -> Tensor<i64> {
    let index = normalize_axis(op, axis, x.shape());
    let moved = x.swap_axes(index as isize, -1).contiguous();
    let elements = moved.as_slice().expect("rows were laid side by side");
    let places = Tensor::written(moved.shape().clone(), |out| kernel(elements, x.shape()[index], out));
    places.swap_axes(index as isize, -1).contiguous()
}

#[cold]
#[track_caller]
fn panic_nothing(op: &str, axis: isize, shape: &Shape) -> ! {
    panic!("{op}: axis {axis} has no elements to choose from: {shape}")
}

#[cold]
#[track_caller]
fn panic_topk(k: usize, axis: isize, shape: &Shape) -> ! {
    panic!("topk: axis {axis} does not have {k} elements: {shape}")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values of this module: NumPy 2.4.6 (the largest first: argsort of the negative, stable).

    fn x() -> Tensor {
        Tensor::new([[0.5, -1.2, 2.0, 0.1], [1.5, 0.3, -0.7, 0.4], [-0.4, 0.9, 1.1, -2.5]])
    }

    #[test]
    fn largest_and_smallest_follow_numpy() {
        assert_eq!(x().argmax(0), Tensor::from([1_i64, 2, 0, 1]));
        assert_eq!(x().argmin(0), Tensor::from([2_i64, 0, 1, 2]));
        assert_eq!(x().argmax(-1), Tensor::from([2_i64, 0, 2]));
        assert_eq!(x().argmin(1), Tensor::from([1_i64, 2, 3]));
        assert_eq!(x().flatten().argmin(0).item(), 11);
        let cube = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
        assert_eq!(cube.argmax(0), Tensor::<i64>::ones([3, 4]));
        assert_eq!(cube.argmin(1), Tensor::<i64>::zeros([2, 4]));
        assert_eq!(Tensor::new([1.0, 3.0, 3.0]).argmax(0).item(), 1);
        let with_nan = Tensor::new([1.0, f32::NAN, 3.0, f32::NAN]);
        assert_eq!((with_nan.argmax(0).item(), with_nan.argmin(0).item()), (1, 1));
    }

    #[test]
    fn sorting_follows_numpy() {
        let v = Tensor::new([3.0, 1.0, 2.0, 1.0, -5.0, 2.0, f32::INFINITY, -0.5]);
        assert_eq!(v.sort(0), Tensor::new([-5.0, -0.5, 1.0, 1.0, 2.0, 2.0, 3.0, f32::INFINITY]));
        assert_eq!(v.argsort(0).to_vec(), [4, 7, 1, 3, 2, 5, 0, 6]);
        assert_eq!(x().argsort(0), Tensor::from([[2_i64, 0, 1, 2], [0, 1, 2, 0], [1, 2, 0, 1]]));
        assert_eq!(x().sort(0).select(0, 0), Tensor::new([-0.4, -1.2, -0.7, -2.5]));
        let sorted = Tensor::new([2.0, f32::NAN, 1.0]).sort(0);
        assert!(sorted.slice(0, ..2) == Tensor::new([1.0, 2.0]) && sorted.get([2]).is_nan());
        assert_eq!(Tensor::<f32>::zeros([0, 3]).sort(0).shape(), &[0, 3]);
    }

    #[test]
    fn the_largest_few_follow_numpy() {
        let v = Tensor::new([3.0, 1.0, 2.0, 1.0, -5.0, 2.0, f32::INFINITY, -0.5]);
        let (values, places) = v.topk(0, 3);
        assert_eq!((values, places), (Tensor::new([f32::INFINITY, 3.0, 2.0]), Tensor::from([6_i64, 0, 2])));
        let (values, places) = x().topk(1, 2);
        assert_eq!(values, Tensor::new([[2.0, 0.5], [1.5, 0.4], [1.1, 0.9]]));
        assert_eq!(places, Tensor::from([[2_i64, 0], [0, 3], [2, 1]]));
        assert_eq!(x().topk(0, 0).1.shape(), &[0, 4]);
        assert_eq!(x().t().topk(0, 4).0, x().t().sort(0).flip(0));
    }

    #[test]
    #[should_panic(expected = "argmax: axis 0 has no elements to choose from: [0, 3]")]
    fn nothing_has_no_largest() {
        Tensor::<f32>::zeros([0, 3]).argmax(0);
    }

    #[test]
    #[should_panic(expected = "topk: axis -1 does not have 4 elements: [2, 3]")]
    fn more_than_there_are_is_refused() {
        Tensor::<f32>::zeros([2, 3]).topk(-1, 4);
    }
}
