//! Softmax, log-softmax and their derivatives along the middle axis of `[outer, length, inner]` in row-major order.
//!
//! A line is the elements along that axis. Lines that are rows are computed one by one, in vectors along the row; of lines that
//! are columns, up to [`WIDTH`] are computed side by side in place. Rows too short to fill vectors are transposed into columns
//! in a small buffer.

use super::math::Math;
use super::transpose::transpose;
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// The running sums along a row: four vectors of eight f32.
const LANES: usize = 32;
/// The most columns that are computed side by side: half a page of f32.
const WIDTH: usize = 512;
/// The rows that are transposed into columns at a time.
const TRANSPOSED: usize = 64;
/// Rows up to this length are transposed into columns.
const SHORT: usize = 32;

/// A function of a whole line, in three parts: a sum of terms, a summary of the sum, and the result for each element.
pub(crate) trait LineFunction: Copy + Sync {
    /// Whether this is a function of x alone, whose terms take the line's largest element. The terms of a derivative take the
    /// gradient, which the result's memory holds at first.
    const FORWARD: bool;
    /// The term that an element adds to the sum over its line, and the value kept in the result's memory until then. `before` is
    /// the value that the memory held.
    fn term<T: Float>(self, x: T, largest: T, before: T) -> (T, T);
    /// The number made of the sum that the results need, computed once for each line.
    fn summary<T: Float>(self, sum: T) -> T;
    /// The result, from the kept value.
    fn result<T: Float>(self, x: T, largest: T, kept: T, summary: T) -> T;
}

/// exp(x - max) / sum of exp(x - max), and never 0 where x is finite.
///
/// A probability that would underflow is the smallest normal number instead: then a loss that divides by it stays
/// finite, and the gradient through softmax, p (g - sum g p), keeps its value -1 at the true class.
#[derive(Clone, Copy)]
pub(crate) struct Softmax;

impl LineFunction for Softmax {
    const FORWARD: bool = true;
    #[inline(always)]
    fn term<T: Float>(self, x: T, largest: T, _before: T) -> (T, T) {
        let e = T::exp_nonpositive(x - largest);
        (e, e)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T) -> T {
        T::ONE / sum
    }
    #[inline(always)]
    fn result<T: Float>(self, x: T, _largest: T, e: T, scale: T) -> T {
        let probability = e * scale;
        let smallest = T::min_positive_value();
        let bounded = if probability < smallest { smallest } else { probability };
        // 0, or NaN if the line has no softmax.
        if x == T::LOWEST { T::ZERO * scale } else { bounded }
    }
}

/// (x - max) - ln of the sum of exp(x - max).
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmax;

impl LineFunction for LogSoftmax {
    const FORWARD: bool = true;
    #[inline(always)]
    fn term<T: Float>(self, x: T, largest: T, before: T) -> (T, T) {
        (T::exp_nonpositive(x - largest), before)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T) -> T {
        Math::ln(sum)
    }
    #[inline(always)]
    fn result<T: Float>(self, x: T, largest: T, _meanwhile: T, ln_sum: T) -> T {
        // In this order: the logarithm would be lost in the rounding of a large maximum.
        (x - largest) - ln_sum
    }
}

/// p (g - sum of g p), where x is p and the memory of the result holds g.
#[derive(Clone, Copy)]
pub(crate) struct SoftmaxGradient;

impl LineFunction for SoftmaxGradient {
    const FORWARD: bool = false;
    #[inline(always)]
    fn term<T: Float>(self, p: T, _largest: T, g: T) -> (T, T) {
        (g * p, g)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T) -> T {
        sum
    }
    #[inline(always)]
    fn result<T: Float>(self, p: T, _largest: T, g: T, sum: T) -> T {
        (g - sum) * p
    }
}

/// g - exp(y) times the sum of g, where x is y and the memory of the result holds g.
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmaxGradient;

impl LineFunction for LogSoftmaxGradient {
    const FORWARD: bool = false;
    #[inline(always)]
    fn term<T: Float>(self, _y: T, _largest: T, g: T) -> (T, T) {
        (g, g)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T) -> T {
        sum
    }
    #[inline(always)]
    fn result<T: Float>(self, y: T, _largest: T, g: T, sum: T) -> T {
        g - T::exp_nonpositive(y) * sum
    }
}

/// Applies `function` to every line of `x`; `out` has as many elements.
pub(crate) fn along_lines<T: Float, F: LineFunction>(
    function: F,
    x: &[T],
    [outer, length, inner]: [usize; 3],
    out: &mut [T],
) {
    if out.is_empty() {
        return;
    }
    let out = Shared::new(out);
    if inner > 1 {
        let strips = inner.div_ceil(WIDTH);
        team::split(outer * strips, (CHUNK / (length * WIDTH.min(inner))).max(1), |range| {
            for strip in range {
                let first = strip % strips * WIDTH;
                let width = WIDTH.min(inner - first);
                let place = |row: usize| (strip / strips * length + row) * inner + first;
                // SAFETY: the strips of all tasks are disjoint, and one row is used at a time.
                let out = |row: usize| unsafe { out.part(place(row), width) };
                columns(function, [length, width], |row| &x[place(row)..][..width], out);
            }
        });
    } else if length > SHORT {
        team::split(outer, (CHUNK / length).max(1), |range| {
            for row in range {
                // SAFETY: each row of the result is written by one task.
                one_row(function, &x[row * length..][..length], unsafe { out.part(row * length, length) });
            }
        });
    } else {
        team::split(outer, (CHUNK / length).next_multiple_of(TRANSPOSED), |range| {
            let (mut columns_of_x, mut columns_of_out) = ([T::ZERO; SHORT * TRANSPOSED], [T::ZERO; SHORT * TRANSPOSED]);
            for first in range.clone().step_by(TRANSPOSED) {
                let width = TRANSPOSED.min(range.end - first);
                let x = &x[first * length..][..width * length];
                // SAFETY: each row of the result is written by one task.
                let out = unsafe { out.part(first * length, width * length) };
                transpose_slice([length, width], x, [1, length], &mut columns_of_x, TRANSPOSED);
                if !F::FORWARD {
                    transpose_slice([length, width], out, [1, length], &mut columns_of_out, TRANSPOSED);
                }
                let rows = Shared::new(&mut columns_of_out);
                // SAFETY: one row is used at a time.
                let row_of_out = |row: usize| unsafe { rows.part(row * TRANSPOSED, width) };
                columns(function, [length, width], |row| &columns_of_x[row * TRANSPOSED..][..width], row_of_out);
                transpose_slice([width, length], &columns_of_out, [1, TRANSPOSED], out, length);
            }
        });
    }
}

/// [`transpose`] from slice to slice.
fn transpose_slice<T: Float>(
    [rows, columns]: [usize; 2],
    source: &[T],
    step: [usize; 2],
    target: &mut [T],
    pitch: usize,
) {
    assert!(source.len() > (rows - 1) * step[0] + (columns - 1) * step[1]);
    assert!(target.len() >= (rows - 1) * pitch + columns);
    let step = step.map(|step| step as isize);
    // SAFETY: all places lie within the slices, as was just asserted.
    unsafe { transpose([rows, columns], source.as_ptr(), step, target.as_mut_ptr(), pitch) }
}

/// The larger of two. A NaN may be lost here, because the sum will be NaN anyway.
#[inline(always)]
fn larger<T: Float>(x: T, max: T) -> T {
    if x > max { x } else { max }
}

fn one_row<T: Float, F: LineFunction>(function: F, x: &[T], out: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            let max = if F::FORWARD { largest(x) } else { T::ZERO };
            let mut sums = [T::ZERO; LANES];
            let (groups, rest) = x.as_chunks::<LANES>();
            let (groups_out, rest_out) = out.as_chunks_mut::<LANES>();
            for (x, out) in groups.iter().zip(groups_out) {
                for ((sum, &x), out) in sums.iter_mut().zip(x).zip(out) {
                    let (term, kept) = function.term(x, max, *out);
                    *sum += term;
                    *out = kept;
                }
            }
            for ((sum, &x), out) in sums.iter_mut().zip(rest).zip(rest_out) {
                let (term, kept) = function.term(x, max, *out);
                *sum += term;
                *out = kept;
            }
            let mut width = LANES / 2;
            while width > 0 {
                for lane in 0..width {
                    sums[lane] += sums[lane + width];
                }
                width /= 2;
            }
            let summary = function.summary(sums[0]);
            for (&x, out) in x.iter().zip(out) {
                *out = function.result(x, max, *out, summary);
            }
        },
    );
}

/// The largest element, by running maxima side by side, which vectorise.
#[inline(always)]
fn largest<T: Float>(row: &[T]) -> T {
    let (groups, rest) = row.as_chunks::<LANES>();
    let mut lanes = [T::LOWEST; LANES];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane = larger(x, *lane);
        }
    }
    rest.iter().chain(&lanes).fold(T::LOWEST, |max, &x| larger(x, max))
}

fn columns<'a, T: Float, F: LineFunction>(
    function: F,
    [length, width]: [usize; 2],
    x: impl Fn(usize) -> &'a [T],
    out: impl Fn(usize) -> &'a mut [T],
) {
    vectorize(
        #[inline(always)]
        || {
            let (mut max, mut sum) = ([T::ZERO; WIDTH], [T::ZERO; WIDTH]);
            let (max, sum) = (&mut max[..width], &mut sum[..width]);
            if F::FORWARD {
                max.fill(T::LOWEST);
                // Two rows at a time: for one row the compiler makes a masked store, which takes AMD's processors a dozen cycles.
                for row in (0..length).step_by(2) {
                    let pair = x(row).iter().zip(x((row + 1).min(length - 1)));
                    for (max, (&x, &y)) in max.iter_mut().zip(pair) {
                        *max = larger(y, larger(x, *max));
                    }
                }
            }
            for row in 0..length {
                for (((&x, out), sum), &max) in x(row).iter().zip(out(row)).zip(&mut *sum).zip(&*max) {
                    let (term, kept) = function.term(x, max, *out);
                    *sum += term;
                    *out = kept;
                }
            }
            for sum in &mut *sum {
                *sum = function.summary(*sum);
            }
            for row in 0..length {
                for (((&x, out), &summary), &max) in x(row).iter().zip(out(row)).zip(&*sum).zip(&*max) {
                    *out = function.result(x, max, *out, summary);
                }
            }
        },
    );
}
