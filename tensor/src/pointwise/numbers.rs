//! Functions of any number, whole numbers included.

use crate::pointwise;

/// The rows, handed to the macro `make`. Their values use nothing that [`Arithmetic`](crate::Arithmetic) does not have.
#[doc(hidden)]
#[macro_export]
macro_rules! number_functions {
    ($make:ident) => {
        $make! {
            /// |x|; wraps around for the lowest integer. The derivative at 0 is taken as 0.
            pub static ABS = abs(x): x.magnitude(),
                derivative |g| N::select(x.greater(N::ZERO), g, N::select(x.less(N::ZERO), -g, N::ZERO));
            /// -1, 0 or 1 after the sign of x; NaN stays. The derivative is 0.
            pub static SIGN = sign(x): {
                    let negative = N::select(x.less(N::ZERO), N::ZERO.minus(N::ONE), x);
                    N::select(x.greater(N::ZERO), N::ONE, negative)
                },
                derivative |g| N::ZERO;
            /// x^2; wraps around for integers.
            pub static SQUARE = square(x): x.times(x),
                derivative |g| g * (x + x);
            /// x limited to `low..=high`; NaN stays. The derivative at the ends is taken as 1.
            pub static CLAMP = clamp(x; low, high): N::select(x.less(low), low, N::select(x.greater(high), high, x)),
                derivative |g| N::select(x.less(low) | x.greater(high), N::ZERO, g);
            /// max(x, 0); NaN stays. The derivative at 0 is taken as 0.
            pub static RELU = relu(x): N::select(x.less(N::ZERO), N::ZERO, x),
                derivative |g, y| N::select(y.greater(N::ZERO), g, N::ZERO);
        }
    };
}

number_functions!(pointwise);
