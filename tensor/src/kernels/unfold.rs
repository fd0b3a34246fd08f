//! The elements of each window (im2col) and the adjoint (col2im).

use crate::element::{Element, Float};
use crate::windows::{Spacing, Windows};

impl Windows {
    /// Whether no window reaches beyond an end.
    fn lie_inside(&self) -> bool {
        self.axes.iter().all(|axis| {
            let whole = |window: usize| axis.taps(window).count == axis.size();
            debug_assert!(matches!(axis.spacing, Spacing::Strided { .. }));
            whole(0) && whole(axis.windows - 1)
        })
    }

    /// out = the elements of each window, position by position in row-major order, with 0 beyond the ends.
    pub fn unfold<T: Element>(&self, x: &[T], out: &mut [T]) {
        let channels = self.channels;
        let each = self.size() * channels;
        self.for_each_line(
            out,
            each,
            #[inline(always)]
            |line, out| {
                if !self.lie_inside() {
                    out.fill(T::ZERO);
                }
                let [a, b] = line.outer;
                self.for_each_row(
                    &line,
                    #[inline(always)]
                    |row, [i, j]| {
                        for (window, out) in line.windows.clone().zip(out.chunks_exact_mut(each)) {
                            let c = self.axes[2].taps(window);
                            // Neighbouring positions are contiguous, so they are copied as one run.
                            let (runs, taps) = if c.step == 1 { (c.count.min(1), c.count) } else { (c.count, 1) };
                            for run in 0..runs {
                                let from = row + (c.start + run * c.step) * channels;
                                let to =
                                    self.tap_numbers().of([a.skipped + i, b.skipped + j, c.skipped + run]) * channels;
                                out[to..][..taps * channels].copy_from_slice(&x[from..][..taps * channels]);
                            }
                        }
                    },
                );
            },
        );
    }

    /// dx = for each element the sum of its copies in all windows: the adjoint of [`unfold`](Windows::unfold).
    pub fn add_up<T: Float>(&self, windows: &[T], dx: &mut [T]) {
        let channels = self.channels;
        self.for_each_back(
            dx,
            #[inline(always)]
            |window, part| {
                let first = window.number * self.size();
                let [a, b, c] = window.taps.map(|taps| taps.skipped);
                self.for_each_tap(
                    &window,
                    #[inline(always)]
                    |place, [i, j, k]| {
                        if let Some(dx) = part.get(place, channels) {
                            let given = &windows[(first + self.tap_numbers().of([a + i, b + j, c + k])) * channels..];
                            dx.iter_mut().zip(given).for_each(|(dx, &given)| *dx += given);
                        }
                    },
                );
            },
        );
    }
}
