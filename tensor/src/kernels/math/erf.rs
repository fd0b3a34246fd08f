//! The error function, and the Gaussian error linear unit in its exact and its tanh form.

use super::basics::{at_least, at_most, mul_add, polynomial};
use super::exp::{exp_negative, sigmoid_times};

/// erf(x), within 2 ULP.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let a = x.abs();
    // Below 0.95 an odd polynomial. Error 2^-30.6.
    let s = a * a;
    let p = polynomial(
        [8.185_096e-5, -8.097_708e-4, 5.196_952_3e-3, -0.026_857_706, 0.112_836_64, -0.376_126_32, 0.128_379_17],
        s,
    );
    let small = mul_add(a, p, a);
    // Above it 1 - exp(-q(a)), where q = -ln(erfc) is smooth; from 3.92 on the result rounds to 1. Error 2^-33.9.
    let a_large = at_most(a, 4.0);
    let q = polynomial(
        [
            2.082_850_4e-5,
            -4.313_924e-4,
            4.156_249e-3,
            -0.025_080_6,
            0.108_220_36,
            0.633_400_86,
            1.129_488_3,
            -1.692_033_8e-4,
        ],
        a_large,
    );
    let large = 1.0 - exp_negative(-q, 1.0);
    let y = if a < 0.95 { small } else { large };
    y.copysign(x)
}

/// x Phi(x) with Phi the distribution function of the standard normal distribution: (x / 2) (1 + erf(x / sqrt(2))).
///
/// Within 8 ULP, subnormal results included. Computed from the tail Phi(-|x|), so that the relative error is small for
/// negative x too, where 1 + erf cancels. Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    // Below -14.4 the result underflows; the bound avoids minus infinity times zero.
    let x = at_least(x, -15.0);
    let a = at_most(x.abs(), 15.0);
    // Phi(-a) exp(a^2 / 2) = P(a) / Q(a) with positive coefficients, so no terms cancel. Error 2^-27.2.
    let p = polynomial([4.158_267_2e-3, 0.040_913_096, 0.184_060_92, 0.439_402_46, 0.5], a);
    let q = polynomial([0.010_423_119, 0.102_560_01, 0.471_651_85, 1.205_921_7, 1.676_689_9, 1.0], a);
    // The square of a is needed with its rounding error, which exp would magnify a hundredfold.
    let square = a * a;
    let low = mul_add(a, a, -square);
    let negative = x < 0.0;
    let factor = (p / q) * if negative { x } else { 1.0 };
    let tail = exp_negative(-0.5 * square, mul_add(factor, -0.5 * low, factor));
    if negative { tail } else { x * (1.0 - tail) }
}

/// (x / 2) (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), which is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
///
/// The rounding error of the exponent grows with its size: the result is within 32 ULP from -4 up, and within 400 ULP where it
/// vanishes. Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
#[inline(always)]
pub(super) fn gelu_tanh(x: f32) -> f32 {
    const LINEAR: f32 = 1.595_769;
    const CUBIC: f32 = 0.071_354_81;
    // Below -12 the result underflows; the bound avoids minus infinity times zero.
    let x = at_least(x, -12.0);
    sigmoid_times(x * mul_add(CUBIC, x * x, LINEAR), x)
}
