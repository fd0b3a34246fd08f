//! Linear algebra: factorizations of matrices and stacks of them, and what is solved with them.

mod cholesky;
mod eigh;
mod error;
mod lu;
mod qr;
mod svd;
mod triangles;
mod triangular;

use crate::element::Element;
use crate::kernels::linalg::{Block, Matrix};
use crate::shape::{Shape, broadcast_shapes};
use crate::team;
use crate::tensor::{Tensor, expect_shape};

pub use error::LinalgError;
pub use lu::Lu;

/// The rows and columns of the matrices of a stack; panics if there are none.
#[track_caller]
fn matrix_lengths<T: Element>(op: &str, x: &Tensor<T>) -> [usize; 2] {
    let &[.., rows, columns] = &x.shape()[..] else { panic_matrix(op, x.shape()) };
    [rows, columns]
}

/// The rows of the square matrices of a stack; panics if they are not square.
#[track_caller]
fn square_length<T: Element>(op: &str, x: &Tensor<T>) -> usize {
    match x.shape()[..] {
        [.., rows, columns] if rows == columns => rows,
        _ => panic_square(op, x.shape()),
    }
}

/// The axes before the two last ones.
fn stack_of<T: Element>(x: &Tensor<T>) -> Shape {
    x.shape()[..x.ndim() - 2].into()
}

/// The index of matrix number `place` of a stack.
fn index_of(stack: &Shape, mut place: usize) -> Shape {
    let mut index = stack.clone();
    for (index, &length) in index.iter_mut().zip(stack.iter()).rev() {
        *index = place % length;
        place /= length;
    }
    index
}

/// Matrix number `place` of a stack.
fn matrix_of<T: Element>(x: &Tensor<T>, place: usize) -> Matrix<'_, T> {
    let (view, stack) = (x.view(), stack_of(x));
    let (strides, axes) = (&view.layout.strides, stack.len());
    let steps = index_of(&stack, place).iter().zip(strides).map(|(&i, &stride)| i as isize * stride).sum();
    let start = view.layout.offset.wrapping_add_signed(steps);
    let shape = [view.layout.shape[axes], view.layout.shape[axes + 1]];
    Matrix { data: view.data, block: Block { start, shape, steps: [strides[axes], strides[axes + 1]] } }
}

/// The matrices one after the other in `data`, `size` elements each; as many empty ones as there are without elements.
fn matrices_in<T>(data: &mut [T], count: usize, size: usize) -> impl Iterator<Item = &mut [T]> {
    let mut rest = data;
    (0..count).map(move |_| {
        let (first, others) = std::mem::take(&mut rest).split_at_mut(size);
        rest = others;
        first
    })
}

/// Calls `body` for each of the matrices, on several threads if they are worth it; `work` is the arithmetic of one. A matrix
/// that is alone is left to the threads of its products.
fn for_each_matrix<I: Send>(matrices: impl Iterator<Item = I>, work: usize, body: impl Fn(&mut I) + Sync) {
    /// Multiplications worth a task.
    const GRAIN: usize = 1 << 14;
    let mut matrices: Vec<I> = matrices.collect();
    let each = (GRAIN / work.max(1)).max(1);
    let mut tasks: Vec<&mut [I]> = matrices.chunks_mut(each).collect();
    team::for_each(&mut tasks, |matrices| matrices.iter_mut().for_each(&body));
}

/// A right-hand side of the system A X = B: B broadcast to the stack that it shares with A. (A B of one axis is a column.)
#[track_caller]
fn right_hand_side<T: Element>(op: &str, a: &Shape, b: &Tensor<T>) -> Tensor<T> {
    let column = if b.ndim() == 1 { b.unsqueeze(-1) } else { b.clone() };
    let (n, stack) = (a[a.len() - 2], Shape::from(&a[..a.len() - 2]));
    let &[.., rows, columns] = &column.shape()[..] else { panic_rows(op, n, a, b.shape()) };
    if rows != n {
        panic_rows(op, n, a, b.shape());
    }
    let stack = expect_shape(op, broadcast_shapes(&stack, &stack_of(&column)));
    column.broadcast_to(stack.join(&[rows, columns]))
}

/// The solution in the form of the right-hand side `b`.
fn in_form_of<T: Element>(b: &Tensor<T>, x: Tensor<T>) -> Tensor<T> {
    if b.ndim() == 1 { x.squeeze(-1) } else { x }
}

#[cold]
#[track_caller]
fn panic_matrix(op: &str, shape: &Shape) -> ! {
    panic!("{op}: a matrix is needed, two axes or more: {shape}")
}

#[cold]
#[track_caller]
fn panic_square(op: &str, shape: &Shape) -> ! {
    panic!("{op}: square matrices are needed: {shape}")
}

#[cold]
#[track_caller]
fn panic_rows(op: &str, rows: usize, a: &Shape, b: &Shape) -> ! {
    panic!("{op}: the right-hand side needs {rows} rows: {a} and {b}")
}

#[cfg(all(test, feature = "parallel"))]
mod tests {
    use super::*;
    use crate::ops::testing::assert_same_on_threads;
    use crate::random::Generator;

    #[test]
    fn threads_change_nothing() {
        let normal = |shape: &[usize]| Generator::new(3).normal(shape, 0.0, 1.0);
        let (large, stack) = (normal(&[90, 90]), normal(&[40, 12, 9]));
        assert_same_on_threads(|| {
            let gram = large.matmul(&large.t()) + Tensor::eye(90);
            let (w, v) = gram.eigh();
            let (q, r) = stack.qr();
            let (u, s, vt) = stack.svd();
            let sum = Tensor::einsum("bij,bik,jl->blk", &[&stack, &stack, &normal(&[9, 5])]);
            let [x, l] = [large.inverse().unwrap(), gram.cholesky().unwrap()];
            vec![x, l, w, v, q, r, u, s, vt, sum, stack.lstsq(&normal(&[12]))]
        });
    }
}
