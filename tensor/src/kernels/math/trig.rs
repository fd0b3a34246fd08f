//! Sine, cosine and tangent.
//!
//! x = n pi/2 + r with |r| <= pi/4, where n and r are computed in double precision: pi/2 has three parts, of which the first two
//! have so few bits that their products with n are exact. That holds below [`LIMIT`]; larger angles are computed by the standard
//! library, one at a time. The polynomials are minimax polynomials; the error beside each is relative, before rounding.

use core::f64::consts::FRAC_2_PI;

use super::basics::{mul_add, polynomial};
use crate::simd::vectorize;

/// The angle below which this module reduces angles itself: 2^28.
const LIMIT: f32 = 268_435_456.0;

/// `out = f(x)`, where `f` is accurate below [`LIMIT`] and `exact` everywhere.
fn for_each(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32, exact: fn(f32) -> f32) {
    let largest = vectorize(
        #[inline(always)]
        || {
            // The bits of positive numbers are in the order of the numbers.
            let mut largest = 0;
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f(x);
                largest = largest.max(x.abs().to_bits());
            }
            largest
        },
    );
    if largest >= LIMIT.to_bits() {
        for (out, &x) in out.iter_mut().zip(x).filter(|(_, x)| x.abs() >= LIMIT) {
            *out = exact(x);
        }
    }
}

/// The sine of each element, within 2 ULP.
pub(super) fn sin(x: &[f32], out: &mut [f32]) {
    for_each(
        x,
        out,
        #[inline(always)]
        |x| {
            let (n, r) = reduce(x);
            sine_of_quadrant(n, r as f32)
        },
        f32::sin,
    );
}

/// The cosine of each element, within 2 ULP.
pub(super) fn cos(x: &[f32], out: &mut [f32]) {
    for_each(
        x,
        out,
        #[inline(always)]
        |x| {
            let (n, r) = reduce(x);
            sine_of_quadrant(n.wrapping_add(1), r as f32)
        },
        f32::cos,
    );
}

/// The tangent of each element, within 2 ULP.
pub(super) fn tan(x: &[f32], out: &mut [f32]) {
    for_each(
        x,
        out,
        #[inline(always)]
        |x| {
            let (n, exact) = reduce(x);
            let r = exact as f32;
            let low = (exact - f64::from(r)) as f32;
            let square = r * r;
            // Error 2^-29.6.
            let p = polynomial(
                [4.377_246e-3, 8.761_764e-5, 0.010_837_288, 0.021_281_632, 0.054_060_023, 0.133_326_62, 0.333_333_5],
                square,
            );
            // The derivative, 1 + tan(r)^2, times the rounding error of r. The sign of zero is kept.
            let tail = mul_add(r * square, p, mul_add(low, square, low));
            let tangent = (r + tail).copysign(r);
            let (numerator, denominator) = if n & 1 == 0 { (tangent, 1.0) } else { (-1.0, tangent) };
            numerator / denominator
        },
        f32::tan,
    );
}

/// `(n, r)` with x = n pi/2 + r; only the low bits of `n` are meaningful.
#[inline(always)]
fn reduce(x: f32) -> (i32, f64) {
    // Adding 1.5 * 2^52 leaves no room for a fraction: the sum is rounded to an integer, which is in its low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // pi/2 in three parts: its first 24 binary places, the next 25, and the rest.
    const HIGH: f64 = 1.570_796_310_901_641_8;
    const MIDDLE: f64 = 1.589_325_471_229_568_6e-8;
    const LOW: f64 = 6.123_233_995_736_766e-17;
    let x = f64::from(x);
    let shifted = x * FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    let r = ((x - n * HIGH) - n * MIDDLE) - n * LOW;
    (shifted.to_bits() as i32, r)
}

/// sin(n pi/2 + r)
#[inline(always)]
fn sine_of_quadrant(n: i32, r: f32) -> f32 {
    let square = r * r;
    // Errors 2^-28 and 2^-33. The sine keeps the sign of zero.
    let p = polynomial([-1.951_519e-4, 8.332_16e-3, -0.166_666_55], square);
    let sine = mul_add(r * square, p, r).copysign(r);
    let p = polynomial([2.443_305e-5, -1.388_731_5e-3, 0.041_666_646], square);
    let cosine = mul_add(square * square, p, mul_add(-0.5, square, 1.0));
    let y = if n & 1 == 0 { sine } else { cosine };
    f32::from_bits(y.to_bits() ^ ((n as u32 & 2) << 30))
}
