//! Places on a grid: where the elements of windows lie, without a table of them.

use std::ops::Range;

use smallvec::SmallVec;

/// Numbers on a grid: an offset plus, along each axis, multiples of a step, in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    offset: usize,
    axes: SmallVec<[Axis; 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    count: usize,
    step: usize,
}

impl Grid {
    /// The offset alone.
    pub fn new(offset: usize) -> Self {
        Grid { offset, axes: SmallVec::new() }
    }

    /// With one more axis, which runs faster than those before.
    pub fn axis(mut self, count: usize, step: usize) -> Self {
        match self.axes.last_mut() {
            // The two are one run, or the new one has nothing to add.
            Some(last) if last.step == count * step => *last = Axis { count: last.count * count, step },
            Some(_) if count == 1 => {}
            _ => self.axes.push(Axis { count, step }),
        }
        self
    }

    /// The same so much further on.
    pub fn moved(self, by: usize) -> Self {
        Grid { offset: self.offset + by, ..self }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// The greatest, if there are any; what no memory holds counts as the greatest number.
    pub fn greatest(&self) -> Option<usize> {
        let reach =
            |sum: usize, axis: &Axis| Some(sum.saturating_add(axis.count.checked_sub(1)?.saturating_mul(axis.step)));
        self.axes.iter().try_fold(self.offset, reach)
    }

    /// Those of a range.
    pub fn iter(&self, range: Range<usize>) -> Places<'_> {
        let (mut index, mut rest, mut place) = (SmallVec::from_elem(0, self.axes.len()), range.start, self.offset);
        for (index, axis) in index.iter_mut().zip(&self.axes).rev() {
            if rest == 0 {
                break;
            }
            *index = rest % axis.count;
            rest /= axis.count;
            place += *index * axis.step;
        }
        Places { axes: &self.axes, index, place, left: range.len() }
    }
}

/// The numbers of a [`Grid`] one after the other.
pub struct Places<'a> {
    axes: &'a [Axis],
    index: SmallVec<[usize; 4]>,
    /// The next number.
    place: usize,
    left: usize,
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for (index, axis) in self.index.iter_mut().zip(self.axes).rev() {
            *index += 1;
            self.place += axis.step;
            if *index < axis.count {
                break;
            }
            self.place -= axis.step * axis.count;
            *index = 0;
        }
        Some(place)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
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
            prop_assert_eq!(grid.greatest(), all.iter().copied().max());
            for start in 0..=all.len() {
                for end in start..=all.len() {
                    prop_assert_eq!(grid.iter(start..end).collect::<Vec<_>>(), &all[start..end]);
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
