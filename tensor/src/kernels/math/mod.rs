//! Elementary functions, written so that the compiler vectorises them.
//!
//! The compiler turns a loop into vector instructions only if its body has no branch and no call. So each function of
//! f32 here is straight-line arithmetic: every case is computed, and the right one is selected at the end. Inside
//! [`vectorize`](crate::simd::vectorize) they compute eight elements at a time. Their errors in units in the last place (ULP) of
//! the exact result are in their documentation, and are tested over the whole range of f32.
//!
//! They use `mul_add`, which rounds once, and never a separate product and sum in its place, so the results are the same bits on
//! every machine. With fused multiply-add (x86-64 since 2013, every aarch64) that is one instruction, a third faster than
//! multiplying and adding; an older x86-64 calls the C library for each.
//!
//! Sine, cosine and tangent are functions of runs of elements: angles too large for straight-line arithmetic are rare, and are
//! computed again one by one.
//!
//! Functions of f64, which gradient checks use, are those of the standard library and `libm`.

mod basics;
mod erf;
mod exp;
mod ln;
mod pow;
mod trig;

/// The elementary functions that kernels and formulas compute with: for f32, f64, and the symbols of a formula.
///
/// Functions that `num_traits::Float` has too bear the same name here, so call them by path: `Math::exp(x)`.
///
/// ```
/// use gradus_tensor::{Math, Real};
/// fn softsign<N: Real>(x: N) -> N {
///     x / (N::ONE + (x * x).sqrt())
/// }
/// assert_eq!(softsign(-3.0_f32), -0.75);
/// assert_eq!(Math::sigmoid(0.0_f64), 0.5);
/// ```
pub trait Math: Copy {
    /// e^x
    fn exp(self) -> Self;
    /// e^x - 1, accurate near 0.
    fn expm1(self) -> Self;
    /// Natural logarithm; minus infinity at 0, NaN below.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln1p(self) -> Self;
    /// Square root; NaN below 0.
    fn sqrt(self) -> Self;
    /// Sine of x in radians.
    fn sin(self) -> Self;
    /// Cosine of x in radians.
    fn cos(self) -> Self;
    /// Tangent of x in radians.
    fn tan(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// 1 / (1 + e^-x)
    fn sigmoid(self) -> Self;
    /// ln(1 + e^x), without overflow.
    fn softplus(self) -> Self;
    /// x sigmoid(x), 0 at minus infinity.
    fn silu(self) -> Self;
    /// 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
    fn erf(self) -> Self;
    /// x/2 (1 + erf(x / sqrt 2)), 0 at minus infinity. Hendrycks and Gimpel, arXiv:1606.08415.
    fn gelu(self) -> Self;
    /// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), 0 at minus infinity; the same source.
    fn gelu_tanh(self) -> Self;
    /// The largest integer not above x.
    fn floor(self) -> Self;
    /// The smallest integer not below x.
    fn ceil(self) -> Self;
    /// The integer part, towards zero.
    fn trunc(self) -> Self;
    /// The nearest integer, halves to even.
    fn round_even(self) -> Self;
    /// x^y, with the special values of IEEE 754: x^0 = 1^y = 1 for any x and y, NaN for x < 0 with a fractional y.
    fn pow(self, y: Self) -> Self;
}

/// Functions that only kernels call: functions of runs of elements, and the terms of softmax.
pub trait MathOfRuns: Copy {
    /// e^x for x <= 0, but at least the smallest normal number: the terms of softmax.
    fn exp_nonpositive(self) -> Self;
    /// 2^x for x <= 0, and 0 where that is less than the smallest normal number.
    fn exp2_nonpositive(self) -> Self;
    /// The sine of each element, written to a slice of the same length.
    fn sin_each(x: &[Self], out: &mut [Self]);
    /// The cosine of each element, written to a slice of the same length.
    fn cos_each(x: &[Self], out: &mut [Self]);
    /// The tangent of each element, written to a slice of the same length.
    fn tan_each(x: &[Self], out: &mut [Self]);
}

/// Sine, cosine and tangent of a single number are those of a run of one: the same bits, but not vectorised.
impl Math for f32 {
    #[inline(always)]
    fn exp(self) -> f32 {
        exp::exp(self)
    }
    #[inline(always)]
    fn expm1(self) -> f32 {
        exp::expm1(self)
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        ln::ln(self)
    }
    #[inline(always)]
    fn ln1p(self) -> f32 {
        ln::ln1p(self)
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    fn sin(self) -> f32 {
        of_one(trig::sin, self)
    }
    fn cos(self) -> f32 {
        of_one(trig::cos, self)
    }
    fn tan(self) -> f32 {
        of_one(trig::tan, self)
    }
    #[inline(always)]
    fn tanh(self) -> f32 {
        exp::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> f32 {
        exp::sigmoid(self)
    }
    #[inline(always)]
    fn softplus(self) -> f32 {
        exp::softplus(self)
    }
    #[inline(always)]
    fn silu(self) -> f32 {
        exp::silu(self)
    }
    #[inline(always)]
    fn erf(self) -> f32 {
        erf::erf(self)
    }
    #[inline(always)]
    fn gelu(self) -> f32 {
        erf::gelu(self)
    }
    #[inline(always)]
    fn gelu_tanh(self) -> f32 {
        erf::gelu_tanh(self)
    }
    #[inline(always)]
    fn floor(self) -> f32 {
        f32::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> f32 {
        f32::ceil(self)
    }
    #[inline(always)]
    fn trunc(self) -> f32 {
        f32::trunc(self)
    }
    #[inline(always)]
    fn round_even(self) -> f32 {
        self.round_ties_even()
    }
    #[inline(always)]
    fn pow(self, y: f32) -> f32 {
        pow::pow(self, y)
    }
}

impl MathOfRuns for f32 {
    #[inline(always)]
    fn exp_nonpositive(self) -> f32 {
        exp::exp_nonpositive(self)
    }
    #[inline(always)]
    fn exp2_nonpositive(self) -> f32 {
        exp::exp2_nonpositive(self)
    }
    fn sin_each(x: &[f32], out: &mut [f32]) {
        trig::sin(x, out);
    }
    fn cos_each(x: &[f32], out: &mut [f32]) {
        trig::cos(x, out);
    }
    fn tan_each(x: &[f32], out: &mut [f32]) {
        trig::tan(x, out);
    }
}

/// A function of runs of elements, of one.
fn of_one(function: fn(&[f32], &mut [f32]), x: f32) -> f32 {
    let mut out = [0.0];
    function(&[x], &mut out);
    out[0]
}

impl Math for f64 {
    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    #[inline(always)]
    fn expm1(self) -> f64 {
        self.exp_m1()
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    #[inline(always)]
    fn ln1p(self) -> f64 {
        self.ln_1p()
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn sin(self) -> f64 {
        f64::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> f64 {
        f64::cos(self)
    }
    #[inline(always)]
    fn tan(self) -> f64 {
        f64::tan(self)
    }
    #[inline(always)]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> f64 {
        sigmoid_times(self, 1.0)
    }
    #[inline(always)]
    fn softplus(self) -> f64 {
        // Not f64::max, which would drop NaN.
        let linear = if self > 0.0 { self } else { 0.0 };
        linear + (-self.abs()).exp().ln_1p()
    }
    #[inline(always)]
    fn silu(self) -> f64 {
        sigmoid_times(self, self)
    }
    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    #[inline(always)]
    fn gelu(self) -> f64 {
        // erfc instead of 1 + erf, which cancels for negative x.
        if self == f64::NEG_INFINITY { -0.0 } else { 0.5 * self * libm::erfc(-self * core::f64::consts::FRAC_1_SQRT_2) }
    }
    #[inline(always)]
    fn gelu_tanh(self) -> f64 {
        const SCALE: f64 = 2.0 * 0.797_884_560_802_865_4;
        sigmoid_times(SCALE * (self + 0.044715 * self * self * self), self)
    }
    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> f64 {
        f64::ceil(self)
    }
    #[inline(always)]
    fn trunc(self) -> f64 {
        f64::trunc(self)
    }
    #[inline(always)]
    fn round_even(self) -> f64 {
        self.round_ties_even()
    }
    #[inline(always)]
    fn pow(self, y: f64) -> f64 {
        self.powf(y)
    }
}

impl MathOfRuns for f64 {
    #[inline(always)]
    fn exp_nonpositive(self) -> f64 {
        let e = f64::exp(self);
        // Not f64::max, which would drop NaN.
        if e < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { e }
    }
    #[inline(always)]
    fn exp2_nonpositive(self) -> f64 {
        if self < -1022.0 { 0.0 } else { self.exp2() }
    }
    fn sin_each(x: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = x.sin());
    }
    fn cos_each(x: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = x.cos());
    }
    fn tan_each(x: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = x.tan());
    }
}

/// sigmoid(x) times `factor`, with 0 at minus infinity.
fn sigmoid_times(x: f64, factor: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x == f64::NEG_INFINITY {
        return factor.signum() * 0.0;
    }
    let numerator = if x < 0.0 { e * factor } else { factor };
    numerator / (1.0 + e)
}

#[cfg(test)]
mod tests;
