//! What the places along one axis are made of.

use std::ops::Range;

use smallvec::SmallVec;

/// The rows and the taps of the weights whose gradients are summed together: each element of g is loaded once for them.
pub const BLOCK: usize = 3;

/// What places along one axis are made of: place q is the sum over taps of the input at `start + q * step + tap * distance` times
/// the weight at `weight + tap * weight_step`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// The number of places q.
    pub count: usize,
    /// The length of the input; beyond its ends there are zeros.
    pub length: usize,
    pub start: isize,
    pub step: usize,
    pub taps: usize,
    pub distance: usize,
    pub weight: usize,
    pub weight_step: isize,
}

impl Sweep {
    /// The taps that lie inside the input at place q.
    pub fn taps(&self, q: usize) -> Range<usize> {
        let from = self.start + (q * self.step) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.distance)).min(self.taps);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places at which a tap lies inside the input.
    pub fn places(&self, tap: usize) -> Range<usize> {
        let from = self.start + (tap * self.distance) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.step)).min(self.count);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places at which every tap lies inside the input.
    pub fn inside(&self) -> Range<usize> {
        let (first, last) = (self.places(0), self.places(self.taps.saturating_sub(1)));
        first.start.max(last.start)..first.end.min(last.end)
    }

    /// Taps and the places at which all of them lie inside the input: [`BLOCK`] taps at a time as far as possible, else one.
    pub fn ranges(&self) -> SmallVec<[(Range<usize>, Range<usize>); 8]> {
        let mut ranges = SmallVec::new();
        let mut add = |taps: Range<usize>, places: Range<usize>| {
            if !places.is_empty() {
                ranges.push((taps, places));
            }
        };
        let mut next = 0;
        while next < self.taps {
            let taps = next..if next + BLOCK <= self.taps { next + BLOCK } else { next + 1 };
            next = taps.end;
            let (first, last) = (self.places(taps.start), self.places(taps.end - 1));
            let common = first.start.max(last.start)..first.end.min(last.end);
            for tap in taps.clone() {
                let places = self.places(tap);
                if common.is_empty() {
                    add(tap..tap + 1, places);
                } else {
                    add(tap..tap + 1, places.start..common.start);
                    add(tap..tap + 1, common.end..places.end);
                }
            }
            add(taps, common);
        }
        ranges
    }

    /// The place of the input that place q reads through a tap inside.
    pub fn source(&self, q: usize, tap: usize) -> usize {
        (self.start + (q * self.step + tap * self.distance) as isize) as usize
    }

    pub fn weight_of(&self, tap: usize) -> usize {
        (self.weight as isize + tap as isize * self.weight_step) as usize
    }
}
