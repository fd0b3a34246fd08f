//! Depthwise convolution: each channel by itself, channels last.
//!
//! Each element read takes part in one product for each kernel position (tap), so the blocks of a matrix product would gain nothing.
//! A vector has the sums of neighbouring channels. The input is not padded: each place of the result uses the taps that lie inside
//! the input.
//!
//! This file cuts the work into lines; `places` computes lines of a result, `products` adds up the gradient of the kernel.

use smallvec::SmallVec;

use super::Shared;
use super::accumulate::add_to;
use crate::element::Float;
use crate::team;

mod places;
mod products;
mod sweep;

use places::Lines;
use products::GradientLines;
pub(crate) use sweep::Sweep;

/// An axis of the result, whose places belong to its n sweeps in turn: place i is place i / n of sweep i % n. There is one sweep
/// unless the result is the gradient with respect to the input of a convolution with strides.
pub(crate) type Axis = SmallVec<[Sweep; 1]>;

/// The taps of an axis that lie inside the input; a single tap for an axis that is missing.
#[derive(Clone, Copy, PartialEq)]
struct TapSteps {
    count: usize,
    /// The elements from the input at one tap to the input at the next, and from its weights to the next.
    x: usize,
    w: isize,
}

impl TapSteps {
    const ONE: TapSteps = TapSteps { count: 1, x: 0, w: 0 };
}

/// A line of the result with the lines of the input that it reads, one for each pair of taps of the two outer axes, and the
/// rows of the kernel that these are multiplied with.
struct ResultLine {
    /// The indices at which it, the first line of the input and the first row of the kernel begin.
    result: usize,
    x: usize,
    w: usize,
    outer: [TapSteps; 2],
}

/// The multiply-adds of a task.
const TASK: usize = 16 * super::CHUNK;
/// The most partial sums of a kernel's gradient.
const MOST_PARTS: usize = 16;

/// A depthwise convolution.
pub(crate) struct Depthwise<'a> {
    pub samples: usize,
    pub channels: usize,
    pub axes: &'a [Axis],
    /// The lengths of the result and of the kernel.
    pub output: &'a [usize],
    pub kernel: &'a [usize],
}

impl Depthwise<'_> {
    /// The axis that lines lie along.
    fn along(&self) -> &Axis {
        self.axes.last().expect("there is an axis")
    }

    /// The lines of one sample of the result.
    fn lines(&self) -> usize {
        self.output[..self.axes.len() - 1].iter().product()
    }

    /// The multiply-adds of one line, on average.
    fn work(&self) -> usize {
        let products = |axis: &Axis| axis.iter().map(|sweep| sweep.taps * sweep.count).sum::<usize>();
        self.axes.iter().map(products).product::<usize>() * self.channels / self.lines().max(1)
    }

    /// Panics unless every place and every weight that the sweeps reach lie within slices of these lengths.
    fn check(&self, x: usize, w: usize, result: usize) {
        let size = |lengths: &[usize]| lengths.iter().product::<usize>() * self.channels;
        let lengths: SmallVec<[usize; 3]> = self.axes.iter().map(|axis| axis[0].length).collect();
        assert_eq!(x, self.samples * size(&lengths), "the length of the input");
        assert_eq!(w, size(self.kernel), "the length of the kernel");
        assert_eq!(result, self.samples * size(self.output), "the length of the result");
        for (((axis, &output), &kernel), &length) in self.axes.iter().zip(self.output).zip(self.kernel).zip(&lengths) {
            for (i, sweep) in axis.iter().enumerate() {
                let inside = |tap| sweep.weight_of(tap) < kernel;
                let weights = sweep.taps == 0 || (inside(0) && inside(sweep.taps - 1));
                let places = i + (sweep.count * axis.len()).saturating_sub(axis.len()) < output;
                assert!(weights && places && sweep.length == length, "{sweep:?} for {output} places, {kernel} weights");
            }
        }
    }

    /// Line `line`, counted through all samples.
    fn line(&self, line: usize) -> ResultLine {
        let around = self.axes.len() - 1;
        let (sample, mut rest) = (line / self.lines(), line % self.lines());
        // The elements of a line of the input, of a line of the result and of a row of the kernel; then those of planes.
        let mut read = self.along()[0].length * self.channels;
        let (mut written, mut row) = (self.output[around] * self.channels, self.kernel[around] * self.channels);
        let mut found = ResultLine { result: 0, x: 0, w: 0, outer: [TapSteps::ONE; 2] };
        for (i, axis) in self.axes[..around].iter().enumerate().rev() {
            let place = rest % self.output[i];
            rest /= self.output[i];
            found.result += place * written;
            let (axis, q) = (&axis[place % axis.len()], place / axis.len());
            let range = axis.taps(q);
            if !range.is_empty() {
                found.x += axis.source(q, range.start) * read;
                found.w += axis.weight_of(range.start) * row;
            }
            let (x, w) = (axis.distance * read, axis.weight_step * row as isize);
            // Of a single axis around the line, the outer one is missing.
            found.outer[i + 2 - around] = TapSteps { count: range.len(), x, w };
            (written, read, row) = (written * self.output[i], read * axis.length, row * self.kernel[i]);
        }
        found.result += sample * written;
        found.x += sample * read;
        found
    }

    /// out = bias + the convolution of x with w, or max(out, 0) if `relu`.
    pub fn convolve<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>, relu: bool, out: &mut [T]) {
        if out.is_empty() {
            return;
        }
        self.check(x.len(), w.len(), out.len());
        assert!(bias.is_none_or(|bias| bias.len() == self.channels), "the length of the bias");
        let lines = self.samples * self.lines();
        let each = (TASK / self.work().max(1)).max(1);
        let out = Shared::new(out);
        team::split(lines, each, |lines| T::compute(Lines { of: self, lines, x, w, bias, relu, out }));
    }

    /// The elements of partial sums that [`kernel_gradient`](Depthwise::kernel_gradient) needs.
    pub fn partial_sums(&self) -> usize {
        self.parts().saturating_sub(1) * self.kernel.iter().product::<usize>() * self.channels
    }

    /// The number of parts that the lines are cut into, by their size alone.
    fn parts(&self) -> usize {
        let lines = self.samples * self.lines();
        (lines * self.work() / TASK).clamp(1, MOST_PARTS).min(lines.max(1))
    }

    /// dw = the gradient with respect to the kernel, where g is the gradient with respect to the convolution of x. Each axis has one
    /// sweep.
    pub fn kernel_gradient<T: Float>(&self, x: &[T], g: &[T], dw: &mut [T], partial: &mut [T]) {
        self.check(x.len(), dw.len(), g.len());
        assert!(self.axes.iter().all(|axis| axis.len() == 1), "an axis has several sweeps");
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
            let lines = lines * part / parts..lines * (part + 1) / parts;
            T::compute(GradientLines { of: self, lines, x, g, sums });
        });
        for part in 1..parts {
            let others = &partial[(part - 1) * size..][..size];
            add_to(dw, others);
        }
    }
}

/// sums += x w, for processors without vectors of [`lanes`](super::gemm): a loop along the channels.
fn multiply_add<T: Float>(x: &[T], w: &[T], sums: &mut [T]) {
    for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
        *sum = num_traits::Float::mul_add(x, w, *sum);
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::kernels::gemm::VectorWork;
    #[cfg(target_arch = "x86_64")]
    use crate::kernels::gemm::lanes::Avx2;

    /// Whole numbers, whose sums are exact in any order.
    fn integers(len: usize, factor: usize) -> Vec<f32> {
        (0..len).map(|i| (i * factor % 13) as f32 - 6.0).collect()
    }

    /// Calls `body` with convolutions of 3 x 5, with few and many places and channels, and with the lengths of x, w and the result.
    fn for_each_case(mut body: impl FnMut(&Depthwise<'_>, [usize; 3])) {
        let sweep = |count, length, taps| Sweep {
            count,
            length,
            start: -1,
            step: 1,
            taps,
            distance: 1,
            weight: 0,
            weight_step: 1,
        };
        for (long, channels) in [(1, 1), (7, 5), (9, 16), (15, 37), (30, 70)] {
            let axes = [smallvec![sweep(6, 6, 3)], smallvec![sweep(long, long + 1, 5)]];
            let (output, kernel) = ([6, long], [3, 5]);
            let depthwise = Depthwise { samples: 2, channels, axes: &axes, output: &output, kernel: &kernel };
            body(&depthwise, [12 * (long + 1) * channels, 15 * channels, 12 * long * channels]);
        }
    }

    #[test]
    fn places_by_any_vectors() {
        for_each_case(|of, [x, w, result]| {
            let (x, w, bias) = (integers(x, 5), integers(w, 7), integers(of.channels, 3));
            let mut expected = vec![0.0; result];
            of.convolve(&x, &w, Some(&bias), true, &mut expected);
            let found = |compute: fn(Lines<'_, f32>)| {
                let mut out = vec![f32::NAN; result];
                let lines = 0..of.samples * of.lines();
                compute(Lines { of, lines, x: &x, w: &w, bias: Some(&bias), relu: true, out: Shared::new(&mut out) });
                out
            };
            assert_eq!(found(|lines| lines.compute_portably()), expected);
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                // SAFETY: the instructions are there.
                assert_eq!(found(|lines| unsafe { lines.compute_in::<Avx2<f32>>() }), expected);
            }
        });
    }

    #[test]
    fn products_by_any_vectors() {
        for_each_case(|of, [x, w, result]| {
            let (x, g) = (integers(x, 5), integers(result, 7));
            let (mut expected, mut partial) = (vec![0.0; w], vec![0.0; of.partial_sums()]);
            of.kernel_gradient(&x, &g, &mut expected, &mut partial);
            let found = |compute: fn(GradientLines<'_, f32>)| {
                let mut sums = vec![0.0; w];
                compute(GradientLines { of, lines: 0..of.samples * of.lines(), x: &x, g: &g, sums: &mut sums });
                sums
            };
            assert_eq!(found(|lines| lines.compute_portably()), expected);
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                // SAFETY: the instructions are there.
                assert_eq!(found(|lines| unsafe { lines.compute_in::<Avx2<f32>>() }), expected);
            }
        });
    }
}
