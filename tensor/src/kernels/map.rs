//! Elementwise kernels: one function applied to every element of one, two or three operands.
//!
//! The result lies in row-major order; the operands lie anyhow (broadcast, transposed, flipped). Axes over which every
//! operand runs evenly are merged first, so that the inner loop is as long as the layouts allow.

use std::ops::Range;

use smallvec::SmallVec;

use super::{CHUNK, Shared, View};
use crate::layout::Layout;
use crate::simd::vectorize;
use crate::team;

/// The loops over `N` operands of one shape: outer axes, then runs of `inner` elements.
pub(crate) struct Nest<const N: usize> {
    outer: SmallVec<[(usize, [isize; N]); 4]>,
    inner: usize,
    /// The step of each operand within a run.
    pub steps: [isize; N],
    starts: [usize; N],
}

impl<const N: usize> Nest<N> {
    pub fn new(layouts: [&Layout; N]) -> Self {
        let mut axes: SmallVec<[(usize, [isize; N]); 4]> = SmallVec::new();
        for (axis, &length) in layouts[0].shape.iter().enumerate() {
            if length == 1 {
                continue;
            }
            let strides = layouts.map(|layout| layout.strides[axis]);
            if let Some((merged, steps)) = axes.last_mut()
                && (0..N).all(|i| steps[i] == length as isize * strides[i])
            {
                *merged *= length;
                *steps = strides;
            } else {
                axes.push((length, strides));
            }
        }
        let (inner, steps) = axes.pop().unwrap_or((1, [1; N]));
        Nest { outer: axes, inner, steps, starts: layouts.map(|layout| layout.offset) }
    }

    /// Calls `run(place, len, starts)` for the stretches of runs that make up `range` of the result: `len` elements
    /// from `place` on, each operand from its start by its step.
    #[inline(always)]
    pub fn for_each_run(&self, range: Range<usize>, mut run: impl FnMut(usize, usize, [usize; N])) {
        if range.is_empty() {
            return;
        }
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.outer.len());
        let mut starts = self.starts;
        let mut rest = range.start / self.inner.max(1);
        for (axis, &(length, strides)) in self.outer.iter().enumerate().rev() {
            index[axis] = rest % length;
            rest /= length;
            advance(&mut starts, &strides, index[axis] as isize);
        }
        let mut place = range.start;
        let mut column = range.start % self.inner.max(1);
        while place < range.end {
            let len = (self.inner - column).min(range.end - place);
            let mut here = starts;
            advance(&mut here, &self.steps, column as isize);
            run(place, len, here);
            place += len;
            column = 0;
            for (axis, &(length, strides)) in self.outer.iter().enumerate().rev() {
                index[axis] += 1;
                advance(&mut starts, &strides, 1);
                if index[axis] < length {
                    break;
                }
                index[axis] = 0;
                advance(&mut starts, &strides, -(length as isize));
            }
        }
    }
}

/// Moves each operand's place by `count` of its steps.
#[inline(always)]
fn advance<const N: usize>(places: &mut [usize; N], steps: &[isize; N], count: isize) {
    for (place, &step) in places.iter_mut().zip(steps) {
        *place = place.wrapping_add_signed(count * step);
    }
}

/// Elements `start, start + step, ..` of an operand.
#[derive(Clone, Copy)]
struct Run<'a, T> {
    data: &'a [T],
    start: usize,
    step: isize,
}

impl<T: Copy> Run<'_, T> {
    /// Element `i`, which the layout's invariant places within the data.
    #[inline(always)]
    fn at(self, i: usize) -> T {
        let place = self.start.wrapping_add_signed(i as isize * self.step);
        debug_assert!(place < self.data.len());
        // SAFETY: a layout addresses only places within its buffer (`Layout`'s invariant), and `i` is within the run.
        unsafe { *self.data.get_unchecked(place) }
    }
}

/// `out = f(a)`.
pub(crate) fn map<A: Copy + Sync, R: Copy + Send>(a: View<'_, A>, out: &mut [R], f: impl Fn(A) -> R + Sync) {
    let nest = Nest::new([a.layout]);
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        vectorize(
            #[inline(always)]
            || {
                nest.for_each_run(
                    range,
                    #[inline(always)]
                    |place, len, [i]| {
                        // SAFETY: the runs of all tasks are disjoint parts of the result.
                        let out = unsafe { out.part(place, len) };
                        if nest.steps[0] == 1 {
                            for (out, &a) in out.iter_mut().zip(&a.data[i..i + len]) {
                                *out = f(a);
                            }
                        } else {
                            let a = Run { data: a.data, start: i, step: nest.steps[0] };
                            for (i, out) in out.iter_mut().enumerate() {
                                *out = f(a.at(i));
                            }
                        }
                    },
                );
            },
        );
    });
}

/// `out = f(a, b)`.
pub(crate) fn zip<A, B, R>(a: View<'_, A>, b: View<'_, B>, out: &mut [R], f: impl Fn(A, B) -> R + Sync)
where
    A: Copy + Sync,
    B: Copy + Sync,
    R: Copy + Send,
{
    let nest = Nest::new([a.layout, b.layout]);
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        vectorize(
            #[inline(always)]
            || {
                nest.for_each_run(
                    range,
                    #[inline(always)]
                    |place, len, [i, j]| {
                        // SAFETY: the runs of all tasks are disjoint parts of the result.
                        let out = unsafe { out.part(place, len) };
                        match nest.steps {
                            [1, 1] => {
                                for ((out, &a), &b) in out.iter_mut().zip(&a.data[i..i + len]).zip(&b.data[j..j + len])
                                {
                                    *out = f(a, b);
                                }
                            }
                            [1, 0] => {
                                let b = b.data[j];
                                for (out, &a) in out.iter_mut().zip(&a.data[i..i + len]) {
                                    *out = f(a, b);
                                }
                            }
                            [0, 1] => {
                                let a = a.data[i];
                                for (out, &b) in out.iter_mut().zip(&b.data[j..j + len]) {
                                    *out = f(a, b);
                                }
                            }
                            [step_a, step_b] => {
                                let a = Run { data: a.data, start: i, step: step_a };
                                let b = Run { data: b.data, start: j, step: step_b };
                                for (i, out) in out.iter_mut().enumerate() {
                                    *out = f(a.at(i), b.at(i));
                                }
                            }
                        }
                    },
                );
            },
        );
    });
}

/// `out = f(a, b, c)`.
pub(crate) fn zip3<A, B, C, R>(
    a: View<'_, A>,
    b: View<'_, B>,
    c: View<'_, C>,
    out: &mut [R],
    f: impl Fn(A, B, C) -> R + Sync,
) where
    A: Copy + Sync,
    B: Copy + Sync,
    C: Copy + Sync,
    R: Copy + Send,
{
    let nest = Nest::new([a.layout, b.layout, c.layout]);
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        vectorize(
            #[inline(always)]
            || {
                nest.for_each_run(
                    range,
                    #[inline(always)]
                    |place, len, [i, j, k]| {
                        // SAFETY: the runs of all tasks are disjoint parts of the result.
                        let out = unsafe { out.part(place, len) };
                        let [step_a, step_b, step_c] = nest.steps;
                        if [step_a, step_b, step_c] == [1; 3] {
                            let (a, b, c) = (&a.data[i..i + len], &b.data[j..j + len], &c.data[k..k + len]);
                            for (i, out) in out.iter_mut().enumerate() {
                                *out = f(a[i], b[i], c[i]);
                            }
                        } else {
                            let a = Run { data: a.data, start: i, step: step_a };
                            let b = Run { data: b.data, start: j, step: step_b };
                            let c = Run { data: c.data, start: k, step: step_c };
                            for (i, out) in out.iter_mut().enumerate() {
                                *out = f(a.at(i), b.at(i), c.at(i));
                            }
                        }
                    },
                );
            },
        );
    });
}

/// `out = f(out)`.
pub(crate) fn map_assign<T: Copy + Send>(out: &mut [T], f: impl Fn(T) -> T + Sync) {
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        // SAFETY: the ranges of all tasks are disjoint parts of the result.
        let out = unsafe { out.part(range.start, range.len()) };
        vectorize(
            #[inline(always)]
            || {
                for out in out.iter_mut() {
                    *out = f(*out);
                }
            },
        );
    });
}

/// `out = f(out, b)`.
pub(crate) fn zip_assign<T: Copy + Send, B: Copy + Sync>(out: &mut [T], b: View<'_, B>, f: impl Fn(T, B) -> T + Sync) {
    let nest = Nest::new([b.layout]);
    // The result lies evenly, so only axes over which `b` does too are merged.
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        vectorize(
            #[inline(always)]
            || {
                nest.for_each_run(
                    range,
                    #[inline(always)]
                    |place, len, [j]| {
                        // SAFETY: the runs of all tasks are disjoint parts of the result.
                        let out = unsafe { out.part(place, len) };
                        match nest.steps[0] {
                            1 => {
                                for (out, &b) in out.iter_mut().zip(&b.data[j..j + len]) {
                                    *out = f(*out, b);
                                }
                            }
                            step => {
                                let b = Run { data: b.data, start: j, step };
                                for (i, out) in out.iter_mut().enumerate() {
                                    *out = f(*out, b.at(i));
                                }
                            }
                        }
                    },
                );
            },
        );
    });
}
