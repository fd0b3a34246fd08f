//! The largest element, the sum and the mean of each window, and their gradients.

use smallvec::SmallVec;

use super::windows::{Window, WindowLine, in_blocks};
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize_choices;
use crate::team;
use crate::windows::Windows;

impl Windows {
    /// out = the elements of each window, folded by `f`. The input is read line by line, so that it streams through the caches; the
    /// line of the output stays in the first-level cache.
    #[inline(always)]
    fn fold<T: Float>(
        &self,
        x: &[T],
        out: &mut [T],
        start: T,
        f: impl Fn(T, T) -> T + Sync,
        finish: impl Fn(&WindowLine, &mut [T]) + Sync,
    ) {
        let channels = self.channels;
        self.for_each_line(
            out,
            channels,
            #[inline(always)]
            |line, out| {
                out.fill(start);
                self.for_each_row(
                    &line,
                    #[inline(always)]
                    |row, _| {
                        for (window, out) in line.windows.clone().zip(out.chunks_exact_mut(channels)) {
                            let taps = self.axes[2].taps(window);
                            in_blocks!(channels, |BLOCK, first| {
                                let out = &mut out[first..][..BLOCK];
                                let mut folded = [start; BLOCK];
                                folded.copy_from_slice(out);
                                for place in taps.places() {
                                    let x = &x[row + place * channels + first..][..BLOCK];
                                    folded.iter_mut().zip(x).for_each(|(folded, &x)| *folded = f(*folded, x));
                                }
                                out.copy_from_slice(&folded);
                            });
                        }
                    },
                );
                finish(&line, out);
            },
        );
    }

    /// out = the largest element of each window, or NaN if it has one.
    pub fn max<T: Float>(&self, x: &[T], out: &mut [T]) {
        self.fold(
            x,
            out,
            T::LOWEST,
            larger,
            #[inline(always)]
            |_, _| (),
        );
    }

    /// out = the largest element of each window, or 0 if that is negative and `relu`; places = the number of its kernel position: the
    /// first of equal elements, the last NaN.
    pub fn largest<T: Float>(&self, x: &[T], relu: bool, out: &mut [T], places: &mut [u8]) {
        let (channels, places, numbers) = (self.channels, Shared::new(places), self.tap_numbers());
        let least = if relu { T::ZERO } else { T::LOWEST };
        self.for_each_line(
            out,
            channels,
            #[inline(always)]
            |line, out| {
                // SAFETY: each window's places belong to the one task that has its elements of the output.
                let places = unsafe { places.part(line.number * channels, out.len()) };
                // The lines of the input that these windows reach, and the number of their first position on each.
                let (mut rows, [a, b]) = (SmallVec::<[(usize, usize); 16]>::new(), line.outer);
                self.for_each_row(
                    &line,
                    #[inline(always)]
                    |row, [i, j]| rows.push((row, numbers.of([a.skipped + i, b.skipped + j, 0]))),
                );
                let windows = line.windows.clone().zip(out.chunks_exact_mut(channels));
                for ((window, out), places) in windows.zip(places.chunks_exact_mut(channels)) {
                    let taps = self.axes[2].taps(window);
                    let first_number = rows.first().map_or(0, |&(_, number)| number + taps.skipped);
                    in_blocks!(channels, |BLOCK, first| {
                        let (mut largest, mut place) =
                            ([T::LOWEST; BLOCK], [T::from_byte_bits(first_number as u8); BLOCK]);
                        for &(row, number) in &rows {
                            let mut at = row + taps.start * channels + first;
                            for tap in number + taps.skipped..number + taps.skipped + taps.count {
                                let (x, tap) = (&x[at..][..BLOCK], T::from_byte_bits(tap as u8));
                                for c in 0..BLOCK {
                                    let is = x[c] > largest[c] || x[c].is_nan_value();
                                    (largest[c], place[c]) = if is { (x[c], tap) } else { (largest[c], place[c]) };
                                }
                                at += taps.step * channels;
                            }
                        }
                        let (out, places) = (&mut out[first..][..BLOCK], &mut places[first..][..BLOCK]);
                        for c in 0..BLOCK {
                            out[c] = if largest[c] < least { least } else { largest[c] };
                            places[c] = place[c].to_byte_bits();
                        }
                    });
                }
            },
        );
    }

    /// dx = the gradient g of each window at the element of its place, 0 elsewhere.
    pub fn largest_gradient<T: Float>(&self, g: &[T], places: &[u8], dx: &mut [T]) {
        if self.are_tiles() {
            return self.largest_gradient_of_tiles(g, places, dx);
        }
        let numbers = self.tap_numbers();
        self.for_each_back(
            dx,
            #[inline(always)]
            |window, part| {
                let row = window.number * self.channels;
                let [a, b, c] = window.taps.map(|taps| taps.skipped);
                in_blocks!(self.channels, |BLOCK, first| {
                    let (g, places) = (&g[row + first..][..BLOCK], &places[row + first..][..BLOCK]);
                    self.for_each_tap(
                        &window,
                        #[inline(always)]
                        |at, [i, j, k]| {
                            let tap = numbers.of([a + i, b + j, c + k]) as u8;
                            if let Some(dx) = part.get(at + first, BLOCK) {
                                for ((dx, &g), &place) in dx.iter_mut().zip(g).zip(places) {
                                    *dx += if place == tap { g } else { T::ZERO };
                                }
                            }
                        },
                    );
                });
            },
        );
    }

    /// [`largest_gradient`](Windows::largest_gradient) if every element is in exactly one window: dx is written line by line and
    /// never read.
    fn largest_gradient_of_tiles<T: Float>(&self, g: &[T], places: &[u8], dx: &mut [T]) {
        if dx.is_empty() {
            return;
        }
        let channels = self.channels;
        let [_, high, wide] = self.axes.map(|axis| axis.length);
        let [depth, height, width] = self.axes.map(|axis| axis.size());
        let numbers = self.tap_numbers();
        let line = wide * channels;
        let lines = dx.len() / line;
        let dx = Shared::new(dx);
        team::split(lines, (CHUNK / line).max(1), |range| {
            // SAFETY: each line belongs to one task.
            let dx = unsafe { dx.part(range.start * line, range.len() * line) };
            vectorize_choices(
                #[inline(always)]
                || {
                    for (dx, number) in dx.chunks_exact_mut(line).zip(range) {
                        let (plane, row) = (number / high, number % high);
                        let windows = (plane / depth * (high / height) + row / height) * (wide / width) * channels;
                        let tap = numbers.of([plane % depth, row % height, 0]);
                        let window = dx.chunks_exact_mut(width * channels).zip(g[windows..].chunks_exact(channels));
                        for ((dx, g), places) in window.zip(places[windows..].chunks_exact(channels)) {
                            for (k, dx) in dx.chunks_exact_mut(channels).enumerate() {
                                let tap = (tap + k) as u8;
                                for ((dx, &g), &place) in dx.iter_mut().zip(g).zip(places) {
                                    *dx = if place == tap { g } else { T::ZERO };
                                }
                            }
                        }
                    }
                },
            );
        });
    }

    /// out = the sum of each window.
    pub fn sum<T: Float>(&self, x: &[T], out: &mut [T]) {
        self.fold(
            x,
            out,
            T::ZERO,
            plus,
            #[inline(always)]
            |_, _| (),
        );
    }

    /// out = the mean of each window.
    pub fn mean<T: Float>(&self, x: &[T], out: &mut [T]) {
        self.fold(
            x,
            out,
            T::ZERO,
            plus,
            #[inline(always)]
            |line, out| {
                let outer = line.outer.iter().map(|taps| taps.count).product::<usize>();
                for (window, out) in line.windows.clone().zip(out.chunks_exact_mut(self.channels)) {
                    let share = share(outer * self.axes[2].taps(window).count);
                    out.iter_mut().for_each(|out| *out *= share);
                }
            },
        );
    }

    /// dx = the gradient g of each window at the first of its elements that equals its largest, y.
    pub fn max_gradient<T: Float>(&self, x: &[T], y: &[T], g: &[T], dx: &mut [T]) {
        self.for_each_back(
            dx,
            #[inline(always)]
            |window, part| {
                let row = window.number * self.channels;
                in_blocks!(self.channels, |BLOCK, first| {
                    let (mut largest, mut left) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
                    largest.copy_from_slice(&y[row + first..][..BLOCK]);
                    left.copy_from_slice(&g[row + first..][..BLOCK]);
                    self.for_each_tap(
                        &window,
                        #[inline(always)]
                        |tap, _| {
                            let x = &x[tap + first..][..BLOCK];
                            let mut here = [T::ZERO; BLOCK];
                            for (((here, left), &x), &y) in here.iter_mut().zip(&mut left).zip(x).zip(&largest) {
                                let (is, none) = (x == y, T::ZERO);
                                (*here, *left) = if is { (*left, none) } else { (none, *left) };
                            }
                            if let Some(dx) = part.get(tap + first, BLOCK) {
                                dx.iter_mut().zip(here).for_each(|(dx, here)| *dx += here);
                            }
                        },
                    );
                });
            },
        );
    }

    /// dx = the gradient g of each window at all of its elements, added up.
    pub fn sum_gradient<T: Float>(&self, g: &[T], dx: &mut [T]) {
        self.add_to_windows(g, dx, one);
    }

    /// dx = the gradient g of each window divided by its number of elements, at all of them, added up.
    pub fn mean_gradient<T: Float>(&self, g: &[T], dx: &mut [T]) {
        self.add_to_windows(
            g,
            dx,
            #[inline(always)]
            |window| share(window.taps.iter().map(|taps| taps.count).product()),
        );
    }

    /// Adds g times `factor` of a window to all of its elements.
    #[inline(always)]
    fn add_to_windows<T: Float>(&self, g: &[T], dx: &mut [T], factor: impl Fn(&Window) -> T + Sync) {
        self.for_each_back(
            dx,
            #[inline(always)]
            |window, part| {
                let (row, factor) = (window.number * self.channels, factor(&window));
                in_blocks!(self.channels, |BLOCK, first| {
                    let mut share = [T::ZERO; BLOCK];
                    share.copy_from_slice(&g[row + first..][..BLOCK]);
                    share.iter_mut().for_each(|share| *share *= factor);
                    self.for_each_tap(
                        &window,
                        #[inline(always)]
                        |tap, _| {
                            if let Some(dx) = part.get(tap + first, BLOCK) {
                                dx.iter_mut().zip(share).for_each(|(dx, share)| *dx += share);
                            }
                        },
                    );
                });
            },
        );
    }
}

#[inline(always)]
fn larger<T: Float>(largest: T, x: T) -> T {
    if x > largest || x.is_nan_value() { x } else { largest }
}

#[inline(always)]
fn plus<T: Float>(sum: T, x: T) -> T {
    sum + x
}

#[inline(always)]
fn one<T: Float>(_: &Window) -> T {
    T::ONE
}

/// The weight of each of `count` elements in their mean.
#[inline(always)]
fn share<T: Float>(count: usize) -> T {
    T::of(1.0 / count.max(1) as f64)
}
