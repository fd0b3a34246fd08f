//! Mean 0 and variance 1, then scale and shift, perhaps a ReLU: batch, group, instance, layer and RMS normalisation.
//!
//! A tensor is seen as `[slots, length, channels]`, and in each slot groups of channels have a mean and a variance. Two
//! passes over a slot, one for the sums and one for the result: forward these read x twice and write once, backward they
//! read x and the gradient twice and write once, in the gradient's memory. Pieces of a slot are cut by size alone and
//! merged in order, in f64; within a piece the squares are summed around the piece's own mean, while it is in the cache, so
//! a mean far from 0 costs no digits. A slot that fits a cache, or is one of many, is one task, and meets its second pass
//! there.

mod columns;
mod rows;

use std::ops::Range;

use columns::Factors;

use super::math::Math;
use super::{CHUNK, Shared};
use crate::element::Float;
use crate::team;

/// As many slots keep every core busy by themselves.
const MANY: usize = 8;
/// Rows of a piece at least: its sums are a small part of it then.
const ROWS: usize = 16;

/// What is standardised together: a tensor seen as `[slots, length, channels]`, the channels of a slot in groups.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub slots: usize,
    pub length: usize,
    pub channels: usize,
    pub groups: usize,
}

impl Form {
    /// Whether each row is by itself.
    fn is_rows(self) -> bool {
        self.length == 1 && self.groups == 1
    }

    /// Rows of a piece of a slot.
    fn rows(self) -> usize {
        (CHUNK / self.channels).max(ROWS)
    }

    fn pieces(self) -> usize {
        self.length.div_ceil(self.rows())
    }

    /// Elements of scratch memory that [`standardize`] needs.
    pub fn scratch(self) -> usize {
        if self.is_rows() { 0 } else { self.slots * (2 * self.pieces() + 2) * self.channels }
    }

    /// Elements of scratch memory that [`standardize_gradient`] and [`affine_gradient`] need.
    pub fn scratch_of_gradient(self) -> usize {
        let pieces = if self.is_rows() { self.slots.div_ceil(self.rows()) } else { self.slots * (self.pieces() + 2) };
        2 * pieces * self.channels
    }

    /// Calls `first` for the number of each piece of a slot and its elements, then `finish` for the slot, then `second`
    /// for the slot and the elements of each piece.
    fn in_two_passes(
        self,
        first: impl Fn(usize, Range<usize>) + Sync,
        finish: impl Fn(usize) + Sync,
        second: impl Fn(usize, Range<usize>) + Sync,
    ) {
        let (pieces, slot_size) = (self.pieces(), self.length * self.channels);
        let elements = |task: usize| {
            let start = task % pieces * self.rows() * self.channels;
            let base = task / pieces * slot_size;
            base + start..base + slot_size.min(start + self.rows() * self.channels)
        };
        if pieces == 1 || self.slots >= MANY {
            return team::split(self.slots, (CHUNK / slot_size).max(1), |slots| {
                for slot in slots {
                    let tasks = slot * pieces..(slot + 1) * pieces;
                    tasks.clone().for_each(|task| first(task, elements(task)));
                    finish(slot);
                    tasks.for_each(|task| second(slot, elements(task)));
                }
            });
        }
        team::run(self.slots * pieces, |task| first(task, elements(task)));
        (0..self.slots).for_each(&finish);
        team::run(self.slots * pieces, |task| second(task / pieces, elements(task)));
    }
}

/// How it is done, and the weights, one number for each channel.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'a, T> {
    pub gamma: &'a [T],
    pub beta: &'a [T],
    /// Added to the variance.
    pub epsilon: T,
    /// Else the mean is taken to be 0; only where each row is by itself.
    pub centered: bool,
    /// Whether negative results become 0.
    pub relu: bool,
}

impl<T: Float> Rule<'_, T> {
    /// 1 / sqrt(variance + epsilon)
    fn scale(self, variance: T) -> T {
        T::ONE / Math::sqrt(variance + self.epsilon)
    }
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of each group, `[slots, groups]`.
pub(crate) fn standardize<T: Float>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    moments: [&mut [T]; 2],
    scratch: &mut [T],
    out: &mut [T],
) {
    match (form.is_rows(), rule.relu) {
        (true, false) => of_rows::<T, false>(x, form, rule, moments, out),
        (true, true) => of_rows::<T, true>(x, form, rule, moments, out),
        (false, false) => of_columns::<T, false>(x, form, rule, moments, scratch, out),
        (false, true) => of_columns::<T, true>(x, form, rule, moments, scratch, out),
    }
}

fn of_rows<T: Float, const RELU: bool>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    [means, variances]: [&mut [T]; 2],
    out: &mut [T],
) {
    let channels = form.channels;
    let (means, variances, out) = (Shared::new(means), Shared::new(variances), Shared::new(out));
    team::split(form.slots, (CHUNK / channels).max(1), |slots| {
        for slot in slots {
            let x = &x[slot * channels..][..channels];
            let [mean, variance] = rows::moments(x, rule.centered);
            // SAFETY: each row and its moments are written by one task.
            let out = unsafe {
                means.part(slot, 1)[0] = mean;
                variances.part(slot, 1)[0] = variance;
                out.part(slot * channels, channels)
            };
            let scale = rule.scale(variance);
            rows::apply::<T, RELU>(x, [mean, scale], [rule.gamma, rule.beta], out);
        }
    });
}

fn of_columns<T: Float, const RELU: bool>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    [means, variances]: [&mut [T]; 2],
    scratch: &mut [T],
    out: &mut [T],
) {
    let Form { channels, groups, length, .. } = form;
    let width = channels / groups;
    let (partial, factors) = scratch.split_at_mut(form.slots * form.pieces() * 2 * channels);
    let (partial, factors, out) = (Shared::new(partial), Shared::new(factors), Shared::new(out));
    let (means, variances) = (Shared::new(means), Shared::new(variances));
    form.in_two_passes(
        |task, elements| {
            // SAFETY: each piece has a part of its own.
            columns::moments(&x[elements], unsafe { partial.part(task * 2 * channels, 2 * channels) });
        },
        |slot| {
            let size = form.pieces() * 2 * channels;
            // SAFETY: a slot is finished once, after its first pass and before its second.
            let (pieces, factors, means, variances) = unsafe {
                (
                    partial.part(slot * size, size),
                    factors.part(slot * 2 * channels, 2 * channels),
                    means.part(slot * groups, groups),
                    variances.part(slot * groups, groups),
                )
            };
            columns::merge_moments(pieces, channels, form.rows(), length);
            let (centers, scales) = factors.split_at_mut(channels);
            for group in 0..groups {
                let columns = group * width..(group + 1) * width;
                let (each, squares) = (&pieces[columns.clone()], &pieces[channels..][columns.clone()]);
                let mean = each.iter().map(|mean| mean.as_f64()).sum::<f64>() / width as f64;
                let away = |mean_of_column: &T| (mean_of_column.as_f64() - mean).powi(2);
                let squares =
                    each.iter().zip(squares).map(|(each, square)| square.as_f64() + length as f64 * away(each));
                let variance = T::of(squares.sum::<f64>() / (length * width) as f64);
                (means[group], variances[group]) = (T::of(mean), variance);
                let scale = rule.scale(variance);
                centers[columns.clone()].fill(means[group]);
                for column in columns {
                    scales[column] = rule.gamma[column] * scale;
                }
            }
        },
        |slot, elements| {
            // SAFETY: the slot is finished, so its factors are only read.
            let factors = unsafe { factors.read(slot * 2 * channels, 2 * channels) };
            // SAFETY: each piece of the result is written by one task.
            let out = unsafe { out.part(elements.start, elements.len()) };
            let factors = Factors { mean: &factors[..channels], scale: &factors[channels..], shift: rule.beta };
            columns::apply::<T, RELU>(&x[elements], factors, out);
        },
    );
}

/// Turns the gradient by the result of [`standardize`] into that by x, in place: with y = (x - mean) r and r = 1 /
/// sqrt(variance + epsilon), r (gamma g - mean(gamma g) - y mean(gamma g y)). Those by gamma and beta go to `weights`.
///
/// Ioffe and Szegedy, arXiv:1502.03167, section 3, with their three terms put together.
pub(crate) fn standardize_gradient<T: Float>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    moments: [&[T]; 2],
    scratch: &mut [T],
    weights: [&mut [T]; 2],
    g: &mut [T],
) {
    match (form.is_rows(), rule.relu) {
        (true, false) => rows_back::<T, false>(x, form, rule, moments, scratch, weights, g),
        (true, true) => rows_back::<T, true>(x, form, rule, moments, scratch, weights, g),
        (false, false) => columns_back::<T, false>(x, form, rule, Some(moments), scratch, weights, g),
        (false, true) => columns_back::<T, true>(x, form, rule, Some(moments), scratch, weights, g),
    }
}

fn rows_back<T: Float, const RELU: bool>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    [means, variances]: [&[T]; 2],
    scratch: &mut [T],
    [by_gamma, by_beta]: [&mut [T]; 2],
    g: &mut [T],
) {
    let Form { slots, channels, .. } = form;
    let (sums, g) = (Shared::new(scratch), Shared::new(g));
    team::split(slots, form.rows(), |range| {
        // SAFETY: each task has sums of its own.
        let sums = unsafe { sums.part(range.start / form.rows() * 2 * channels, 2 * channels) };
        sums.fill(T::ZERO);
        let (beta_sums, gamma_sums) = sums.split_at_mut(channels);
        for slot in range {
            let factors = [means[slot], rule.scale(variances[slot])];
            // SAFETY: each row is written by one task.
            let g = unsafe { g.part(slot * channels, channels) };
            let x = &x[slot * channels..][..channels];
            let weights = [rule.gamma, rule.beta];
            rows::pass_back::<T, RELU>(x, factors, rule.centered, weights, [beta_sums, gamma_sums], g);
        }
    });
    columns::merge_sums(scratch, 2 * channels);
    by_beta.copy_from_slice(&scratch[..channels]);
    by_gamma.copy_from_slice(&scratch[channels..2 * channels]);
}

/// Without moments, these are constants: mean 0 and variance 1.
fn columns_back<T: Float, const RELU: bool>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    moments: Option<[&[T]; 2]>,
    scratch: &mut [T],
    [by_gamma, by_beta]: [&mut [T]; 2],
    g: &mut [T],
) {
    let Form { slots, length, channels, groups } = form;
    let (width, size) = (channels / groups, form.pieces() * 2 * channels);
    let (partial, factors) = scratch.split_at_mut(slots * size);
    for (slot, factors) in factors.chunks_exact_mut(4 * channels).enumerate() {
        let (centers, scales) = factors.split_at_mut(channels);
        for column in 0..channels {
            (centers[column], scales[column]) = (T::ZERO, rule.gamma[column]);
            if let Some([means, variances]) = moments {
                let group = slot * groups + column / width;
                centers[column] = means[group];
                scales[column] *= rule.scale(variances[group]);
            }
        }
    }
    let (partial_parts, factor_parts, g) = (Shared::new(partial), Shared::new(factors), Shared::new(g));
    let factors_of = |slot: usize| {
        // SAFETY: of a slot's factors, mean and scale are only read from here on, the others once it is finished.
        let [mean, scale, a, b] =
            [0, 1, 2, 3].map(|row| unsafe { factor_parts.read((4 * slot + row) * channels, channels) });
        (Factors { mean, scale, shift: rule.beta }, [a, b])
    };
    form.in_two_passes(
        |task, elements| {
            // SAFETY: each piece has a part of its own, and its gradient is only written in the second pass.
            let (out, g) = unsafe {
                (partial_parts.part(task * 2 * channels, 2 * channels), g.read(elements.start, elements.len()))
            };
            columns::sums::<T, RELU>(&x[elements], g, factors_of(task / form.pieces()).0, out);
        },
        |slot| {
            // SAFETY: a slot is finished once, after its first pass and before its second.
            let (pieces, along) = unsafe {
                (partial_parts.part(slot * size, size), factor_parts.part((4 * slot + 2) * channels, 2 * channels))
            };
            columns::merge_sums(pieces, 2 * channels);
            let (sums, products) = pieces[..2 * channels].split_at_mut(channels);
            let (a, b) = along.split_at_mut(channels);
            let Some([_, variances]) = moments else {
                return along.fill(T::ZERO);
            };
            for group in 0..groups {
                let scale = rule.scale(variances[slot * groups + group]);
                let columns = group * width..(group + 1) * width;
                let mean = |sums: &[T]| {
                    let weighed = columns.clone().map(|column| (rule.gamma[column] * sums[column]).as_f64());
                    T::of(weighed.sum::<f64>() / (length * width) as f64)
                };
                a[columns.clone()].fill(mean(sums) * scale);
                b[columns.clone()].fill(mean(products) * scale * scale * scale);
                products[columns].iter_mut().for_each(|product| *product *= scale);
            }
        },
        |slot, elements| {
            // SAFETY: each piece is written by one task.
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

/// y = scale x + shift for each channel of `[rows, channels]`, of which what is negative becomes 0 if `relu`.
pub(crate) fn affine<T: Float>(x: &[T], scale: &[T], shift: &[T], zeros: &[T], relu: bool, out: &mut [T]) {
    let channels = scale.len();
    let (factors, out) = (Factors { mean: zeros, scale, shift }, Shared::new(out));
    team::split(x.len() / channels, (CHUNK / channels).max(1), |rows| {
        let x = &x[rows.start * channels..rows.end * channels];
        // SAFETY: each row is written by one task.
        let out = unsafe { out.part(rows.start * channels, x.len()) };
        if relu { columns::apply::<T, true>(x, factors, out) } else { columns::apply::<T, false>(x, factors, out) }
    });
}

/// Turns the gradient by the result of [`affine`] into that by x, in place; those by scale and shift go to `weights`. The
/// rule's gamma and beta are scale and shift.
pub(crate) fn affine_gradient<T: Float>(
    x: &[T],
    form: Form,
    rule: Rule<'_, T>,
    scratch: &mut [T],
    weights: [&mut [T]; 2],
    g: &mut [T],
) {
    if rule.relu {
        columns_back::<T, true>(x, form, rule, None, scratch, weights, g);
    } else {
        columns_back::<T, false>(x, form, rule, None, scratch, weights, g);
    }
}
