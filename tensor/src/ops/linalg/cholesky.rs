//! Square roots of positive definite matrices.

use super::{LinalgError, for_each_matrix, index_of, matrices_in, square_length, stack_of};
use crate::element::Float;
use crate::kernels::linalg::cholesky;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The Cholesky factor of each symmetric positive definite matrix: the lower triangular L with A = L L'. Shape: `[.., n, n]`,
    /// unchanged. NumPy's `linalg.cholesky`.
    ///
    /// Only the lower triangle is read.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[4.0, 2.0], [2.0, 10.0]]);
    /// assert_eq!(a.cholesky()?, Tensor::new([[2.0, 0.0], [1.0, 3.0]]));
    /// # Ok::<(), gradus_tensor::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is not positive definite, as are those with NaN or infinity.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn cholesky(&self) -> Result<Tensor<T>, LinalgError> {
        let n = square_length("cholesky", self);
        let stack = stack_of(self);
        let mut factors = self.contiguous();
        let mut results = vec![Ok(()); stack.size()];
        let matrices = matrices_in(factors.as_mut_slice(), stack.size(), n * n).zip(&mut results);
        for_each_matrix(matrices, n * n * n / 6, |(a, result)| **result = cholesky::factor(a, n));
        for (place, result) in results.into_iter().enumerate() {
            if let Err((pivot, value)) = result {
                let (index, value) = (index_of(&stack, place), value.as_f64());
                return Err(LinalgError::not_positive_definite("cholesky", self.shape(), index, pivot, value));
            }
        }
        Ok(factors)
    }
}
