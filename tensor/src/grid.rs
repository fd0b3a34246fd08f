//! Offsets on a grid: the addresses of windows and of their elements, without a table of them.

use std::ops::Range;

use smallvec::SmallVec;

/// Three spatial axes and one of channels.
const MOST_AXES: usize = 4;

/// Offsets on a grid: a first offset plus, along each axis, multiples of a step, in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    offset: usize,
    axes: SmallVec<[GridAxis; MOST_AXES]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GridAxis {
    count: usize,
    step: usize,
}

impl Grid {
    /// A single offset.
    pub fn new(offset: usize) -> Self {
        Grid { offset, axes: SmallVec::new() }
    }

    /// This grid with one more axis, which runs faster than those before.
    pub fn axis(mut self, count: usize, step: usize) -> Self {
        // The step of an axis of one is not taken, and may be larger than any offset.
        let axis = GridAxis { count, step: if count == 1 { 0 } else { step } };
        match self.axes.last_mut() {
            // One of the two adds no offset, or the two axes form one.
            Some(_) if count == 1 => {}
            Some(last) if last.count == 1 => *last = axis,
            Some(last) if count.checked_mul(step) == Some(last.step) => {
                *last = GridAxis { count: last.count.checked_mul(count).expect("tensor size overflows"), step };
            }
            _ => {
                assert!(self.axes.len() < MOST_AXES, "a grid of more than {MOST_AXES} axes");
                self.axes.push(axis);
            }
        }
        self
    }

    /// This grid with its offset increased by `by`.
    pub fn offset_by(self, by: usize) -> Self {
        Grid { offset: self.offset.checked_add(by).expect("tensor size overflows"), ..self }
    }

    /// The number of offsets.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// The greatest offset, or `None` for an empty grid; `usize::MAX` where it would overflow.
    pub fn greatest(&self) -> Option<usize> {
        let reach = |sum: usize, axis: &GridAxis| {
            Some(sum.saturating_add(axis.count.checked_sub(1)?.saturating_mul(axis.step)))
        };
        self.axes.iter().try_fold(self.offset, reach)
    }

    /// The length of the runs of consecutive offsets (each greater by 1 than the one before) along the last axis.
    pub fn run(&self) -> usize {
        self.axes.last().filter(|axis| axis.step == 1).map_or(1, |axis| axis.count)
    }

    /// Calls `body` with the offsets of a range, run by run along the last axis.
    // (Not an iterator: it would be moved just after its fields were written one by one, and the processor would wait until
    // these writes reach the cache, behind all the results on their way to memory.)
    #[inline(always)]
    pub fn for_each_run(&self, range: Range<usize>, mut body: impl FnMut(OffsetRun)) {
        let (&GridAxis { count, step }, axes) =
            self.axes.split_last().unwrap_or((&GridAxis { count: 1, step: 0 }, &[]));
        let (mut index, mut start, mut first, mut left) = ([0; MOST_AXES], self.offset, 0, range.len());
        if range.start > 0 && left > 0 {
            let mut rest = range.start / count;
            first = range.start % count;
            for (index, axis) in index[..axes.len()].iter_mut().zip(axes).rev() {
                *index = rest % axis.count;
                rest /= axis.count;
                start += *index * axis.step;
            }
        }
        while left > 0 {
            let len = left.min(count - first);
            body(OffsetRun { start: start + first * step, step, count: len });
            left -= len;
            first = 0;
            for (index, axis) in index[..axes.len()].iter_mut().zip(axes).rev() {
                *index += 1;
                start += axis.step;
                if *index < axis.count {
                    break;
                }
                start -= axis.step * axis.count;
                *index = 0;
            }
        }
    }

    /// All offsets in a table.
    pub fn table(&self) -> Vec<usize> {
        let mut table = Vec::with_capacity(self.len());
        self.for_each_run(0..self.len(), |run| table.extend((0..run.count).map(|i| run.start + i * run.step)));
        table
    }
}

/// Evenly spaced offsets of a [`Grid`]: `count` of them from `start` on, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRun {
    pub start: usize,
    pub step: usize,
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_nested_loops(offset in 0_usize..9, axes in prop::collection::vec((0_usize..4, 0_usize..9), 0..5)) {
            let (mut grid, mut all) = (Grid::new(offset), vec![offset]);
            for &(count, step) in &axes {
                grid = grid.axis(count, step);
                all = all.iter().flat_map(|start| (0..count).map(move |i| start + i * step)).collect();
            }
            prop_assert_eq!(grid.len(), all.len());
            prop_assert_eq!(&grid.table(), &all);
            prop_assert_eq!(grid.greatest(), all.iter().copied().max());
            for start in 0..=all.len() {
                for end in start..=all.len() {
                    let mut part = Vec::new();
                    grid.for_each_run(start..end, |OffsetRun { start, step, count }| {
                        part.extend((0..count).map(|i| start + i * step));
                    });
                    prop_assert_eq!(&part, &all[start..end]);
                }
            }
        }
    }

    #[test]
    fn axes_that_join_are_one() {
        assert_eq!(Grid::new(1).axis(3, 8).axis(4, 2).axis(2, 1), Grid::new(1).axis(24, 1));
        assert_eq!(Grid::new(0).axis(2, usize::MAX).greatest(), Some(usize::MAX));
    }
}
