//! Products whose results are added up where windows overlap, as they are computed (col2im): the gradient of a convolution
//! with respect to its input.
//!
//! The gradient at a window times the weights is the window's share of the gradient at each of its elements. This takes as many
//! products as the forward pass. An input gradient computed as a convolution of the padded gradient multiplies zeros beyond the
//! ends instead: 2 of 7 products for 3 by 3 on 13 by 13.

use std::ops::Range;

use super::Mat;
use super::cut::parts;
use super::implicit::{Addend, ColumnOffsets, ImplicitMatrix, MOST_ROWS, RowBlock};
use crate::element::Float;
use crate::kernels::Shared;
use crate::kernels::windows::TaskPart;
use crate::memory::with_scratch;
use crate::simd::vectorize;
use crate::team;
use crate::windows::Windows;

/// The most bytes of results that wait to be added up (but at least a strip of rows): they stay in the second-level cache
/// beside the weights.
const MOST_WAITING: usize = 1 << 17;
/// The tasks to aim for: samples, or parts of samples that are long enough to be cut.
const TASKS: usize = 16;
/// The least places of a part of a sample, in reaches of a window: windows across two parts are computed twice.
const LEAST_REACHES: usize = 8;

/// Adds, for each window of each sample, its row of A · B to the elements of `dx` at its kernel positions: at each position the
/// channels `channels`. `dx` is set to 0 first, unless `add`.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn folded_products<T: Float>(
    a: ImplicitMatrix<'_, T>,
    b: Mat<'_, T>,
    windows: &Windows,
    channels: Range<usize>,
    add: bool,
    dx: &mut [T],
) {
    let (sample, n) = (windows.sample_size(), b.columns);
    if dx.is_empty() {
        return;
    }
    let (count, each) = (dx.len() / sample, windows.axes.map(|axis| axis.windows).iter().product::<usize>());
    assert!(n == windows.size() * channels.len() && channels.end <= windows.channels, "folded_products: {n} columns");
    assert!(a.count == count && a.rows.len() == each && a.columns.len() == b.rows, "folded_products: {count} x {each}");
    let outer = windows.outermost_axis();
    let axis = windows.axes[outer];
    let entry = sample / axis.length;
    let reach = axis.places_reached_by(0..1).len().max(1);
    let cut = parts(axis.length, 1, TASKS.div_ceil(count).min(axis.length / (LEAST_REACHES * reach)).max(1));
    let most = (MOST_WAITING / (n * size_of::<T>()).max(1)).clamp(6, MOST_ROWS);
    let columns = ColumnOffsets::new(a.columns);
    let dx = Shared::new(dx);
    let size = a.samples.size();
    T::with_right_operand(b, &columns, count * each, |b| {
        team::run(count * cut.count, |task| {
            let (s, places) = (task / cut.count, cut.range(task % cut.count));
            let first = s * sample + places.start * entry;
            // SAFETY: each task has places of a sample to itself.
            let dx = unsafe { dx.part(first, places.len() * entry) };
            if !add {
                dx.fill(T::ZERO);
            }
            let mut fold =
                GradientFold { windows, channels: channels.clone(), sample: s, part: TaskPart::new(first, dx) };
            let inner: usize = windows.axes[outer + 1..].iter().map(|axis| axis.windows).product();
            let reaching = axis.windows_reaching(&places);
            let numbers = reaching.start * inner..reaching.end * inner;
            let mut block = RowBlock::new();
            let padded = a.samples.scratch(&(s..s + 1), &(0..size));
            with_scratch(most * n + padded, |scratch: *mut T| {
                // SAFETY: the end of the scratch is as large as that.
                let start_of_sample = unsafe { a.samples.place(s..s + 1, 0..size, scratch.add(most * n)) }.start(s);
                for start in numbers.clone().step_by(most) {
                    let numbers = start..numbers.end.min(start + most);
                    // SAFETY: the shapes have been compared, the scratch is as large as these results, which are then written.
                    let results = unsafe {
                        a.multiply(
                            (start_of_sample, numbers.clone()),
                            (&columns, b),
                            Addend::Zero,
                            &mut block,
                            (scratch, n),
                        );
                        std::slice::from_raw_parts(scratch, numbers.len() * n)
                    };
                    fold.add(numbers, results);
                }
            });
        });
    });
}

/// The part of the gradient to which results are added.
struct GradientFold<'a, T> {
    windows: &'a Windows,
    channels: Range<usize>,
    sample: usize,
    part: TaskPart<'a, T>,
}

impl<T: Float> GradientFold<'_, T> {
    /// Adds the results of some windows of the sample.
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
        let (numbers, each) = (self.windows.tap_numbers(), self.channels.len());
        // Neighbouring positions are contiguous in the results and in the input, unless other groups' channels are between. They
        // are all in this part, unless the only axis is the one that is cut into parts.
        let (runs, len) = match c.step == 1 && each == *channels && self.windows.outermost_axis() < 2 {
            true => (1, c.count),
            false => (c.count, 1),
        };
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
