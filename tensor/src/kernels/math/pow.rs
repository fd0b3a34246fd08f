//! Powers: 2^(y log2 |x|), computed in double precision, so that only the result is rounded to f32.

use core::f64::consts::FRAC_1_SQRT_2;

use super::basics::polynomial;

/// x^y, within 1 ULP, with the special values of IEEE 754 (x^0 = 1^y = 1 for any x and y, NaN for a negative x with a
/// fractional y).
#[inline(always)]
pub(super) fn pow(x: f32, y: f32) -> f32 {
    let (base, exponent) = (f64::from(x.abs()), f64::from(y));
    // 0^0 and 1^infinity give 0 times infinity here, and are corrected below.
    let power = exp2(exponent * log2(base)) as f32;

    // Every f32 beyond 2^24 is an even integer; bounded, the exponent keeps its parity in the low bit of the sum.
    let bounded = exponent.clamp(-33_554_432.0, 33_554_432.0);
    let shifted = bounded + ROUND;
    let is_integer = shifted - ROUND == bounded;
    let is_odd = is_integer & (shifted.to_bits() & 1 == 1);

    let negative = x.is_sign_negative();
    let power = if negative & is_odd { -power } else { power };
    let undefined = (x < 0.0) & (x > f32::NEG_INFINITY) & !is_integer;
    let power = if undefined { f32::NAN } else { power };
    let power = if (x == -1.0) & (y.abs() == f32::INFINITY) { 1.0 } else { power };
    if (x == 1.0) | (y == 0.0) { 1.0 } else { power }
}

/// Added to a smaller number it leaves no room for a fraction: the sum is rounded to an integer, which is in its low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// log2(x) for x >= 0, relative error 2^-37.7; no positive f32 is subnormal here.
#[inline(always)]
fn log2(x: f64) -> f64 {
    const ONE: u64 = 1.0_f64.to_bits();
    // x = 2^k m with sqrt(1/2) <= m < sqrt(2). The biased exponent becomes a float under the exponent of 2^52.
    const TWO_52: f64 = 4_503_599_627_370_496.0;
    let biased = x.to_bits().wrapping_add(ONE - FRAC_1_SQRT_2.to_bits()) >> 52;
    let k = f64::from_bits(biased | TWO_52.to_bits()) - (TWO_52 + 1023.0);
    let m = f64::from_bits(x.to_bits().wrapping_sub(biased << 52).wrapping_add(ONE));
    // log2((1 + s) / (1 - s)) is odd in s.
    let s = (m - 1.0) / (m + 1.0);
    let p = polynomial(
        [
            0.340_729_747_961_784,
            0.411_672_737_317_949_4,
            0.577_083_584_679_934_3,
            0.961_796_673_343_179_7,
            2.885_390_081_790_085,
        ],
        s * s,
    );
    let log = s.mul_add(p, k);
    let log = if x < f64::INFINITY { log } else { x };
    if x == 0.0 { f64::NEG_INFINITY } else { log }
}

/// 2^z, relative error 2^-29, for a range of z wider than that of f32 at either end.
#[inline(always)]
fn exp2(z: f64) -> f64 {
    let z = if z > 160.0 { 160.0 } else { z };
    let z = if z < -160.0 { -160.0 } else { z };
    let shifted = z + ROUND;
    let r = z - (shifted - ROUND);
    let p = polynomial(
        [
            1.534_581_543_506_508e-4,
            1.339_993_142_289_945_4e-3,
            9.618_488_943_414_807e-3,
            0.055_503_287_762_750_25,
            0.240_226_468_907_631_1,
            0.693_147_205_237_721_1,
            1.000_000_000_554_168,
        ],
        r,
    );
    p * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}
