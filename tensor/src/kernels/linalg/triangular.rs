//! Triangular systems.

use super::{Block, Matrix, SMALL, subtract_product};
use crate::element::Float;
use crate::simd::vectorize;

/// What a triangular matrix has on its diagonal.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Diagonal {
    /// Its elements.
    Stored,
    /// Ones, whatever is stored there.
    Ones,
}

/// B = A^-1 B for a block of `data`, where A is lower triangular. What stands above its diagonal is not read.
pub(crate) fn solve_lower<T: Float>(a: Matrix<'_, T>, diagonal: Diagonal, data: &mut [T], b: Block) {
    let (n, [_, columns]) = (a.block.shape[0], b.shape);
    if columns == 0 || n == 0 {
        return;
    }
    if n <= SMALL {
        return solve_small(a, diagonal, data, b);
    }
    let (half, rest) = (n / 2, n - n / 2);
    let (upper, lower) = (b.part([0, 0], [half, columns]), b.part([half, 0], [rest, columns]));
    solve_lower(a.part([0, 0], [half, half]), diagonal, data, upper);
    let below = a.part([half, 0], [rest, half]);
    subtract_product(data, lower, Some(below.data), below.block, upper);
    solve_lower(a.part([half, half], [rest, rest]), diagonal, data, lower);
}

/// B = A^-1 B, where A is upper triangular: with rows and columns in reverse order it is lower triangular.
pub(crate) fn solve_upper<T: Float>(a: Matrix<'_, T>, diagonal: Diagonal, data: &mut [T], b: Block) {
    let turned = a.block.upside_down().transposed().upside_down().transposed();
    solve_lower(Matrix { data: a.data, block: turned }, diagonal, data, b.upside_down());
}

fn solve_small<T: Float>(a: Matrix<'_, T>, diagonal: Diagonal, data: &mut [T], b: Block) {
    let [n, columns] = b.shape;
    if b.steps[1] == 1 && columns > 1 {
        return vectorize(
            #[inline(always)]
            || {
                for i in 0..n {
                    for j in 0..i {
                        let (factor, [target, source]) = (a.get(i, j), [b.at(i, 0), b.at(j, 0)]);
                        let [target, source] = rows(data, [target, source], columns);
                        target.iter_mut().zip(source).for_each(|(b, x)| *b -= factor * *x);
                    }
                    if diagonal == Diagonal::Stored {
                        let pivot = a.get(i, i);
                        data[b.at(i, 0)..][..columns].iter_mut().for_each(|b| *b /= pivot);
                    }
                }
            },
        );
    }
    for column in 0..columns {
        for i in 0..n {
            let mut x = data[b.at(i, column)];
            for j in 0..i {
                x -= a.get(i, j) * data[b.at(j, column)];
            }
            data[b.at(i, column)] = if diagonal == Diagonal::Stored { x / a.get(i, i) } else { x };
        }
    }
}

/// Two rows of one length that do not overlap, by their starts.
#[inline(always)]
pub(super) fn rows<T>(data: &mut [T], [first, second]: [usize; 2], len: usize) -> [&mut [T]; 2] {
    if first < second {
        let (before, after) = data.split_at_mut(second);
        [&mut before[first..][..len], &mut after[..len]]
    } else {
        let (before, after) = data.split_at_mut(first);
        [&mut after[..len], &mut before[second..][..len]]
    }
}
