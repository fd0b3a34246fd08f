//! Orthonormal bases, by Householder's reflections.

use super::{for_each_matrix, matrices_in, matrix_lengths, stack_of};
use crate::element::Float;
use crate::kernels::linalg::reflections;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The reduced QR factorization of each matrix: A = Q R, where Q has orthonormal columns and R is upper triangular. Shapes:
    /// `[.., m, n]` gives Q `[.., m, k]` and R `[.., k, n]`, with k = min(m, n). NumPy's `linalg.qr`, with the same signs.
    ///
    /// NaN and infinities give NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[3.0, 1.0], [4.0, 3.0]]);
    /// let (q, r) = a.qr();
    /// assert!(q.allclose(&Tensor::new([[-0.6, -0.8], [-0.8, 0.6]]), 1e-6, 1e-6));
    /// assert!(r.allclose(&Tensor::new([[-5.0, -3.0], [0.0, 1.0]]), 1e-6, 1e-6));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn qr(&self) -> (Tensor<T>, Tensor<T>) {
        let [m, n] = matrix_lengths("qr", self);
        let (k, stack) = (m.min(n), stack_of(self));
        let mut columns = self.t().contiguous();
        let mut q = Tensor::zeros(stack.join(&[k, m]));
        let matrices = matrices_in(columns.as_mut_slice(), stack.size(), m * n);
        let matrices = matrices.zip(matrices_in(q.as_mut_slice(), stack.size(), k * m));
        for_each_matrix(matrices, 2 * m * n * k, |(x, q)| {
            let mut taus = vec![T::ZERO; k];
            reflections::factor(x, m, &mut taus, None);
            reflections::columns_of_q(x, m, &taus, q);
        });
        (q.t(), columns.t().slice(-2, ..k).triu(0))
    }
}
