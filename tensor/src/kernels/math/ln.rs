//! Natural logarithms: ln, ln1p.
//!
//! x = 2^k m with sqrt(1/2) <= m < sqrt(2), so ln(x) = k ln 2 + ln(m) and the two terms never cancel.

use super::basics::{LN_2_HIGH, LN_2_LOW, mul_add, polynomial};

/// ln(x), within 1 ULP.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // Subnormal numbers are multiplied by 2^25, which makes them normal.
    let subnormal = x < f32::MIN_POSITIVE;
    let (k, m) = split(x * if subnormal { 33_554_432.0 } else { 1.0 });
    let k = k as f32 - if subnormal { 25.0 } else { 0.0 };
    at_the_edges(x, x, ln_split(k, m - 1.0))
}

/// ln(1 + x), within 2 ULP, also where 1 + x rounds to 1.
#[inline(always)]
pub(super) fn ln1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let (k, m) = split(u);
    // The exact rounding error of 1 + x at the scale of m; for a large k it no longer matters.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let scale = f32::from_bits(((127 - k).max(0) as u32) << 23);
    let y = ln_split(k as f32, mul_add(lost, scale, m - 1.0));
    at_the_edges(x, u, y).copysign(x)
}

/// `(k, m)` with x = 2^k m, sqrt(1/2) <= m < sqrt(2), for a normal positive `x`.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    const SQRT_HALF: i32 = core::f32::consts::FRAC_1_SQRT_2.to_bits() as i32;
    let above = (x.to_bits() as i32).wrapping_sub(SQRT_HALF);
    (above >> 23, f32::from_bits(((above & 0x007f_ffff) + SQRT_HALF) as u32))
}

/// k ln 2 + ln(1 + f). Error of the polynomial 2^-30.
#[inline(always)]
fn ln_split(k: f32, f: f32) -> f32 {
    let p = polynomial(
        [
            0.071_051_86,
            -0.119_620_934,
            0.118_863_89,
            -0.123_589_75,
            0.142_134_46,
            -0.166_703_49,
            0.200_025_11,
            -0.249_999_73,
            0.333_333_08,
        ],
        f,
    );
    let square = f * f;
    let tail = mul_add(-0.5, square, mul_add(square * f, p, k * LN_2_LOW));
    mul_add(k, LN_2_HIGH, f + tail)
}

/// `y`, the logarithm of `u`, or the right value where `u` is 0, negative, infinite or NaN.
#[inline(always)]
fn at_the_edges(x: f32, u: f32, y: f32) -> f32 {
    let y = if u < f32::INFINITY { y } else { x };
    let edge = if u == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    if u > 0.0 { y } else { edge }
}
