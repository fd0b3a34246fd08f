//! Eigenvalues of symmetric matrices.

use super::{for_each_matrix, matrices_in, square_length, stack_of};
use crate::element::Float;
use crate::kernels::linalg::tridiagonal;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The eigenvalues and eigenvectors of each symmetric matrix: A = V diag(w) V', where V has orthonormal columns and w
    /// rises.
    /// Shapes: `[.., n, n]` gives w `[.., n]` and V `[.., n, n]`. NumPy's `linalg.eigh`.
    ///
    /// Only the lower triangle is read. Each vector has a sign of its own, and equal eigenvalues share a space of vectors, so
    /// they may be others than NumPy's. A matrix with NaN or infinity gives NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (w, v) = Tensor::new([[0.0, 2.0], [2.0, 3.0]]).eigh();
    /// assert!(w.allclose(&Tensor::new([-1.0, 4.0]), 1e-6, 1e-6));
    /// assert!((&v.select(1, 1) * 5_f32.sqrt()).abs().allclose(&Tensor::new([1.0, 2.0]), 1e-6, 1e-6));
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn eigh(&self) -> (Tensor<T>, Tensor<T>) {
        let n = square_length("eigh", self);
        let stack = stack_of(self);
        let mut a = self.contiguous();
        let (mut w, mut v) = (Tensor::zeros(stack.join(&[n])), Tensor::zeros(stack.join(&[n, n])));
        let matrices = matrices_in(a.as_mut_slice(), stack.size(), n * n)
            .zip(matrices_in(w.as_mut_slice(), stack.size(), n))
            .zip(matrices_in(v.as_mut_slice(), stack.size(), n * n));
        for_each_matrix(matrices, 8 * n * n * n, |((a, w), v)| tridiagonal::decompose(a, w, v));
        (w, v.t())
    }
}
