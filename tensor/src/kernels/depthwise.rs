//! Convolution of each channel by itself, channels last.
//!
//! There is one product for each element read, so nothing is gained by the blocks of a matrix product; what counts is
//! that the sums of some channels stay in registers while the taps pass by. Nothing is padded: along each axis
//! a place meets those taps that find an element.

use std::ops::Range;

use smallvec::SmallVec;

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

/// What a line of the result reads: where the line begins, and the row of the kernel that it is multiplied with.
struct Source {
    line: usize,
    weights: usize,
}

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

    /// Line `line` of all samples': where in the result it begins, and what it reads.
    fn line(&self, line: usize, sources: &mut SmallVec<[Source; 16]>) -> usize {
        let outer = self.axes.len() - 1;
        let (sample, mut rest) = (line / self.lines(), line % self.lines());
        let mut place: SmallVec<[usize; 2]> = SmallVec::from_elem(0, outer);
        for (place, axis) in place.iter_mut().zip(self.axes).rev() {
            *place = rest % axis.count;
            rest /= axis.count;
        }
        sources.clear();
        sources.push(Source { line: sample, weights: 0 });
        let mut result = sample;
        for ((&q, axis), (&length, &size)) in place.iter().zip(self.axes).zip(self.output.iter().zip(self.kernel)) {
            result = result * length + axis.first + q * axis.apart;
            // Each so far becomes one for each tap of this axis.
            let (taps, before) = (axis.taps(q), sources.len());
            for tap in taps {
                for i in 0..before {
                    let Source { line, weights } = sources[i];
                    let line = line * axis.length + axis.source(q, tap);
                    sources.push(Source { line, weights: weights * size + axis.weight_of(tap) });
                }
            }
            sources.drain(..before);
        }
        let (inner, length) = (self.inner(), self.output[outer]);
        for source in sources.iter_mut() {
            source.line *= inner.length * self.channels;
            source.weights *= self.kernel[outer] * self.channels;
        }
        result * length * self.channels
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
            let mut sources = SmallVec::new();
            for line in range {
                let (result, inner) = (self.line(line, &mut sources), self.inner());
                // SAFETY: each line of the result is swept by one task.
                let out = unsafe { out.part(result, self.output[self.output.len() - 1] * self.channels) };
                let pass = Pass { x, w, bias, relu, sources: &sources, inner, channels: self.channels };
                vectorize(
                    #[inline(always)]
                    || pass.line(out),
                );
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
            let mut sources = SmallVec::new();
            for line in lines * part / parts..lines * (part + 1) / parts {
                let (result, inner) = (self.line(line, &mut sources), self.inner());
                vectorize(
                    #[inline(always)]
                    || {
                        for source in &sources {
                            for tap in 0..inner.taps {
                                let places = inner.places(tap);
                                let sums =
                                    &mut sums[source.weights + inner.weight_of(tap) * self.channels..][..self.channels];
                                if let Some(last) = places.len().checked_sub(1) {
                                    let from = source.line + inner.source(places.start, tap) * self.channels;
                                    let step = inner.step * self.channels;
                                    let x = &x[from..][..last * step + self.channels];
                                    let g = &g[result + places.start * self.channels..][..places.len() * self.channels];
                                    add_products(x, step, g, sums);
                                }
                            }
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
}

/// The convolution of one line.
struct Pass<'a, T> {
    x: &'a [T],
    w: &'a [T],
    bias: Option<&'a [T]>,
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
        let mut sums = self.bias.map_or([T::ZERO; C], |bias| std::array::from_fn(|i| bias[c + i]));
        for source in self.sources {
            for tap in taps.clone() {
                let w = &self.w[source.weights + self.inner.weight_of(tap) * self.channels + c..][..C];
                let x = &self.x[source.line + self.inner.source(q, tap) * self.channels + c..][..C];
                for i in 0..C {
                    sums[i] = num_traits::Float::mul_add(x[i], w[i], sums[i]);
                }
            }
        }
        let out = &mut out[c..][..C];
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
