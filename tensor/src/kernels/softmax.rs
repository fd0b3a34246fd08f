//! Softmax, its logarithm and their derivatives along the middle axis of `[outer, length, inner]` in row-major order.
//!
//! A line is a run of elements along that axis. Where lines are rows, each is handled alone, by vectors along it; where
//! they are columns, [`WIDTH`] of them are handled side by side, without being moved. Rows too short to fill vectors are
//! turned into columns in a small buffer.

use super::math::Math;
use super::turn::transpose;
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// Running values side by side along a row: four vectors of eight f32.
const LANES: usize = 32;
/// Columns handled side by side, a page of f32 at most.
const WIDTH: usize = 512;
/// Rows turned into columns at a time.
const TURNED: usize = 64;
/// Rows up to this length are turned into columns.
const SHORT: usize = 32;

/// A function of a whole line, in three parts.
pub(crate) trait LineFunction: Copy + Sync {
    /// Whether it is a function of x alone, which is told the line's largest element; a derivative is told what the result
    /// holds instead.
    const FORWARD: bool;
    /// What an element adds to the sum over its line, and what stands in the result meanwhile. `before` is what the
    /// result held.
    fn term<T: Float>(self, x: T, largest: T, before: T) -> (T, T);
    /// What the sum is wanted for, computed once a line.
    fn summary<T: Float>(self, sum: T, largest: T) -> T;
    /// The result, from what stood there meanwhile.
    fn result<T: Float>(self, x: T, meanwhile: T, summary: T) -> T;
}

/// exp(x - max) / sum of it, and never 0 where x is finite.
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
    fn summary<T: Float>(self, sum: T, _largest: T) -> T {
        T::ONE / sum
    }
    #[inline(always)]
    fn result<T: Float>(self, x: T, e: T, scale: T) -> T {
        let probability = e * scale;
        let smallest = T::min_positive_value();
        let bounded = if probability < smallest { smallest } else { probability };
        // 0, or NaN if the line has no softmax.
        if x == T::LOWEST { T::ZERO * scale } else { bounded }
    }
}

/// x - max - ln of the sum of exp(x - max).
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmax;

impl LineFunction for LogSoftmax {
    const FORWARD: bool = true;
    #[inline(always)]
    fn term<T: Float>(self, x: T, largest: T, before: T) -> (T, T) {
        (T::exp_nonpositive(x - largest), before)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T, largest: T) -> T {
        largest + Math::ln(sum)
    }
    #[inline(always)]
    fn result<T: Float>(self, x: T, _meanwhile: T, shift: T) -> T {
        x - shift
    }
}

/// p (g - sum of g p), where x is p and the result holds g before.
#[derive(Clone, Copy)]
pub(crate) struct SoftmaxGradient;

impl LineFunction for SoftmaxGradient {
    const FORWARD: bool = false;
    #[inline(always)]
    fn term<T: Float>(self, p: T, _largest: T, g: T) -> (T, T) {
        (g * p, g)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T, _largest: T) -> T {
        sum
    }
    #[inline(always)]
    fn result<T: Float>(self, p: T, g: T, sum: T) -> T {
        (g - sum) * p
    }
}

/// g - exp(y) times the sum of g, where x is y and the result holds g before.
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmaxGradient;

impl LineFunction for LogSoftmaxGradient {
    const FORWARD: bool = false;
    #[inline(always)]
    fn term<T: Float>(self, _y: T, _largest: T, g: T) -> (T, T) {
        (g, g)
    }
    #[inline(always)]
    fn summary<T: Float>(self, sum: T, _largest: T) -> T {
        sum
    }
    #[inline(always)]
    fn result<T: Float>(self, y: T, g: T, sum: T) -> T {
        g - T::exp_nonpositive(y) * sum
    }
}

/// Applies `function` to every line of `x`; `out` holds as many elements.
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
                // SAFETY: the strips of all tasks are disjoint, and a row is let go before the next.
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
        team::split(outer, (CHUNK / length).next_multiple_of(TURNED), |range| {
            let (mut turned_x, mut turned_out) = ([T::ZERO; SHORT * TURNED], [T::ZERO; SHORT * TURNED]);
            for first in range.clone().step_by(TURNED) {
                let width = TURNED.min(range.end - first);
                let x = &x[first * length..][..width * length];
                // SAFETY: each row of the result is written by one task.
                let out = unsafe { out.part(first * length, width * length) };
                turn([length, width], x, [1, length], &mut turned_x, TURNED);
                if !F::FORWARD {
                    turn([length, width], out, [1, length], &mut turned_out, TURNED);
                }
                let rows = Shared::new(&mut turned_out);
                // SAFETY: one row is used at a time.
                let row_of_out = |row: usize| unsafe { rows.part(row * TURNED, width) };
                columns(function, [length, width], |row| &turned_x[row * TURNED..][..width], row_of_out);
                turn([width, length], &turned_out, [1, TURNED], out, length);
            }
        });
    }
}

/// [`transpose`] from slice to slice.
fn turn<T: Float>([rows, columns]: [usize; 2], source: &[T], step: [usize; 2], target: &mut [T], pitch: usize) {
    assert!(source.len() > (rows - 1) * step[0] + (columns - 1) * step[1]);
    assert!(target.len() >= (rows - 1) * pitch + columns);
    let step = step.map(|step| step as isize);
    // SAFETY: all places lie within the slices, as was just asserted.
    unsafe { transpose([rows, columns], source.as_ptr(), step, target.as_mut_ptr(), pitch) }
}

/// The larger of two; what it makes of a NaN does not matter, because that will come back in the sum.
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
                    let (term, meanwhile) = function.term(x, max, *out);
                    *sum += term;
                    *out = meanwhile;
                }
            }
            for ((sum, &x), out) in sums.iter_mut().zip(rest).zip(rest_out) {
                let (term, meanwhile) = function.term(x, max, *out);
                *sum += term;
                *out = meanwhile;
            }
            let mut width = LANES / 2;
            while width > 0 {
                for lane in 0..width {
                    sums[lane] += sums[lane + width];
                }
                width /= 2;
            }
            let summary = function.summary(sums[0], max);
            for (&x, out) in x.iter().zip(out) {
                *out = function.result(x, *out, summary);
            }
        },
    );
}

/// The largest element, in a form that vectorises: running maxima side by side.
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
                // Rows by two: of one alone the compiler makes a masked store, which takes AMD's processors a dozen cycles.
                for row in (0..length).step_by(2) {
                    let pair = x(row).iter().zip(x((row + 1).min(length - 1)));
                    for (max, (&x, &y)) in max.iter_mut().zip(pair) {
                        *max = larger(y, larger(x, *max));
                    }
                }
            }
            for row in 0..length {
                for (((&x, out), sum), &max) in x(row).iter().zip(out(row)).zip(&mut *sum).zip(&*max) {
                    let (term, meanwhile) = function.term(x, max, *out);
                    *sum += term;
                    *out = meanwhile;
                }
            }
            for (sum, &max) in sum.iter_mut().zip(&*max) {
                *sum = function.summary(*sum, max);
            }
            for row in 0..length {
                for ((&x, out), &summary) in x(row).iter().zip(out(row)).zip(&*sum) {
                    *out = function.result(x, *out, summary);
                }
            }
        },
    );
}
