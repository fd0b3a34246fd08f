//! How a convolution is cut into tiles of results.

use std::ops::Range;

use super::{KERNEL, POINTS, RESULTS};

/// A convolution with strides of 1, cut into tiles of four results, or four by four.
///
/// Spatial axes are counted as three; the first ones, if missing, have length 1. The kernel has length 3 along the last axis,
/// or along the last two, which are cut into tiles. Its positions along the first axis (taps) are summed up as channels are.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    pub(crate) samples: usize,
    pub(crate) input: [usize; 3],
    pub(crate) output: [usize; 3],
    /// The place of the input that the first position of the first window reads, along each axis.
    pub(crate) start: [isize; 3],
    pub(crate) taps: usize,
    pub(crate) channels: usize,
    pub(crate) filters: usize,
    /// Whether tiles extend over two axes.
    pub(crate) two: bool,
}

/// The place of a tile: sample, place along the first axis, first row and column of its results.
#[derive(Clone, Copy)]
pub(super) struct Place {
    sample: usize,
    outer: usize,
    row: usize,
    column: usize,
}

/// Some elements around a tile: where they begin, as an offset that may lie outside, and which rows and columns of them are
/// elements and no zeros beyond the ends.
pub(super) struct Patch {
    pub(super) offset: isize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Tiling {
    /// The products for each channel and filter of a tile.
    pub(super) fn positions(&self) -> usize {
        if self.two { POINTS * POINTS } else { POINTS }
    }

    /// The kernel positions of a tap.
    pub(super) fn kernel(&self) -> usize {
        if self.two { KERNEL * KERNEL } else { KERNEL }
    }

    /// The results of a tile along the rows.
    fn height(&self) -> usize {
        if self.two { RESULTS } else { 1 }
    }

    /// The tiles along the two last axes.
    fn counts(&self) -> [usize; 2] {
        [self.output[1].div_ceil(self.height()), self.output[2].div_ceil(RESULTS)]
    }

    /// Whether Winograd's algorithm takes at most seven eighths of the time of the direct way, by a count of multiply-adds of
    /// vectors of 16 lanes.
    ///
    /// A transform forth and back is worth eleven of them for each position and vector, and a vector of the transformed kernel
    /// is worth forty. The counts are fitted to measurements, with the direct way near the processor's peak.
    pub(crate) fn is_worth_while(&self) -> bool {
        const LANES: usize = 16;
        if self.channels < 8 || self.filters < 8 || self.output.contains(&0) {
            return false;
        }
        let count = |factors: &[usize]| factors.iter().map(|&factor| factor as f64).product::<f64>();
        let (channels, filters) = (self.channels.div_ceil(LANES), self.filters.div_ceil(LANES));
        let products = self.taps * self.channels * filters;
        let direct = count(&[self.samples, self.kernel(), products]) * count(&self.output);
        let tile = products + 11 * (self.taps * channels + filters);
        let winograd = count(&[self.positions(), tile, self.tiles()]) + count(&[self.positions(), 40, products]);
        8.0 * winograd <= 7.0 * direct
    }

    /// Panics unless input, kernel and output have these numbers of elements.
    #[track_caller]
    pub(super) fn check(&self, input: usize, kernel: usize, output: usize) {
        let size = |lengths: &[usize; 3], channels: usize| self.samples * lengths.iter().product::<usize>() * channels;
        let weights = self.taps * self.kernel() * self.channels * self.filters;
        let expected = [size(&self.input, self.channels), weights, size(&self.output, self.filters)];
        assert!([input, kernel, output] == expected, "winograd: {input}, {kernel} and {output} elements of {self:?}");
    }

    /// The number of tiles of all samples.
    pub(super) fn tiles(&self) -> usize {
        self.samples * self.output[0] * self.counts().iter().product::<usize>()
    }

    /// The places of some tiles.
    pub(super) fn places(&self, tiles: Range<usize>) -> impl Iterator<Item = Place> {
        let ([rows, columns], planes, height) = (self.counts(), self.output[0], self.height());
        let (line, column) = (tiles.start / columns, tiles.start % columns);
        let (plane, row) = (line / rows, line % rows);
        let mut next =
            Place { sample: plane / planes, outer: plane % planes, row: row * height, column: column * RESULTS };
        tiles.map(move |_| {
            let place = next;
            next.column += RESULTS;
            if next.column == columns * RESULTS {
                (next.column, next.row) = (0, next.row + height);
                if next.row == rows * height {
                    (next.row, next.outer) = (0, next.outer + 1);
                    if next.outer == planes {
                        (next.outer, next.sample) = (0, next.sample + 1);
                    }
                }
            }
            place
        })
    }

    /// The elements that a tile reads through a tap.
    pub(super) fn read(&self, place: Place, tap: usize) -> Patch {
        let outer = (place.outer + tap) as isize + self.start[0];
        let (row, column) = (place.row as isize + self.start[1], place.column as isize + self.start[2]);
        let [planes, lines, length] = self.input.map(|length| length as isize);
        let within = |first: isize, length: isize, points: usize| {
            let points = points as isize;
            (-first).clamp(0, points) as usize..(length - first).clamp(0, points) as usize
        };
        let inside = (0..planes).contains(&outer);
        Patch {
            offset: (((place.sample as isize * planes + outer) * lines + row) * length + column)
                * self.channels as isize,
            rows: if inside { within(row, lines, if self.two { POINTS } else { 1 }) } else { 0..0 },
            columns: within(column, length, POINTS),
        }
    }

    /// The results of a tile.
    pub(super) fn results(&self, place: Place) -> Patch {
        let [planes, lines, length] = self.output;
        let place_of = ((place.sample * planes + place.outer) * lines + place.row) * length + place.column;
        Patch {
            offset: (place_of * self.filters) as isize,
            rows: 0..self.height().min(lines - place.row),
            columns: 0..RESULTS.min(length - place.column),
        }
    }
}
