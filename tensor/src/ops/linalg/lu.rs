//! Systems of linear equations, inverses and determinants, by the factorization P A = L U.

use super::{
    LinalgError, for_each_matrix, in_form_of, index_of, matrices_in, matrix_of, right_hand_side, square_length,
    stack_of,
};
use crate::element::Float;
use crate::kernels::linalg::lu;
use crate::ops::elements;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The factorization P A = L U of square matrices: several systems with one matrix need it once. SciPy's `lu_factor`.
///
/// Every square matrix has one; if a pivot is 0, the matrix is singular and solves nothing.
///
/// ```
/// use gradus_tensor::Tensor;
/// let lu = Tensor::new([[2.0, 1.0], [4.0, 0.0]]).lu();
/// assert_eq!(lu.solve(&Tensor::new([3.0, 4.0]))?, Tensor::new([1.0, 1.0]));
/// assert_eq!(lu.determinant(), Tensor::new(-4.0));
/// # Ok::<(), gradus_tensor::LinalgError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lu<T: Float = f32> {
    /// L below the diagonal and U, `[.., n, n]`.
    factors: Tensor<T>,
    /// At step k rows k and `swaps[.., k]` changed places, `[.., 1, n]`.
    swaps: Tensor<i64>,
    /// The first pivot that is 0, with the index of its matrix.
    singular: Option<(Shape, usize)>,
}

impl<T: Float> Tensor<T> {
    /// The factorization P A = L U of each matrix, with partial pivoting. Shape: `[.., n, n]`.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[doc(alias = "lu_factor")]
    #[track_caller]
    pub fn lu(&self) -> Lu<T> {
        let n = square_length("lu", self);
        let stack = stack_of(self);
        let mut factors = self.contiguous();
        let mut swaps = Tensor::zeros(stack.join(&[1, n]));
        let matrices = matrices_in(factors.as_mut_slice(), stack.size(), n * n);
        let matrices = matrices.zip(matrices_in(swaps.as_mut_slice(), stack.size(), n));
        for_each_matrix(matrices, n * n * n / 3, |(a, swaps)| lu::factor(a, swaps));
        let is_zero = |place: usize| elements(&factors)[place / n * n * n + place % n * (n + 1)] == T::ZERO;
        let singular =
            (0..stack.size() * n).find(|&place| is_zero(place)).map(|place| (index_of(&stack, place / n), place % n));
        Lu { factors, swaps, singular }
    }

    /// The solution X of A X = B. Shapes: A `[.., n, n]` and B `[.., n, k]` give `[.., n, k]`, and stacks broadcast; a B of one
    /// axis `[n]` is a column, and so is then each X. NumPy's `linalg.solve`.
    ///
    /// NaN in a matrix gives NaN in its solution. [`lu`](Tensor::lu) solves several systems with one factorization,
    /// [`lstsq`](Tensor::lstsq) those of matrices that are singular or not square.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[2.0, 1.0], [4.0, 0.0]]);
    /// assert_eq!(a.solve(&Tensor::new([3.0, 4.0]))?, Tensor::new([1.0, 1.0]));
    /// # Ok::<(), gradus_tensor::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square, or the shapes do not fit each other.
    #[track_caller]
    pub fn solve(&self, b: &Tensor<T>) -> Result<Tensor<T>, LinalgError> {
        square_length("solve", self);
        // Before the work.
        right_hand_side("solve", self.shape(), b);
        self.lu().solve(b)
    }

    /// The inverse of each matrix. Shape: `[.., n, n]`, unchanged. NumPy's `linalg.inv`.
    ///
    /// To multiply with an inverse, [`solve`](Tensor::solve): it takes a third of the time and is more exact.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let a = Tensor::new([[2.0, 0.0], [1.0, 4.0]]);
    /// assert_eq!(a.inverse()?, Tensor::new([[0.5, 0.0], [-0.125, 0.25]]));
    /// # Ok::<(), gradus_tensor::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[doc(alias = "inv")]
    #[track_caller]
    pub fn inverse(&self) -> Result<Tensor<T>, LinalgError> {
        square_length("inverse", self);
        self.lu().inverse()
    }

    /// The determinant of each matrix: 0 of a singular one, 1 of one without rows. Shape: `[.., n, n]` gives `[..]`. NumPy's
    /// `linalg.det`.
    ///
    /// Only a result that is itself out of range overflows or underflows; [`slogdet`](Tensor::slogdet) has its logarithm.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::new([[2.0, 1.0], [4.0, 0.0]]).determinant(), Tensor::new(-4.0));
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square.
    #[doc(alias = "det")]
    #[track_caller]
    pub fn determinant(&self) -> Tensor<T> {
        square_length("determinant", self);
        self.lu().determinant()
    }

    /// The sign of each determinant, and the natural logarithm of its magnitude: `sign * logabsdet.exp()` is the determinant.
    /// Shape: `[.., n, n]` gives `[..]` twice. NumPy's `linalg.slogdet`.
    ///
    /// For a singular matrix they are 0 and -inf.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let (sign, logabsdet) = (Tensor::eye(100) * -0.001).slogdet();
    /// assert_eq!(sign, Tensor::new(1.0));
    /// assert!((logabsdet.item() + 690.7755).abs() < 1e-3); // -100 ln 1000; the determinant is 1e-300
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor<T>, Tensor<T>) {
        square_length("slogdet", self);
        self.lu().slogdet()
    }
}

impl<T: Float> Lu<T> {
    /// The solution X of A X = B, as [`Tensor::solve`] has it.
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn solve(&self, b: &Tensor<T>) -> Result<Tensor<T>, LinalgError> {
        let x = right_hand_side("solve", self.factors.shape(), b);
        self.check("solve", "`lstsq` finds the shortest of the best solutions")?;
        Ok(in_form_of(b, self.solved(x, false)))
    }

    /// The solution X of A' X = B, with the transpose of each matrix.
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn solve_transposed(&self, b: &Tensor<T>) -> Result<Tensor<T>, LinalgError> {
        let x = right_hand_side("solve_transposed", self.factors.shape(), b);
        self.check("solve_transposed", "`lstsq` finds the shortest of the best solutions")?;
        Ok(in_form_of(b, self.solved(x, true)))
    }

    /// The inverse of each matrix.
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    pub fn inverse(&self) -> Result<Tensor<T>, LinalgError> {
        self.check("inverse", "`pinv` has a pseudo-inverse")?;
        let n = self.swaps.shape()[self.swaps.ndim() - 1];
        Ok(self.solved(Tensor::eye(n).broadcast_to(self.factors.shape()), false))
    }

    /// The determinant of each matrix.
    pub fn determinant(&self) -> Tensor<T> {
        // By mantissa and exponent, so that the product overflows only if the result does.
        self.of_diagonals(|diagonal, sign| {
            let (mut mantissa, mut exponent) = (sign, 0.0);
            for &pivot in diagonal {
                let unit = pivot.power_of_two();
                exponent += unit.as_f64().log2();
                mantissa *= pivot / unit;
                let unit = mantissa.power_of_two();
                exponent += unit.as_f64().log2();
                mantissa /= unit;
            }
            // By two factors, since one alone may be out of range where the result is not.
            let half = (exponent / 2.0).trunc();
            let factors = [half, exponent - half].map(|part| T::of(part.exp2()));
            if mantissa == T::ZERO {
                return mantissa;
            }
            mantissa * factors[0] * factors[1]
        })
    }

    /// The sign of each determinant, and the natural logarithm of its magnitude, as [`Tensor::slogdet`] has them.
    pub fn slogdet(&self) -> (Tensor<T>, Tensor<T>) {
        let sign = self.of_diagonals(|diagonal, sign| {
            let of = |pivot: &T| if *pivot == T::ZERO { T::ZERO } else { num_traits::Float::signum(*pivot) };
            diagonal.iter().map(of).fold(sign, |sign, next| sign * next)
        });
        // In f64: the terms may be large beside their sum.
        let logarithm = |diagonal: &[T], _| T::of(diagonal.iter().map(|pivot| pivot.as_f64().abs().ln()).sum());
        (sign, self.of_diagonals(logarithm))
    }

    /// `f` of the pivots of each matrix and the sign of its permutation.
    fn of_diagonals(&self, f: impl Fn(&[T], T) -> T) -> Tensor<T> {
        let (stack, n) = (stack_of(&self.swaps), self.swaps.shape()[self.swaps.ndim() - 1]);
        let (factors, swaps) = (elements(&self.factors), elements(&self.swaps));
        let value = |place: usize| {
            let diagonal: Vec<T> = (0..n).map(|i| factors[place * n * n + i * (n + 1)]).collect();
            let swapped = (0..n).filter(|&k| swaps[place * n + k] != k as i64).count();
            f(&diagonal, if swapped % 2 == 0 { T::ONE } else { -T::ONE })
        };
        Tensor::from_vec((0..stack.size()).map(value).collect(), stack).expect("one for each matrix")
    }

    fn check(&self, op: &'static str, instead: &'static str) -> Result<(), LinalgError> {
        match &self.singular {
            None => Ok(()),
            Some((matrix, pivot)) => {
                Err(LinalgError::singular(op, self.factors.shape(), matrix.clone(), *pivot, instead))
            }
        }
    }

    /// The solutions for right-hand sides that [`right_hand_side`] has broadcast.
    fn solved(&self, b: Tensor<T>, is_transposed: bool) -> Tensor<T> {
        let &[.., n, columns] = &b.shape()[..] else { unreachable!("matrices") };
        let stack = stack_of(&b);
        let factors = self.factors.broadcast_to(stack.join(&[n, n]));
        let swaps = self.swaps.broadcast_to(stack.join(&[1, n]));
        let mut x = b;
        let matrices = matrices_in(x.as_mut_slice(), stack.size(), n * columns).enumerate();
        for_each_matrix(matrices, n * n * columns, |(place, x)| {
            let (factors, swaps) = (matrix_of(&factors, *place), matrix_of(&swaps, *place));
            let swap = |k: usize| swaps.data[swaps.block.at(0, k)] as usize;
            let solve = if is_transposed { lu::solve_transposed } else { lu::solve };
            solve(factors, swap, x, columns);
        });
        x
    }
}
