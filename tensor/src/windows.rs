//! Windows over one, two or three axes, as index arithmetic: the positions of each that lie inside the input.
//!
//! A kernel position (tap) is one of the places of a window. Convolutions, poolings and `unfold` describe their windows so;
//! the loops over them are in [`kernels::windows`](crate::kernels::windows).

use std::ops::Range;

/// The spacing of windows along an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spacing {
    /// `size` kernel positions that are `dilation` apart; windows are `stride` apart, and the first begins `before` places
    /// before the input.
    Strided { size: usize, stride: usize, dilation: usize, before: usize },
    /// Window i of m over n places reaches from i n / m rounded down to (i + 1) n / m rounded up.
    Adaptive,
    /// Window i of m over n places holds the places whose centres lie in part i of m equal parts.
    Nearest,
}

/// An axis of `length` places with windows along it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowAxis {
    pub length: usize,
    pub windows: usize,
    pub spacing: Spacing,
}

/// The kernel positions (taps) of a window along an axis that lie inside the input: `count` places from `start` on, `step`
/// apart. `skipped` positions lie before the input.
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

impl WindowAxis {
    /// An axis of one place and one window.
    const ONE: WindowAxis =
        WindowAxis { length: 1, windows: 1, spacing: Spacing::Strided { size: 1, stride: 1, dilation: 1, before: 0 } };

    #[inline(always)]
    pub fn taps(&self, window: usize) -> Taps {
        if let Spacing::Strided { size, stride, dilation, before } = self.spacing {
            // Division by 1 is left out, because it is slow and common.
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

    /// The first place of a window and the place after its last, beyond the input too. Neither decreases from window to window.
    fn reach(&self, window: usize) -> (isize, isize) {
        let (length, windows) = (self.length, self.windows);
        match self.spacing {
            Spacing::Strided { size, stride, dilation, before } => {
                let begin = (window * stride) as isize - before as isize;
                (begin, begin + (size as isize - 1) * dilation as isize + 1)
            }
            Spacing::Adaptive => {
                ((window * length / windows) as isize, ((window + 1) * length).div_ceil(windows) as isize)
            }
            Spacing::Nearest => {
                // Place p belongs to window (2 p + 1) m / 2 n, rounded down.
                let first =
                    |window: usize| (2 * length * window).saturating_sub(windows).div_ceil(2 * windows) as isize;
                (first(window), first(window + 1))
            }
        }
    }

    /// The stride of the windows, if no place lies in two of them.
    pub fn disjoint_stride(&self) -> Option<usize> {
        match self.spacing {
            Spacing::Strided { size, stride, dilation, .. } => ((size - 1) * dilation < stride).then_some(stride),
            Spacing::Adaptive | Spacing::Nearest => None,
        }
    }

    /// The places inside the input that these windows reach.
    pub fn places_reached_by(&self, windows: Range<usize>) -> Range<usize> {
        let clamp = |place: isize| usize::try_from(place).unwrap_or(0).min(self.length);
        let windows = windows.start..windows.end.min(self.windows);
        if windows.is_empty() { 0..0 } else { clamp(self.reach(windows.start).0)..clamp(self.reach(windows.end - 1).1) }
    }

    /// The windows that reach into these places.
    pub fn windows_reaching(&self, places: &Range<usize>) -> Range<usize> {
        let first = partition_point(self.windows, |window| self.reach(window).1 <= places.start as isize);
        let end = partition_point(self.windows, |window| self.reach(window).0 < places.end as isize);
        first..end.max(first)
    }

    /// The most kernel positions of a window.
    pub fn size(&self) -> usize {
        match self.spacing {
            Spacing::Strided { size, .. } => size,
            Spacing::Adaptive | Spacing::Nearest => self.length / self.windows.max(1) + 2,
        }
    }
}

/// The number of elements at the front of `0..len` for which `before` holds.
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

/// Windows over samples `[axes.., channels]`; fewer than three axes are preceded by axes of length 1.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub axes: [WindowAxis; 3],
    pub channels: usize,
}

/// The numbering of a window's kernel positions in row-major order, positions outside the input included.
#[derive(Clone, Copy)]
pub(crate) struct TapNumbers {
    high: usize,
    long: usize,
}

impl TapNumbers {
    /// The number of the position with these indices along the three axes.
    #[inline(always)]
    pub fn of(self, taps: [usize; 3]) -> usize {
        (taps[0] * self.high + taps[1]) * self.long + taps[2]
    }
}

impl Windows {
    /// Windows over up to three axes.
    ///
    /// # Panics
    /// If the places of windows whose ends are fractions of the axis cannot be computed in `isize`.
    #[track_caller]
    pub fn new(axes: impl DoubleEndedIterator<Item = WindowAxis>, channels: usize) -> Self {
        let mut all = [WindowAxis::ONE; 3];
        all.iter_mut().rev().zip(axes.rev()).for_each(|(place, axis)| *place = axis);
        for WindowAxis { length, windows, spacing } in &all {
            // (length + 1) (windows + 1) 2 bounds all products of `reach`.
            let most = length.saturating_add(1).saturating_mul(windows.saturating_add(1)).saturating_mul(2);
            if !matches!(spacing, Spacing::Strided { .. }) && isize::try_from(most).is_err() {
                panic!("tensor size overflows: {windows} windows over an axis of {length}");
            }
        }
        Windows { axes: all, channels }
    }

    /// The places that some windows along an axis reach, and these windows over those places alone.
    pub fn part(&self, axis: usize, windows: Range<usize>) -> (Range<usize>, Windows) {
        let places = self.axes[axis].places_reached_by(windows.clone());
        let mut part = self.clone();
        if let Spacing::Strided { size, stride, dilation, before } = self.axes[axis].spacing {
            let before = (before + places.start) - windows.start * stride;
            let spacing = Spacing::Strided { size, stride, dilation, before };
            part.axes[axis] = WindowAxis { length: places.len(), windows: windows.len(), spacing };
        }
        (places, part)
    }

    /// The outermost axis with more than one place or more than one window.
    pub fn outermost_axis(&self) -> usize {
        self.axes.iter().position(|axis| axis.length.max(axis.windows) > 1).unwrap_or(2)
    }

    /// Whether every place lies in exactly one window.
    pub fn are_tiles(&self) -> bool {
        self.axes.iter().all(|axis| match axis.spacing {
            Spacing::Strided { size, stride, dilation, before } => {
                (size == stride && dilation == 1 && before == 0) && axis.windows * size == axis.length
            }
            Spacing::Adaptive | Spacing::Nearest => false,
        })
    }

    /// The numbering of a window's kernel positions.
    pub fn tap_numbers(&self) -> TapNumbers {
        TapNumbers { high: self.axes[1].size(), long: self.axes[2].size() }
    }

    /// The elements of a sample.
    #[inline(always)]
    pub fn sample_size(&self) -> usize {
        self.axes.iter().map(|axis| axis.length).product::<usize>() * self.channels
    }

    /// The most kernel positions of a window.
    pub fn size(&self) -> usize {
        self.axes.iter().fold(1, |product, axis| product.saturating_mul(axis.size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_lie_where_they_are_said_to() {
        let axis = |length, windows, spacing| WindowAxis { length, windows, spacing };
        let starts_and_counts = |axis: WindowAxis| -> Vec<(usize, usize, usize)> {
            (0..axis.windows)
                .map(|window| axis.taps(window))
                .map(|taps| (taps.skipped, taps.start, taps.count))
                .collect()
        };
        // By hand: windows of taps at -2 0 2, 1 3 5, 4 6 8 over 0..6.
        let strided = Spacing::Strided { size: 3, stride: 3, dilation: 2, before: 2 };
        assert_eq!(starts_and_counts(axis(6, 3, strided)), [(1, 0, 2), (0, 1, 3), (0, 4, 1)]);
        // By hand: windows wholly in the padding, on either side.
        let beyond = Spacing::Strided { size: 2, stride: 1, dilation: 1, before: 3 };
        assert_eq!(
            starts_and_counts(axis(1, 6, beyond)).iter().map(|taps| taps.2).collect::<Vec<_>>(),
            [0, 0, 1, 1, 0, 0]
        );
        // By hand: 7 places for 3 windows, 2 places for 3.
        assert_eq!(starts_and_counts(axis(7, 3, Spacing::Adaptive)), [(0, 0, 3), (0, 2, 3), (0, 4, 3)]);
        assert_eq!(starts_and_counts(axis(2, 3, Spacing::Adaptive)), [(0, 0, 1), (0, 0, 2), (0, 1, 1)]);
        // By hand: of 5 places with centres at 0.3, 0.9, 1.5, 2.1, 2.7 of three, two lie in each part but the middle.
        assert_eq!(starts_and_counts(axis(5, 3, Spacing::Nearest)), [(0, 0, 2), (0, 2, 1), (0, 3, 2)]);
        assert_eq!(starts_and_counts(axis(2, 4, Spacing::Nearest)), [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]);
    }

    #[test]
    fn windows_that_reach_somewhere_are_found() {
        let spacings = [
            Spacing::Strided { size: 3, stride: 2, dilation: 1, before: 1 },
            Spacing::Strided { size: 2, stride: 1, dilation: 3, before: 2 },
            Spacing::Strided { size: 1, stride: 3, dilation: 1, before: 0 },
            Spacing::Adaptive,
            Spacing::Nearest,
        ];
        for spacing in spacings {
            let axis = WindowAxis { length: 9, windows: 3, spacing };
            for (start, end) in (0..9).flat_map(|start| (start + 1..=9).map(move |end| (start, end))) {
                let found = axis.windows_reaching(&(start..end));
                let touches = |window: usize| axis.taps(window).places().any(|place| (start..end).contains(&place));
                let missed: Vec<_> = (0..3).filter(|window| touches(*window) && !found.contains(window)).collect();
                assert_eq!(missed, [0; 0], "{spacing:?} at {start}..{end}");
            }
        }
    }
}
