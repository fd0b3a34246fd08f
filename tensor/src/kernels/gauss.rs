//! Pairs of normal random numbers from pairs of uniform ones, by the Box-Muller transform in double precision.
//!
//! The numbers are part of the documented stream of [`Generator`](crate::Generator), so they are the same bits on every
//! machine: plain additions, multiplications, divisions and square roots, which IEEE 754 rounds in one way only. The
//! polynomials are minimax polynomials; the error beside each is relative, before rounding.

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};

use crate::simd::vectorize;

/// Replaces each pair u1, u2 in [0, 1) by the pair r cos(2 pi u2), r sin(2 pi u2), with r = sqrt(-2 ln(1 - u1)).
pub(crate) fn box_muller(first: &mut [f64], second: &mut [f64]) {
    vectorize(
        #[inline(always)]
        || {
            for (first, second) in first.iter_mut().zip(second) {
                let radius = (-2.0 * ln(1.0 - *first)).sqrt();
                let (cosine, sine) = cos_sin_of_turns(*second);
                (*first, *second) = (radius * cosine, radius * sine);
            }
        },
    );
}

/// ln(x) for a normal x > 0.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const ONE: u64 = 1.0_f64.to_bits();
    const TWO_52: f64 = 4_503_599_627_370_496.0;
    /// ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
    // x = 2^k m with sqrt(1/2) <= m < sqrt(2). The biased exponent becomes a float under the exponent of 2^52.
    let biased = x.to_bits().wrapping_add(ONE - FRAC_1_SQRT_2.to_bits()) >> 52;
    let k = f64::from_bits(biased | TWO_52.to_bits()) - (TWO_52 + 1023.0);
    let m = f64::from_bits(x.to_bits().wrapping_sub(biased << 52).wrapping_add(ONE));
    // ln((1 + s) / (1 - s)) = 2 s + s^3 P(s^2). Error 2^-59.
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let p = polynomial(
        [
            0.147_970_548_303_024_22,
            0.153_139_492_141_620_76,
            0.181_835_679_173_782_82,
            0.222_221_985_114_702_6,
            0.285_714_287_429_143_57,
            0.399_999_999_994_126_55,
            0.666_666_666_666_673_5,
        ],
        square,
    );
    k * LN_2_HIGH + (2.0 * s + (s * square * p + k * LN_2_LOW))
}

/// The cosine and the sine of an angle in turns, from 0 to 1: cos(2 pi turns) and sin(2 pi turns).
#[inline(always)]
fn cos_sin_of_turns(turns: f64) -> (f64, f64) {
    // Adding 1.5 * 2^52 rounds to an integer, which stands in the low bits of the sum.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = 4.0 * turns + ROUND;
    let quarter = 4.0 * turns - (shifted - ROUND);
    let square = quarter * quarter;
    // Errors 2^-69 and 2^-64.
    let sine = quarter
        * polynomial(
            [
                -6.627_430_910_522_299e-10,
                5.691_926_150_200_214e-8,
                -3.598_842_711_289_793_5e-6,
                0.000_160_441_184_725_672_17,
                -0.004_681_754_135_314_739,
                0.079_692_626_246_166_92,
                -0.645_964_097_506_246_2,
                FRAC_PI_2,
            ],
            square,
        );
    let cosine = 1.0
        + square
            * polynomial(
                [
                    -6.321_200_715_788_91e-9,
                    4.710_609_656_908_659_5e-7,
                    -2.520_203_678_783_572_8e-5,
                    0.000_919_260_274_190_984_1,
                    -0.020_863_480_763_312_56,
                    0.253_669_507_901_046_8,
                    -1.233_700_550_136_169_7,
                ],
                square,
            );
    let n = shifted.to_bits();
    let (x, y) = if n & 1 == 0 { (cosine, sine) } else { (sine, cosine) };
    let negated = |value: f64, by: u64| f64::from_bits(value.to_bits() ^ ((by & 2) << 62));
    (negated(x, n.wrapping_add(1)), negated(y, n))
}

/// The polynomial in `x` with these coefficients, highest power first, without fused multiply-add.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f64; N], x: f64) -> f64 {
    coefficients.into_iter().reduce(|sum, coefficient| sum * x + coefficient).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;

    #[test]
    fn the_transform_is_that_of_its_definition() {
        let uniform: Vec<f64> = (0..10_000).map(|i| f64::from(i) / 1e4).collect();
        let tiny = [2.0_f64.powi(-53), 1e-10, 0.5, 1.0 - 2.0_f64.powi(-53)];
        for u1 in uniform.iter().copied().step_by(97).chain(tiny) {
            let mut first = vec![u1; uniform.len()];
            let mut second = uniform.clone();
            box_muller(&mut first, &mut second);
            for (&u2, (x, y)) in uniform.iter().zip(first.into_iter().zip(second)) {
                let radius = (-2.0 * libm::log(1.0 - u1)).sqrt();
                let (sine, cosine) = libm::sincos(TAU * u2);
                let error = (x - radius * cosine).abs().max((y - radius * sine).abs());
                // Rounding of 2 pi u2 in the definition's own arithmetic is the larger part.
                assert!(error <= 1.5e-15 * radius.max(f64::MIN_POSITIVE), "{u1} and {u2}: {error:e}");
            }
        }
    }
}
