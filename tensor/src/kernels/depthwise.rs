//! Convolution of each channel by itself, channels last.
//!
//! There is one product for each element read, so nothing is gained by the blocks of a matrix product; what counts is
//! that the sums of some channels stay in registers while the taps pass by. Nothing is padded: along each axis
//! a place meets those taps that find an element.

use std::ops::Range;

use super::Shared;
use crate::element::Float;
use crate::simd::vectorize;
use crate::team;

/// How the places of a result meet those of what is read along one axis: place q, which is written at `first + q * apart`,
/// reads `start + q * step + tap * distance` and multiplies it with the weight at `weight + tap * weight_step`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// Places of the result.
    pub count: usize,
    pub first: usize,
    pub apart: usize,
    /// The length of what is read; beyond its ends there are zeros.
    pub length: usize,
    pub start: isize,
    pub step: usize,
    pub taps: usize,
    pub distance: usize,
    pub weight: usize,
    pub weight_step: isize,
}

impl Sweep {
    /// The taps that find an element from place q.
    fn taps(&self, q: usize) -> Range<usize> {
        let from = self.start + (q * self.step) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.distance)).min(self.taps);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places from which a tap finds an element.
    fn places(&self, tap: usize) -> Range<usize> {
        let from = self.start + (tap * self.distance) as isize;
        let below = |end: isize| usize::try_from(end).map_or(0, |end| end.div_ceil(self.step)).min(self.count);
        let range = below(-from)..below(self.length as isize - from);
        if range.is_empty() { 0..0 } else { range }
    }

    /// The places from which every tap finds an element.
    fn inside(&self) -> Range<usize> {
        let (first, last) = (self.places(0), self.places(self.taps.saturating_sub(1)));
        first.start.max(last.start)..first.end.min(last.end)
    }

    /// What place q reads through a tap that finds it.
    fn source(&self, q: usize, tap: usize) -> usize {
        (self.start + (q * self.step + tap * self.distance) as isize) as usize
    }

    fn weight_of(&self, tap: usize) -> usize {
        (self.weight as isize + tap as isize * self.weight_step) as usize
    }
}

/// A convolution of each channel by itself: a sweep for each axis.
pub(crate) struct Depthwise<'a> {
    pub samples: usize,
    pub channels: usize,
    pub axes: &'a [Sweep],
    /// The lengths of the result, and of the kernel.
    pub output: &'a [usize],
    pub kernel: &'a [usize],
}

/// A line of the result: where it begins, and what it reads. That is a line for each two taps of the axes around it that
/// find something, and the row of the kernel that it is multiplied with.
struct Line {
    result: usize,
    /// The first of those lines and of those rows.
    line: usize,
    weights: isize,
    outer: Taps,
    inner: Taps,
}

/// The taps of an axis that find something; a single one where there is no such axis.
#[derive(Clone, Copy)]
struct Taps {
    count: usize,
    /// From a tap's line to the next one's, and from its row of the kernel.
    line: usize,
    weights: isize,
}

impl Line {
    /// How many lines are read.
    fn reads(&self) -> usize {
        self.outer.count * self.inner.count
    }

    /// One of them.
    fn source(&self, number: usize) -> Source {
        let (outer, inner) = (number / self.inner.count, number % self.inner.count);
        let weights = self.weights + outer as isize * self.outer.weights + inner as isize * self.inner.weights;
        Source { line: self.line + outer * self.outer.line + inner * self.inner.line, weights: weights as usize }
    }
}

/// A line that is read, and the row of the kernel that it is multiplied with: where they begin.
#[derive(Clone, Copy, Default)]
struct Source {
    line: usize,
    weights: usize,
}

/// The most lines that are read in one pass over a line of the result.
const SOURCES: usize = 16;

/// Channels whose sums are made together.
const CHANNELS: usize = 32;
/// The most partial sums of a kernel's gradient.
const MOST_PARTS: usize = 16;

impl Depthwise<'_> {
    fn inner(&self) -> &Sweep {
        self.axes.last().expect("there is an axis")
    }

    /// Lines of the result that are swept: those of one sample.
    fn lines(&self) -> usize {
        self.axes[..self.axes.len() - 1].iter().map(|axis| axis.count).product()
    }

    /// Products of one line.
    fn work(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product::<usize>() * self.inner().count * self.channels
    }

    /// Line `line` of all samples'.
    fn line(&self, line: usize) -> Line {
        let around = self.axes.len() - 1;
        let (sample, mut rest) = (line / self.lines(), line % self.lines());
        // The elements of a line of the input and of the result, and of a row of the kernel; then of planes, and so on.
        let mut read = self.inner().length * self.channels;
        let (mut written, mut row) = (self.output[around] * self.channels, self.kernel[around] * self.channels);
        let one = Taps { count: 1, line: 0, weights: 0 };
        let mut found = Line { result: 0, line: 0, weights: 0, outer: one, inner: one };
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
            (found.outer, found.inner) = (Taps { count: range.len(), line, weights }, found.outer);
            (written, read, row) = (written * self.output[i], read * axis.length, row * self.kernel[i]);
        }
        found.result += sample * written;
        found.line += sample * read;
        found
    }

    /// out = bias + the convolution of x with w, what is negative made 0 if `relu`, at the places that are swept.
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
                // SAFETY: each line of the result is swept by one task.
                let out = unsafe { out.part(line.result, self.output[self.output.len() - 1] * self.channels) };
                let (mut sources, reads) = ([Source::default(); SOURCES], line.reads());
                // One pass at least, for the bias; nearly always it is the only one.
                for first in (0..reads.max(1)).step_by(SOURCES) {
                    let end = (first + SOURCES).min(reads);
                    sources.iter_mut().zip(first..end).for_each(|(source, number)| *source = line.source(number));
                    let sources = &sources[..end - first];
                    let start = if first == 0 { Start::Bias(bias) } else { Start::Sums };
                    let pass =
                        Pass { x, w, start, relu: relu && end == reads, sources, inner, channels: self.channels };
                    vectorize(
                        #[inline(always)]
                        || pass.line(out),
                    );
                }
            }
        });
    }

    /// The elements that [`kernel_gradient`](Depthwise::kernel_gradient) needs for partial sums.
    pub fn partial_sums(&self) -> usize {
        self.parts().saturating_sub(1) * self.kernel.iter().product::<usize>() * self.channels
    }

    /// Parts that the lines are cut into, by their size alone.
    fn parts(&self) -> usize {
        let lines = self.samples * self.lines();
        (lines * self.work() / (4 * super::CHUNK)).clamp(1, MOST_PARTS).min(lines.max(1))
    }

    /// dw = the gradient of the kernel, where g is that of the convolution of x.
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
                            self.add_line(x, g, line.result, line.source(number), sums);
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

    /// sums += the products of the line of g that begins at `line` with what it reads of x.
    #[inline(always)]
    fn add_line<T: Float>(&self, x: &[T], g: &[T], line: usize, source: Source, sums: &mut [T]) {
        let (inner, channels) = (self.inner(), self.channels);
        for tap in 0..inner.taps {
            let places = inner.places(tap);
            let sums = &mut sums[source.weights + inner.weight_of(tap) * channels..][..channels];
            if let Some(last) = places.len().checked_sub(1) {
                let from = source.line + inner.source(places.start, tap) * channels;
                let step = inner.step * channels;
                let x = &x[from..][..last * step + channels];
                let g = &g[line + places.start * channels..][..places.len() * channels];
                add_products(x, step, g, sums);
            }
        }
    }
}

/// What the sums of a pass begin with.
enum Start<'a, T> {
    /// The bias, or 0.
    Bias(Option<&'a [T]>),
    /// Those of the passes before.
    Sums,
}

/// The convolution of one line, or of some of what it reads.
struct Pass<'a, T> {
    x: &'a [T],
    w: &'a [T],
    start: Start<'a, T>,
    relu: bool,
    sources: &'a [Source],
    inner: &'a Sweep,
    channels: usize,
}

impl<T: Float> Pass<'_, T> {
    #[inline(always)]
    fn line(&self, out: &mut [T]) {
        let inside = self.inner.inside();
        for q in 0..self.inner.count {
            // Without dividing, but at the ends.
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

    /// `C` channels from c on of place q.
    #[inline(always)]
    fn block<const C: usize>(&self, q: usize, taps: Range<usize>, c: usize, out: &mut [T]) {
        let out = &mut out[c..][..C];
        let mut sums = match self.start {
            Start::Bias(None) => [T::ZERO; C],
            Start::Bias(Some(bias)) => std::array::from_fn(|i| bias[c + i]),
            Start::Sums => std::array::from_fn(|i| out[i]),
        };
        for source in self.sources {
            for tap in taps.clone() {
                let w = &self.w[source.weights + self.inner.weight_of(tap) * self.channels + c..][..C];
                let x = &self.x[source.line + self.inner.source(q, tap) * self.channels + c..][..C];
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

/// sums += the products of rows of x, `step` apart, with rows of g, side by side.
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
