//! Systems of equations, inverses and determinants.
//!
//! The formulas are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
//! differentiation" (2008), unless another source is named.

use gradus_tensor::{Float, LinalgError, Lu, Shape, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The solution X of A X = B; [`Tensor::solve`] has the shapes.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.var(Tensor::new([[2.0]])), tape.var(Tensor::new([6.0])));
    /// let x = a.solve(&b)?.sum(..);
    /// let gradients = tape.backward(&x);
    /// // x = b / a.
    /// assert_eq!(gradients.of(&a), Tensor::new([[-1.5]]));
    /// assert_eq!(gradients.of(&b), Tensor::new([0.5]));
    /// # Ok::<(), gradus_tensor::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square, or the shapes do not fit each other.
    #[track_caller]
    pub fn solve(&self, b: &Var<T>) -> Result<Var<T>, LinalgError> {
        let lu = lu_of("solve", self);
        let x = lu.solve(b.value())?;
        let (solution, is_column) = (x.clone(), b.ndim() == 1);
        // B has A^-T g, and A has -(A^-T g) X'.
        let derivative = move |g: Tensor<T>, [wants_a, wants_b]: [bool; 2]| {
            let matrix = |x: Tensor<T>| if is_column { x.unsqueeze(-1) } else { x };
            let by_b = lu.solve_transposed(&matrix(g)).expect("a matrix that has solved before");
            let by_a = wants_a.then(|| -by_b.matmul(&matrix(solution).t()));
            [by_a, wants_b.then(|| if is_column { by_b.squeeze(-1) } else { by_b })]
        };
        Ok(Op::new("solve", x).joint([self, b], derivative).finish())
    }

    /// The solution X of A X = B for triangular matrices; [`Tensor::solve_triangular`] has the shapes. The triangle that is not
    /// read has the gradient 0.
    ///
    /// # Errors
    /// If a matrix is singular, so that an element of its diagonal is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square, or the shapes do not fit each other.
    #[track_caller]
    pub fn solve_triangular(&self, b: &Var<T>, lower: bool) -> Result<Var<T>, LinalgError> {
        let x = self.value().solve_triangular(b.value(), lower)?;
        let (a, solution, is_column) = (self.value().clone(), x.clone(), b.ndim() == 1);
        let derivative = move |g: Tensor<T>, [wants_a, wants_b]: [bool; 2]| {
            let matrix = |x: Tensor<T>| if is_column { x.unsqueeze(-1) } else { x };
            let by_b = a.t().solve_triangular(&matrix(g), !lower).expect("a matrix that has solved before");
            let by_a = wants_a.then(|| {
                let whole = -by_b.matmul(&matrix(solution).t());
                if lower { whole.tril(0) } else { whole.triu(0) }
            });
            [by_a, wants_b.then(|| if is_column { by_b.squeeze(-1) } else { by_b })]
        };
        Ok(Op::new("solve_triangular", x).joint([self, b], derivative).finish())
    }

    /// The inverse of each matrix. Shape: `[.., n, n]`, unchanged. NumPy's `linalg.inv`.
    ///
    /// # Errors
    /// If a matrix is singular, so that a pivot is exactly 0.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[doc(alias = "inv")]
    #[track_caller]
    pub fn inverse(&self) -> Result<Var<T>, LinalgError> {
        let inverse = self.value().inverse()?;
        let transpose = inverse.t();
        let derivative = move |g: Tensor<T>| -transpose.matmul(&g).matmul(&transpose);
        Ok(Op::new("inverse", inverse).input(self, derivative).finish())
    }

    /// The determinant of each matrix. Shape: `[.., n, n]` gives `[..]`. NumPy's `linalg.det`.
    ///
    /// The gradient is the matrix of cofactors, which a singular matrix has, too.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let a = tape.var(Tensor::new([[1.0, 2.0], [3.0, 5.0]]));
    /// let gradient = tape.backward(&a.determinant()).of(&a);
    /// assert!(gradient.allclose(&Tensor::new([[5.0, -3.0], [-2.0, 1.0]]), 1e-5, 1e-5));
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square.
    #[doc(alias = "det")]
    #[track_caller]
    pub fn determinant(&self) -> Var<T> {
        let lu = lu_of("determinant", self);
        let determinant = lu.determinant();
        let (a, value) = (self.value().clone(), determinant.clone());
        let derivative = move |g: Tensor<T>| match lu.inverse() {
            Ok(inverse) => each(&(g * value)) * inverse.t(),
            Err(_) => each(&g) * cofactors(&a),
        };
        Op::new("determinant", determinant).input(self, derivative).finish()
    }

    /// The sign of each determinant, a constant, and the natural logarithm of its magnitude. Shape: `[.., n, n]` gives `[..]`
    /// twice. NumPy's `linalg.slogdet`.
    ///
    /// Where a matrix of the stack is singular, the logarithm is -inf, and all gradients are NaN.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor<T>, Var<T>) {
        let lu = lu_of("slogdet", self);
        let (sign, logarithm) = lu.slogdet();
        let shape = self.shape().clone();
        let derivative = move |g: Tensor<T>| each(&g) * or_nan(lu.inverse(), &shape).t();
        (sign, Op::new("slogdet", logarithm).input(self, derivative).finish())
    }

    /// The Cholesky factor of each symmetric positive definite matrix: the lower triangular L with A = L L'. Shape: `[.., n, n]`,
    /// unchanged.
    ///
    /// The gradient is symmetric, as that of a symmetric matrix is. (Murray, "Differentiation of the Cholesky decomposition",
    /// arXiv:1602.07527, equation 9.)
    ///
    /// # Errors
    /// If a matrix is not positive definite, as are those with NaN or infinity.
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn cholesky(&self) -> Result<Var<T>, LinalgError> {
        let factor = self.value().cholesky()?;
        let l = factor.clone();
        let derivative = move |g: Tensor<T>| {
            // S = L^-T P L^-1, where P is the lower triangle of L' g with half its diagonal.
            let p = l.t().matmul(&g);
            let p = (p.tril(0) + p.tril(-1)) / T::of(2.0);
            let s = divided(&l.t(), &divided(&l.t(), &p, false).t(), false);
            (&s + s.t()) / T::of(2.0)
        };
        Ok(Op::new("cholesky", factor).input(self, derivative).finish())
    }

    /// The lower triangle of each matrix, 0 above diagonal number `k`. NumPy's `tril`.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Var<T> {
        Op::new("tril", self.value().tril(k)).input(self, move |g| g.tril(k)).finish()
    }

    /// The upper triangle of each matrix, 0 below diagonal number `k`. NumPy's `triu`.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Var<T> {
        Op::new("triu", self.value().triu(k)).input(self, move |g| g.triu(k)).finish()
    }
}

#[track_caller]
fn lu_of<T: Float>(op: &str, a: &Var<T>) -> Lu<T> {
    if !matches!(a.shape()[..], [.., rows, columns] if rows == columns) {
        panic!("{op}: square matrices are needed: {}", a.shape());
    }
    a.value().lu()
}

/// A number for each matrix, as `[.., 1, 1]`.
fn each<T: Float>(numbers: &Tensor<T>) -> Tensor<T> {
    numbers.unsqueeze(-1).unsqueeze(-1)
}

/// A^-1 B for a triangular A; NaN where there is no such thing, and so no derivative.
pub(super) fn divided<T: Float>(a: &Tensor<T>, b: &Tensor<T>, lower: bool) -> Tensor<T> {
    or_nan(a.solve_triangular(b, lower), b.shape())
}

/// The result, or NaN in its shape.
fn or_nan<T: Float>(result: Result<Tensor<T>, LinalgError>, shape: &Shape) -> Tensor<T> {
    result.unwrap_or_else(|_| Tensor::full(shape, T::of(f64::NAN)))
}

/// The cofactors of each matrix A = U diag(s) V': det(U) det(V) U diag(product of the other singular values) V'.
fn cofactors<T: Float>(a: &Tensor<T>) -> Tensor<T> {
    let (u, s, vt) = a.svd();
    let n = s.shape()[s.ndim() - 1];
    // Row i has the singular values, with 1 in the place of number i.
    let others = Tensor::<T>::eye(n).equal(T::ONE).where_(T::ONE, s.unsqueeze(-2)).prod(-1);
    let sign = (u.determinant() * vt.determinant()).round();
    each(&sign) * (u * others.unsqueeze(-2)).matmul(&vt)
}
