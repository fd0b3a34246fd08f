//! Factorizations into orthonormal vectors. Each result is an op of its own: its gradient adds to that of the others.

use gradus_tensor::{Float, Tensor};

use super::linalg::divided;
use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The reduced QR factorization of each matrix: A = Q R. Shapes: `[.., m, n]` gives Q `[.., m, k]` and R `[.., k, n]`, with
    /// k = min(m, n).
    ///
    /// There is a derivative if the first k columns are linearly independent; else the gradient is NaN or infinite. (Walter and
    /// Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum experimental design",
    /// arXiv:1001.1654; Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms for square, wide, and
    /// deep matrices", arXiv:2009.10071.)
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn qr(&self) -> (Var<T>, Var<T>) {
        let (q, r) = self.value().qr();
        let (m, n) = (q.shape()[q.ndim() - 2], r.shape()[r.ndim() - 1]);
        let a = self.value().clone();
        let by_q = {
            let (q, r) = (q.clone(), r.clone());
            move |g: Tensor<T>| {
                let corner = r.slice(-1, ..m.min(n));
                let square = qr_gradient(&q, &corner, &g, &Tensor::zeros(corner.shape()));
                beside(square, Tensor::zeros(a.slice(-1, m.min(n)..).shape()))
            }
        };
        let by_r = {
            let (q, r, a) = (q.clone(), r.clone(), self.value().clone());
            move |g: Tensor<T>| {
                // What the columns beyond k have in R is Q' Y.
                let (k, y) = (m.min(n), a.slice(-1, m.min(n)..));
                let (corner, right) = (g.slice(-1, ..k), g.slice(-1, k..));
                let square = qr_gradient(&q, &r.slice(-1, ..k), &y.matmul(&right.t()), &corner);
                beside(square, q.matmul(&right))
            }
        };
        (Op::new("qr", q).input(self, by_q).finish(), Op::new("qr", r).input(self, by_r).finish())
    }

    /// The reduced singular value decomposition of each matrix: A = U diag(s) V'. Shapes: `[.., m, n]` gives U `[.., m, k]`, s
    /// `[.., k]` and V' `[.., k, n]`, with k = min(m, n).
    ///
    /// The singular values have a derivative where they differ from each other and from 0. U and V' have one there, too, up to
    /// the sign of each pair of vectors: a loss must not depend on it. Where two are equal, gradients through U and V' are NaN
    /// or infinite. (Townsend, "Differentiating the singular value decomposition", 2016.)
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn svd(&self) -> (Var<T>, Var<T>, Var<T>) {
        let (u, s, vt) = self.value().svd();
        let by_u = {
            let (u, s, vt) = (u.clone(), s.clone(), vt.clone());
            move |g: Tensor<T>| left_gradient(&u, &s, &vt, &g)
        };
        let by_s = {
            let (u, vt) = (u.clone(), vt.clone());
            move |g: Tensor<T>| (u * g.unsqueeze(-2)).matmul(&vt)
        };
        let by_vt = {
            // A' = V diag(s) U'.
            let (u, s, vt) = (u.clone(), s.clone(), vt.clone());
            move |g: Tensor<T>| left_gradient(&vt.t(), &s, &u.t(), &g.t()).t()
        };
        let op = |value: Tensor<T>| Op::new("svd", value);
        (op(u).input(self, by_u).finish(), op(s).input(self, by_s).finish(), op(vt).input(self, by_vt).finish())
    }

    /// The eigenvalues and eigenvectors of each symmetric matrix: A = V diag(w) V'. Shapes: `[.., n, n]` gives w `[.., n]` and V
    /// `[.., n, n]`.
    ///
    /// The gradient is symmetric, as that of a symmetric matrix is. The eigenvalues have a derivative where they differ from each
    /// other. V has one there, too, up to the sign of each vector: a loss must not depend on it. Where two are equal,
    /// gradients through V are NaN or infinite. (Giles, 2008, section 3.1.)
    ///
    /// # Panics
    /// If the matrices are not square.
    #[track_caller]
    pub fn eigh(&self) -> (Var<T>, Var<T>) {
        let (w, v) = self.value().eigh();
        let by_w = {
            let v = v.clone();
            move |g: Tensor<T>| (&v * g.unsqueeze(-2)).matmul(&v.t())
        };
        let by_v = {
            let (w, v) = (w.clone(), v.clone());
            move |g: Tensor<T>| {
                let inner = v.t().matmul(&g) * inverse_off_diagonal(&gaps(&w));
                let gradient = v.matmul(&inner).matmul(&v.t());
                (&gradient + gradient.t()) / T::of(2.0)
            }
        };
        (Op::new("eigh", w).input(self, by_w).finish(), Op::new("eigh", v).input(self, by_v).finish())
    }
}

/// The gradient by A = Q R with a square R: (g_Q + Q M) R^-T. M is symmetric; its lower triangle is that of R g_R' - g_Q' Q.
fn qr_gradient<T: Float>(q: &Tensor<T>, r: &Tensor<T>, by_q: &Tensor<T>, by_r: &Tensor<T>) -> Tensor<T> {
    let m = r.matmul(&by_r.t()) - by_q.t().matmul(q);
    let m = m.tril(0) + m.tril(-1).t();
    // Z R^-T = (R^-1 Z')'.
    divided(r, &(by_q + q.matmul(&m)).t(), false).t()
}

fn beside<T: Float>(left: Tensor<T>, right: Tensor<T>) -> Tensor<T> {
    if right.shape().last() == Some(&0) { left } else { Tensor::concat(&[left, right], -1) }
}

/// The gradient by A = U diag(s) V' of g by U: U (F o (U' g - g' U)) S V' + (1 - U U') g S^-1 V', where
/// F is 1 / (s_j^2 - s_i^2), and 0 on its diagonal.
fn left_gradient<T: Float>(u: &Tensor<T>, s: &Tensor<T>, vt: &Tensor<T>, g: &Tensor<T>) -> Tensor<T> {
    let inner = u.t().matmul(g);
    // The differences of squares, of two factors so that nothing cancels.
    let sums = s.unsqueeze(-1) + s.unsqueeze(-2);
    let turned = (&inner - inner.t()) * inverse_off_diagonal(&(gaps(s) * sums));
    let outside = (g - u.matmul(&inner)) / s.unsqueeze(-2);
    // Of a square U nothing is outside, though 0 by a singular value of 0 would be NaN.
    let [m, k] = [u.shape()[u.ndim() - 2], u.shape()[u.ndim() - 1]];
    let inside = u.matmul(&turned) * s.unsqueeze(-2);
    (if m == k { inside } else { inside + outside }).matmul(vt)
}

/// Element (i, j) is s_j - s_i.
fn gaps<T: Float>(s: &Tensor<T>) -> Tensor<T> {
    s.unsqueeze(-2) - s.unsqueeze(-1)
}

/// The reciprocals, with 0 on the diagonals.
fn inverse_off_diagonal<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    let n = x.shape()[x.ndim() - 1];
    Tensor::<T>::eye(n).equal(T::ONE).where_(T::ZERO, x.recip())
}
