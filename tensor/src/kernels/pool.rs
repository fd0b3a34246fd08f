//! The largest, or the mean, of what lies in each window; channels last, so that all loops run along channels.

use super::Shared;
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// Where windows lie in a sample, and what lies in a window.
pub(crate) struct Windows<'a> {
    /// From a sample to the next.
    pub step: usize,
    /// Where each window begins.
    pub starts: &'a [usize],
    /// Where in a window each of its places lies.
    pub places: &'a [usize],
    pub channels: usize,
}

/// Channels whose state is kept at a time.
const CHANNELS: usize = 64;

impl Windows<'_> {
    /// Calls `body` with the start of each window in `x` and its row of the output, in tasks of some windows each.
    fn for_each<T: Float>(&self, out: &mut [T], body: impl Fn(usize, usize, &mut [T]) + Sync) {
        if out.is_empty() {
            return;
        }
        let each = (super::CHUNK / (self.places.len() * self.channels).max(1)).max(1);
        let rows = out.len() / self.channels;
        let out = Shared::new(out);
        team::split(rows, each, |range| {
            vectorize(
                #[inline(always)]
                || {
                    for row in range {
                        let (sample, window) = (row / self.starts.len(), row % self.starts.len());
                        // SAFETY: each row of the output belongs to one task.
                        let out = unsafe { out.part(row * self.channels, self.channels) };
                        body(sample * self.step + self.starts[window], window, out);
                    }
                },
            );
        });
    }

    /// out = the largest of each window; NaN where there is one.
    pub fn max<T: Float>(&self, x: &[T], out: &mut [T]) {
        self.for_each(
            out,
            #[inline(always)]
            |start, _, out| {
                out.fill(T::LOWEST);
                for place in self.places {
                    for (out, &x) in out.iter_mut().zip(&x[start + place..]) {
                        *out = if x > *out || x.is_nan_value() { x } else { *out };
                    }
                }
            },
        );
    }

    /// out = the sum of each window times its `scale`.
    pub fn sum<T: Float>(&self, x: &[T], scales: &[T], out: &mut [T]) {
        self.for_each(
            out,
            #[inline(always)]
            |start, window, out| {
                out.fill(T::ZERO);
                for place in self.places {
                    out.iter_mut().zip(&x[start + place..]).for_each(|(out, &x)| *out += x);
                }
                out.iter_mut().for_each(|out| *out *= scales[window]);
            },
        );
    }

    /// Calls `body` with each window of a sample of `dx` in turn, samples being tasks: windows of a sample may overlap.
    fn for_each_back<T: Float>(&self, dx: &mut [T], body: impl Fn(usize, usize, &mut [T]) + Sync) {
        if dx.is_empty() {
            return;
        }
        let samples = dx.len() / self.step;
        let dx = Shared::new(dx);
        team::split(samples, (super::CHUNK / self.step).max(1), |range| {
            vectorize(
                #[inline(always)]
                || {
                    for sample in range {
                        // SAFETY: each sample belongs to one task.
                        let dx = unsafe { dx.part(sample * self.step, self.step) };
                        dx.fill(T::ZERO);
                        for window in 0..self.starts.len() {
                            body(sample, window, dx);
                        }
                    }
                },
            );
        });
    }

    /// dx = the gradient g of each window, given to the first of its elements that is its largest, y.
    pub fn max_gradient<T: Float>(&self, x: &[T], y: &[T], g: &[T], dx: &mut [T]) {
        self.for_each_back(
            dx,
            #[inline(always)]
            |sample, window, dx| {
                let row = (sample * self.starts.len() + window) * self.channels;
                for first in (0..self.channels).step_by(CHANNELS) {
                    let count = CHANNELS.min(self.channels - first);
                    let (y, mut left) = (&y[row + first..][..count], [T::ZERO; CHANNELS]);
                    left[..count].copy_from_slice(&g[row + first..][..count]);
                    for place in self.places {
                        let start = self.starts[window] + place + first;
                        let x = &x[sample * self.step + start..][..count];
                        let dx = &mut dx[start..][..count];
                        for (((dx, &x), &y), left) in dx.iter_mut().zip(x).zip(y).zip(&mut left) {
                            let here = if x == y { *left } else { T::ZERO };
                            *dx += here;
                            *left = if x == y { T::ZERO } else { *left };
                        }
                    }
                }
            },
        );
    }

    /// dx = the gradient g of each window times its `scale`, given to all of its elements.
    pub fn sum_gradient<T: Float>(&self, g: &[T], scales: &[T], dx: &mut [T]) {
        self.for_each_back(
            dx,
            #[inline(always)]
            |sample, window, dx| {
                let g = &g[(sample * self.starts.len() + window) * self.channels..][..self.channels];
                for place in self.places {
                    let dx = &mut dx[self.starts[window] + place..][..self.channels];
                    dx.iter_mut().zip(g).for_each(|(dx, &g)| *dx += g * scales[window]);
                }
            },
        );
    }
}
