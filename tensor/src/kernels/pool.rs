//! The largest, the sum or the mean of what lies in each window, and their derivatives.

use super::windows::{Line, Window, Windows, in_blocks};
use crate::element::Float;

impl Windows {
    /// out = all that lies in a window, folded by `f`. Line by line of the input, which then streams through the caches;
    /// the output's line stays in the nearest one.
    #[inline(always)]
    fn fold<T: Float>(
        &self,
        x: &[T],
        out: &mut [T],
        start: T,
        f: impl Fn(T, T) -> T + Sync,
        finish: impl Fn(&Line, &mut [T]) + Sync,
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

    /// out = the largest of each window; NaN where there is one.
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

    /// dx = the gradient g of each window, given to the first of its elements that is its largest, y.
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

    /// dx = the gradient g of each window, given to all of its elements.
    pub fn sum_gradient<T: Float>(&self, g: &[T], dx: &mut [T]) {
        self.give(g, dx, one);
    }

    /// dx = the gradient g of each window, shared among its elements.
    pub fn mean_gradient<T: Float>(&self, g: &[T], dx: &mut [T]) {
        self.give(
            g,
            dx,
            #[inline(always)]
            |window| share(window.taps.iter().map(|taps| taps.count).product()),
        );
    }

    #[inline(always)]
    fn give<T: Float>(&self, g: &[T], dx: &mut [T], factor: impl Fn(&Window) -> T + Sync) {
        self.for_each_back(
            dx,
            #[inline(always)]
            |window, part| {
                let (row, factor) = (window.number * self.channels, factor(&window));
                in_blocks!(self.channels, |BLOCK, first| {
                    let mut given = [T::ZERO; BLOCK];
                    given.copy_from_slice(&g[row + first..][..BLOCK]);
                    given.iter_mut().for_each(|given| *given *= factor);
                    self.for_each_tap(
                        &window,
                        #[inline(always)]
                        |tap, _| {
                            if let Some(dx) = part.get(tap + first, BLOCK) {
                                dx.iter_mut().zip(given).for_each(|(dx, given)| *dx += given);
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

/// The share of each of so many elements in their mean.
#[inline(always)]
fn share<T: Float>(count: usize) -> T {
    T::of(1.0 / count.max(1) as f64)
}
