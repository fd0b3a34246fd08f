//! Loops over [`Windows`]. Channels come last, so that inner loops run along them.

use std::ops::Range;

use super::{CHUNK, Shared};
use crate::element::Element;
use crate::simd::vectorize_choices;
use crate::team;
use crate::windows::{Taps, Windows};

/// Inputs of more bytes come from memory, not from a cache.
const CACHED: usize = 1 << 25;
/// The bytes of a line that are read at a time where the input comes from memory.
const RUN: usize = 1 << 11;

/// A window: its sample, its number in the whole batch, and its kernel positions.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub sample: usize,
    pub number: usize,
    pub taps: [Taps; 3],
}

/// Windows next to each other along the last axis: their sample, their kernel positions along the other axes, their range, and
/// the number of the first in the whole batch.
#[derive(Clone)]
pub(crate) struct WindowLine {
    pub sample: usize,
    pub outer: [Taps; 2],
    pub windows: Range<usize>,
    pub number: usize,
}

/// The part of a tensor that a task writes to; `first` is the index of its first element.
pub(crate) struct TaskPart<'a, T> {
    first: usize,
    elements: &'a mut [T],
}

impl<'a, T> TaskPart<'a, T> {
    /// The part that begins at element `first` of the tensor.
    pub fn new(first: usize, elements: &'a mut [T]) -> Self {
        TaskPart { first, elements }
    }

    /// Elements `start..start + len` of the tensor, if this part has them.
    #[inline(always)]
    pub fn get(&mut self, start: usize, len: usize) -> Option<&mut [T]> {
        let start = start.wrapping_sub(self.first);
        self.elements.get_mut(start..start.wrapping_add(len))
    }
}

impl Windows {
    /// Calls `body` for each kernel position of a window inside the input, in row-major order, with the index of its first
    /// element and its indices among the positions inside.
    #[inline(always)]
    pub fn for_each_tap(&self, window: &Window, mut body: impl FnMut(usize, [usize; 3])) {
        let [a, b, c] = window.taps;
        let [_, height, width] = [0, 1, 2].map(|axis| self.axes[axis].length);
        let first = window.sample * self.sample_size();
        for (i, row) in a.places().enumerate() {
            for (j, column) in b.places().enumerate() {
                let line = first + (row * height + column) * width * self.channels;
                for (k, place) in c.places().enumerate() {
                    body(line + place * self.channels, [i, j, k]);
                }
            }
        }
    }

    /// Calls `body` with lines of windows along the last axis and their elements of the output, `each` for each window. A task
    /// has some of the windows.
    pub fn for_each_line<T: Element>(&self, out: &mut [T], each: usize, body: impl Fn(WindowLine, &mut [T]) + Sync) {
        if out.is_empty() {
            return;
        }
        let [high, wide, long] = [0, 1, 2].map(|axis| self.axes[axis].windows);
        let windows = out.len() / each;
        let task = (CHUNK / self.size().saturating_mul(self.channels).max(each)).max(1);
        // From memory, short runs of several lines at once arrive sooner than one line after the other.
        let place = self.channels * size_of::<T>();
        let from_memory = windows / (high * wide * long) * self.sample_size() * size_of::<T>() > CACHED;
        let run = if from_memory { (RUN * long / (self.axes[2].length * place).max(1)).max(1) } else { long };
        let out = Shared::new(out);
        team::split(windows, task, |range| {
            vectorize_choices(
                #[inline(always)]
                || {
                    let mut number = range.start;
                    while number < range.end {
                        let (line, begin) = (number / long, number % long);
                        let end = long.min(begin + run.min(range.end - number));
                        let (plane, sample) = (line / wide % high, line / wide / high);
                        let outer = [self.axes[0].taps(plane), self.axes[1].taps(line % wide)];
                        // SAFETY: each window's elements belong to the one task that has the window.
                        let out = unsafe { out.part(number * each, (end - begin) * each) };
                        body(WindowLine { sample, outer, windows: begin..end, number }, out);
                        number += end - begin;
                    }
                },
            );
        });
    }

    /// Calls `body` for each line of the input that the windows reach, with the index of its first element and its indices
    /// among the positions inside.
    #[inline(always)]
    pub fn for_each_row(&self, line: &WindowLine, mut body: impl FnMut(usize, [usize; 2])) {
        let [_, height, width] = [0, 1, 2].map(|axis| self.axes[axis].length);
        let [a, b] = line.outer;
        for (i, row) in a.places().enumerate() {
            for (j, column) in b.places().enumerate() {
                let row = (line.sample * self.axes[0].length + row) * height + column;
                body(row * width * self.channels, [i, j]);
            }
        }
    }

    /// Sets `dx` (all samples) to 0 and calls `body` with each window and a part of `dx` to add to. A task owns some entries of
    /// the outermost axis. A window that reaches into the parts of several tasks is visited by each of them. A task visits its
    /// windows in order, so the sums do not depend on where parts end.
    pub fn for_each_back<T: Element>(&self, dx: &mut [T], body: impl Fn(Window, &mut TaskPart<'_, T>) + Sync) {
        if dx.is_empty() {
            return;
        }
        let outer = self.outermost_axis();
        let length = self.axes[outer].length;
        let entry = self.sample_size() / length;
        let entries = dx.len() / entry;
        // Long tasks, because windows across two parts are visited twice.
        let task = (4 * CHUNK / entry).max(1);
        let dx = Shared::new(dx);
        team::split(entries, task, |range| {
            // SAFETY: each entry belongs to one task.
            let elements = unsafe { dx.part(range.start * entry, range.len() * entry) };
            vectorize_choices(
                #[inline(always)]
                || {
                    elements.fill(T::ZERO);
                    let mut part = TaskPart::new(range.start * entry, elements);
                    for sample in range.start / length..range.end.div_ceil(length) {
                        let first = sample * length;
                        let places = range.start.max(first) - first..range.end.min(first + length) - first;
                        self.for_each_reaching(sample, outer, &places, |window| body(window, &mut part));
                    }
                },
            );
        });
    }

    /// Calls `body` in order with the windows of a sample that reach into `places` of the axis `outer`.
    #[inline(always)]
    fn for_each_reaching(&self, sample: usize, outer: usize, places: &Range<usize>, mut body: impl FnMut(Window)) {
        let along = |axis: usize| match axis == outer {
            true => self.axes[axis].windows_reaching(places),
            false => 0..self.axes[axis].windows,
        };
        let [high, wide, long] = [0, 1, 2].map(|axis| self.axes[axis].windows);
        for i in along(0) {
            for j in along(1) {
                let (a, b) = (self.axes[0].taps(i), self.axes[1].taps(j));
                for k in along(2) {
                    let number = ((sample * high + i) * wide + j) * long + k;
                    body(Window { sample, number, taps: [a, b, self.axes[2].taps(k)] });
                }
            }
        }
    }
}

/// Runs `body` for each block of `BLOCK` channels from `first` on: blocks of 32 while there are so many channels left, then of
/// 8, then of 1. The length is a constant so that a block's values stay in registers.
macro_rules! in_blocks {
    ($channels:expr, |$BLOCK:ident, $first:ident| $body:block) => {{
        let channels = $channels;
        let mut $first = 0;
        {
            const $BLOCK: usize = 32;
            while $first + $BLOCK <= channels {
                $body;
                $first += $BLOCK;
            }
        }
        {
            const $BLOCK: usize = 8;
            while $first + $BLOCK <= channels {
                $body;
                $first += $BLOCK;
            }
        }
        {
            const $BLOCK: usize = 1;
            while $first < channels {
                $body;
                $first += $BLOCK;
            }
        }
    }};
}
pub(crate) use in_blocks;
