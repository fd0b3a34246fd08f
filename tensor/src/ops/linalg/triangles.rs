//! The lower and the upper triangle.

use super::matrix_lengths;
use crate::element::Number;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// The lower triangle of each matrix, 0 above diagonal number `k`: 0 is the main one, 1 the one above it. NumPy's `tril`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.tril(0), Tensor::new([[1.0, 0.0], [3.0, 4.0]]));
    /// assert_eq!(a.tril(-1), Tensor::new([[0.0, 0.0], [3.0, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Tensor<T> {
        self.places("tril", |distance| distance.less_equal(k as i64))
    }

    /// The upper triangle of each matrix, 0 below diagonal number `k`: 0 is the main one, 1 the one above it. NumPy's `triu`.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Tensor<T> {
        self.places("triu", |distance| distance.greater_equal(k as i64))
    }

    /// The elements whose distance from the main diagonal, column less row, fits; else 0.
    #[track_caller]
    fn places(&self, op: &str, fits: impl Fn(Tensor<i64>) -> Tensor<bool>) -> Tensor<T> {
        let [rows, columns] = matrix_lengths(op, self);
        let numbers = |count: usize| Tensor::arange(0, count as i64, 1);
        let distance = numbers(columns).unsqueeze(0) - numbers(rows).unsqueeze(1);
        fits(distance).where_(self, T::ZERO)
    }
}
