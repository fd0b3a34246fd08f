//! Singular values, and what is made of them: pseudo-inverses and least squares.

use super::{for_each_matrix, matrices_in, matrix_lengths, right_hand_side, stack_of};
use crate::element::Float;
use crate::kernels::linalg::jacobi;
use crate::shape::keepdims;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The reduced singular value decomposition of each matrix: A = U diag(s) V', where U and V have orthonormal columns and s
    /// falls. Shapes: `[.., m, n]` gives U `[.., m, k]`, s `[.., k]` and V' `[.., k, n]`, with k = min(m, n). NumPy's
    /// `linalg.svd` with `full_matrices=False`.
    ///
    /// Each pair of vectors has a sign of its own, and equal singular values share a space of vectors, so they may be others than
    /// NumPy's. A matrix with NaN or infinity gives NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]);
    /// let (u, s, vt) = a.svd();
    /// assert_eq!(s, Tensor::new([3.0, 2.0]));
    /// assert!((u * &s).matmul(&vt).allclose(&a, 1e-6, 1e-6));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn svd(&self) -> (Tensor<T>, Tensor<T>, Tensor<T>) {
        let [m, n] = matrix_lengths("svd", self);
        if m < n {
            let (u, s, vt) = self.t().svd();
            return (vt.t(), s, u.t());
        }
        let stack = stack_of(self);
        let mut columns = self.t().contiguous();
        let (mut u, mut s) = (Tensor::zeros(stack.join(&[n, m])), Tensor::zeros(stack.join(&[n])));
        let mut v = Tensor::zeros(stack.join(&[n, n]));
        let matrices = matrices_in(columns.as_mut_slice(), stack.size(), n * m)
            .zip(matrices_in(u.as_mut_slice(), stack.size(), n * m))
            .zip(matrices_in(s.as_mut_slice(), stack.size(), n))
            .zip(matrices_in(v.as_mut_slice(), stack.size(), n * n));
        for_each_matrix(matrices, 20 * m * n * n, |(((x, u), s), v)| jacobi::decompose(x, m, u, s, v));
        (u.t(), s, v)
    }

    /// The pseudo-inverse of each matrix (Moore and Penrose), V diag(1/s) U', without the singular values that are as good as 0:
    /// those of at most max(m, n) times the type's precision of the largest one. Shape: `[.., m, n]` gives `[.., n, m]`. NumPy's
    /// `linalg.pinv`.
    ///
    /// A matrix with NaN or infinity gives NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[1.0, 1.0], [1.0, 1.0]]);
    /// assert!(a.pinv().allclose(&(&a / 4.0), 1e-6, 1e-6));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn pinv(&self) -> Tensor<T> {
        matrix_lengths("pinv", self);
        let [u, inverses, vt] = self.inverse_parts();
        (vt.t() * inverses.unsqueeze(-2)).matmul(&u.t())
    }

    /// The least-squares solution X of A X = B: the one for which |A X - B| is smallest, and of several such the shortest.
    /// Shapes: A `[.., m, n]` and B `[.., m, k]` give `[.., n, k]`, and stacks broadcast; a B of one axis `[m]` is a column, and
    /// so is then each X. NumPy's `linalg.lstsq`, without residuals, rank and singular values.
    ///
    /// Singular values count as 0 where [`pinv`](Tensor::pinv) says so. A matrix with NaN or infinity gives NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// // The line through (0, 1), (1, 3) and (2, 5): 1 + 2 t.
    /// let a = Tensor::new([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let line = a.lstsq(&Tensor::new([1.0, 3.0, 5.0]));
    /// assert!(line.allclose(&Tensor::new([1.0, 2.0]), 1e-5, 1e-5));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn lstsq(&self, b: &Tensor<T>) -> Tensor<T> {
        matrix_lengths("lstsq", self);
        let sides = right_hand_side("lstsq", self.shape(), b);
        let [u, inverses, vt] = self.inverse_parts();
        let x = vt.t().matmul(&(u.t().matmul(&sides) * inverses.unsqueeze(-1)));
        super::in_form_of(b, x)
    }

    /// U, 1/s with 0 for a singular value as good as 0, and V'.
    fn inverse_parts(&self) -> [Tensor<T>; 3] {
        let [m, n] = [self.shape()[self.ndim() - 2], self.shape()[self.ndim() - 1]];
        let (u, s, vt) = self.svd();
        if s.is_empty() {
            return [u, s, vt];
        }
        let smallest = s.max(keepdims(-1)) * (T::epsilon() * T::of(m.max(n) as f64));
        // NaN stays: it is not at most the smallest.
        let inverses = s.less_equal(&smallest).where_(T::ZERO, s.recip());
        [u, inverses, vt]
    }
}
