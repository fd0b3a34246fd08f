//! Transformed tiles in scratch.

use std::mem::MaybeUninit;

use super::POINTS;
use super::tiling::{Patch, Tiling};
use super::transforms::{self, Vectors};

/// The most lanes of a vector.
const MOST_LANES: usize = 16;

/// Where transformed tiles lie in scratch: channels (or filters) in blocks of a vector, then tiles, then positions. So a
/// transform reads or writes neighbouring vectors, and all steps but that between blocks are known when it is compiled.
#[derive(Clone, Copy)]
pub(super) struct TileScratch {
    /// The tiles that there is room for.
    pub(super) tiles: usize,
    /// The elements of a tile's block.
    pub(super) tile: usize,
    /// The number of channels.
    pub(super) channels: usize,
}

impl TileScratch {
    /// Room for some tiles; with `two` axes, they have all 36 positions.
    #[inline(always)]
    pub(super) fn new<V: Vectors>(tiles: usize, two: bool, channels: usize) -> Self {
        TileScratch { tiles, tile: if two { POINTS * POINTS } else { POINTS } * V::LANES, channels }
    }

    /// The elements of a block of channels.
    #[inline(always)]
    pub(super) fn block(&self) -> usize {
        self.tiles * self.tile
    }

    /// The elements of all blocks.
    pub(super) fn size<V: Vectors>(&self) -> usize {
        self.channels.div_ceil(V::LANES) * self.block()
    }

    /// Fills tiles from `first` on with zeros.
    ///
    /// # Safety
    ///
    /// `scratch` has this size.
    #[inline(always)]
    pub(super) unsafe fn clear<V: Vectors>(&self, scratch: *mut f32, tiles: std::ops::Range<usize>) {
        for block in 0..self.channels.div_ceil(V::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                scratch.add(block * self.block() + tiles.start * self.tile).write_bytes(0, tiles.len() * self.tile);
            }
        }
    }

    /// Calls `transform` with each block of the channels of some elements and its place for tile `tile` in `scratch`: with a
    /// pointer to the elements and their steps from row to row and column to column. There are `size` rows and columns, zeros
    /// beyond the ends.
    ///
    /// # Safety
    ///
    /// The instructions are available, `scratch` has this size, and the patch lies in `data`, whose lines have `line` elements.
    #[inline(always)]
    pub(super) unsafe fn fill<V: Vectors>(
        &self,
        (data, line, patch): (*const f32, usize, &Patch),
        size: [usize; 2],
        scratch: *mut f32,
        tile: usize,
        transform: impl Fn(*const f32, [usize; 2], *mut f32),
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let (source, target) = (data.wrapping_offset(patch.offset), scratch.add(tile * self.tile));
            let blocks = self.channels.div_ceil(V::LANES);
            if patch.rows.len() == size[0] && patch.columns.len() == size[1] && self.channels.is_multiple_of(V::LANES) {
                for block in 0..blocks {
                    transform(source.add(block * V::LANES), [line, self.channels], target.add(block * self.block()));
                }
                return;
            }
            let mut copy: [MaybeUninit<f32>; POINTS * POINTS * MOST_LANES] = [const { MaybeUninit::uninit() }; _];
            let copy: *mut f32 = copy.as_mut_ptr().cast();
            for block in 0..blocks {
                let count = V::LANES.min(self.channels - block * V::LANES);
                let mut masks = [V::mask(0); POINTS];
                for (column, mask) in masks.iter_mut().enumerate() {
                    *mask = V::mask(if patch.columns.contains(&column) { count } else { 0 });
                }
                let source = source.wrapping_add(block * V::LANES);
                for row in 0..size[0] {
                    for (column, &mask) in masks[..size[1]].iter().enumerate() {
                        let elements = if patch.rows.contains(&row) {
                            V::load_masked(source.wrapping_add(row * line + column * self.channels), mask)
                        } else {
                            V::zero()
                        };
                        V::store(copy.add((row * POINTS + column) * V::LANES), elements);
                    }
                }
                transform(copy, [POINTS * V::LANES, V::LANES], target.add(block * self.block()));
            }
        }
    }
}

/// Transforms what some tiles read through a tap.
///
/// # Safety
///
/// The instructions are available, `x` has the tiling's size, and the scratch has its own.
#[inline(always)]
pub(super) unsafe fn transform_input<V: Vectors, const TWO: bool>(
    (tiling, x): (&Tiling, &[f32]),
    tiles: std::ops::Range<usize>,
    tap: usize,
    (layout, scratch): (TileScratch, *mut f32),
) {
    let (line, size) = (tiling.input[2] * tiling.channels, [if TWO { POINTS } else { 1 }, POINTS]);
    for (tile, place) in tiling.places(tiles).enumerate() {
        let patch = tiling.read(place, tap);
        // SAFETY: the caller's promise; the patch lies within x.
        unsafe {
            layout.fill::<V>(
                (x.as_ptr(), line, &patch),
                size,
                scratch,
                tile,
                #[inline(always)]
                |source, steps, target| transforms::input::<V, TWO>(source, steps, target, V::LANES),
            );
        }
    }
}
