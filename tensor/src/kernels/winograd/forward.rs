//! The convolution: input and kernel are transformed, multiplied at each position, and transformed back, a block of tiles after
//! the other.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::product::Product;
use super::scratch::{TileScratch, transform_input};
use super::tiling::Tiling;
use super::transforms::{self, Vectors};
use crate::kernels::Shared;
use crate::memory::with_scratch;
use crate::team;

/// The tiles that are transformed and multiplied together, a multiple of the lanes: their scratch stays in the second-level
/// cache, and each part of the kernel is read once for all of them.
const BLOCK: usize = 32;
/// Multiply-adds that are worth a task of their own.
const GRAIN: usize = 1 << 19;

/// Writes the convolution plus `bias`, max(y, 0) in place of each result y if `relu`; returns whether all results before the
/// bias are finite.
///
/// # Safety
///
/// The instructions are available, and the slices have the tiling's sizes.
pub(super) unsafe fn convolve<V: Vectors>(
    tiling: &Tiling,
    [x, kernel]: [&[f32]; 2],
    bias: Option<&[f32]>,
    relu: bool,
    out: &mut [f32],
) -> bool {
    let filters = tiling.filters.next_multiple_of(V::LANES);
    let mut padded = vec![0.0; filters];
    if let Some(bias) = bias {
        padded[..bias.len()].copy_from_slice(bias);
    }
    let size = tiling.taps * tiling.positions() * matrix_step::<V>(tiling);
    let (out, finite) = (Shared::new(out), AtomicBool::new(true));
    with_scratch(size, |transformed: *mut f32| {
        // SAFETY: the scratch has this size; tasks write to disjoint rows of it, and it is read when they are done.
        let transformed = unsafe {
            let shared = Shared::new(std::slice::from_raw_parts_mut(transformed, size));
            let rows = (GRAIN / (64 * filters)).max(1);
            team::split(tiling.taps * tiling.channels, rows, |rows| {
                if tiling.two {
                    transform_kernel::<V, true>(tiling, kernel, rows, shared);
                } else {
                    transform_kernel::<V, false>(tiling, kernel, rows, shared);
                }
            });
            shared.read(0, size)
        };
        let forward = Forward { tiling, x, kernel: transformed, bias: &padded, relu };
        let blocks = GRAIN.div_ceil(BLOCK * size);
        team::split(tiling.tiles(), blocks * BLOCK, |tiles| {
            for start in tiles.clone().step_by(BLOCK) {
                let tiles = start..tiles.end.min(start + BLOCK);
                // SAFETY: the caller's promise; each task has results of its own.
                let whole = unsafe {
                    if tiling.two { forward.run::<V, true>(tiles, out) } else { forward.run::<V, false>(tiles, out) }
                };
                if !whole {
                    finite.store(false, Ordering::Relaxed);
                }
            }
        });
    });
    finite.into_inner()
}

/// The elements from one matrix of the transformed kernel to the next. A vector lies between them: matrices of a power of two
/// would meet in few sets of the caches.
#[inline(always)]
fn matrix_step<V: Vectors>(tiling: &Tiling) -> usize {
    tiling.channels * tiling.filters.next_multiple_of(V::LANES) + V::LANES
}

/// Transforms `rows` of the kernel, counted over taps and channels: for each tap and position a matrix of channels by filters,
/// in panels of two vectors; the last panel may be one vector.
unsafe fn transform_kernel<V: Vectors, const TWO: bool>(
    tiling: &Tiling,
    kernel: &[f32],
    rows: Range<usize>,
    transformed: Shared<f32>,
) {
    let (channels, filters) = (tiling.channels, tiling.filters);
    let (vectors, positions) = (filters.div_ceil(V::LANES), tiling.positions());
    // SAFETY: the caller has the instructions.
    unsafe {
        V::with(
            #[inline(always)]
            || {
                for row in rows {
                    let (tap, channel) = (row / channels, row % channels);
                    for v in 0..vectors {
                        let count = V::LANES.min(filters - v * V::LANES);
                        let width = if v + 1 == vectors && v % 2 == 0 { 1 } else { 2 };
                        let place = (v / 2 * 2 * channels + channel * width + v % 2) * V::LANES;
                        let load = |k: usize| {
                            let offset = ((tap * tiling.kernel() + k) * channels + channel) * filters + v * V::LANES;
                            let source = kernel[offset..][..count].as_ptr();
                            // SAFETY: the instructions are there, and as many elements.
                            if count == V::LANES { V::load(source) } else { V::load_masked(source, V::mask(count)) }
                        };
                        let target = |position: usize| {
                            let matrix = (tap * positions + position) * matrix_step::<V>(tiling);
                            // SAFETY: a vector of this row, which this task has to itself.
                            transformed.part(matrix + place, V::LANES).as_mut_ptr()
                        };
                        // SAFETY: the instructions are there, and the targets are vectors.
                        transforms::kernel::<V, TWO>(load, target);
                    }
                }
            },
        );
    }
}

struct Forward<'a> {
    tiling: &'a Tiling,
    x: &'a [f32],
    /// The transformed kernel.
    kernel: &'a [f32],
    /// A number for each filter, zeros up to whole vectors.
    bias: &'a [f32],
    relu: bool,
}

impl Forward<'_> {
    /// Computes at most [`BLOCK`] tiles; returns whether their results before the bias are finite.
    unsafe fn run<V: Vectors, const TWO: bool>(&self, tiles: Range<usize>, out: Shared<f32>) -> bool {
        let sources = TileScratch::new::<V>(BLOCK, TWO, self.tiling.channels);
        let results = TileScratch::new::<V>(BLOCK, TWO, self.tiling.filters);
        with_scratch(sources.size::<V>() + results.size::<V>(), |scratch: *mut f32| {
            // SAFETY: the caller's promise; the scratch has room for both.
            unsafe {
                let waiting = scratch.add(sources.size::<V>());
                V::with(
                    #[inline(always)]
                    || {
                        for tap in 0..self.tiling.taps {
                            transform_input::<V, TWO>((self.tiling, self.x), tiles.clone(), tap, (sources, scratch));
                            // Rows of the last strip that are no tiles must not be slow numbers.
                            let strips = tiles.len().next_multiple_of(V::LANES);
                            sources.clear::<V>(scratch, tiles.len()..strips);
                            self.multiply::<V, TWO>(tiles.len(), tap, scratch, waiting);
                        }
                        self.finish::<V, TWO>(tiles, waiting, out)
                    },
                )
            }
        })
    }

    /// Multiplies the tiles with a tap of the kernel, and adds the products to those of the taps before.
    #[inline(always)]
    unsafe fn multiply<V: Vectors, const TWO: bool>(
        &self,
        tiles: usize,
        tap: usize,
        sources: *const f32,
        results: *mut f32,
    ) {
        let (channels, vectors) = (self.tiling.channels, self.tiling.filters.div_ceil(V::LANES));
        let layout = TileScratch::new::<V>(BLOCK, TWO, channels);
        let positions = layout.tile / V::LANES;
        let product = Product {
            k: channels,
            a_row: layout.tile,
            a_step: 1,
            run: V::LANES,
            jump: layout.block(),
            vectors,
            b_steps: [V::LANES, 2 * V::LANES],
            b_panel: 2 * V::LANES * channels,
            b_vector: V::LANES,
            c_row: layout.tile,
            c_vector: layout.block(),
        };
        for position in 0..positions {
            // SAFETY: the caller's promise; the kernel has a matrix for each tap and position.
            unsafe {
                let matrix = (tap * positions + position) * matrix_step::<V>(self.tiling);
                let kernel = self.kernel[matrix..].as_ptr();
                for strip in 0..tiles.div_ceil(V::LANES) {
                    let first = strip * V::LANES * layout.tile + position * V::LANES;
                    product.strip::<V>(sources.add(first), kernel, results.add(first), tap > 0);
                }
            }
        }
    }

    /// Transforms the products back, adds the bias, and writes the results.
    #[inline(always)]
    unsafe fn finish<V: Vectors, const TWO: bool>(
        &self,
        tiles: Range<usize>,
        products: *const f32,
        out: Shared<f32>,
    ) -> bool {
        let tiling = self.tiling;
        let layout = TileScratch::new::<V>(BLOCK, TWO, tiling.filters);
        let line = tiling.output[2] * tiling.filters;
        // SAFETY: the caller's promise; the results lie within the output, where this task has them to itself.
        unsafe {
            // 0 times an infinity is NaN.
            let mut zeros = V::zero();
            for (tile, place) in tiling.places(tiles).enumerate() {
                let patch = tiling.results(place);
                let (rows, columns) = (patch.rows.len(), patch.columns.len());
                for first in (0..tiling.filters).step_by(V::LANES) {
                    let count = V::LANES.min(tiling.filters - first);
                    let bias = V::load(self.bias.as_ptr().add(first));
                    let source = products.add(first / V::LANES * layout.block() + tile * layout.tile);
                    let target = out.part(patch.offset as usize + first, count).as_mut_ptr();
                    transforms::output::<V, TWO>(
                        source,
                        V::LANES,
                        #[inline(always)]
                        |row, column, y| {
                            zeros = V::multiply_add(y, V::zero(), zeros);
                            let y = V::add(y, bias);
                            let y = if self.relu { V::relu(y) } else { y };
                            if row < rows && column < columns {
                                let target = target.add(row * line + column * tiling.filters);
                                if count == V::LANES { V::store(target, y) } else { V::store_first(target, y, count) }
                            }
                        },
                    );
                }
            }
            let mut lanes = [0.0; 16];
            V::store(lanes.as_mut_ptr(), zeros);
            lanes.iter().all(|&lane| lane == 0.0)
        }
    }
}
