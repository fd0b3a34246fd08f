//! The gradient of a depthwise convolution's kernel: products of the input with the gradient of the result, added up over places.

use std::ops::Range;

use super::sweep::BLOCK;
use super::{Depthwise, multiply_add};
use crate::element::Float;
use crate::kernels::gemm::VectorWork;
#[cfg(target_arch = "x86_64")]
use crate::kernels::gemm::lanes::Lanes;

/// The products that are added to the gradients of some weights: of the same taps, next to each other, in some rows of the kernel.
struct Products {
    /// The indices of the first weight, and of the elements of x and of g that are multiplied first for it.
    w: usize,
    x: usize,
    g: usize,
    /// The number of rows, 1 or [`BLOCK`], and the elements from one row of weights, or line of x, to the next.
    rows: usize,
    row_w: usize,
    row_x: usize,
    /// The number of taps, 1 or [`BLOCK`], and the elements of x from one to the next. (Those of the kernel and of g are the channels.)
    taps: usize,
    tap_x: usize,
    /// The number of places whose products are added up, and the elements of x from one to the next.
    count: usize,
    place_x: usize,
}

/// The elements of a line that are read for all weights before those that follow: they stay in the first-level cache.
const RUN: usize = 2048;

/// Some lines of the gradient with respect to the result, and the sums that their products with the input are added to.
pub struct GradientLines<'a, T> {
    pub of: &'a Depthwise<'a>,
    pub lines: Range<usize>,
    pub x: &'a [T],
    pub g: &'a [T],
    pub sums: &'a mut [T],
}

impl<T> GradientLines<'_, T> {
    /// Calls `body` with all products of the lines.
    #[inline(always)]
    fn for_each(&mut self, mut body: impl FnMut(&Products, &mut [T])) {
        let (along, channels) = (&self.of.along()[0], self.of.channels);
        let (ranges, sums) = (along.ranges(), &mut *self.sums);
        let length = (RUN / channels.max(1)).max(8);
        for line in self.lines.clone() {
            let line = self.of.line(line);
            let [outer, inner] = line.outer;
            for run in (0..along.count).step_by(length) {
                for i in 0..outer.count {
                    let mut j = 0;
                    while j < inner.count {
                        let rows = if j + BLOCK <= inner.count { BLOCK } else { 1 };
                        let x = line.x + i * outer.x + j * inner.x;
                        let w = (line.w as isize + i as isize * outer.w + j as isize * inner.w) as usize;
                        for (taps, places) in &ranges {
                            let (start, end) = (places.start.max(run), places.end.min(run + length));
                            if start >= end {
                                continue;
                            }
                            body(
                                &Products {
                                    w: w + along.weight_of(taps.start) * channels,
                                    x: x + along.source(start, taps.start) * channels,
                                    g: line.result + start * channels,
                                    rows,
                                    row_w: inner.w as usize,
                                    row_x: inner.x,
                                    taps: taps.len(),
                                    tap_x: along.distance * channels,
                                    count: end - start,
                                    place_x: along.step * channels,
                                },
                                sums,
                            );
                        }
                        j += rows;
                    }
                }
            }
        }
    }
}

impl<T: Float> VectorWork<T> for GradientLines<'_, T> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn compute_in<L: Lanes<Element = T>>(mut self) {
        let (x, g, channels) = (self.x.as_ptr(), self.g.as_ptr(), self.of.channels);
        // SAFETY: the caller's promise; `Depthwise::check` has made sure that all places lie within the slices.
        unsafe {
            L::with(
                #[inline(always)]
                || {
                    self.for_each(
                        #[inline(always)]
                        |products, sums| {
                            let last = (products.rows - 1) * products.row_w + products.taps * channels;
                            let sums = sums[products.w..][..last].as_mut_ptr();
                            let (x, g) = (x.add(products.x), g.add(products.g));
                            match (products.rows, products.taps) {
                                (BLOCK, BLOCK) => add_products::<L, BLOCK, BLOCK>(products, channels, x, g, sums),
                                (BLOCK, _) => add_products::<L, BLOCK, 1>(products, channels, x, g, sums),
                                (_, BLOCK) => add_products::<L, 1, BLOCK>(products, channels, x, g, sums),
                                _ => add_products::<L, 1, 1>(products, channels, x, g, sums),
                            }
                        },
                    );
                },
            );
        }
    }

    fn compute_portably(mut self) {
        let (x, g, channels) = (self.x, self.g, self.of.channels);
        self.for_each(|products: &Products, sums| {
            for (row, tap) in (0..products.rows).flat_map(|row| (0..products.taps).map(move |tap| (row, tap))) {
                let sums = &mut sums[products.w + row * products.row_w + tap * channels..][..channels];
                let x = &x[products.x + row * products.row_x + tap * products.tap_x..];
                for place in 0..products.count {
                    multiply_add(&x[place * products.place_x..], &g[products.g + place * channels..], sums);
                }
            }
        });
    }
}

/// Adds products to all channels of the sums of `R` rows of `N` weights.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn add_products<L: Lanes, const R: usize, const N: usize>(
    products: &Products,
    channels: usize,
    x: *const L::Element,
    g: *const L::Element,
    sums: *mut L::Element,
) {
    let mut first = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while first + L::LANES <= channels {
            add_block::<L, R, N, true>(products, channels, x.add(first), g.add(first), sums.add(first), L::LANES);
            first += L::LANES;
        }
        if first < channels {
            let count = channels - first;
            add_block::<L, R, N, false>(products, channels, x.add(first), g.add(first), sums.add(first), count);
        }
    }
}

/// Adds products to `count` channels of the sums of `R` rows of `N` weights; they fill a vector if `WHOLE`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn add_block<L: Lanes, const R: usize, const N: usize, const WHOLE: bool>(
    products: &Products,
    channels: usize,
    mut x: *const L::Element,
    mut g: *const L::Element,
    sums: *mut L::Element,
    count: usize,
) {
    // SAFETY: the caller's promise; pointers beyond the last place are not followed.
    unsafe {
        let mask = L::mask(if WHOLE { 0 } else { count });
        let load = |source: *const L::Element| if WHOLE { L::load(source) } else { L::load_masked(source, mask) };
        let add = |sums: &mut [[L::Vector; N]; R], x: *const L::Element, g| {
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = x.add(row * products.row_x);
                for (tap, sum) in sums.iter_mut().enumerate() {
                    *sum = L::multiply_add(load(x.add(tap * products.tap_x)), g, *sum);
                }
            }
        };
        // Few weights have two sums each, because an addition takes longer than the processor needs to start the next.
        let (mut even, mut odd) = ([[L::zero(); N]; R], [[L::zero(); N]; R]);
        let mut left = products.count;
        while R * N < BLOCK * BLOCK && left >= 2 {
            add(&mut even, x, load(g));
            add(&mut odd, x.add(products.place_x), load(g.add(channels)));
            (x, g) = (x.wrapping_add(2 * products.place_x), g.wrapping_add(2 * channels));
            left -= 2;
        }
        for _ in 0..left {
            add(&mut even, x, load(g));
            (x, g) = (x.wrapping_add(products.place_x), g.wrapping_add(channels));
        }
        for row in 0..R {
            for tap in 0..N {
                let target = sums.add(row * products.row_w + tap * channels);
                let sum = L::add(load(target), L::add(even[row][tap], odd[row][tap]));
                if WHOLE {
                    L::store(target, sum);
                } else {
                    L::store_first(target, sum, count);
                }
            }
        }
    }
}
