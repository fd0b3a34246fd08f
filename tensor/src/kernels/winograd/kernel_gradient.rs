//! The gradient of a convolution by its kernel: at each position, the sum over tiles of transformed input times transformed
//! gradient, transformed back in the end.

use std::ops::Range;

use super::RESULTS;
use super::product::Product;
use super::scratch::{TileScratch, transform_input};
use super::tiling::Tiling;
use super::transforms::{self, Vectors};
use crate::kernels::Shared;
use crate::kernels::accumulate::add_to;
use crate::memory::with_scratch;
use crate::team;

/// The tiles that are transformed together: their scratch stays in the second-level cache, and sums are loaded and stored once
/// for all of them.
const BLOCK: usize = 48;
/// The most parts of the sum, each with sums of its own, and the most elements of all of these.
const MOST_PARTS: usize = 16;
const MOST_SUMS: usize = 1 << 23;
/// The least tiles of a part: its sums are transformed back once.
const LEAST_TILES: usize = 2 * BLOCK;

/// The tiles of each part of the sum, by shape alone. The number of parts is a power of two, so that two or four threads have as
/// many each.
fn part(tiling: &Tiling, sums: usize) -> usize {
    let most = (MOST_SUMS / sums.max(1)).clamp(1, MOST_PARTS);
    let count = (tiling.tiles() / LEAST_TILES).clamp(1, most);
    tiling.tiles().div_ceil(1 << count.ilog2())
}

/// Writes the gradient by the kernel, `[taps, kernel.., channels, filters]`, from the gradient by the output. Returns whether it
/// is finite.
///
/// # Safety
///
/// The instructions are available, and the slices have the tiling's sizes.
pub(super) unsafe fn kernel_gradient<V: Vectors>(tiling: &Tiling, [x, gradient]: [&[f32]; 2], out: &mut [f32]) -> bool {
    let (each, size, tiles) = (part(tiling, out.len()), out.len(), tiling.tiles());
    let count = tiles.div_ceil(each);
    with_scratch((count - 1) * size, |others: *mut f32| {
        // SAFETY: the scratch has this size.
        let others = unsafe { std::slice::from_raw_parts_mut(others, (count - 1) * size) };
        let (first, rest) = (Shared::new(out), Shared::new(others));
        team::run(count, |part| {
            // SAFETY: each part has sums of its own, of which no other is alive.
            let sums = unsafe { if part == 0 { first.part(0, size) } else { rest.part((part - 1) * size, size) } };
            let tiles = part * each..tiles.min((part + 1) * each);
            let sum = TileSum { tiling, x, gradient };
            // SAFETY: the caller's promise.
            unsafe { if tiling.two { sum.run::<V, true>(tiles, sums) } else { sum.run::<V, false>(tiles, sums) } };
        });
        for other in others.chunks_exact(size) {
            add_to(out, other);
        }
    });
    out.iter().all(|sum| sum.is_finite())
}

/// A sum over tiles.
struct TileSum<'a> {
    tiling: &'a Tiling,
    x: &'a [f32],
    gradient: &'a [f32],
}

impl TileSum<'_> {
    /// The elements of the sums of a position: `[filters / lanes][channels][lanes]`, whole vectors of channels.
    fn position<V: Vectors>(&self) -> usize {
        self.tiling.channels.next_multiple_of(V::LANES) * self.tiling.filters.next_multiple_of(V::LANES)
    }

    /// Writes the sum over some tiles to `sums`.
    unsafe fn run<V: Vectors, const TWO: bool>(&self, tiles: Range<usize>, sums: &mut [f32]) {
        let sources = TileScratch::new::<V>(BLOCK, TWO, self.tiling.channels);
        let gradients = TileScratch::new::<V>(BLOCK, TWO, self.tiling.filters);
        let products = self.tiling.taps * self.tiling.positions() * self.position::<V>();
        with_scratch(products + sources.size::<V>() + gradients.size::<V>(), |products_of_tiles: *mut f32| {
            // SAFETY: the caller's promise; the scratch has room for all three.
            unsafe {
                let sources_of_tiles = products_of_tiles.add(products);
                let gradients_of_tiles = sources_of_tiles.add(sources.size::<V>());
                V::with(
                    #[inline(always)]
                    || {
                        for start in tiles.clone().step_by(BLOCK) {
                            let block = start..tiles.end.min(start + BLOCK);
                            self.transform_gradient::<V, TWO>(block.clone(), gradients_of_tiles);
                            for tap in 0..self.tiling.taps {
                                transform_input::<V, TWO>(
                                    (self.tiling, self.x),
                                    block.clone(),
                                    tap,
                                    (sources, sources_of_tiles),
                                );
                                let sums = products_of_tiles.add(tap * self.tiling.positions() * self.position::<V>());
                                let add = start > tiles.start;
                                self.multiply::<V, TWO>(block.len(), [sources_of_tiles, gradients_of_tiles], sums, add);
                            }
                        }
                        self.finish::<V, TWO>(products_of_tiles, sums);
                    },
                );
            }
        });
    }

    /// Transforms the gradients of the tiles' results.
    #[inline(always)]
    unsafe fn transform_gradient<V: Vectors, const TWO: bool>(&self, tiles: Range<usize>, target: *mut f32) {
        let tiling = self.tiling;
        let layout = TileScratch::new::<V>(BLOCK, TWO, tiling.filters);
        let (line, size) = (tiling.output[2] * tiling.filters, [if TWO { RESULTS } else { 1 }, RESULTS]);
        for (tile, place) in tiling.places(tiles).enumerate() {
            let patch = tiling.results(place);
            // SAFETY: the caller's promise; the patch lies within the gradient.
            unsafe {
                layout.fill::<V>(
                    (self.gradient.as_ptr(), line, &patch),
                    size,
                    target,
                    tile,
                    #[inline(always)]
                    |source, steps, target| transforms::gradient::<V, TWO>(source, steps, target, V::LANES),
                );
            }
        }
    }

    /// Writes the products of the tiles at each position to `sums`, or adds them if `add`.
    #[inline(always)]
    unsafe fn multiply<V: Vectors, const TWO: bool>(
        &self,
        tiles: usize,
        [sources, gradients]: [*const f32; 2],
        sums: *mut f32,
        add: bool,
    ) {
        let layout = TileScratch::new::<V>(BLOCK, TWO, self.tiling.channels);
        let blocks = self.tiling.channels.div_ceil(V::LANES);
        let product = Product {
            k: tiles,
            a_row: 1,
            a_step: layout.tile,
            run: tiles,
            jump: 0,
            vectors: self.tiling.filters.div_ceil(V::LANES),
            b_steps: [layout.tile; 2],
            b_panel: 2 * layout.block(),
            b_vector: layout.block(),
            c_row: V::LANES,
            c_vector: blocks * V::LANES * V::LANES,
        };
        for position in 0..layout.tile / V::LANES {
            for block in 0..blocks {
                // SAFETY: the caller's promise.
                unsafe {
                    let source = sources.add(block * layout.block() + position * V::LANES);
                    let sums = sums.add(position * self.position::<V>() + block * V::LANES * V::LANES);
                    product.strip::<V>(source, gradients.add(position * V::LANES), sums, add);
                }
            }
        }
    }

    /// Transforms the sums back.
    #[inline(always)]
    unsafe fn finish<V: Vectors, const TWO: bool>(&self, products: *const f32, sums: &mut [f32]) {
        let (channels, filters) = (self.tiling.channels, self.tiling.filters);
        let step = self.position::<V>();
        for tap in 0..self.tiling.taps {
            for first in (0..filters).step_by(V::LANES) {
                let count = V::LANES.min(filters - first);
                for channel in 0..channels {
                    let vector = first * channels.next_multiple_of(V::LANES) + channel * V::LANES;
                    // SAFETY: the caller's promise.
                    unsafe {
                        let source = products.add(tap * self.tiling.positions() * step + vector);
                        transforms::kernel_gradient::<V, TWO>(
                            source,
                            step,
                            #[inline(always)]
                            |position, sum| {
                                let at =
                                    ((tap * self.tiling.kernel() + position) * channels + channel) * filters + first;
                                let target = sums[at..][..count].as_mut_ptr();
                                if count == V::LANES {
                                    V::store(target, sum);
                                } else {
                                    V::store_first(target, sum, count);
                                }
                            },
                        );
                    }
                }
            }
        }
    }
}
