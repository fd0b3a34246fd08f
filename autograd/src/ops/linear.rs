//! Matrix products.

use gradus_tensor::{Float, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The matrix product over the two last axes; leading axes are stacks that broadcast, a single axis is a row on
    /// the left and a column on the right.
    ///
    /// # Panics
    /// If the inner lengths differ, the stacks do not broadcast, or an operand is a scalar.
    #[track_caller]
    pub fn matmul(&self, other: &Var<T>) -> Var<T> {
        if self.ndim() == 1 && other.ndim() > 0 {
            let product = self.unsqueeze(0).matmul(other);
            return product.squeeze(if other.ndim() == 1 { 0 } else { -2 });
        }
        if other.ndim() == 1 && self.ndim() > 0 {
            return self.matmul(&other.unsqueeze(-1)).squeeze(-1);
        }
        let (a, b) = (self.value().clone(), other.value().clone());
        let one_matrix = a.ndim() > 2 && b.ndim() == 2;
        Op::new("matmul", a.matmul(&b))
            .input(self, move |g| g.matmul(&b.t()))
            .input(other, move |g| if one_matrix { rows(&a).t().matmul(&rows(&g)) } else { a.t().matmul(&g) })
            .finish()
    }

    /// The [product](Var::matmul) with a matrix plus a bias, and max(y, 0) in place of each result y if `relu`, as one op. Shapes:
    /// `[.., m, k]`, `[k, n]` and `[n]` give `[.., m, n]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn matmul_biased(&self, matrix: &Var<T>, bias: &Var<T>, relu: bool) -> Var<T> {
        let y = self.value().matmul_biased(matrix.value(), bias.value(), relu);
        // A derivative by one of the two needs the other.
        let x = matrix.is_recorded().then(|| self.value().clone());
        let w = self.is_recorded().then(|| matrix.value().clone());
        let kept = relu.then(|| y.clone());
        let derivative = move |g: Tensor<T>, _| {
            let [g, by_bias] = g.matmul_biased_gradient(kept.as_ref());
            let by_matrix = x.map(|x| if x.ndim() == 2 { x.t().matmul(&g) } else { rows(&x).t().matmul(&rows(&g)) });
            [w.map(|w| g.matmul(&w.t())), by_matrix, Some(by_bias)]
        };
        Op::new("matmul_biased", y).joint([self, matrix, bias], derivative).finish()
    }

    /// The dot product of two vars of one axis: the sum of their products, a scalar.
    ///
    /// # Panics
    /// If either has not exactly one axis, or the lengths differ.
    #[track_caller]
    pub fn dot(&self, other: &Var<T>) -> Var<T> {
        let (a, b) = (self.value().clone(), other.value().clone());
        Op::new("dot", a.dot(&b)).input(self, move |g| b * g).input(other, move |g| a * g).finish()
    }

    /// The outer product of two vars of one axis: `[m]` and `[n]` give `[m, n]`, element `[i, j]` is a_i b_j.
    ///
    /// # Panics
    /// If either has not exactly one axis.
    #[track_caller]
    pub fn outer(&self, other: &Var<T>) -> Var<T> {
        let (a, b) = (self.value().clone(), other.value().clone());
        Op::new("outer", a.outer(&b)).input(self, move |g| g.matmul(&b)).input(other, move |g| a.matmul(&g)).finish()
    }
}

/// A stack of matrices as one matrix that has all their rows.
fn rows<T: Float>(stack: &Tensor<T>) -> Tensor<T> {
    let columns = stack.shape()[stack.ndim() - 1];
    let rows = stack.shape()[..stack.ndim() - 1].iter().product();
    stack.reshape([rows, columns])
}
