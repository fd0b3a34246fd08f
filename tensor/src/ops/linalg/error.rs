//! The error of matrices that have no inverse or no factor.

use std::fmt;

use crate::shape::Shape;

/// The reason why a matrix has no inverse or no Cholesky factor: which matrix of the stack, and at which pivot that was seen.
///
/// It is one pointer wide.
///
/// ```
/// use gradus_tensor::Tensor;
/// let error = Tensor::new([[1.0, 2.0], [2.0, 4.0]]).inverse().unwrap_err();
/// assert_eq!(error.pivot(), 1);
/// assert_eq!(error.to_string(), "inverse: the matrix is singular, pivot 1 is 0; `pinv` has a pseudo-inverse: [2, 2]");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinalgError(Box<Details>);

#[derive(Clone, Debug, PartialEq)]
struct Details {
    op: &'static str,
    shape: Shape,
    matrix: Shape,
    pivot: usize,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq)]
enum Problem {
    Singular { instead: &'static str },
    NotPositiveDefinite { value: f64 },
}

impl LinalgError {
    /// A pivot is 0; `instead` says what takes such matrices.
    pub(super) fn singular(
        op: &'static str,
        shape: &Shape,
        matrix: Shape,
        pivot: usize,
        instead: &'static str,
    ) -> Self {
        let problem = Problem::Singular { instead };
        LinalgError(Box::new(Details { op, shape: shape.clone(), matrix, pivot, problem }))
    }

    /// A pivot of this value has no square root that is above 0.
    pub(super) fn not_positive_definite(
        op: &'static str,
        shape: &Shape,
        matrix: Shape,
        pivot: usize,
        value: f64,
    ) -> Self {
        let problem = Problem::NotPositiveDefinite { value };
        LinalgError(Box::new(Details { op, shape: shape.clone(), matrix, pivot, problem }))
    }

    /// The index of the matrix in its stack: empty if there is one matrix alone.
    pub fn matrix(&self) -> &[usize] {
        &self.0.matrix
    }

    /// The number of the pivot, from 0: the first so many rows and columns are a matrix that can be factorized.
    pub fn pivot(&self) -> usize {
        self.0.pivot
    }
}

impl fmt::Display for LinalgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { op, shape, matrix, pivot, problem } = &*self.0;
        write!(f, "{op}: the matrix ")?;
        if !matrix.is_empty() {
            write!(f, "{matrix} of the stack ")?;
        }
        match problem {
            Problem::Singular { instead } => write!(f, "is singular, pivot {pivot} is 0; {instead}: {shape}"),
            Problem::NotPositiveDefinite { value } => write!(
                f,
                "is not positive definite, pivot {pivot} is {value}; a small number added to the diagonal may help: {shape}"
            ),
        }
    }
}

impl std::error::Error for LinalgError {}
