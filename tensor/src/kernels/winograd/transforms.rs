//! The transforms of Winograd's algorithm, vectors along channels or filters.
//!
//! Along one axis, four results of a kernel of three are y = A^T [(G g) * (B^T d)], where d is the six elements that they read
//! (Lavin and Gray, "Fast algorithms for convolutional neural networks", arXiv:1509.09308). The six products are those of
//! polynomials at the points 0, infinity, a, -a, b and -b, in this order. a = 1/√2 and b = √2 take as many operations as the
//! usual points 1 and 2 and leave a third of their error, because no power of them is far from 1.
//!
//! Over two axes, each transform goes along both; position `6 i + j` belongs to point i of the rows and point j of the columns.
//! Results are computed in pairs of columns, so that a pair's twelve vectors stay in AVX2's sixteen registers.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use super::{KERNEL, POINTS, RESULTS};
use crate::kernels::gemm::lanes::Lanes;

/// Vectors of f32.
pub(super) trait Vectors: Lanes<Element = f32> {}
impl<V: Lanes<Element = f32>> Vectors for V {}

/// The pair of points `PAIR`: 0 and infinity, a and -a, or b and -b.
type Pair<V> = [<V as Lanes>::Vector; 2];

/// x · `factor` + sum
#[inline(always)]
unsafe fn scaled<V: Vectors>(x: V::Vector, factor: f32, sum: V::Vector) -> V::Vector {
    // SAFETY: the caller has the instructions.
    unsafe { V::multiply_add(x, V::splat(&factor), sum) }
}

/// x · `factor`
#[inline(always)]
unsafe fn product<V: Vectors>(x: V::Vector, factor: f32) -> V::Vector {
    // SAFETY: the caller has the instructions.
    unsafe { scaled::<V>(x, factor, V::zero()) }
}

/// x + y and x - y
#[inline(always)]
unsafe fn both<V: Vectors>(x: V::Vector, y: V::Vector) -> Pair<V> {
    // SAFETY: the caller has the instructions.
    unsafe { [V::add(x, y), V::subtract(x, y)] }
}

/// Six vectors, `step` apart.
#[inline(always)]
unsafe fn line<V: Vectors>(source: *const f32, step: usize) -> [V::Vector; POINTS] {
    let at = |place: usize| source.wrapping_add(place * step);
    // SAFETY: the caller's promise.
    unsafe { [V::load(at(0)), V::load(at(1)), V::load(at(2)), V::load(at(3)), V::load(at(4)), V::load(at(5))] }
}

/// Column `j` of six rows.
#[inline(always)]
fn turned<V: Copy, const N: usize>(rows: &[[V; N]; POINTS], j: usize) -> [V; POINTS] {
    [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]]
}

/// A pair of B^T d.
#[inline(always)]
unsafe fn input_pair<V: Vectors, const PAIR: usize>(d: [V::Vector; POINTS]) -> Pair<V> {
    // SAFETY: the caller has the instructions.
    unsafe {
        if PAIR == 0 {
            let ends = [V::add(d[0], d[4]), V::add(d[1], d[5])];
            return [scaled::<V>(d[2], -2.5, ends[0]), scaled::<V>(d[3], -2.5, ends[1])];
        }
        let (point, other) = if PAIR == 1 { (A, -2.0) } else { (B, -0.5) };
        let (even, odd) = (scaled::<V>(d[2], other, d[4]), scaled::<V>(d[1], other, d[3]));
        [scaled::<V>(odd, point, even), scaled::<V>(odd, -point, even)]
    }
}

/// The results 0 and 2 of A^T m, or 1 and 3 if `ODD`.
#[inline(always)]
unsafe fn output_pair<V: Vectors, const ODD: bool>(m: [V::Vector; POINTS]) -> Pair<V> {
    // SAFETY: the caller has the instructions.
    unsafe {
        if ODD {
            let (a, b) = (V::subtract(m[2], m[3]), V::subtract(m[4], m[5]));
            [V::add(a, b), scaled::<V>(b, 2.0, scaled::<V>(a, 0.5, m[1]))]
        } else {
            let (a, b) = (V::add(m[2], m[3]), V::add(m[4], m[5]));
            [scaled::<V>(b, A, scaled::<V>(a, B, m[0])), scaled::<V>(b, B, product::<V>(a, A))]
        }
    }
}

/// G g.
#[inline(always)]
unsafe fn kernel_line<V: Vectors>(g: [V::Vector; KERNEL]) -> [V::Vector; POINTS] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let even_a = scaled::<V>(g[0], -2.0 / 3.0 * A, product::<V>(g[2], -A / 3.0));
        let even_b = scaled::<V>(g[0], B / 6.0, product::<V>(g[2], B / 3.0));
        let odd = product::<V>(g[1], 1.0 / 3.0);
        let ([minus_a, plus_a], [plus_b, minus_b]) = (both::<V>(even_a, odd), both::<V>(even_b, odd));
        [g[0], g[2], plus_a, minus_a, plus_b, minus_b]
    }
}

/// The points `PAIR` of A g for the four results g, the transpose of [`output_pair`].
#[inline(always)]
unsafe fn gradient_pair<V: Vectors, const PAIR: usize>(g: [V::Vector; RESULTS]) -> Pair<V> {
    // SAFETY: the caller has the instructions.
    unsafe {
        match PAIR {
            0 => [g[0], g[3]],
            1 => both::<V>(scaled::<V>(g[2], A, product::<V>(g[0], B)), scaled::<V>(g[3], 0.5, g[1])),
            _ => both::<V>(scaled::<V>(g[2], B, product::<V>(g[0], A)), scaled::<V>(g[3], 2.0, g[1])),
        }
    }
}

/// G^T m, the transpose of [`kernel_line`].
#[inline(always)]
unsafe fn kernel_gradient_line<V: Vectors>(m: [V::Vector; POINTS]) -> [V::Vector; KERNEL] {
    // SAFETY: the caller has the instructions.
    unsafe {
        let ([even_a, odd_a], [even_b, odd_b]) = (both::<V>(m[2], m[3]), both::<V>(m[4], m[5]));
        let first = scaled::<V>(even_b, B / 6.0, scaled::<V>(even_a, -2.0 / 3.0 * A, m[0]));
        let last = scaled::<V>(even_b, B / 3.0, scaled::<V>(even_a, -A / 3.0, m[1]));
        [first, product::<V>(V::subtract(odd_b, odd_a), 1.0 / 3.0), last]
    }
}

/// Writes B^T d B for the tile whose elements lie `row` and `column` apart from `source` on: position p to `target + p * step`.
/// With `TWO` axes a tile has six rows, else one.
///
/// # Safety
///
/// The instructions are available, and source and target are that large.
#[inline(always)]
pub(super) unsafe fn input<V: Vectors, const TWO: bool>(
    source: *const f32,
    [row, column]: [usize; 2],
    target: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if TWO {
            input_columns::<V, 0>(source, [row, column], target, step);
            input_columns::<V, 1>(source, [row, column], target, step);
            input_columns::<V, 2>(source, [row, column], target, step);
        } else {
            let d = line::<V>(source, column);
            store_pair::<V>(input_pair::<V, 0>(d), target, step);
            store_pair::<V>(input_pair::<V, 1>(d), target.add(2 * step), step);
            store_pair::<V>(input_pair::<V, 2>(d), target.add(4 * step), step);
        }
    }
}

/// The pair of columns `PAIR` of B^T d B.
#[inline(always)]
unsafe fn input_columns<V: Vectors, const PAIR: usize>(
    source: *const f32,
    [row, column]: [usize; 2],
    target: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut pairs = [[V::zero(); 2]; POINTS];
        for (r, pair) in pairs.iter_mut().enumerate() {
            *pair = input_pair::<V, PAIR>(line::<V>(source.add(r * row), column));
        }
        for j in 0..2 {
            let column = turned(&pairs, j);
            let target = target.add((2 * PAIR + j) * step);
            let row = POINTS * step;
            store_pair::<V>(input_pair::<V, 0>(column), target, row);
            store_pair::<V>(input_pair::<V, 1>(column), target.add(2 * row), row);
            store_pair::<V>(input_pair::<V, 2>(column), target.add(4 * row), row);
        }
    }
}

#[inline(always)]
unsafe fn store_pair<V: Vectors>(pair: Pair<V>, target: *mut f32, step: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        V::store(target, pair[0]);
        V::store(target.add(step), pair[1]);
    }
}

/// Calls `emit` with the row, the column and the vector of each result A^T m A of the tile whose position p lies at
/// `source + p * step`.
///
/// # Safety
///
/// The instructions are available, and the source is that large.
#[inline(always)]
pub(super) unsafe fn output<V: Vectors, const TWO: bool>(
    source: *const f32,
    step: usize,
    mut emit: impl FnMut(usize, usize, V::Vector),
) {
    // SAFETY: the caller's promise.
    unsafe {
        if TWO {
            output_columns::<V, false>(source, step, &mut emit);
            output_columns::<V, true>(source, step, &mut emit);
        } else {
            let m = line::<V>(source, step);
            let (even, odd) = (output_pair::<V, false>(m), output_pair::<V, true>(m));
            [even[0], odd[0], even[1], odd[1]].into_iter().enumerate().for_each(|(c, y)| emit(0, c, y));
        }
    }
}

/// The columns 0 and 2 of A^T m A, or 1 and 3 if `ODD`.
#[inline(always)]
unsafe fn output_columns<V: Vectors, const ODD: bool>(
    source: *const f32,
    step: usize,
    emit: &mut impl FnMut(usize, usize, V::Vector),
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut pairs = [[V::zero(); 2]; POINTS];
        for (r, pair) in pairs.iter_mut().enumerate() {
            *pair = output_pair::<V, ODD>(line::<V>(source.add(r * POINTS * step), step));
        }
        for j in 0..2 {
            let column = turned(&pairs, j);
            let (even, odd) = (output_pair::<V, false>(column), output_pair::<V, true>(column));
            for (r, y) in [even[0], odd[0], even[1], odd[1]].into_iter().enumerate() {
                emit(r, 2 * j + usize::from(ODD), y);
            }
        }
    }
}

/// Writes G g G^T for the kernel whose position k is `load(k)`: position p to `target(p)`.
///
/// # Safety
///
/// The instructions are available, and the targets are vectors.
#[inline(always)]
pub(super) unsafe fn kernel<V: Vectors, const TWO: bool>(
    load: impl Fn(usize) -> V::Vector,
    target: impl Fn(usize) -> *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if TWO {
            let row = |i: usize| kernel_line::<V>([load(KERNEL * i), load(KERNEL * i + 1), load(KERNEL * i + 2)]);
            let (first, second, third) = (row(0), row(1), row(2));
            for (j, ((&x, &y), &z)) in first.iter().zip(&second).zip(&third).enumerate() {
                let column = kernel_line::<V>([x, y, z]);
                for (i, u) in column.into_iter().enumerate() {
                    V::store(target(POINTS * i + j), u);
                }
            }
        } else {
            let line = kernel_line::<V>([load(0), load(1), load(2)]);
            for (p, u) in line.into_iter().enumerate() {
                V::store(target(p), u);
            }
        }
    }
}

/// Writes A g A^T for the gradients of a tile's results, as [`input`] does for its elements.
///
/// # Safety
///
/// As for [`input`].
#[inline(always)]
pub(super) unsafe fn gradient<V: Vectors, const TWO: bool>(
    source: *const f32,
    [row, column]: [usize; 2],
    target: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if TWO {
            gradient_columns::<V, 0>(source, [row, column], target, step);
            gradient_columns::<V, 1>(source, [row, column], target, step);
            gradient_columns::<V, 2>(source, [row, column], target, step);
        } else {
            let at = |c: usize| V::load(source.add(c * column));
            let g = [at(0), at(1), at(2), at(3)];
            store_pair::<V>(gradient_pair::<V, 0>(g), target, step);
            store_pair::<V>(gradient_pair::<V, 1>(g), target.add(2 * step), step);
            store_pair::<V>(gradient_pair::<V, 2>(g), target.add(4 * step), step);
        }
    }
}

/// The pair of columns `PAIR` of A g A^T.
#[inline(always)]
unsafe fn gradient_columns<V: Vectors, const PAIR: usize>(
    source: *const f32,
    [row, column]: [usize; 2],
    target: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut pairs = [[V::zero(); 2]; RESULTS];
        for (r, pair) in pairs.iter_mut().enumerate() {
            let at = |c: usize| V::load(source.add(r * row + c * column));
            *pair = gradient_pair::<V, PAIR>([at(0), at(1), at(2), at(3)]);
        }
        for j in [0, 1] {
            let column = [pairs[0][j], pairs[1][j], pairs[2][j], pairs[3][j]];
            let (target, row) = (target.add((2 * PAIR + j) * step), POINTS * step);
            store_pair::<V>(gradient_pair::<V, 0>(column), target, row);
            store_pair::<V>(gradient_pair::<V, 1>(column), target.add(2 * row), row);
            store_pair::<V>(gradient_pair::<V, 2>(column), target.add(4 * row), row);
        }
    }
}

/// Calls `emit` with each kernel position and its vector of G^T m G, whose position p lies at `source + p * step`.
///
/// # Safety
///
/// The instructions are available, and the source is that large.
#[inline(always)]
pub(super) unsafe fn kernel_gradient<V: Vectors, const TWO: bool>(
    source: *const f32,
    step: usize,
    mut emit: impl FnMut(usize, V::Vector),
) {
    // SAFETY: the caller's promise.
    unsafe {
        if TWO {
            let mut rows = [[V::zero(); KERNEL]; POINTS];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = kernel_gradient_line::<V>(line::<V>(source.add(r * POINTS * step), step));
            }
            for j in 0..KERNEL {
                for (i, w) in kernel_gradient_line::<V>(turned(&rows, j)).into_iter().enumerate() {
                    emit(KERNEL * i + j, w);
                }
            }
        } else {
            for (i, w) in kernel_gradient_line::<V>(line::<V>(source, step)).into_iter().enumerate() {
                emit(i, w);
            }
        }
    }
}
