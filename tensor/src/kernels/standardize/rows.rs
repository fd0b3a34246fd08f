//! Standardisation of each row by itself to mean 0 and variance 1, or to a mean square of 1, and its gradient.

use super::columns::{masked, standardized};
use crate::element::Float;
use crate::simd::vectorize;

/// The running sums along a row: four vectors of eight f32.
const LANES: usize = 32;
/// The elements after which the running sums are added up in f64.
const BLOCK: usize = 4096;

/// The sum of `term` over a row.
#[inline(always)]
fn sum<T: Float>(row: &[T], term: impl Fn(T) -> T) -> f64 {
    let mut total = 0.0;
    for block in row.chunks(BLOCK) {
        let (groups, rest) = block.as_chunks::<LANES>();
        let mut sums = [T::ZERO; LANES];
        for group in groups {
            sums.iter_mut().zip(group).for_each(|(sum, &x)| *sum += term(x));
        }
        sums.iter_mut().zip(rest).for_each(|(sum, &x)| *sum += term(x));
        total += across(sums).as_f64();
    }
    total
}

/// The sums of gamma g and of gamma g (x - mean) over a row.
#[inline(always)]
fn weighed_sums<T: Float>(x: &[T], g: &[T], gamma: &[T], mean: T) -> [f64; 2] {
    let mut totals = [0.0; 2];
    for ((x, g), gamma) in x.chunks(BLOCK).zip(g.chunks(BLOCK)).zip(gamma.chunks(BLOCK)) {
        let (mut sums, mut products) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        let mut add = |x: &[T], g: &[T], gamma: &[T]| {
            let sums = sums.iter_mut().zip(&mut products);
            for ((sum, product), ((&x, &g), &gamma)) in sums.zip(x.iter().zip(g).zip(gamma)) {
                let weighed = g * gamma;
                *sum += weighed;
                *product += weighed * (x - mean);
            }
        };
        let (x, g, gamma) = (x.as_chunks::<LANES>(), g.as_chunks::<LANES>(), gamma.as_chunks::<LANES>());
        x.0.iter().zip(g.0).zip(gamma.0).for_each(|((x, g), gamma)| add(x, g, gamma));
        add(x.1, g.1, gamma.1);
        totals[0] += across(sums).as_f64();
        totals[1] += across(products).as_f64();
    }
    totals
}

/// The sum of the running sums, added up as a tree.
#[inline(always)]
fn across<T: Float>(mut sums: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The mean and the variance of a row, or 0 and the mean square if it is not `centered`.
pub(super) fn moments<T: Float>(x: &[T], centered: bool) -> [T; 2] {
    vectorize(
        #[inline(always)]
        || {
            let count = x.len() as f64;
            // Distances from one element are small even where the mean is large, so their sum loses no digits.
            let mean = if centered { x[0] + T::of(sum(x, |other| other - x[0]) / count) } else { T::ZERO };
            [mean, T::of(sum(x, |x| (x - mean) * (x - mean)) / count)]
        },
    )
}

/// y = (x - mean) scale gamma + beta, and max(y, 0) in its place if `RELU`.
pub(super) fn apply<T: Float, const RELU: bool>(
    x: &[T],
    [mean, scale]: [T; 2],
    [gamma, beta]: [&[T]; 2],
    out: &mut [T],
) {
    vectorize(
        #[inline(always)]
        || {
            for (((out, &x), &gamma), &beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                *out = standardized::<T, RELU>(x, mean, scale * gamma, beta);
            }
        },
    );
}

/// Turns the gradient with respect to the result of [`apply`] into the gradient with respect to x, in place, and adds the row's
/// share of the gradients with respect to beta and gamma.
pub(super) fn pass_back<T: Float, const RELU: bool>(
    x: &[T],
    [mean, scale]: [T; 2],
    centered: bool,
    [gamma, beta]: [&[T]; 2],
    [by_beta, by_gamma]: [&mut [T]; 2],
    g: &mut [T],
) {
    vectorize(
        #[inline(always)]
        || {
            let weights = gamma.iter().zip(beta).zip(by_beta.iter_mut().zip(by_gamma));
            for ((g, &x), ((&gamma, &beta), (by_beta, by_gamma))) in g.iter_mut().zip(x).zip(weights) {
                *g = masked::<T, RELU>(*g, x, mean, scale * gamma, beta);
                *by_beta += *g;
                *by_gamma += *g * ((x - mean) * scale);
            }
            let count = x.len() as f64;
            let [weighed, along] = weighed_sums(x, g, gamma, mean).map(|sum| T::of(sum / count));
            let (a, b) = (if centered { weighed * scale } else { T::ZERO }, along * scale * scale * scale);
            for ((g, &x), &gamma) in g.iter_mut().zip(x).zip(gamma) {
                *g = scale * gamma * *g - a - b * (x - mean);
            }
        },
    );
}
