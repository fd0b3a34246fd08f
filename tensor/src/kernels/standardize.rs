//! Standardisation to mean 0 and variance 1, then scale and shift, and perhaps a ReLU: batch, group, instance, layer and RMS
//! normalisation.
//!
//! A tensor is seen as `[slots, length, channels]`, and in each slot groups of channels have a mean and a variance. There are
//! two passes over a slot, one for the sums and one for the result: forward they read x twice and write once, backward they
//! read x and the gradient twice and write once, in the gradient's memory. A slot is cut into chunks by size alone, whose
//! moments are merged in order, in f64. Within a chunk the squares are summed around the chunk's own mean, while the chunk is
//! in the cache, so a mean far from 0 costs no digits. A slot that fits a cache, or is one of many, is one task, and its second
//! pass reads it from there.

mod columns;
mod rows;

use std::ops::Range;

pub(crate) use columns::Factors;

use super::math::Math;
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::team;

/// With this many slots, each slot is one task.
const MANY: usize = 8;
/// The least rows of a chunk; its sums are then a small part of it.
const ROWS: usize = 16;

/// The elements that share a mean and a variance: a tensor is seen as `[slots, length, channels]`, and in each slot the channels
/// grouping `groups` groups.
#[derive(Clone, Copy)]
pub(crate) struct Grouping {
    pub slots: usize,
    pub length: usize,
    pub channels: usize,
    pub groups: usize,
}

impl Grouping {
    /// Whether each row of channels has a mean and a variance of its own.
    fn is_rows(self) -> bool {
        self.length == 1 && self.groups == 1
    }

    /// The rows of a chunk of a slot.
    fn chunk_rows(self) -> usize {
        (CHUNK / self.channels).max(ROWS)
    }

    /// The number of chunks of a slot.
    fn chunks(self) -> usize {
        self.length.div_ceil(self.chunk_rows())
    }

    /// The elements of scratch that [`standardize`] needs.
    pub fn scratch(self) -> usize {
        if self.is_rows() { 0 } else { self.slots * (2 * self.chunks() + 2) * self.channels }
    }

    /// The elements of scratch that [`standardize_gradient`] needs.
    pub fn scratch_of_gradient(self) -> usize {
        let chunks =
            if self.is_rows() { self.slots.div_ceil(self.chunk_rows()) } else { self.slots * (self.chunks() + 2) };
        2 * chunks * self.channels
    }

    /// The elements of scratch that [`channel_moments`] and [`affine_sums`] need.
    pub fn scratch_of_channels(self) -> usize {
        2 * self.chunks() * self.channels
    }

    /// Calls, for every slot, `first` with the number and the elements of each chunk, then `finish` with the slot, then `second`
    /// with the slot and the elements of each chunk. Chunks are numbered through all slots.
    fn in_two_passes(
        self,
        first: impl Fn(usize, Range<usize>) + Sync,
        finish: impl Fn(usize) + Sync,
        second: impl Fn(usize, Range<usize>) + Sync,
    ) {
        let (chunks, slot_size) = (self.chunks(), self.length * self.channels);
        let elements = |task: usize| {
            let start = task % chunks * self.chunk_rows() * self.channels;
            let base = task / chunks * slot_size;
            base + start..base + slot_size.min(start + self.chunk_rows() * self.channels)
        };
        if chunks == 1 || self.slots >= MANY {
            return team::split(self.slots, (CHUNK / slot_size).max(1), |slots| {
                for slot in slots {
                    let tasks = slot * chunks..(slot + 1) * chunks;
                    tasks.clone().for_each(|task| first(task, elements(task)));
                    finish(slot);
                    tasks.for_each(|task| second(slot, elements(task)));
                }
            });
        }
        team::run(self.slots * chunks, |task| first(task, elements(task)));
        (0..self.slots).for_each(&finish);
        team::run(self.slots * chunks, |task| second(task / chunks, elements(task)));
    }
}

/// The options of a standardisation and its weights, one number for each channel.
#[derive(Clone, Copy)]
pub(crate) struct StandardizeOptions<'a, T> {
    pub gamma: &'a [T],
    pub beta: &'a [T],
    /// Added to the variance.
    pub epsilon: T,
    /// Whether the mean is subtracted. If not, it counts as 0; only rows of their own support that.
    pub centered: bool,
    /// Whether negative results become 0.
    pub relu: bool,
}

impl<T: Float> StandardizeOptions<'_, T> {
    /// 1 / sqrt(variance + epsilon)
    fn scale(self, variance: T) -> T {
        T::ONE / Math::sqrt(variance + self.epsilon)
    }
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, and the mean and the variance of each group, `[slots, groups]`.
pub(crate) fn standardize<T: Float>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    moments: [&mut [T]; 2],
    scratch: &mut [T],
    out: &mut [T],
) {
    match (grouping.is_rows(), options.relu) {
        (true, false) => of_rows::<T, false>(x, grouping, options, moments, out),
        (true, true) => of_rows::<T, true>(x, grouping, options, moments, out),
        (false, false) => of_columns::<T, false>(x, grouping, options, moments, scratch, out),
        (false, true) => of_columns::<T, true>(x, grouping, options, moments, scratch, out),
    }
}

fn of_rows<T: Float, const RELU: bool>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    [means, variances]: [&mut [T]; 2],
    out: &mut [T],
) {
    let channels = grouping.channels;
    let (means, variances, out) = (Shared::new(means), Shared::new(variances), Shared::new(out));
    team::split(grouping.slots, (CHUNK / channels).max(1), |slots| {
        for slot in slots {
            let x = &x[slot * channels..][..channels];
            let [mean, variance] = rows::moments(x, options.centered);
            // SAFETY: each row and its moments are written by one task.
            let out = unsafe {
                means.part(slot, 1)[0] = mean;
                variances.part(slot, 1)[0] = variance;
                out.part(slot * channels, channels)
            };
            let scale = options.scale(variance);
            rows::apply::<T, RELU>(x, [mean, scale], [options.gamma, options.beta], out);
        }
    });
}

fn of_columns<T: Float, const RELU: bool>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    [means, variances]: [&mut [T]; 2],
    scratch: &mut [T],
    out: &mut [T],
) {
    let Grouping { channels, groups, length, .. } = grouping;
    let width = channels / groups;
    let (partial, factors) = scratch.split_at_mut(grouping.slots * grouping.chunks() * 2 * channels);
    let (partial, factors, out) = (Shared::new(partial), Shared::new(factors), Shared::new(out));
    let (means, variances) = (Shared::new(means), Shared::new(variances));
    grouping.in_two_passes(
        |task, elements| {
            // SAFETY: each chunk has a part of its own.
            columns::moments(&x[elements], unsafe { partial.part(task * 2 * channels, 2 * channels) });
        },
        |slot| {
            let size = grouping.chunks() * 2 * channels;
            // SAFETY: a slot is finished once, after its first pass and before its second.
            let (chunks, factors, means, variances) = unsafe {
                (
                    partial.part(slot * size, size),
                    factors.part(slot * 2 * channels, 2 * channels),
                    means.part(slot * groups, groups),
                    variances.part(slot * groups, groups),
                )
            };
            columns::merge_moments(chunks, channels, grouping.chunk_rows(), length);
            let (centers, scales) = factors.split_at_mut(channels);
            for group in 0..groups {
                let columns = group * width..(group + 1) * width;
                let (each, squares) = (&chunks[columns.clone()], &chunks[channels..][columns.clone()]);
                let origin = each[0].as_f64();
                let away_from_first = each.iter().map(|mean| mean.as_f64() - origin);
                let mean = origin + away_from_first.sum::<f64>() / width as f64;
                let away = |mean_of_column: &T| (mean_of_column.as_f64() - mean).powi(2);
                let squares =
                    each.iter().zip(squares).map(|(each, square)| square.as_f64() + length as f64 * away(each));
                let variance = T::of(squares.sum::<f64>() / (length * width) as f64);
                (means[group], variances[group]) = (T::of(mean), variance);
                let scale = options.scale(variance);
                centers[columns.clone()].fill(means[group]);
                for column in columns {
                    scales[column] = options.gamma[column] * scale;
                }
            }
        },
        |slot, elements| {
            // SAFETY: the slot is finished, so its factors are only read.
            let factors = unsafe { factors.read(slot * 2 * channels, 2 * channels) };
            // SAFETY: each chunk of the result is written by one task.
            let out = unsafe { out.part(elements.start, elements.len()) };
            let factors = Factors { mean: &factors[..channels], scale: &factors[channels..], shift: options.beta };
            columns::apply::<T, RELU>(&x[elements], factors, out);
        },
    );
}

/// Turns the gradient g with respect to the result of [`standardize`] into the gradient with respect to x, in place: with
/// y = (x - mean) r and r = 1 / sqrt(variance + epsilon), it is r (gamma g - mean(gamma g) - y mean(gamma g y)). The gradients
/// with respect to gamma and beta go to `weights`.
///
/// Ioffe and Szegedy, arXiv:1502.03167, section 3, with their three terms combined.
pub(crate) fn standardize_gradient<T: Float>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    moments: [&[T]; 2],
    scratch: &mut [T],
    weights: [&mut [T]; 2],
    g: &mut [T],
) {
    match (grouping.is_rows(), options.relu) {
        (true, false) => rows_back::<T, false>(x, grouping, options, moments, scratch, weights, g),
        (true, true) => rows_back::<T, true>(x, grouping, options, moments, scratch, weights, g),
        (false, false) => columns_back::<T, false>(x, grouping, options, moments, scratch, weights, g),
        (false, true) => columns_back::<T, true>(x, grouping, options, moments, scratch, weights, g),
    }
}

fn rows_back<T: Float, const RELU: bool>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    [means, variances]: [&[T]; 2],
    scratch: &mut [T],
    [by_gamma, by_beta]: [&mut [T]; 2],
    g: &mut [T],
) {
    let Grouping { slots, channels, .. } = grouping;
    let (sums, g) = (Shared::new(scratch), Shared::new(g));
    team::split(slots, grouping.chunk_rows(), |range| {
        // SAFETY: each task has sums of its own.
        let sums = unsafe { sums.part(range.start / grouping.chunk_rows() * 2 * channels, 2 * channels) };
        sums.fill(T::ZERO);
        let (beta_sums, gamma_sums) = sums.split_at_mut(channels);
        for slot in range {
            let factors = [means[slot], options.scale(variances[slot])];
            // SAFETY: each row is written by one task.
            let g = unsafe { g.part(slot * channels, channels) };
            let x = &x[slot * channels..][..channels];
            let weights = [options.gamma, options.beta];
            rows::pass_back::<T, RELU>(x, factors, options.centered, weights, [beta_sums, gamma_sums], g);
        }
    });
    columns::merge_sums(scratch, 2 * channels);
    by_beta.copy_from_slice(&scratch[..channels]);
    by_gamma.copy_from_slice(&scratch[channels..2 * channels]);
}

fn columns_back<T: Float, const RELU: bool>(
    x: &[T],
    grouping: Grouping,
    options: StandardizeOptions<'_, T>,
    [means, variances]: [&[T]; 2],
    scratch: &mut [T],
    [by_gamma, by_beta]: [&mut [T]; 2],
    g: &mut [T],
) {
    let Grouping { slots, length, channels, groups } = grouping;
    let (width, size) = (channels / groups, grouping.chunks() * 2 * channels);
    let (partial, factors) = scratch.split_at_mut(slots * size);
    for (slot, factors) in factors.chunks_exact_mut(4 * channels).enumerate() {
        let (centers, scales) = factors.split_at_mut(channels);
        for column in 0..channels {
            let group = slot * groups + column / width;
            centers[column] = means[group];
            scales[column] = options.gamma[column] * options.scale(variances[group]);
        }
    }
    let (partial_parts, factor_parts, g) = (Shared::new(partial), Shared::new(factors), Shared::new(g));
    let factors_of = |slot: usize| {
        // SAFETY: mean and scale of a slot are only read from here on, and the other factors once the slot is finished.
        let [mean, scale, a, b] =
            [0, 1, 2, 3].map(|row| unsafe { factor_parts.read((4 * slot + row) * channels, channels) });
        (Factors { mean, scale, shift: options.beta }, [a, b])
    };
    grouping.in_two_passes(
        |task, elements| {
            // SAFETY: each chunk has a part of its own, and its gradient is only written in the second pass.
            let (out, g) = unsafe {
                (partial_parts.part(task * 2 * channels, 2 * channels), g.read(elements.start, elements.len()))
            };
            columns::sums::<T, RELU>(&x[elements], g, factors_of(task / grouping.chunks()).0, out);
        },
        |slot| {
            // SAFETY: a slot is finished once, after its first pass and before its second.
            let (chunks, along) = unsafe {
                (partial_parts.part(slot * size, size), factor_parts.part((4 * slot + 2) * channels, 2 * channels))
            };
            columns::merge_sums(chunks, 2 * channels);
            let (sums, products) = chunks[..2 * channels].split_at_mut(channels);
            let (a, b) = along.split_at_mut(channels);
            for group in 0..groups {
                let scale = options.scale(variances[slot * groups + group]);
                let columns = group * width..(group + 1) * width;
                let mean = |sums: &[T]| {
                    let weighed = columns.clone().map(|column| (options.gamma[column] * sums[column]).as_f64());
                    T::of(weighed.sum::<f64>() / (length * width) as f64)
                };
                a[columns.clone()].fill(mean(sums) * scale);
                b[columns.clone()].fill(mean(products) * scale * scale * scale);
                products[columns].iter_mut().for_each(|product| *product *= scale);
            }
        },
        |slot, elements| {
            // SAFETY: each chunk is written by one task.
            let g = unsafe { g.part(elements.start, elements.len()) };
            let (factors, along) = factors_of(slot);
            columns::pass_back::<T, RELU>(&x[elements], factors, along, g);
        },
    );
    for slot in 1..slots {
        let (total, rest) = partial.split_at_mut(2 * channels);
        let more = &rest[slot * size - 2 * channels..][..2 * channels];
        total.iter_mut().zip(more).for_each(|(total, &more)| *total += more);
    }
    by_beta.copy_from_slice(&partial[..channels]);
    by_gamma.copy_from_slice(&partial[channels..2 * channels]);
}

/// y = scale (x - mean) + shift for each channel of `[rows, channels]`, and max(y, 0) in its place if `relu`.
pub(crate) fn affine<T: Float>(x: &[T], factors: Factors<'_, T>, relu: bool, out: &mut [T]) {
    let (channels, out) = (factors.mean.len(), Shared::new(out));
    team::split(x.len() / channels, (CHUNK / channels).max(1), |rows| {
        let x = &x[rows.start * channels..rows.end * channels];
        // SAFETY: each row is written by one task.
        let out = unsafe { out.part(rows.start * channels, x.len()) };
        if relu { columns::apply::<T, true>(x, factors, out) } else { columns::apply::<T, false>(x, factors, out) }
    });
}

/// For each channel the sum over all rows of g, the gradient with respect to the result of [`affine`], and of g (x - mean): in the
/// first `2 channels` of `scratch`. Where the ReLU cuts, g counts as 0.
pub(crate) fn affine_sums<T: Float>(
    x: &[T],
    g: &[T],
    grouping: Grouping,
    factors: Factors<'_, T>,
    relu: bool,
    scratch: &mut [T],
) {
    of_chunks(x, grouping, scratch, |x, elements, out| match relu {
        true => columns::sums::<T, true>(x, &g[elements], factors, out),
        false => columns::sums::<T, false>(x, &g[elements], factors, out),
    });
    columns::merge_sums(scratch, 2 * grouping.channels);
}

/// Turns g, the gradient with respect to the result of [`affine`], into scale g - a - b (x - mean), in place. Where the ReLU cuts, g
/// counts as 0. With a and b of 0 it is the gradient with respect to x.
pub(crate) fn affine_back<T: Float>(x: &[T], factors: Factors<'_, T>, along: [&[T]; 2], relu: bool, g: &mut [T]) {
    let (channels, g) = (factors.mean.len(), Shared::new(g));
    team::split(x.len() / channels, (CHUNK / channels).max(1), |rows| {
        let x = &x[rows.start * channels..rows.end * channels];
        // SAFETY: each row is written by one task.
        let g = unsafe { g.part(rows.start * channels, x.len()) };
        match relu {
            true => columns::pass_back::<T, true>(x, factors, along, g),
            false => columns::pass_back::<T, false>(x, factors, along, g),
        }
    });
}

/// For each channel the mean over all rows, and the sum of the squared distances from it: in the first `2 channels` of `scratch`.
pub(crate) fn channel_moments<T: Float>(x: &[T], grouping: Grouping, scratch: &mut [T]) {
    of_chunks(x, grouping, scratch, |x, _, out| columns::moments(x, out));
    columns::merge_moments(scratch, grouping.channels, grouping.chunk_rows(), grouping.length);
}

/// Calls `sum` with the elements of each chunk of the only slot, where they stand in x, and the `2 channels` of `out` that are the
/// chunk's.
fn of_chunks<T: Float>(x: &[T], grouping: Grouping, out: &mut [T], sum: impl Fn(&[T], Range<usize>, &mut [T]) + Sync) {
    let (size, rows) = (2 * grouping.channels, grouping.chunk_rows() * grouping.channels);
    assert_eq!(out.len(), grouping.scratch_of_channels());
    let out = Shared::new(out);
    team::run(grouping.chunks(), |chunk| {
        let elements = chunk * rows..x.len().min((chunk + 1) * rows);
        // SAFETY: each chunk has a part of its own.
        sum(&x[elements.clone()], elements, unsafe { out.part(chunk * size, size) });
    });
}
