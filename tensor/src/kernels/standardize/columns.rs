//! Loops over a matrix `[rows, channels]` in row-major order whose columns have a mean, a scale and a shift each.
//!
//! The running sums and factors of neighbouring columns are kept in small buffers, so the loops run along rows, in vectors,
//! however few channels there are: a buffer holds the numbers of few channels several times over and is applied to several rows
//! at once.

use std::ops::Range;

use crate::element::Float;
use crate::simd::vectorize;

/// The length of a buffer, 2 KiB of f32: three or four buffers leave room for the rows in the first-level cache.
const WIDTH: usize = 512;

/// Columns whose numbers fit into a buffer.
#[derive(Clone, Copy)]
struct Strip {
    channels: usize,
    /// The first column and the number of columns.
    first: usize,
    width: usize,
    /// The number of rows that a buffer covers.
    repeat: usize,
}

impl Strip {
    /// All columns of a matrix, in strips.
    #[inline(always)]
    fn all(channels: usize) -> impl Iterator<Item = Strip> {
        let repeat = (WIDTH / channels).max(1);
        let firsts = (0..channels).step_by(WIDTH);
        firsts.map(move |first| Strip { channels, first, width: WIDTH.min(channels - first), repeat })
    }

    /// The elements of the strip in a matrix of `len` elements, in stretches as long as a buffer or, at the end, shorter.
    #[inline(always)]
    fn stretches(self, len: usize) -> impl Iterator<Item = Range<usize>> {
        let starts = (self.first..len).step_by(self.channels * self.repeat);
        starts.map(move |start| start..len.min(start + self.width * self.repeat))
    }

    /// A buffer with one number for each column, repeated for each of its rows.
    #[inline(always)]
    fn spread<T: Float>(self, numbers: &[T]) -> [T; WIDTH] {
        let mut buffer = [T::ZERO; WIDTH];
        buffer[..self.width].copy_from_slice(&numbers[self.first..][..self.width]);
        for place in 1..self.repeat {
            buffer.copy_within(..self.width, place * self.width);
        }
        buffer
    }

    /// The sum of a buffer's numbers for each column, times a factor.
    #[inline(always)]
    fn gather<T: Float>(self, buffer: &[T; WIDTH], factor: T, sums: &mut [T]) {
        let sums = &mut sums[self.first..][..self.width];
        sums.copy_from_slice(&buffer[..self.width]);
        for more in buffer[..self.width * self.repeat].chunks_exact(self.width).skip(1) {
            sums.iter_mut().zip(more).for_each(|(sum, &more)| *sum += more);
        }
        sums.iter_mut().for_each(|sum| *sum *= factor);
    }
}

/// The mean, the scale and the shift of each column in y = (x - mean) scale + shift.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a, T> {
    pub mean: &'a [T],
    pub scale: &'a [T],
    pub shift: &'a [T],
}

/// y = (x - mean) scale + shift, and max(y, 0) in its place if `RELU`; NaN stays.
#[inline(always)]
pub(super) fn standardized<T: Float, const RELU: bool>(x: T, mean: T, scale: T, shift: T) -> T {
    let y = (x - mean) * scale + shift;
    if RELU && y < T::ZERO { T::ZERO } else { y }
}

/// The gradient with respect to y before its ReLU, where g is the gradient after it: 0 where y is not positive.
#[inline(always)]
pub(super) fn masked<T: Float, const RELU: bool>(g: T, x: T, mean: T, scale: T, shift: T) -> T {
    // The forward pass computed again, with the same bits, so nothing has to be saved.
    if !RELU || standardized::<T, false>(x, mean, scale, shift) > T::ZERO { g } else { T::ZERO }
}

/// The mean of each column and the sum of the squared distances from it: `[2, channels]`.
pub(super) fn moments<T: Float>(x: &[T], out: &mut [T]) {
    let channels = out.len() / 2;
    let (means, squares) = out.split_at_mut(channels);
    let factor = T::of((x.len() / channels) as f64).recip();
    vectorize(
        #[inline(always)]
        || {
            for strip in Strip::all(channels) {
                // Distances from the first row are small even where the mean is large, so their sum loses no digits.
                let (origin, mut sums) = (strip.spread(x), [T::ZERO; WIDTH]);
                for stretch in strip.stretches(x.len()) {
                    for ((sum, &x), &origin) in sums.iter_mut().zip(&x[stretch]).zip(&origin) {
                        *sum += x - origin;
                    }
                }
                strip.gather(&sums, factor, means);
                means[strip.first..].iter_mut().zip(&origin[..strip.width]).for_each(|(mean, &origin)| *mean += origin);
                let (mean, mut sums) = (strip.spread(means), [T::ZERO; WIDTH]);
                for stretch in strip.stretches(x.len()) {
                    for ((sum, &x), &mean) in sums.iter_mut().zip(&x[stretch]).zip(&mean) {
                        *sum += (x - mean) * (x - mean);
                    }
                }
                strip.gather(&sums, T::ONE, squares);
            }
        },
    );
}

/// Applies [`standardized`] to each column with its factors.
pub(super) fn apply<T: Float, const RELU: bool>(x: &[T], factors: Factors<'_, T>, out: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            for strip in Strip::all(factors.mean.len()) {
                let (mean, scale) = (strip.spread(factors.mean), strip.spread(factors.scale));
                let shift = strip.spread(factors.shift);
                for stretch in strip.stretches(x.len()) {
                    let (out, x) = (&mut out[stretch.clone()], &x[stretch]);
                    for ((((out, &x), &mean), &scale), &shift) in
                        out.iter_mut().zip(x).zip(&mean).zip(&scale).zip(&shift)
                    {
                        *out = standardized::<T, RELU>(x, mean, scale, shift);
                    }
                }
            }
        },
    );
}

/// The sums of g and of g (x - mean) down each column, after [`masked`]: `[2, channels]`.
pub(super) fn sums<T: Float, const RELU: bool>(x: &[T], g: &[T], factors: Factors<'_, T>, out: &mut [T]) {
    let channels = factors.mean.len();
    let (sums_of_g, products) = out.split_at_mut(channels);
    vectorize(
        #[inline(always)]
        || {
            for strip in Strip::all(channels) {
                let (mean, scale) = (strip.spread(factors.mean), strip.spread(factors.scale));
                let shift = strip.spread(factors.shift);
                let (mut sums, mut product) = ([T::ZERO; WIDTH], [T::ZERO; WIDTH]);
                for stretch in strip.stretches(x.len()) {
                    let (x, g) = (&x[stretch.clone()], &g[stretch]);
                    let sums = sums.iter_mut().zip(&mut product);
                    for (((((&x, &g), (sum, product)), &mean), &scale), &shift) in
                        x.iter().zip(g).zip(sums).zip(&mean).zip(&scale).zip(&shift)
                    {
                        let g = masked::<T, RELU>(g, x, mean, scale, shift);
                        *sum += g;
                        *product += g * (x - mean);
                    }
                }
                strip.gather(&sums, T::ONE, sums_of_g);
                strip.gather(&product, T::ONE, products);
            }
        },
    );
}

/// Replaces g by scale g - a - b (x - mean) with the factors of its column, after [`masked`].
pub(super) fn pass_back<T: Float, const RELU: bool>(x: &[T], factors: Factors<'_, T>, [a, b]: [&[T]; 2], g: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            for strip in Strip::all(factors.mean.len()) {
                let (mean, scale) = (strip.spread(factors.mean), strip.spread(factors.scale));
                let (shift, a, b) = (strip.spread(factors.shift), strip.spread(a), strip.spread(b));
                for stretch in strip.stretches(x.len()) {
                    let (x, g) = (&x[stretch.clone()], &mut g[stretch]);
                    for ((((((g, &x), &mean), &scale), &shift), &a), &b) in
                        g.iter_mut().zip(x).zip(&mean).zip(&scale).zip(&shift).zip(&a).zip(&b)
                    {
                        let before = masked::<T, RELU>(*g, x, mean, scale, shift);
                        *g = scale * before - a - b * (x - mean);
                    }
                }
            }
        },
    );
}

/// Merges the moments of chunks, `[chunks, 2, channels]` as [`moments`] writes them, in the place of the first. Every chunk has
/// `rows` rows, and the last has the rest of `length`.
pub(super) fn merge_moments<T: Float>(chunks: &mut [T], channels: usize, rows: usize, length: usize) {
    let count = chunks.len() / (2 * channels);
    if count == 1 {
        return;
    }
    let rows_of = |chunk: usize| rows.min(length - chunk * rows) as f64;
    for first in (0..channels).step_by(WIDTH) {
        let width = WIDTH.min(channels - first);
        let (mut means, mut squares) = ([0.0; WIDTH], [0.0; WIDTH]);
        // Distances from the first chunk's mean are exactly 0 where a column is constant.
        let origin = &chunks[first..][..width];
        for chunk in 1..count {
            let share = rows_of(chunk) / length as f64;
            for ((mean, x), origin) in means.iter_mut().zip(&chunks[2 * chunk * channels + first..]).zip(origin) {
                *mean += share * (x.as_f64() - origin.as_f64());
            }
        }
        means.iter_mut().zip(origin).for_each(|(mean, origin)| *mean += origin.as_f64());
        for chunk in 0..count {
            let (part, rest) = chunks[2 * chunk * channels + first..].split_at(width);
            for (((sum, mean), x), square) in squares.iter_mut().zip(&means).zip(part).zip(&rest[channels - width..]) {
                let away = x.as_f64() - mean;
                *sum += square.as_f64() + rows_of(chunk) * away * away;
            }
        }
        for column in 0..width {
            chunks[first + column] = T::of(means[column]);
            chunks[channels + first + column] = T::of(squares[column]);
        }
    }
}

/// Adds all rows to the first, in order.
pub(super) fn merge_sums<T: Float>(rows: &mut [T], columns: usize) {
    if rows.len() == columns {
        return;
    }
    for first in (0..columns).step_by(WIDTH) {
        let width = WIDTH.min(columns - first);
        let mut sums = [0.0; WIDTH];
        for row in rows.chunks_exact(columns) {
            sums.iter_mut().zip(&row[first..][..width]).for_each(|(sum, x)| *sum += x.as_f64());
        }
        rows[first..][..width].iter_mut().zip(&sums).for_each(|(out, &sum)| *out = T::of(sum));
    }
}
