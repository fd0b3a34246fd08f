//! Linear interpolation along the middle axis of `[outer, length, inner]` in row-major order, and its adjoint.

use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// The columns that a task of the gradient computes side by side.
const COLUMNS: usize = 512;

/// The lengths of the resized axis before and after, and the contiguous elements for each of its places.
#[derive(Clone, Copy)]
pub(crate) struct Resize {
    pub before: usize,
    pub after: usize,
    pub inner: usize,
}

/// The two of `from` old elements nearest to new element `place` of `to`, and their weights. The centre of the new element is at
/// (place + 1/2) from / to - 1/2 among the old ones; beyond the ends, the last element counts.
#[inline(always)]
fn nearest<T: Float>(place: usize, from: usize, to: usize) -> [(usize, T); 2] {
    let centre = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
    let low = centre as usize;
    let weight = centre - low as f64;
    [(low, T::of(1.0 - weight)), ((low + 1).min(from - 1), T::of(weight))]
}

impl Resize {
    /// out `[outer, after, inner]` = x `[outer, before, inner]` resized.
    pub fn linear<T: Float>(&self, x: &[T], out: &mut [T]) {
        let Resize { before, after, inner } = *self;
        if out.is_empty() {
            return;
        }
        let rows = out.len() / inner;
        let out = Shared::new(out);
        team::split(rows, (CHUNK / inner).max(1), |range| {
            vectorize(
                #[inline(always)]
                || {
                    for row in range {
                        let (outer, place) = (row / after, row % after);
                        let [low, high] = nearest::<T>(place, before, after)
                            .map(|(place, weight)| (&x[(outer * before + place) * inner..][..inner], weight));
                        // SAFETY: each row belongs to one task.
                        let out = unsafe { out.part(row * inner, inner) };
                        for ((out, &a), &b) in out.iter_mut().zip(low.0).zip(high.0) {
                            *out = low.1 * a + high.1 * b;
                        }
                    }
                },
            );
        });
    }

    /// dx `[outer, after, inner]` = the gradient of [`linear`](Resize::linear) from `after` to `before` elements, where g
    /// `[outer, before, inner]` is the gradient of its result.
    pub fn linear_gradient<T: Float>(&self, g: &[T], dx: &mut [T]) {
        let Resize { before, after, inner } = *self;
        if dx.is_empty() {
            return;
        }
        let blocks = inner.div_ceil(COLUMNS);
        let stripes = dx.len() / (after * inner) * blocks;
        let dx = Shared::new(dx);
        let size = COLUMNS.min(inner) * before.max(after);
        team::split(stripes, (CHUNK / size).max(1), |range| {
            vectorize(
                #[inline(always)]
                || {
                    for stripe in range {
                        let (outer, first) = (stripe / blocks, stripe % blocks * COLUMNS);
                        let count = COLUMNS.min(inner - first);
                        // SAFETY: each stripe belongs to one task, which looks at one of its rows at a time.
                        let row = |place: usize| unsafe { dx.part((outer * after + place) * inner + first, count) };
                        (0..after).for_each(|place| row(place).fill(T::ZERO));
                        for place in 0..before {
                            let g = &g[(outer * before + place) * inner + first..][..count];
                            for (place, weight) in nearest::<T>(place, after, before) {
                                row(place).iter_mut().zip(g).for_each(|(dx, &g)| *dx += weight * g);
                            }
                        }
                    }
                },
            );
        });
    }
}
