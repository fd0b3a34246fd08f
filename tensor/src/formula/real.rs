//! The traits that a formula is written against.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use crate::kernels::math::Math;

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A single value: an element of a tensor, or a [`Symbol`](crate::Symbol) of a formula.
///
/// Comparisons give a [`Truth`](Scalar::Truth), and [`select`](Scalar::select) chooses by it. An `if` cannot: a symbol is
/// neither above nor below 0. For elements all of them compile to what `if x > y { a } else { b }` compiles to.
///
/// Sealed: implemented for the element types and for symbols.
pub trait Scalar: sealed::Sealed + Copy {
    /// 0, or `false`.
    const ZERO: Self;
    /// 1, or `true`.
    const ONE: Self;
    /// The result of a comparison: `bool` for elements. `&`, `|` and `!` work on it.
    type Truth: Copy + BitAnd<Output = Self::Truth> + BitOr<Output = Self::Truth> + Not<Output = Self::Truth>;

    /// `a` where the condition holds, else `b`. Both are computed.
    ///
    /// ```
    /// use gradus_tensor::{Real, Scalar};
    /// fn relu<N: Real>(x: N) -> N {
    ///     N::select(x.greater(N::ZERO), x, N::ZERO)
    /// }
    /// assert_eq!(relu(-2.0_f32), 0.0);
    /// ```
    fn select(condition: Self::Truth, a: Self, b: Self) -> Self;

    /// x == y; false where either is NaN.
    fn equal(self, other: Self) -> Self::Truth;
    /// x != y; true where either is NaN.
    fn not_equal(self, other: Self) -> Self::Truth;
    /// x < y; false where either is NaN.
    fn less(self, other: Self) -> Self::Truth;
    /// x <= y; false where either is NaN.
    fn less_equal(self, other: Self) -> Self::Truth;
    /// x > y; false where either is NaN.
    fn greater(self, other: Self) -> Self::Truth;
    /// x >= y; false where either is NaN.
    fn greater_equal(self, other: Self) -> Self::Truth;

    /// The larger of the two; NaN where either is NaN.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        Self::select(self.greater(other) | self.not_equal(self), self, other)
    }

    /// The smaller of the two; NaN where either is NaN.
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        Self::select(self.less(other) | self.not_equal(self), self, other)
    }
}

/// What integers, floats and symbols can all compute: how a formula is written that exists for integers too.
///
/// ```
/// use gradus_tensor::Arithmetic;
/// fn distance<N: Arithmetic>(a: N, b: N) -> N {
///     a.minus(b).magnitude()
/// }
/// assert_eq!((distance(3_i64, 5), distance(1.5_f32, 0.25)), (2, 1.25));
/// assert_eq!(i8::MAX.plus(1), i8::MIN);
/// ```
pub trait Arithmetic: Scalar {
    /// The sum; integers wrap around on overflow, in every build.
    fn plus(self, other: Self) -> Self;
    /// The difference, wrapping.
    fn minus(self, other: Self) -> Self;
    /// The product, wrapping.
    fn times(self, other: Self) -> Self;
    /// The value without its sign, wrapping.
    fn magnitude(self) -> Self;
}

/// A real number of a formula: f32, f64 or a [`Symbol`](crate::Symbol).
///
/// A formula is a function over any of them: it computes with numbers, and records itself with symbols. It uses the
/// operators, the elementary functions of [`Math`] as methods, and [`select`](Scalar::select) for choices.
///
/// ```
/// use gradus_tensor::{Expression, Math, Real, Scalar};
///
/// /// x where positive, else alpha (e^x - 1).
/// fn elu<N: Real>(x: N, alpha: N) -> N {
///     N::select(x.greater(N::ZERO), x, alpha * x.expm1())
/// }
///
/// assert_eq!(elu(2.0_f32, 1.0), 2.0);
/// let expression = Expression::of(["x"], ["alpha"], |[x], [alpha]| [elu(x, alpha)]);
/// assert_eq!(expression.to_string(), "select(x > 0, x, alpha * expm1(x))");
/// ```
pub trait Real:
    Arithmetic
    + Math
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The nearest value to an f64 constant.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }
}

macro_rules! scalar {
    ($($type:ident: $zero:literal, $one:literal;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Scalar for $type {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            type Truth = bool;
            #[inline(always)]
            fn select(condition: bool, a: Self, b: Self) -> Self {
                if condition { a } else { b }
            }
            #[inline(always)]
            fn equal(self, other: Self) -> bool {
                self == other
            }
            #[inline(always)]
            fn not_equal(self, other: Self) -> bool {
                self != other
            }
            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
            #[inline(always)]
            fn less_equal(self, other: Self) -> bool {
                self <= other
            }
            #[inline(always)]
            fn greater(self, other: Self) -> bool {
                self > other
            }
            #[inline(always)]
            fn greater_equal(self, other: Self) -> bool {
                self >= other
            }
        }
    )*};
}

scalar! {
    f32: 0.0, 1.0;
    f64: 0.0, 1.0;
    i8: 0, 1;
    i16: 0, 1;
    i32: 0, 1;
    i64: 0, 1;
    u8: 0, 1;
    bool: false, true;
}

macro_rules! arithmetic {
    ($($type:ident: $plus:path, $minus:path, $times:path, $magnitude:path;)*) => {$(
        impl Arithmetic for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                $minus(self, other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                $times(self, other)
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                $magnitude(self)
            }
        }
    )*};
}

arithmetic! {
    f32: Add::add, Sub::sub, Mul::mul, f32::abs;
    f64: Add::add, Sub::sub, Mul::mul, f64::abs;
    i8: i8::wrapping_add, i8::wrapping_sub, i8::wrapping_mul, i8::wrapping_abs;
    i16: i16::wrapping_add, i16::wrapping_sub, i16::wrapping_mul, i16::wrapping_abs;
    i32: i32::wrapping_add, i32::wrapping_sub, i32::wrapping_mul, i32::wrapping_abs;
    i64: i64::wrapping_add, i64::wrapping_sub, i64::wrapping_mul, i64::wrapping_abs;
    u8: u8::wrapping_add, u8::wrapping_sub, u8::wrapping_mul, std::convert::identity;
}
