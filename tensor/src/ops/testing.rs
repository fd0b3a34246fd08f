//! Helpers for the tests of several ops.

use crate::element::Float;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::views::step;

/// Every choice of one element from each list; the last list runs fastest.
pub fn choices(lists: &[Vec<usize>]) -> Vec<Vec<usize>> {
    lists.iter().fold(vec![vec![]], |all, list| {
        all.iter().flat_map(|start| list.iter().map(move |&next| [&start[..], &[next]].concat())).collect()
    })
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    choices(&shape.iter().map(|&length| (0..length).collect()).collect::<Vec<_>>())
}

/// The place of an element in a contiguous tensor.
pub fn place(shape: &[usize], index: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |place, (&i, &length)| place * length + i)
}

/// Small whole numbers in irregular order, whose sums are exact in any order.
pub fn integers(shape: impl Into<Shape>, seed: usize) -> Tensor<f64> {
    let shape = shape.into();
    let digit = |i: usize| (((i + seed).wrapping_mul(0x9E37_79B9) >> 7) % 15) as f64 - 7.0;
    Tensor::from_vec((0..shape.size()).map(digit).collect(), shape).unwrap()
}

/// The number of layouts of [`lying`].
pub const WAYS: usize = 12;

/// The same elements as a view with another layout, surrounded by NaN: with its axes in reverse order, backwards along an axis,
/// with a step of 2, or with an offset.
pub fn lying<T: Float>(x: &Tensor<T>, way: usize) -> Tensor<T> {
    let ndim = x.ndim();
    let (axis, nan) = ((way / 4 % ndim) as isize, T::of(f64::NAN));
    let length = x.shape()[axis as usize];
    match way % 4 {
        0 => {
            let reverse = || (0..ndim as isize).rev().collect::<Vec<_>>();
            x.permute(reverse()).contiguous().permute(reverse())
        }
        1 => x.flip(axis).contiguous().flip(axis),
        2 => {
            let both = Tensor::stack(&[x.clone(), Tensor::full(x.shape(), nan)], axis + 1);
            let mut twice = x.shape().clone();
            twice[axis as usize] = 2 * length;
            both.reshape(twice).slice(axis, step(.., 2))
        }
        _ => {
            let mut widths = vec![(0, 0); ndim];
            widths[axis as usize] = (1, 2);
            x.pad(&widths, nan).slice(axis, 1..length as isize + 1)
        }
    }
}

/// Asserts that `f` computes the same bits on one thread, on two and on three.
#[cfg(feature = "parallel")]
#[track_caller]
pub fn assert_same_on_threads(f: impl Fn() -> Vec<Tensor> + Sync) {
    let bits = |threads: usize| {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let tensors = pool.install(&f);
        tensors.iter().map(|tensor| tensor.iter().map(f32::to_bits).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(3));
}
