//! The exponential and functions of it: exp, expm1, tanh, sigmoid, softplus, silu.
//!
//! exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln 2 / 2; exp(r) is a minimax polynomial. The polynomials of
//! this module were fitted with the Remez algorithm; the error beside each is relative, before rounding.

use core::f32::consts::{LN_2, LOG2_E};

use super::basics::{LN_2_HIGH, LN_2_LOW, at_least, at_most, mul_add, polynomial, pow2};
use super::ln::ln1p;

/// 1.5 * 2^23. Adding it leaves no room for a fraction: the sum is rounded to an integer, which is in its low bits.
const ROUND: f32 = 12_582_912.0;

/// exp(x), within 1.1 ULP; subnormal results are rounded once.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these bounds the result is 0 or infinity; within them n, from -150 to 128, needs two powers of two.
    let (n, r) = reduce(at_least(at_most(x, 89.0), -104.0));
    let half = n >> 1;
    (1.0 + expm1_reduced(r)) * pow2(half) * pow2(n - half)
}

/// exp(x) for x <= 0, within 1.1 ULP, but never less than the smallest normal number.
#[inline(always)]
pub(super) fn exp_nonpositive(x: f32) -> f32 {
    // The bound is a little below the logarithm of the smallest normal number, so n is at least -126.
    let (n, r) = reduce(at_least(x, -87.34));
    at_least((1.0 + expm1_reduced(r)) * pow2(n), f32::MIN_POSITIVE)
}

/// 2^x for x <= 0, within 1.1 ULP; 0 below -126, where the result would be subnormal.
#[inline(always)]
pub(super) fn exp2_nonpositive(x: f32) -> f32 {
    let bounded = at_least(x, -126.0);
    let shifted = bounded + ROUND;
    let r = bounded - (shifted - ROUND);
    // 2^r - 1 for |r| <= 1/2. Error 2^-25.9.
    let coefficients = [1.535_336_2e-4, 1.339_887_4e-3, 9.618_437e-3, 0.055_503_324, 0.240_226_48, LN_2];
    let y = mul_add(r, polynomial(coefficients, r), 1.0) * pow2(rounded(shifted));
    if x < -126.0 { 0.0 } else { y }
}

/// exp(x) times `factor` for x <= 0 and |factor| < 2^10; it underflows only where the product does.
#[inline(always)]
pub(super) fn exp_negative(x: f32, factor: f32) -> f32 {
    const TWO_64: f32 = 18_446_744_073_709_551_616.0;
    let (n, r) = reduce(at_least(x, -120.0));
    (1.0 + expm1_reduced(r)) * factor * pow2(n + 64) * (1.0 / TWO_64)
}

/// exp(x) - 1, within 2 ULP and exact in sign, also where exp(x) rounds to 1.
#[inline(always)]
pub(super) fn expm1(x: f32) -> f32 {
    let (n, r) = reduce(at_least(at_most(x, 89.0), -20.0));
    let m1 = expm1_reduced(r);
    // 2^n (m1 + 1) - 1, computed at half scale because 2^128 is no f32.
    let scale = pow2(n - 1);
    let y = 2.0 * mul_add(scale, m1, scale - 0.5);
    y.copysign(x)
}

/// tanh(x), within 2 ULP.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    // Near zero, where 1 - 2 / (exp(2a) + 1) would cancel, an odd polynomial. Error 2^-27.7.
    let square = a * a;
    let p = polynomial([-5.704_99e-3, 0.020_639_09, -0.053_739_715, 0.133_314_42, -0.333_332_8], square);
    let small = mul_add(a * square, p, a);
    // From 9.01 on the result rounds to 1.
    let (n, r) = reduce(2.0 * at_most(a, 10.0));
    let large = 1.0 - 2.0 / mul_add(1.0 + expm1_reduced(r), pow2(n), 1.0);
    let y = if a < 0.625 { small } else { large };
    y.copysign(x)
}

/// 1 / (1 + exp(-x)), within 2 ULP for either sign.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-x.abs(), 1.0);
    let sum = 1.0 + e;
    let numerator = if x < 0.0 { e } else { 1.0 };
    let y = numerator / sum;
    // Most of the rounding error of the sum is corrected.
    let lost = e - (sum - 1.0);
    mul_add(-y, lost, y)
}

/// ln(1 + exp(x)), within 2 ULP, without overflow.
#[inline(always)]
pub(super) fn softplus(x: f32) -> f32 {
    let linear = if x > 0.0 { x } else { 0.0 };
    linear + ln1p(exp_negative(-x.abs(), 1.0))
}

/// x sigmoid(x), within 4 ULP, with its limit 0 at minus infinity.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    sigmoid_times(x, at_least(x, -120.0))
}

/// sigmoid(x) times `factor` for factor > -2^10; it underflows only where the product does.
#[inline(always)]
pub(super) fn sigmoid_times(x: f32, factor: f32) -> f32 {
    let a = x.abs();
    let numerator = if x < 0.0 { exp_negative(-a, factor) } else { factor };
    numerator / (1.0 + exp_negative(-a, 1.0))
}

/// `(n, r)` with x = n ln 2 + r, |r| <= ln 2 / 2, for |x| < 2^20.
#[inline(always)]
fn reduce(x: f32) -> (i32, f32) {
    let shifted = mul_add(x, LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add(n, -LN_2_LOW, mul_add(n, -LN_2_HIGH, x));
    (rounded(shifted), r)
}

/// The integer to which x was rounded when [`ROUND`] was added to it.
#[inline(always)]
fn rounded(shifted: f32) -> i32 {
    (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32)
}

/// exp(r) - 1 for |r| <= ln 2 / 2. Error 2^-28.1.
#[inline(always)]
fn expm1_reduced(r: f32) -> f32 {
    let p = polynomial([1.490_558_2e-4, 1.393_064_9e-3, 8.341_69e-3, 0.041_666_51, 0.166_666_36, 0.5], r);
    mul_add(r * r, p, r)
}
