//! Elementwise kernels: one function applied to every element of one, two or three operands.
//!
//! The work is done in pieces: an operand that lies in one piece is read where it is, any other is gathered, some
//! elements at a time, into a small buffer first. So the function's loop, the only code made anew for every function,
//! is over plain slices and exists once for each; how operands lie is no business of it.

use std::ops::Range;

use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::simd::vectorize;
use crate::team;

/// Elements gathered at a time: little enough to stay in the first-level cache beside the other operands.
const STAGE: usize = 256;

/// An operand, read in the result's row-major order.
struct Operand<'a, A> {
    data: &'a [A],
    nest: Nest<1>,
}

impl<'a, A: Copy + Default> Operand<'a, A> {
    fn new(view: View<'a, A>) -> Self {
        Operand { data: view.data, nest: Nest::new([view.layout]) }
    }

    /// Whether all elements lie side by side.
    fn is_whole(&self) -> bool {
        self.nest.is_one_run() && self.nest.steps[0] == 1
    }

    /// The elements of `range`, in place where they lie side by side, else gathered into `stage`.
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

/// Calls `piece` for consecutive parts of `0..len`, cut by size alone: large ones if all operands can be read in place,
/// else as large as a stage.
fn for_each_piece(len: usize, in_place: bool, piece: impl Fn(&mut dyn Iterator<Item = Range<usize>>) + Sync) {
    team::split(len, CHUNK, |range| {
        let size = if in_place { range.len() } else { STAGE };
        piece(&mut range.clone().step_by(size).map(|start| start..range.end.min(start + size)));
    });
}

/// The loop of a function of one operand.
pub(crate) fn loop1<A: Copy, R>(f: impl Fn(A) -> R + Sync) -> impl Fn(&[A], &mut [R]) + Sync {
    move |a, out| {
        vectorize(
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
pub(crate) fn loop2<A: Copy, B: Copy, R>(f: impl Fn(A, B) -> R + Sync) -> impl Fn(&[A], &[B], &mut [R]) + Sync {
    move |a, b, out| {
        vectorize(
            #[inline(always)]
            || {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *out = f(a, b);
                }
            },
        );
    }
}

/// The loop of a function of one operand, whatever the function.
pub(crate) type Loop1<'a, A, R> = &'a (dyn Fn(&[A], &mut [R]) + Sync);
/// The loop of a function of two operands, whatever the function.
pub(crate) type Loop2<'a, A, B, R> = &'a (dyn Fn(&[A], &[B], &mut [R]) + Sync);

/// Which operand of a function of two lies in the memory of the result.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum InPlace {
    /// The first: `out = f(out, other)`.
    First,
    /// The second: `out = f(other, out)`.
    Second,
}

/// `out = f(a, b, c)`.
pub(crate) fn zip3<A, B, C, R>(
    a: View<'_, A>,
    b: View<'_, B>,
    c: View<'_, C>,
    out: &mut [R],
    f: impl Fn(A, B, C) -> R + Sync,
) where
    A: Copy + Default + Sync,
    B: Copy + Default + Sync,
    C: Copy + Default + Sync,
    R: Send,
{
    let (a, b, c) = (Operand::new(a), Operand::new(b), Operand::new(c));
    let shared = Shared::new(out);
    for_each_piece(out.len(), a.is_whole() && b.is_whole() && c.is_whole(), |pieces| {
        let (mut stage_a, mut stage_b, mut stage_c) =
            ([A::default(); STAGE], [B::default(); STAGE], [C::default(); STAGE]);
        for piece in pieces {
            // SAFETY: the pieces of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(piece.start, piece.len()) };
            let (a, b) = (a.read(piece.clone(), &mut stage_a), b.read(piece.clone(), &mut stage_b));
            let c = c.read(piece, &mut stage_c);
            vectorize(
                #[inline(always)]
                || {
                    for (((out, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
                        *out = f(a, b, c);
                    }
                },
            );
        }
    });
}

/// `out = f(a)`.
pub(crate) fn map<A, R>(a: View<'_, A>, out: &mut [R], f: Loop1<'_, A, R>)
where
    A: Copy + Default + Sync,
    R: Send,
{
    let a = Operand::new(a);
    let shared = Shared::new(out);
    for_each_piece(out.len(), a.is_whole(), |pieces| {
        let mut stage = [A::default(); STAGE];
        for piece in pieces {
            // SAFETY: the pieces of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(piece.start, piece.len()) };
            f(a.read(piece, &mut stage), out);
        }
    });
}

/// `out = f(out)`.
pub(crate) fn map_assign<T: Copy + Default + Send>(out: &mut [T], f: Loop1<'_, T, T>) {
    let shared = Shared::new(out);
    for_each_piece(out.len(), false, |pieces| {
        let mut stage = [T::default(); STAGE];
        for piece in pieces {
            // SAFETY: the pieces of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(piece.start, piece.len()) };
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
    let (a, b) = (Operand::new(a), Operand::new(b));
    let shared = Shared::new(out);
    for_each_piece(out.len(), a.is_whole() && b.is_whole(), |pieces| {
        let (mut stage_a, mut stage_b) = ([A::default(); STAGE], [B::default(); STAGE]);
        for piece in pieces {
            // SAFETY: the pieces of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(piece.start, piece.len()) };
            f(a.read(piece.clone(), &mut stage_a), b.read(piece, &mut stage_b), out);
        }
    });
}

/// `out = f(out, other)` or `out = f(other, out)`.
pub(crate) fn zip_assign<T>(out: &mut [T], other: View<'_, T>, f: Loop2<'_, T, T, T>, which: InPlace)
where
    T: Copy + Default + Send + Sync,
{
    let other = Operand::new(other);
    let shared = Shared::new(out);
    for_each_piece(out.len(), false, |pieces| {
        let (mut stage, mut stage_other) = ([T::default(); STAGE], [T::default(); STAGE]);
        for piece in pieces {
            // SAFETY: the pieces of all tasks are disjoint parts of the result.
            let out = unsafe { shared.part(piece.start, piece.len()) };
            let before = &mut stage[..out.len()];
            before.copy_from_slice(out);
            let other = other.read(piece, &mut stage_other);
            match which {
                InPlace::First => f(before, other, out),
                InPlace::Second => f(other, before, out),
            }
        }
    });
}
