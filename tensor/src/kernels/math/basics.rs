//! The building blocks of elementary functions: polynomials, powers of two, bounds, ln 2.

use num_traits::Float;

/// ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
pub(super) const LN_2_HIGH: f32 = 0.693_359_4;
pub(super) const LN_2_LOW: f32 = -2.121_944_4e-4;

/// The polynomial in `x` with these coefficients, highest power first.
///
/// Odd and even powers are summed separately, which halves the chain of dependent operations.
#[inline(always)]
pub(super) fn polynomial<T: Float, const N: usize>(coefficients: [T; N], x: T) -> T {
    let square = x * x;
    let mut sums = [coefficients[0], coefficients[1]];
    let mut i = 2;
    while i < N {
        sums[i % 2] = sums[i % 2].mul_add(square, coefficients[i]);
        i += 1;
    }
    if N.is_multiple_of(2) { sums[0].mul_add(x, sums[1]) } else { sums[1].mul_add(x, sums[0]) }
}

/// a b + c, rounded once.
#[inline(always)]
pub(super) fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
pub(super) fn pow2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// The smaller of `x` and `bound` in one instruction; NaN stays NaN.
#[inline(always)]
pub(super) fn at_most(x: f32, bound: f32) -> f32 {
    if x > bound { bound } else { x }
}

/// The larger of `x` and `bound` in one instruction; NaN stays NaN.
#[inline(always)]
pub(super) fn at_least(x: f32, bound: f32) -> f32 {
    if x < bound { bound } else { x }
}
