//! Systems with triangular matrices.

use super::{
    LinalgError, for_each_matrix, in_form_of, index_of, matrices_in, matrix_of, right_hand_side, square_length,
    stack_of,
};
use crate::element::Float;
use crate::kernels::linalg::Block;
use crate::kernels::linalg::triangular::{Diagonal, solve_lower, solve_upper};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The solution X of A X = B for triangular matrices: lower ones if `lower`, else upper ones; the other triangle is not read.
    /// Shapes: A `[.., n, n]` and B `[.., n, k]` give `[.., n, k]`, and stacks broadcast; a B of one axis `[n]` is a column, and
    /// so is then each X. Keras's and SciPy's `solve_triangular`; for the transpose, `a.t().solve_triangular(&b, !lower)`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[2.0, 0.0], [1.0, 4.0]]);
    /// assert_eq!(a.solve_triangular(&Tensor::new([2.0, 9.0]), true)?, Tensor::new([1.0, 2.0]));
    /// # Ok::<(), gradus_tensor::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular, so that an element of its diagonal is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square, or the shapes do not fit each other.
    #[track_caller]
    pub fn solve_triangular(&self, b: &Tensor<T>, lower: bool) -> Result<Tensor<T>, LinalgError> {
        let n = square_length("solve_triangular", self);
        let mut x = right_hand_side("solve_triangular", self.shape(), b);
        let of_a = stack_of(self);
        for place in 0..of_a.size() {
            let matrix = matrix_of(self, place);
            if let Some(pivot) = (0..n).find(|&i| matrix.data[matrix.block.at(i, i)] == T::ZERO) {
                let instead = "`lstsq` finds the shortest of the best solutions";
                let index = index_of(&of_a, place);
                return Err(LinalgError::singular("solve_triangular", self.shape(), index, pivot, instead));
            }
        }
        let (stack, columns) = (stack_of(&x), x.shape()[x.ndim() - 1]);
        let a = self.broadcast_to(stack.join(&[n, n]));
        let matrices = matrices_in(x.as_mut_slice(), stack.size(), n * columns).enumerate();
        for_each_matrix(matrices, n * n * columns / 2, |(place, x)| {
            let solve = if lower { solve_lower } else { solve_upper };
            solve(matrix_of(&a, *place), Diagonal::Stored, x, Block::whole(n, columns));
        });
        Ok(in_form_of(b, x))
    }
}
