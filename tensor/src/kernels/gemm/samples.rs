//! The samples that a convolution reads, with zeros around them.
//!
//! A padded copy of all samples would travel through memory three times. So each task pads the part that it reads, into
//! scratch that stays in the second-level cache.

use std::ops::Range;

/// A stack of contiguous samples `[count, lengths.., channels]`, with zeros before and after their spatial axes.
#[derive(Clone, Copy)]
pub struct Samples<'a, T> {
    data: &'a [T],
    /// The spatial axes, behind axes of length 1 if they are fewer than three.
    axes: [PaddedAxis; 3],
    channels: usize,
}

/// An axis with the number of zeros before and after it.
#[derive(Clone, Copy, PartialEq)]
pub struct PaddedAxis {
    pub before: usize,
    pub length: usize,
    pub after: usize,
}

impl PaddedAxis {
    /// The length with the zeros.
    pub fn padded(&self) -> usize {
        self.before + self.length + self.after
    }
}

/// The most elements of a padded part, as long as a task reads more than one line at a time: they stay in the second-level cache.
const MOST_PADDED: usize = 1 << 16;

impl<'a, T: Copy + Default> Samples<'a, T> {
    /// Samples of these axes, in row-major order.
    ///
    /// # Panics
    ///
    /// If there are more than three axes, or the data are not whole samples.
    pub fn new(data: &'a [T], spatial: &[PaddedAxis], channels: usize) -> Self {
        let mut axes = [PaddedAxis { before: 0, length: 1, after: 0 }; 3];
        axes[3 - spatial.len()..].copy_from_slice(spatial);
        let size = axes.iter().map(|axis| axis.length).product::<usize>() * channels;
        assert!(data.is_empty() || data.len().is_multiple_of(size), "samples of {size} elements in {}", data.len());
        Samples { data, axes, channels }
    }

    /// Samples without zeros around them, each `step` elements after the one before.
    pub fn plain(data: &'a [T], step: usize) -> Self {
        let axis = |length| PaddedAxis { before: 0, length, after: 0 };
        Samples { data, axes: [axis(1), axis(1), axis(step)], channels: 1 }
    }

    /// The elements of a padded sample.
    pub fn size(&self) -> usize {
        self.axes.iter().map(PaddedAxis::padded).product::<usize>() * self.channels
    }

    fn is_padded(&self) -> bool {
        self.axes.iter().any(|axis| axis.padded() != axis.length)
    }

    /// The elements in which `count` samples lie.
    pub(super) fn elements(&self, count: usize) -> usize {
        if !self.is_padded() {
            return self.data.len();
        }
        let size: usize = self.axes.iter().map(|axis| axis.length).product::<usize>() * self.channels;
        // (The lines that are padded must exist.)
        if self.data.len() < count * size { 0 } else { count.saturating_mul(self.size()) }
    }

    /// The parts into which a sample must be cut at least, and the most samples at a time, so that the padded copy of each stays in
    /// the cache.
    pub(super) fn least_parts_and_most_samples(&self) -> (usize, usize) {
        if !self.is_padded() {
            return (1, usize::MAX);
        }
        let size = self.size().max(1);
        (size.div_ceil(MOST_PADDED), (MOST_PADDED / size).max(1))
    }

    /// The elements of scratch that [`place`](Self::place) needs for some samples, or for the part of one that `offsets` span.
    pub(super) fn scratch(&self, samples: &Range<usize>, offsets: &Range<usize>) -> usize {
        match (self.is_padded(), samples.len()) {
            (false, _) => 0,
            (true, 1) => offsets.len(),
            (true, count) => count * self.size(),
        }
    }

    /// Places some samples: in the data, or padded in the scratch. Of a single sample, only the offsets `offsets` are read.
    ///
    /// # Safety
    ///
    /// The scratch is as large as [`scratch`](Self::scratch) says, and no other thread uses it.
    pub(super) unsafe fn place(&self, samples: Range<usize>, offsets: Range<usize>, scratch: *mut T) -> Placed<T> {
        let step = self.size();
        if !self.is_padded() {
            return Placed { start: self.data.as_ptr(), step };
        }
        let mut first = 0;
        if samples.len() == 1 {
            first = offsets.start;
            // SAFETY: the caller's promise.
            unsafe { self.pad(samples.start, offsets, scratch) };
        } else {
            for (i, sample) in samples.clone().enumerate() {
                // SAFETY: as above.
                unsafe { self.pad(sample, 0..step, scratch.add(i * step)) };
            }
        }
        Placed { start: scratch.cast_const().wrapping_sub(samples.start * step + first), step }
    }

    /// Writes these elements of a padded sample to `target`, which has room for them.
    unsafe fn pad(&self, sample: usize, offsets: Range<usize>, mut target: *mut T) {
        let [outer, middle, inner] = self.axes;
        let line = inner.padded() * self.channels;
        let (before, length) = (inner.before * self.channels, inner.length * self.channels);
        let mut at = offsets.start;
        while at < offsets.end {
            let (number, start) = (at / line, at % line);
            let part = start..line.min(start + offsets.end - at);
            // SAFETY: the caller has room for all parts of lines.
            let out = unsafe { std::slice::from_raw_parts_mut(target, part.len()) };
            (at, target) = (at + part.len(), target.wrapping_add(part.len()));
            let (plane, row) = (number / middle.padded(), number % middle.padded());
            let inside = |at: usize, axis: &PaddedAxis| at.checked_sub(axis.before).filter(|&at| at < axis.length);
            let (Some(plane), Some(row)) = (inside(plane, &outer), inside(row, &middle)) else {
                out.fill(T::default());
                continue;
            };
            let from = ((sample * outer.length + plane) * middle.length + row) * length;
            let [first, last] = [before, before + length].map(|end| end.clamp(part.start, part.end));
            out[..first - part.start].fill(T::default());
            if first < last {
                let source = &self.data[from + first - before..from + last - before];
                out[first - part.start..last - part.start].copy_from_slice(source);
            }
            out[last - part.start..].fill(T::default());
        }
    }
}

/// Samples at their places: offset `offset` of sample `s` lies at `start + s * step + offset`.
#[derive(Clone, Copy)]
pub(super) struct Placed<T> {
    start: *const T,
    step: usize,
}

impl<T> Placed<T> {
    /// The address at which the offsets of a sample begin.
    #[inline(always)]
    pub(super) fn start(&self, sample: usize) -> *const T {
        self.start.wrapping_add(sample * self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_padded_sample() {
        let axis = |before, length, after| PaddedAxis { before, length, after };
        let data: Vec<u32> = (1..=2 * 2 * 3 * 2).collect();
        let of = |spatial: &[PaddedAxis]| Samples::new(&data, spatial, 2);
        // [2 samples, 2, 3, 2 channels], and the same as one axis.
        for (samples, lines) in [
            (of(&[axis(1, 2, 0), axis(0, 3, 2)]), [None, Some(0), Some(1)].map(|line| (line, 0, 3, 2)).to_vec()),
            (of(&[axis(2, 6, 1)]), vec![(Some(0), 2, 6, 1)]),
        ] {
            let line = |sample: usize, (line, before, length, after): (Option<usize>, usize, usize, usize)| {
                let values = move |i: usize| line.map_or(0, |line| data_at(sample, line, length, i));
                let zeros = |count: usize| std::iter::repeat_n(0, 2 * count);
                zeros(before).chain((0..2 * length).map(values)).chain(zeros(after)).collect::<Vec<u32>>()
            };
            let padded = |sample| lines.iter().flat_map(|&part| line(sample, part)).collect::<Vec<_>>();
            let size = samples.size();
            assert_eq!((size, size), (padded(0).len(), padded(1).len()));
            let placed = |range: Range<usize>, offsets: Range<usize>| {
                let mut scratch = vec![99; samples.scratch(&range, &offsets)];
                // SAFETY: the scratch is as large as that.
                let placed = unsafe { samples.place(range.clone(), offsets.clone(), scratch.as_mut_ptr()) };
                let first = if range.len() == 1 { offsets.start } else { 0 };
                assert_eq!(placed.start(range.start).wrapping_add(first), scratch.as_ptr());
                scratch
            };
            assert_eq!(placed(0..2, 0..0), [padded(0), padded(1)].concat());
            for start in 0..size {
                (start..=size).for_each(|end| assert_eq!(placed(1..2, start..end), padded(1)[start..end]));
            }
        }
    }

    /// Element `i` of a line of numbers counted from 1, 12 in a sample.
    fn data_at(sample: usize, line: usize, length: usize, i: usize) -> u32 {
        (12 * sample + 2 * length * line + i + 1) as u32
    }
}
