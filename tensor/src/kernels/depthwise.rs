//! Depthwise convolution: each channel by itself, channels last.
//!
//! Each element read takes part in one product, so the blocks of a matrix product would gain nothing; it is enough that the sums
//! of some channels stay in registers while the kernel passes. The input is not padded: each place of the result uses the
//! kernel positions (taps) that lie inside the input.

use std::ops::Range;

use super::Shared;
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// The places along one axis that are read and written: the result at `first + q * apart` is the sum over taps of the input at
/// `start + q * step + tap * distance` times the weight at `weight + tap * weight_step`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// The number of places q.
    pub count: usize,
    pub first: usize,
    pub apart: usize,
    /// The length of the input; beyond its ends there are zeros.
    pub length: usize,
    pub start: isize,
    pub step: usize,
    pub taps: usize,
    pub distance: usize,
    pub weight: usize,
    pub weight_step: isize,
}

impl Sweep {
    /// The taps that lie inside the input at place q.
    fn taps(&self, q: usize) -> Range<usize> {
        let from = self.start + (q * self.step) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.distance)).min(self.taps);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places at which a tap lies inside the input.
    fn places(&self, tap: usize) -> Range<usize> {
        let from = self.start + (tap * self.distance) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.step)).min(self.count);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places at which every tap lies inside the input.
    fn inside(&self) -> Range<usize> {
        let (first, last) = (self.places(0), self.places(self.taps.saturating_sub(1)));
        first.start.max(last.start)..first.end.min(last.end)
    }

    /// The place of the input that place q reads through a tap inside.
    fn source(&self, q: usize, tap: usize) -> usize {
        (self.start + (q * self.step + tap * self.distance) as isize) as usize
    }

    fn weight_of(&self, tap: usize) -> usize {
        (self.weight as isize + tap as isize * self.weight_step) as usize
    }
}

/// A depthwise convolution: a sweep for each axis.
pub(crate) struct Depthwise<'a> {
    pub samples: usize,
    pub channels: usize,
    pub axes: &'a [Sweep],
    /// The lengths of the result and of the kernel.
    pub output: &'a [usize],
    pub kernel: &'a [usize],
}

/// A line of the result with the lines of the input that it reads, one for each pair of taps of the two outer axes, and the
/// rows of the kernel that these are multiplied with.
struct ResultLine {
    /// The index of its first element.
    result: usize,
    /// The indices at which the first line of the input and the first row of the kernel begin.
    line: usize,
    weights: isize,
    outer: TapSteps,
    inner: TapSteps,
}

/// The taps of an axis that lie inside the input; a single tap for an axis that is missing.
#[derive(Clone, Copy)]
struct TapSteps {
    count: usize,
    /// The elements from a tap's line to the next tap's line, and from its row of the kernel to the next.
    line: usize,
    weights: isize,
}

impl ResultLine {
    /// The number of lines that are read.
    fn reads(&self) -> usize {
        self.outer.count * self.inner.count
    }

    /// Line `number` of those that are read.
    fn input(&self, number: usize) -> InputLine {
        let (outer, inner) = (number / self.inner.count, number % self.inner.count);
        let weights = self.weights + outer as isize * self.outer.weights + inner as isize * self.inner.weights;
        InputLine { line: self.line + outer * self.outer.line + inner * self.inner.line, weights: weights as usize }
    }
}

/// The indices at which a line of the input and the row of the kernel that it is multiplied with begin.
#[derive(Clone, Copy, Default)]
struct InputLine {
    line: usize,
    weights: usize,
}

/// The most lines of the input that are read in one pass over a line of the result.
const MOST_INPUTS: usize = 16;

/// The channels that are summed together.
const CHANNELS: usize = 32;
/// The most partial sums of a kernel's gradient.
const MOST_PARTS: usize = 16;

impl Depthwise<'_> {
    fn inner(&self) -> &Sweep {
        self.axes.last().expect("there is an axis")
    }

    /// The lines of one sample of the result.
    fn lines(&self) -> usize {
        self.axes[..self.axes.len() - 1].iter().map(|axis| axis.count).product()
    }

    /// The multiply-adds of one line.
    fn work(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product::<usize>() * self.inner().count * self.channels
    }

    /// Line `line`, counted through all samples.
    fn line(&self, line: usize) -> ResultLine {
        let around = self.axes.len() - 1;
        let (sample, mut rest) = (line / self.lines(), line % self.lines());
        // The elements of a line of the input, of a line of the result and of a row of the kernel; then those of planes.
        let mut read = self.inner().length * self.channels;
        let (mut written, mut row) = (self.output[around] * self.channels, self.kernel[around] * self.channels);
        let one = TapSteps { count: 1, line: 0, weights: 0 };
        let mut found = ResultLine { result: 0, line: 0, weights: 0, outer: one, inner: one };
        for (i, axis) in self.axes[..around].iter().enumerate().rev() {
            let q = rest % axis.count;
            rest /= axis.count;
            let range = axis.taps(q);
            found.result += (axis.first + q * axis.apart) * written;
            if !range.is_empty() {
                found.line += axis.source(q, range.start) * read;
                found.weights += (axis.weight_of(range.start) * row) as isize;
            }
            let (line, weights) = (axis.distance * read, axis.weight_step * row as isize);
            (found.outer, found.inner) = (TapSteps { count: range.len(), line, weights }, found.outer);
            (written, read, row) = (written * self.output[i], read * axis.length, row * self.kernel[i]);
        }
        found.result += sample * written;
        found.line += sample * read;
        found
    }

    /// out = bias + the convolution of x with w, or max(out, 0) if `relu`, at the places of the sweeps.
    pub fn convolve<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>, relu: bool, out: &mut [T]) {
        let lines = self.samples * self.lines();
        if lines * self.inner().count * self.channels == 0 {
            return;
        }
        let each = (super::CHUNK / self.work().max(1)).max(1);
        let out = Shared::new(out);
        team::split(lines, each, |range| {
            for line in range {
                let (line, inner) = (self.line(line), self.inner());
                // SAFETY: each line of the result belongs to one task.
                let out = unsafe { out.part(line.result, self.output[self.output.len() - 1] * self.channels) };
                let (mut inputs, reads) = ([InputLine::default(); MOST_INPUTS], line.reads());
                // At least one pass, for the bias; more are rare.
                for first in (0..reads.max(1)).step_by(MOST_INPUTS) {
                    let end = (first + MOST_INPUTS).min(reads);
                    inputs.iter_mut().zip(first..end).for_each(|(input, number)| *input = line.input(number));
                    let inputs = &inputs[..end - first];
                    let start = if first == 0 { SumStart::Bias(bias) } else { SumStart::Result };
                    let pass =
                        LinePass { x, w, start, relu: relu && end == reads, inputs, inner, channels: self.channels };
                    vectorize(
                        #[inline(always)]
                        || pass.line(out),
                    );
                }
            }
        });
    }

    /// The elements of partial sums that [`kernel_gradient`](Depthwise::kernel_gradient) needs.
    pub fn partial_sums(&self) -> usize {
        self.parts().saturating_sub(1) * self.kernel.iter().product::<usize>() * self.channels
    }

    /// The number of parts that the lines are cut into, by their size alone.
    fn parts(&self) -> usize {
        let lines = self.samples * self.lines();
        (lines * self.work() / (4 * super::CHUNK)).clamp(1, MOST_PARTS).min(lines.max(1))
    }

    /// dw = the gradient with respect to the kernel, where g is the gradient with respect to the convolution of x.
    pub fn kernel_gradient<T: Float>(&self, x: &[T], g: &[T], dw: &mut [T], partial: &mut [T]) {
        let (lines, parts, size) = (self.samples * self.lines(), self.parts(), dw.len());
        let (first, others) = (Shared::new(dw), Shared::new(partial));
        team::run(parts, |part| {
            // SAFETY: each part has sums of its own.
            let sums = unsafe {
                match part {
                    0 => first.part(0, size),
                    _ => others.part((part - 1) * size, size),
                }
            };
            sums.fill(T::ZERO);
            for line in lines * part / parts..lines * (part + 1) / parts {
                let line = self.line(line);
                vectorize(
                    #[inline(always)]
                    || {
                        for number in 0..line.reads() {
                            self.add_line(x, g, line.result, line.input(number), sums);
                        }
                    },
                );
            }
        });
        for part in 1..parts {
            let others = &partial[(part - 1) * size..][..size];
            dw.iter_mut().zip(others).for_each(|(sum, &other)| *sum += other);
        }
    }

    /// Adds to `sums` the products of the line of g that begins at `line` with a line of x that it reads.
    #[inline(always)]
    fn add_line<T: Float>(&self, x: &[T], g: &[T], line: usize, input: InputLine, sums: &mut [T]) {
        let (inner, channels) = (self.inner(), self.channels);
        for tap in 0..inner.taps {
            let places = inner.places(tap);
            let sums = &mut sums[input.weights + inner.weight_of(tap) * channels..][..channels];
            if let Some(last) = places.len().checked_sub(1) {
                let from = input.line + inner.source(places.start, tap) * channels;
                let step = inner.step * channels;
                let x = &x[from..][..last * step + channels];
                let g = &g[line + places.start * channels..][..places.len() * channels];
                add_products(x, step, g, sums);
            }
        }
    }
}

/// The values that the sums of a pass begin with.
enum SumStart<'a, T> {
    /// The bias, or 0 without one.
    Bias(Option<&'a [T]>),
    /// The sums of earlier passes, which are in the result.
    Result,
}

/// A pass over one line of the result that reads some of its lines of the input.
struct LinePass<'a, T> {
    x: &'a [T],
    w: &'a [T],
    start: SumStart<'a, T>,
    relu: bool,
    inputs: &'a [InputLine],
    inner: &'a Sweep,
    channels: usize,
}

impl<T: Float> LinePass<'_, T> {
    #[inline(always)]
    fn line(&self, out: &mut [T]) {
        let inside = self.inner.inside();
        for q in 0..self.inner.count {
            // Divisions are needed at the ends only.
            let taps = if inside.contains(&q) { 0..self.inner.taps } else { self.inner.taps(q) };
            let out = &mut out[(self.inner.first + q * self.inner.apart) * self.channels..][..self.channels];
            let mut c = 0;
            while c + CHANNELS <= self.channels {
                self.block::<CHANNELS>(q, taps.clone(), c, out);
                c += CHANNELS;
            }
            while c + 8 <= self.channels {
                self.block::<8>(q, taps.clone(), c, out);
                c += 8;
            }
            while c < self.channels {
                self.block::<1>(q, taps.clone(), c, out);
                c += 1;
            }
        }
    }

    /// Computes channels `c..c + C` of place q.
    #[inline(always)]
    fn block<const C: usize>(&self, q: usize, taps: Range<usize>, c: usize, out: &mut [T]) {
        let out = &mut out[c..][..C];
        let mut sums = match self.start {
            SumStart::Bias(None) => [T::ZERO; C],
            SumStart::Bias(Some(bias)) => std::array::from_fn(|i| bias[c + i]),
            SumStart::Result => std::array::from_fn(|i| out[i]),
        };
        for input in self.inputs {
            for tap in taps.clone() {
                let w = &self.w[input.weights + self.inner.weight_of(tap) * self.channels + c..][..C];
                let x = &self.x[input.line + self.inner.source(q, tap) * self.channels + c..][..C];
                for i in 0..C {
                    sums[i] = num_traits::Float::mul_add(x[i], w[i], sums[i]);
                }
            }
        }
        for i in 0..C {
            out[i] = if self.relu && sums[i] < T::ZERO { T::ZERO } else { sums[i] };
        }
    }
}

/// Adds to `sums` the products of rows of x, `step` apart, with contiguous rows of g.
#[inline(always)]
fn add_products<T: Float>(x: &[T], step: usize, g: &[T], sums: &mut [T]) {
    let channels = sums.len();
    let mut c = 0;
    while c + CHANNELS <= channels {
        add_block::<T, CHANNELS>(x, step, g, c, sums);
        c += CHANNELS;
    }
    while c + 8 <= channels {
        add_block::<T, 8>(x, step, g, c, sums);
        c += 8;
    }
    while c < channels {
        add_block::<T, 1>(x, step, g, c, sums);
        c += 1;
    }
}

#[inline(always)]
fn add_block<T: Float, const C: usize>(x: &[T], step: usize, g: &[T], c: usize, sums: &mut [T]) {
    let channels = sums.len();
    let mut block: [T; C] = std::array::from_fn(|i| sums[c + i]);
    for (x, g) in x.chunks(step).zip(g.chunks_exact(channels)) {
        let (x, g) = (&x[c..][..C], &g[c..][..C]);
        for i in 0..C {
            block[i] = num_traits::Float::mul_add(x[i], g[i], block[i]);
        }
    }
    sums[c..][..C].copy_from_slice(&block);
}
