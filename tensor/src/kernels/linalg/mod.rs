//! Factorizations of matrices and what is solved with them. Most go by halves: the first half of the columns, its effect on the
//! rest, the rest. The effect is a matrix product, so of a large matrix nearly all arithmetic is the GEMM's.

pub(crate) mod cholesky;
pub(crate) mod jacobi;
pub(crate) mod lu;
pub(crate) mod reflections;
pub(crate) mod triangular;
pub(crate) mod tridiagonal;

use super::gemm::Mat;
use crate::element::Float;
use crate::memory::with_scratch;

/// The length of what is no longer cut into halves.
const SMALL: usize = 24;

/// Where a matrix lies in a slice: element (i, j) at `start + i * steps[0] + j * steps[1]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub start: usize,
    pub shape: [usize; 2],
    pub steps: [isize; 2],
}

impl Block {
    /// A whole row-major matrix.
    pub fn whole(rows: usize, columns: usize) -> Self {
        Block { start: 0, shape: [rows, columns], steps: [columns as isize, 1] }
    }

    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> usize {
        self.start.wrapping_add_signed(i as isize * self.steps[0] + j as isize * self.steps[1])
    }

    /// The part of `shape` that begins at element (i, j).
    pub fn part(&self, [i, j]: [usize; 2], shape: [usize; 2]) -> Self {
        debug_assert!(i + shape[0] <= self.shape[0] && j + shape[1] <= self.shape[1]);
        if shape.contains(&0) {
            return Block { shape, ..*self };
        }
        Block { start: self.at(i, j), shape, ..*self }
    }

    pub fn transposed(&self) -> Self {
        Block { start: self.start, shape: [self.shape[1], self.shape[0]], steps: [self.steps[1], self.steps[0]] }
    }

    /// The rows in reverse order.
    pub fn upside_down(&self) -> Self {
        let start = self.at(self.shape[0].saturating_sub(1), 0);
        Block { start, steps: [-self.steps[0], self.steps[1]], ..*self }
    }

    fn of<'a, T: Float>(&self, data: &'a [T]) -> Mat<'a, T> {
        Mat::new(data, self.start, self.shape, self.steps)
    }
}

/// A matrix that is read.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub block: Block,
}

impl<T: Float> Matrix<'_, T> {
    #[inline(always)]
    fn get(&self, i: usize, j: usize) -> T {
        self.data[self.block.at(i, j)]
    }

    fn part(&self, start: [usize; 2], shape: [usize; 2]) -> Self {
        Matrix { data: self.data, block: self.block.part(start, shape) }
    }

    pub fn transposed(&self) -> Self {
        Matrix { data: self.data, block: self.block.transposed() }
    }
}

/// C -= A B for blocks of `data`, where A may be a block of `other` instead.
fn subtract_product<T: Float>(data: &mut [T], c: Block, other: Option<&[T]>, a: Block, b: Block) {
    let [rows, columns] = c.shape;
    with_elements(rows * columns, |product| {
        T::gemm(a.of(other.unwrap_or(data)), b.of(data), product);
        // Along the axis whose elements lie side by side.
        if c.steps[1] == 1 {
            for (i, product) in product.chunks_exact(columns.max(1)).enumerate() {
                let row = &mut data[c.at(i, 0)..][..columns];
                row.iter_mut().zip(product).for_each(|(c, &p)| *c -= p);
            }
        } else {
            for j in 0..columns {
                for i in 0..rows {
                    data[c.at(i, j)] -= product[i * columns + j];
                }
            }
        }
    });
}

/// Calls `body` with scratch of unspecified values.
fn with_elements<T: Float, R>(len: usize, body: impl FnOnce(&mut [T]) -> R) -> R {
    with_scratch(len, |start| {
        // SAFETY: the scratch has so many elements, is initialised, and belongs to this call alone. Any bits are a float.
        body(unsafe { std::slice::from_raw_parts_mut(start, len) })
    })
}

/// Calls `body` with a row-major copy of a block.
fn with_copy<T: Float, R>(data: &mut [T], block: Block, body: impl FnOnce(&mut [T], &[T]) -> R) -> R {
    let [rows, columns] = block.shape;
    with_elements(rows * columns, |copy: &mut [T]| {
        for i in 0..rows {
            for j in 0..columns {
                copy[i * columns + j] = data[block.at(i, j)];
            }
        }
        body(data, copy)
    })
}

/// The sum of products, in 16 running sums.
#[inline(always)]
fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: T = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(&a, &b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = num_traits::Float::mul_add(a[lane], b[lane], *sum);
        }
    }
    sums.into_iter().sum::<T>() + rest
}

/// y += factor x.
#[inline(always)]
fn add_multiple<T: Float>(y: &mut [T], factor: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = num_traits::Float::mul_add(factor, x, *y);
    }
}

/// The largest magnitude; NaN if there is a NaN.
pub(crate) fn largest<T: Float>(x: &[T]) -> T {
    x.iter().fold(T::ZERO, |largest, &x| num_traits::Float::abs(x).maximum(largest))
}

/// The Euclidean length, without overflow or underflow on the way.
#[inline(always)]
pub(crate) fn length_of<T: Float>(x: &[T]) -> T {
    let unit = largest(x).power_of_two();
    if unit == T::ONE {
        return num_traits::Float::sqrt(dot(x, x));
    }
    let squares: T = x.iter().map(|&x| (x / unit) * (x / unit)).sum();
    num_traits::Float::sqrt(squares) * unit
}
