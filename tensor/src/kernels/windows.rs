//! Windows over one, two or three axes, and the loops over them. Channels come last, so that inner loops run along them.

use std::ops::Range;

use super::{CHUNK, Shared};
use crate::element::Element;
use crate::simd::vectorize_choices;
use crate::team;

/// Inputs of more bytes are taken to come from memory, not from a cache.
const CACHED: usize = 1 << 25;
/// Bytes of a line that are read in one go where the input comes from memory.
const RUN: usize = 1 << 11;

/// How windows lie along an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// `size` taps that are `dilation` apart, `stride` from window to window, the first `before` the beginning.
    Strided { size: usize, stride: usize, dilation: usize, before: usize },
    /// Of m windows over n places the i-th is from i n / m rounded down to (i + 1) n / m rounded up.
    Adaptive,
    /// Of m windows over n places the i-th holds those whose centres lie in the i-th of m equal parts.
    Nearest,
}

/// An axis with windows along it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub length: usize,
    pub windows: usize,
    pub rule: Rule,
}

/// The taps of a window along an axis that lie inside: `count` places from `start` on, `step` apart. Those before are
/// `skipped`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Taps {
    pub skipped: usize,
    pub start: usize,
    pub step: usize,
    pub count: usize,
}

impl Taps {
    #[inline(always)]
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |tap| self.start + tap * self.step)
    }
}

impl Axis {
    /// One window of one place.
    const ONE: Axis =
        Axis { length: 1, windows: 1, rule: Rule::Strided { size: 1, stride: 1, dilation: 1, before: 0 } };

    #[inline(always)]
    pub fn taps(&self, window: usize) -> Taps {
        if let Rule::Strided { size, stride, dilation, before } = self.rule {
            // No division where none is needed.
            let steps = |places: usize| if dilation == 1 { places } else { places.div_ceil(dilation) };
            let begin = window * stride;
            let skipped = steps(before.saturating_sub(begin)).min(size);
            let start = begin.saturating_add(skipped.saturating_mul(dilation)).saturating_sub(before);
            let count = (size - skipped).min(steps(self.length.saturating_sub(start)));
            return Taps { skipped, start, step: dilation, count };
        }
        let (begin, end) = self.reach(window);
        Taps { skipped: 0, start: begin as usize, step: 1, count: (end - begin) as usize }
    }

    /// From where to where a window reaches, beyond the ends too. Neither decreases from window to window.
    fn reach(&self, window: usize) -> (isize, isize) {
        let (length, windows) = (self.length, self.windows);
        match self.rule {
            Rule::Strided { size, stride, dilation, before } => {
                let begin = (window * stride) as isize - before as isize;
                (begin, begin + (size as isize - 1) * dilation as isize + 1)
            }
            Rule::Adaptive => {
                ((window * length / windows) as isize, ((window + 1) * length).div_ceil(windows) as isize)
            }
            Rule::Nearest => {
                // Place p belongs to window (2 p + 1) m / 2 n, rounded down.
                let first =
                    |window: usize| (2 * length * window).saturating_sub(windows).div_ceil(2 * windows) as isize;
                (first(window), first(window + 1))
            }
        }
    }

    /// How far windows are apart, if no place lies in two of them.
    pub fn apart(&self) -> Option<usize> {
        match self.rule {
            Rule::Strided { size, stride, dilation, .. } => ((size - 1) * dilation < stride).then_some(stride),
            Rule::Adaptive | Rule::Nearest => None,
        }
    }

    /// The places that these windows reach.
    pub fn reach_of(&self, windows: Range<usize>) -> Range<usize> {
        let clamp = |place: isize| usize::try_from(place).unwrap_or(0).min(self.length);
        let windows = windows.start..windows.end.min(self.windows);
        if windows.is_empty() { 0..0 } else { clamp(self.reach(windows.start).0)..clamp(self.reach(windows.end - 1).1) }
    }

    /// The windows that reach into these places.
    pub fn reaching(&self, places: &Range<usize>) -> Range<usize> {
        let first = partition_point(self.windows, |window| self.reach(window).1 <= places.start as isize);
        let end = partition_point(self.windows, |window| self.reach(window).0 < places.end as isize);
        first..end.max(first)
    }

    /// The most taps of a window.
    pub fn size(&self) -> usize {
        match self.rule {
            Rule::Strided { size, .. } => size,
            Rule::Adaptive | Rule::Nearest => self.length / self.windows.max(1) + 2,
        }
    }
}

/// The first of `0..len` that is not in the part at the front for which `before` holds.
fn partition_point(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Windows over samples of three axes and `channels`.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub axes: [Axis; 3],
    pub channels: usize,
}

/// A window: the sample that it lies in, its number among all of the batch, and its taps.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub sample: usize,
    pub number: usize,
    pub taps: [Taps; 3],
}

/// The numbers of taps among all of a window, in row-major order, those that are not inside included.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    high: usize,
    long: usize,
}

impl Numbers {
    #[inline(always)]
    pub fn of(self, taps: [usize; 3]) -> usize {
        (taps[0] * self.high + taps[1]) * self.long + taps[2]
    }
}

/// Windows side by side along the last axis: the sample that they lie in, their taps along the other axes, which they are,
/// and the number of the first among all of the batch.
#[derive(Clone)]
pub(crate) struct Line {
    pub sample: usize,
    pub outer: [Taps; 2],
    pub windows: Range<usize>,
    pub number: usize,
}

/// The part of a tensor that a task writes to.
pub(crate) struct Part<'a, T> {
    first: usize,
    elements: &'a mut [T],
}

impl<'a, T> Part<'a, T> {
    /// These, of which the first is that element of the tensor.
    pub fn new(first: usize, elements: &'a mut [T]) -> Self {
        Part { first, elements }
    }

    /// Elements `start..start + len` of the tensor, if they lie in this part.
    #[inline(always)]
    pub fn get(&mut self, start: usize, len: usize) -> Option<&mut [T]> {
        let start = start.wrapping_sub(self.first);
        self.elements.get_mut(start..start.wrapping_add(len))
    }
}

impl Windows {
    /// Windows over up to three axes.
    pub fn new(axes: impl DoubleEndedIterator<Item = Axis>, channels: usize) -> Self {
        let mut all = [Axis::ONE; 3];
        all.iter_mut().rev().zip(axes.rev()).for_each(|(place, axis)| *place = axis);
        Windows { axes: all, channels }
    }

    /// Some windows along an axis, and the places that they reach, to which these are the windows.
    pub fn part(&self, axis: usize, windows: Range<usize>) -> (Range<usize>, Windows) {
        let places = self.axes[axis].reach_of(windows.clone());
        let mut part = self.clone();
        if let Rule::Strided { size, stride, dilation, before } = self.axes[axis].rule {
            let before = (before + places.start) - windows.start * stride;
            let rule = Rule::Strided { size, stride, dilation, before };
            part.axes[axis] = Axis { length: places.len(), windows: windows.len(), rule };
        }
        (places, part)
    }

    /// The outermost axis along which there is more than one place and one window.
    pub fn outer(&self) -> usize {
        self.axes.iter().position(|axis| axis.length.max(axis.windows) > 1).unwrap_or(2)
    }

    /// Whether every place lies in exactly one window.
    pub fn are_tiles(&self) -> bool {
        self.axes.iter().all(|axis| match axis.rule {
            Rule::Strided { size, stride, dilation, before } => {
                (size == stride && dilation == 1 && before == 0) && axis.windows * size == axis.length
            }
            Rule::Adaptive | Rule::Nearest => false,
        })
    }

    /// How the taps of a window are numbered.
    pub fn numbers(&self) -> Numbers {
        Numbers { high: self.axes[1].size(), long: self.axes[2].size() }
    }

    /// Elements of a sample.
    #[inline(always)]
    pub fn sample(&self) -> usize {
        self.axes.iter().map(|axis| axis.length).product::<usize>() * self.channels
    }

    /// The most taps of a window.
    pub fn size(&self) -> usize {
        self.axes.iter().fold(1, |product, axis| product.saturating_mul(axis.size()))
    }

    /// Calls `body` with the first element of each tap of a window, in row-major order, and the tap's number.
    #[inline(always)]
    pub fn for_each_tap(&self, window: &Window, mut body: impl FnMut(usize, [usize; 3])) {
        let [a, b, c] = window.taps;
        let [_, height, width] = [0, 1, 2].map(|axis| self.axes[axis].length);
        let first = window.sample * self.sample();
        for (i, row) in a.places().enumerate() {
            for (j, column) in b.places().enumerate() {
                let line = first + (row * height + column) * width * self.channels;
                for (k, place) in c.places().enumerate() {
                    body(line + place * self.channels, [i, j, k]);
                }
            }
        }
    }

    /// Calls `body` with windows along the last axis and their elements of the output, `each` for each window, in tasks
    /// of some windows each.
    pub fn for_each_line<T: Element>(&self, out: &mut [T], each: usize, body: impl Fn(Line, &mut [T]) + Sync) {
        if out.is_empty() {
            return;
        }
        let [high, wide, long] = [0, 1, 2].map(|axis| self.axes[axis].windows);
        let windows = out.len() / each;
        let task = (CHUNK / self.size().saturating_mul(self.channels).max(each)).max(1);
        // From memory, short runs of several lines at once arrive sooner; from a cache, one line after the other.
        let place = self.channels * size_of::<T>();
        let from_memory = windows / (high * wide * long) * self.sample() * size_of::<T>() > CACHED;
        let piece = if from_memory { (RUN * long / (self.axes[2].length * place).max(1)).max(1) } else { long };
        let out = Shared::new(out);
        team::split(windows, task, |range| {
            vectorize_choices(
                #[inline(always)]
                || {
                    let mut number = range.start;
                    while number < range.end {
                        let (line, begin) = (number / long, number % long);
                        let end = long.min(begin + piece.min(range.end - number));
                        let (plane, sample) = (line / wide % high, line / wide / high);
                        let outer = [self.axes[0].taps(plane), self.axes[1].taps(line % wide)];
                        // SAFETY: each window's elements belong to the one task that has the window.
                        let out = unsafe { out.part(number * each, (end - begin) * each) };
                        body(Line { sample, outer, windows: begin..end, number }, out);
                        number += end - begin;
                    }
                },
            );
        });
    }

    /// Calls `body` with the first element of each line of the input that lies in windows of an output line.
    #[inline(always)]
    pub fn for_each_row(&self, line: &Line, mut body: impl FnMut(usize, [usize; 2])) {
        let [_, height, width] = [0, 1, 2].map(|axis| self.axes[axis].length);
        let [a, b] = line.outer;
        for (i, row) in a.places().enumerate() {
            for (j, column) in b.places().enumerate() {
                let row = (line.sample * self.axes[0].length + row) * height + column;
                body(row * width * self.channels, [i, j]);
            }
        }
    }

    /// Sets `dx`, all samples, to 0 and calls `body` with each window and the part of `dx` that may be added to, in
    /// tasks that own some entries of the outermost axis each. A window that reaches into the parts of several tasks
    /// comes to each of them. Within a task windows come in order, so the sums do not depend on where parts end.
    pub fn for_each_back<T: Element>(&self, dx: &mut [T], body: impl Fn(Window, &mut Part<'_, T>) + Sync) {
        if dx.is_empty() {
            return;
        }
        let outer = self.outer();
        let length = self.axes[outer].length;
        let entry = self.sample() / length;
        let entries = dx.len() / entry;
        // Long tasks, for windows that come to two of them are looked at twice.
        let task = (4 * CHUNK / entry).max(1);
        let dx = Shared::new(dx);
        team::split(entries, task, |range| {
            // SAFETY: each entry belongs to one task.
            let elements = unsafe { dx.part(range.start * entry, range.len() * entry) };
            vectorize_choices(
                #[inline(always)]
                || {
                    elements.fill(T::ZERO);
                    let mut part = Part::new(range.start * entry, elements);
                    for sample in range.start / length..range.end.div_ceil(length) {
                        let first = sample * length;
                        let places = range.start.max(first) - first..range.end.min(first + length) - first;
                        self.for_each_reaching(sample, outer, &places, |window| body(window, &mut part));
                    }
                },
            );
        });
    }

    /// Calls `body` with the windows of a sample that reach into these places of the axis `outer`, in order.
    #[inline(always)]
    fn for_each_reaching(&self, sample: usize, outer: usize, places: &Range<usize>, mut body: impl FnMut(Window)) {
        let along = |axis: usize| match axis == outer {
            true => self.axes[axis].reaching(places),
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

/// Runs `body` for each block of `BLOCK` channels from `first` on: as many of 32 as there are, then of 8, then of 1. The
/// length is a constant so that a block's values stay in registers.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_lie_where_they_are_said_to() {
        let axis = |length, windows, rule| Axis { length, windows, rule };
        let starts_and_counts = |axis: Axis| -> Vec<(usize, usize, usize)> {
            (0..axis.windows)
                .map(|window| axis.taps(window))
                .map(|taps| (taps.skipped, taps.start, taps.count))
                .collect()
        };
        // By hand: windows of taps at -2 0 2, 1 3 5, 4 6 8 over 0..6.
        let strided = Rule::Strided { size: 3, stride: 3, dilation: 2, before: 2 };
        assert_eq!(starts_and_counts(axis(6, 3, strided)), [(1, 0, 2), (0, 1, 3), (0, 4, 1)]);
        // By hand: windows wholly in what is padded, on either side.
        let beyond = Rule::Strided { size: 2, stride: 1, dilation: 1, before: 3 };
        assert_eq!(
            starts_and_counts(axis(1, 6, beyond)).iter().map(|taps| taps.2).collect::<Vec<_>>(),
            [0, 0, 1, 1, 0, 0]
        );
        // By hand: 7 places for 3 windows, 2 places for 3.
        assert_eq!(starts_and_counts(axis(7, 3, Rule::Adaptive)), [(0, 0, 3), (0, 2, 3), (0, 4, 3)]);
        assert_eq!(starts_and_counts(axis(2, 3, Rule::Adaptive)), [(0, 0, 1), (0, 0, 2), (0, 1, 1)]);
        // By hand: of 5 places with centres at 0.3, 0.9, 1.5, 2.1, 2.7 of three, two lie in each part but the middle.
        assert_eq!(starts_and_counts(axis(5, 3, Rule::Nearest)), [(0, 0, 2), (0, 2, 1), (0, 3, 2)]);
        assert_eq!(starts_and_counts(axis(2, 4, Rule::Nearest)), [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]);
    }

    #[test]
    fn windows_that_reach_somewhere_are_found() {
        let rules = [
            Rule::Strided { size: 3, stride: 2, dilation: 1, before: 1 },
            Rule::Strided { size: 2, stride: 1, dilation: 3, before: 2 },
            Rule::Strided { size: 1, stride: 3, dilation: 1, before: 0 },
            Rule::Adaptive,
            Rule::Nearest,
        ];
        for rule in rules {
            let axis = Axis { length: 9, windows: 3, rule };
            for (start, end) in (0..9).flat_map(|start| (start + 1..=9).map(move |end| (start, end))) {
                let found = axis.reaching(&(start..end));
                let touches = |window: usize| axis.taps(window).places().any(|place| (start..end).contains(&place));
                let missed: Vec<_> = (0..3).filter(|window| touches(*window) && !found.contains(window)).collect();
                assert_eq!(missed, [0; 0], "{rule:?} at {start}..{end}");
            }
        }
    }
}
