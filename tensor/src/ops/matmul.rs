//! Matrix products, with stacks of matrices broadcast against each other.

use crate::element::Float;
use crate::kernels::View;
use crate::kernels::gemm::Mat;
use crate::shape::{Shape, broadcast_shapes};
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The matrix product over the two last axes; leading axes are stacks of matrices, which broadcast. A tensor of one axis is a
    /// row on the left or a column on the right, and that axis is removed from the result. NumPy's `matmul`.
    ///
    /// Shapes: `[.., m, k]` with `[.., k, n]` gives `[.., m, n]`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// let b = Tensor::new([[1.0], [10.0]]);
    /// assert_eq!(a.matmul(&b), Tensor::new([[21.0], [43.0]]));
    /// ```
    ///
    /// # Panics
    /// If the inner lengths differ, the stacks do not broadcast, or an operand is a scalar.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor<T>) -> Tensor<T> {
        if self.ndim() == 0 || other.ndim() == 0 {
            panic_matmul("a scalar has no rows or columns", self.shape(), other.shape());
        }
        if self.ndim() == 1 {
            let product = self.unsqueeze(0).matmul(other);
            return product.squeeze(if other.ndim() == 1 { 0 } else { -2 });
        }
        if other.ndim() == 1 {
            return self.matmul(&other.unsqueeze(-1)).squeeze(-1);
        }
        let (m, k) = (self.shape()[self.ndim() - 2], self.shape()[self.ndim() - 1]);
        let (inner, n) = (other.shape()[other.ndim() - 2], other.shape()[other.ndim() - 1]);
        if k != inner {
            panic_matmul(&format!("the inner lengths {k} and {inner} differ"), self.shape(), other.shape());
        }
        if other.ndim() == 2 && self.ndim() > 2 {
            // A stack times one matrix is one product of all rows.
            let leading: Shape = self.shape()[..self.ndim() - 1].into();
            let rows = leading.size();
            return self.reshape([rows, k]).matmul(other).reshape(leading.join(&[n]));
        }
        if self.ndim() == 2 && other.ndim() == 2 {
            // The common case without broadcasting, which for one row would take longer than the product.
            let (a, b) = (matrix(self.view(), 0), matrix(other.view(), 0));
            return Tensor::written([m, n].into(), |out| T::gemm(a, b, out));
        }
        let stack_a: Shape = self.shape()[..self.ndim() - 2].into();
        let stack_b: Shape = other.shape()[..other.ndim() - 2].into();
        let stack = expect_shape("matmul", broadcast_shapes(&stack_a, &stack_b));
        let a = self.broadcast_to(stack.join(&[m, k]));
        let b = other.broadcast_to(stack.join(&[k, n]));
        Tensor::written(stack.join(&[m, n]), |out| {
            T::gemm_batched(stack.size(), |i| (matrix(a.view(), i), matrix(b.view(), i)), out);
        })
    }

    /// The dot product of two tensors of one axis: the sum of their products, a scalar.
    ///
    /// # Panics
    /// If either has not exactly one axis, or the lengths differ.
    #[track_caller]
    pub fn dot(&self, other: &Tensor<T>) -> Tensor<T> {
        if self.ndim() != 1 || self.shape() != other.shape() {
            panic!(
                "dot: two tensors of one axis and the same length are needed: {} and {}",
                self.shape(),
                other.shape()
            );
        }
        (self * other).sum(..)
    }

    /// The outer product of two tensors of one axis: `[m]` and `[n]` give `[m, n]`, element `[i, j]` is a_i b_j.
    ///
    /// # Panics
    /// If either has not exactly one axis.
    #[track_caller]
    pub fn outer(&self, other: &Tensor<T>) -> Tensor<T> {
        if self.ndim() != 1 || other.ndim() != 1 {
            panic!("outer: two tensors of one axis are needed: {} and {}", self.shape(), other.shape());
        }
        self.unsqueeze(1) * other.unsqueeze(0)
    }
}

/// Matrix number `index` of a stack, counted in row-major order of the leading axes.
fn matrix<T: Float>(stack: View<'_, T>, mut index: usize) -> Mat<'_, T> {
    let (shape, strides) = (&stack.layout.shape, &stack.layout.strides);
    let axes = shape.len() - 2;
    let mut offset = stack.layout.offset;
    for axis in (0..axes).rev() {
        offset = offset.wrapping_add_signed((index % shape[axis]) as isize * strides[axis]);
        index /= shape[axis];
    }
    Mat::new(stack.data, offset, [shape[axes], shape[axes + 1]], [strides[axes], strides[axes + 1]])
}

#[cold]
#[track_caller]
fn panic_matmul(problem: &str, a: &Shape, b: &Shape) -> ! {
    panic!("matmul: {problem}: {a} and {b}")
}
