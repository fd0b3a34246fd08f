//! Elementwise kernels: one function applied to every element of one, two or three operands.
//!
//! The work is cut into chunks. A contiguous operand is read in place; any other is first gathered, some elements at a time,
//! into a small buffer (stage). So the loop of a function, the only code compiled for every function, runs over plain slices
//! and exists once, whatever the layouts of its operands.

use std::ops::Range;

use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::simd::{vectorize, vectorize_choices};
use crate::team;

/// The elements gathered at a time: few enough to stay in the first-level cache beside the other operands.
const STAGE: usize = 256;

/// An operand that is read in the row-major order of the result, in place or from a stage.
struct StagedOperand<'a, A> {
    data: &'a [A],
    nest: Nest<1>,
}

impl<'a, A: Copy + Default> StagedOperand<'a, A> {
    fn new(view: View<'a, A>) -> Self {
        StagedOperand { data: view.data, nest: Nest::new([view.layout]) }
    }

    /// Whether all elements are contiguous.
    fn is_whole(&self) -> bool {
        self.nest.is_one_run() && self.nest.steps[0] == 1
    }

    /// The elements of `range`: in place where they are contiguous, else gathered into `stage`.
    fn read<'s>(&'s self, range: Range<usize>, stage: &'s mut [A; STAGE]) -> &'s [A] {
        let (first, step) = (range.start, self.nest.steps[0]);
        let mut in_place = None;
        self.nest.for_each_run(range.clone(), |place, len, [start]| {
            if step == 1 && len == range.len() {
                in_place = Some(&self.data[start..start + len]);
                return;
            }
            let stage = &mut stage[place - first..][..len];
            match step {
                1 => stage.copy_from_slice(&self.data[start..start + len]),
                0 => stage.fill(self.data[start]),
                step => {
                    for (i, out) in stage.iter_mut().enumerate() {
                        let place = start.wrapping_add_signed(i as isize * step);
                        debug_assert!(place < self.data.len());
                        // SAFETY: a layout addresses only places within its buffer (`Layout`'s invariant), and `i` is
                        // within the run.
                        *out = unsafe { *self.data.get_unchecked(place) };
                    }
                }
            }
        });
        in_place.unwrap_or_else(|| &stage[..range.len()])
    }
}

/// Calls `body` in every task with an iterator over its chunks of `0..len`, cut by size alone: one large chunk if all operands
/// can be read in place, else chunks as large as a stage.
fn for_each_chunk(len: usize, in_place: bool, body: impl Fn(&mut dyn Iterator<Item = Range<usize>>) + Sync) {
    team::split(len, CHUNK, |range| {
        let size = if in_place { range.len() } else { STAGE };
        body(&mut range.clone().step_by(size).map(|start| start..range.end.min(start + size)));
    });
}

/// Whether the loop of a function waits for its arithmetic and not for memory, as that of an exponential does.
pub(crate) const LONG: bool = true;
/// The loop of a function that computes as fast as memory delivers its operands, or may do so.
pub(crate) const SHORT: bool = false;

/// Runs a loop compiled for the vector instructions of this machine; the loop of a long function of f32 for AVX-512 too. (f64
/// serves to check gradients.)
#[inline(always)]
fn vectorized<const IS_LONG: bool, R>(body: impl FnOnce()) {
    if IS_LONG && size_of::<R>() == 4 { vectorize_choices(body) } else { vectorize(body) }
}

/// The loop of a function of one operand.
pub(crate) fn loop1<const IS_LONG: bool, A: Copy, R>(f: impl Fn(A) -> R + Sync) -> impl Fn(&[A], &mut [R]) + Sync {
    move |a, out| {
        vectorized::<IS_LONG, R>(
            #[inline(always)]
            || {
                for (out, &a) in out.iter_mut().zip(a) {
                    *out = f(a);
                }
            },
        );
    }
}

/// The loop of a function of two operands.
pub(crate) fn loop2<const IS_LONG: bool, A: Copy, B: Copy, R>(
    f: impl Fn(A, B) -> R + Sync,
) -> impl Fn(&[A], &[B], &mut [R]) + Sync {
    move |a, b, out| {
        vectorized::<IS_LONG, R>(
            #[inline(always)]
            || {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *out = f(a, b);
                }
            },
        );
    }
}

/// The loop of a function of three operands.
pub(crate) fn loop3<const IS_LONG: bool, A: Copy, B: Copy, C: Copy, R>(
    f: impl Fn(A, B, C) -> R + Sync,
) -> impl Fn(&[A], &[B], &[C], &mut [R]) + Sync {
    move |a, b, c, out| {
        vectorized::<IS_LONG, R>(
            #[inline(always)]
            || {
                for (((out, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
                    *out = f(a, b, c);
                }
            },
        );
    }
}

/// Any loop of a function of one operand.
pub(crate) type Loop1<'a, A, R> = &'a (dyn Fn(&[A], &mut [R]) + Sync);
/// Any loop of a function of two operands.
pub(crate) type Loop2<'a, A, B, R> = &'a (dyn Fn(&[A], &[B], &mut [R]) + Sync);

/// Any loop of a function of three operands.
pub(crate) type Loop3<'a, A, B, C, R> = &'a (dyn Fn(&[A], &[B], &[C], &mut [R]) + Sync);

/// The operand of a function of two whose memory the result takes over.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum InPlace {
    /// The first: `out = f(out, other)`.
    First,
    /// The second: `out = f(other, out)`.
    Second,
}

/// `out = f(a, b, c)`.
pub(crate) fn zip3<A, B, C, R>(a: View<'_, A>, b: View<'_, B>, c: View<'_, C>, out: &mut [R], f: Loop3<'_, A, B, C, R>)
where
    A: Copy + Default + Sync,
    B: Copy + Default + Sync,
    C: Copy + Default + Sync,
    R: Send,
{
    let (a, b, c) = (StagedOperand::new(a), StagedOperand::new(b), StagedOperand::new(c));
    let shared = Shared::new(out);
    for_each_chunk(out.len(), a.is_whole() && b.is_whole() && c.is_whole(), |chunks| {
        let (mut stage_a, mut stage_b, mut stage_c) =
            ([A::default(); STAGE], [B::default(); STAGE], [C::default(); STAGE]);
        for chunk in chunks {
            // SAFETY: the chunks of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(chunk.start, chunk.len()) };
            let (a, b) = (a.read(chunk.clone(), &mut stage_a), b.read(chunk.clone(), &mut stage_b));
            f(a, b, c.read(chunk, &mut stage_c), out);
        }
    });
}

/// `out = f(a)`.
pub(crate) fn map<A, R>(a: View<'_, A>, out: &mut [R], f: Loop1<'_, A, R>)
where
    A: Copy + Default + Sync,
    R: Send,
{
    let a = StagedOperand::new(a);
    let shared = Shared::new(out);
    for_each_chunk(out.len(), a.is_whole(), |chunks| {
        let mut stage = [A::default(); STAGE];
        for chunk in chunks {
            // SAFETY: the chunks of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(chunk.start, chunk.len()) };
            f(a.read(chunk, &mut stage), out);
        }
    });
}

/// `out = f(out)`.
pub(crate) fn map_assign<T: Copy + Default + Send>(out: &mut [T], f: Loop1<'_, T, T>) {
    let shared = Shared::new(out);
    for_each_chunk(out.len(), false, |chunks| {
        let mut stage = [T::default(); STAGE];
        for chunk in chunks {
            // SAFETY: the chunks of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(chunk.start, chunk.len()) };
            let before = &mut stage[..out.len()];
            before.copy_from_slice(out);
            f(before, out);
        }
    });
}

/// `out = f(a, b)`.
pub(crate) fn zip<A, B, R>(a: View<'_, A>, b: View<'_, B>, out: &mut [R], f: Loop2<'_, A, B, R>)
where
    A: Copy + Default + Sync,
    B: Copy + Default + Sync,
    R: Send,
{
    let (a, b) = (StagedOperand::new(a), StagedOperand::new(b));
    let shared = Shared::new(out);
    for_each_chunk(out.len(), a.is_whole() && b.is_whole(), |chunks| {
        let (mut stage_a, mut stage_b) = ([A::default(); STAGE], [B::default(); STAGE]);
        for chunk in chunks {
            // SAFETY: the chunks of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(chunk.start, chunk.len()) };
            f(a.read(chunk.clone(), &mut stage_a), b.read(chunk, &mut stage_b), out);
        }
    });
}

/// `out = f(out, other)` or `out = f(other, out)`.
pub(crate) fn zip_assign<T>(out: &mut [T], other: View<'_, T>, f: Loop2<'_, T, T, T>, which: InPlace)
where
    T: Copy + Default + Send + Sync,
{
    let other = StagedOperand::new(other);
    let shared = Shared::new(out);
    for_each_chunk(out.len(), false, |chunks| {
        let (mut stage, mut stage_other) = ([T::default(); STAGE], [T::default(); STAGE]);
        for chunk in chunks {
            // SAFETY: the chunks of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(chunk.start, chunk.len()) };
            let before = &mut stage[..out.len()];
            before.copy_from_slice(out);
            let other = other.read(chunk, &mut stage_other);
            match which {
                InPlace::First => f(before, other, out),
                InPlace::Second => f(other, before, out),
            }
        }
    });
}
