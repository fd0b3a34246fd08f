//! Products whose results are added up at once where windows overlap: what a convolution passes back to its input.
//!
//! The gradient of a window's result times the weights is what each element of the window gets. As many products are
//! computed as the forward pass has, no more: an input's gradient seen as a convolution of its own multiplies zeros
//! beyond the ends, 2 of 7 times for 3 by 3 on 13 by 13.

use std::ops::Range;

use super::spread::{Base, Block, Columns, MOST_ROWS, Spread};
use super::{Mat, parts};
use crate::element::Float;
use crate::kernels::Shared;
use crate::kernels::windows::{Part, Windows};
use crate::memory::with_scratch;
use crate::simd::vectorize;
use crate::team;

/// Bytes of the results that wait to be added up, at most, if a strip of rows is less: they stay in the second-level
/// cache beside the weights.
const MOST_WAITING: usize = 1 << 17;
/// Tasks, if there are as many samples, or a sample is long enough to be cut.
const TASKS: usize = 16;
/// The least places of a part of a sample, in reaches of a window: what reaches two parts is computed twice.
const LEAST_REACHES: usize = 8;

/// For each window of each sample, its row of A times B is added to the elements of its taps in `dx`: for each tap, as many
/// as there are `channels`, which are these of all. `dx` is first set to 0, unless these add to what it holds.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn folded_products<T: Float>(
    a: Spread<'_, T>,
    b: Mat<'_, T>,
    windows: &Windows,
    channels: Range<usize>,
    add: bool,
    dx: &mut [T],
) {
    let (sample, n) = (windows.sample(), b.columns);
    if dx.is_empty() {
        return;
    }
    let (count, each) = (dx.len() / sample, windows.axes.map(|axis| axis.windows).iter().product::<usize>());
    assert!(n == windows.size() * channels.len() && channels.end <= windows.channels, "folded_products: {n} columns");
    assert!(a.count == count && a.rows.len() == each && a.columns.len() == b.rows, "folded_products: {count} x {each}");
    let outer = windows.outer();
    let axis = windows.axes[outer];
    let entry = sample / axis.length;
    let reach = axis.reach_of(0..1).len().max(1);
    let cut = parts(axis.length, 1, TASKS.div_ceil(count).min(axis.length / (LEAST_REACHES * reach)).max(1));
    let most = (MOST_WAITING / (n * size_of::<T>()).max(1)).clamp(6, MOST_ROWS);
    let columns = Columns::new(a.columns);
    let dx = Shared::new(dx);
    T::with_panels(b, &columns, count * each, |b| {
        team::run(count * cut.count, |task| {
            let (s, places) = (task / cut.count, cut.range(task % cut.count));
            let first = s * sample + places.start * entry;
            // SAFETY: each task has places of a sample to itself.
            let dx = unsafe { dx.part(first, places.len() * entry) };
            if !add {
                dx.fill(T::ZERO);
            }
            let mut fold = Fold { windows, channels: channels.clone(), sample: s, part: Part::new(first, dx) };
            let inner: usize = windows.axes[outer + 1..].iter().map(|axis| axis.windows).product();
            let reaching = axis.reaching(&places);
            let numbers = reaching.start * inner..reaching.end * inner;
            let mut block = Block::new();
            with_scratch(most * n, |scratch: *mut T| {
                for start in numbers.clone().step_by(most) {
                    let numbers = start..numbers.end.min(start + most);
                    // SAFETY: the shapes have been compared, the scratch is as large as these results, which are then written.
                    let results = unsafe {
                        a.multiply((s, numbers.clone()), (&columns, b), Base::Zero, &mut block, (scratch, n));
                        std::slice::from_raw_parts(scratch, numbers.len() * n)
                    };
                    fold.add(numbers, results);
                }
            });
        });
    });
}

/// Where results are added up.
struct Fold<'a, T> {
    windows: &'a Windows,
    channels: Range<usize>,
    sample: usize,
    part: Part<'a, T>,
}

impl<T: Float> Fold<'_, T> {
    /// Adds the results of these windows of the sample.
    fn add(&mut self, windows: Range<usize>, results: &[T]) {
        vectorize(
            #[inline(always)]
            || {
                let [_, wide, long] = self.windows.axes.map(|axis| axis.windows);
                let n = results.len() / windows.len();
                for (number, results) in windows.zip(results.chunks_exact(n)) {
                    let (line, window) = (number / long, number % long);
                    self.add_one([line / wide, line % wide, window], results);
                }
            },
        );
    }

    #[inline(always)]
    fn add_one(&mut self, window: [usize; 3], results: &[T]) {
        let Windows { axes, channels } = self.windows;
        let [a, b, c] = [0, 1, 2].map(|axis| axes[axis].taps(window[axis]));
        let (numbers, each) = (self.windows.numbers(), self.channels.len());
        // Taps side by side lie so in the results and in the input, unless other groups' channels are between.
        let (runs, len) = if c.step == 1 && each == *channels { (1, c.count) } else { (c.count, 1) };
        for (i, plane) in a.places().enumerate() {
            for (j, row) in b.places().enumerate() {
                let line = ((self.sample * axes[0].length + plane) * axes[1].length + row) * axes[2].length;
                let tap = numbers.of([a.skipped + i, b.skipped + j, c.skipped]);
                for run in 0..runs {
                    let place = (line + c.start + run * c.step) * channels + self.channels.start;
                    let results = &results[(tap + run) * each..][..len * each];
                    if let Some(dx) = self.part.get(place, len * each) {
                        dx.iter_mut().zip(results).for_each(|(dx, &result)| *dx += result);
                    }
                }
            }
        }
    }
}
