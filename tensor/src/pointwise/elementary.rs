//! Elementary functions, and rounding.

use crate::pointwise;

/// The rows, handed to the macro `make`.
#[doc(hidden)]
#[macro_export]
macro_rules! elementary_functions {
    ($make:ident) => {
        $make! {
            /// e^x
            pub static EXP = exp(x): x.exp(),
                derivative |g, y| g * y;
            /// e^x - 1, accurate near 0.
            pub static EXPM1 = expm1(x): x.expm1(),
                derivative |g, y| g * (y + N::ONE);
            /// Natural logarithm; -inf at 0, NaN below.
            pub static LN = ln(x): x.ln(),
                derivative |g| g / x;
            /// ln(1 + x), accurate near 0.
            pub static LN1P = ln1p(x): x.ln1p(),
                derivative |g| g / (x + N::ONE);
            /// Square root; NaN below 0.
            pub static SQRT = sqrt(x): x.sqrt(),
                derivative |g, y| g / (y + y);
            /// 1 / sqrt(x)
            pub static RSQRT = rsqrt(x): N::ONE / x.sqrt(),
                derivative |g, y| N::of(-0.5) * g * y * y * y;
            /// 1 / x
            pub static RECIP = recip(x): N::ONE / x,
                derivative |g, y| -g * y * y;
            /// Hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x).
            pub static TANH = tanh(x): x.tanh(),
                derivative |g, y| g * (N::ONE - y * y);
            /// The error function: 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x.
            pub static ERF = erf(x): x.erf(),
                derivative |g| g * N::of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp();
            /// The largest integer not above x. The derivative is 0.
            pub static FLOOR = floor(x): x.floor(),
                derivative |g| N::ZERO;
            /// The smallest integer not below x. The derivative is 0.
            pub static CEIL = ceil(x): x.ceil(),
                derivative |g| N::ZERO;
            /// The nearest integer, halves to even as in NumPy. The derivative is 0.
            pub static ROUND = round(x): x.round_even(),
                derivative |g| N::ZERO;
            /// The integer part, towards zero. The derivative is 0.
            pub static TRUNC = trunc(x): x.trunc(),
                derivative |g| N::ZERO;
        }
    };
}

elementary_functions!(pointwise);
