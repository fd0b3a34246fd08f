//! Element types of tensors: those that a tensor can hold, and those that arithmetic and training use.

use std::fmt;

use crate::formula::{Arithmetic, Real, Scalar};
use crate::kernels::gemm::Gemm;
use crate::kernels::math::MathOfRuns;
use crate::kernels::winograd::Winograd;

/// A type that a tensor can hold: f32, f64, i8, i16, i32, i64, u8 and bool.
///
/// The trait is sealed, because the kernels know these types. [`Float`] is the narrower set that training computes with.
///
/// ```
/// use gradus_tensor::{Element, Tensor};
/// fn describe<T: Element>(x: &Tensor<T>) -> String {
///     format!("{} numbers of type {}", x.size(), T::NAME)
/// }
/// assert_eq!(describe(&Tensor::from([1_u8, 2, 3])), "3 numbers of type u8");
/// assert_eq!((300_i64.cast::<u8>(), f32::NAN.cast::<i32>()), (44, 0));
/// ```
pub trait Element:
    Scalar<Truth = bool> + PartialEq + PartialOrd + Default + Send + Sync + fmt::Debug + fmt::Display + 'static
{
    /// The name of the type in messages and file headers: `"f32"`.
    const NAME: &'static str;
    /// Whether every bit pattern is a value (not so for bool).
    #[doc(hidden)]
    const ANY_BITS: bool;

    /// The value converted to another type as by Rust's `as`: floats become integers by truncation towards zero and saturation, NaN
    /// becomes 0; integers wrap; a number is `true` unless it is 0; `true` becomes 1.
    fn cast<U: Element>(self) -> U;

    /// Whether the value is NaN; `false` for integers and bool.
    fn is_nan_value(self) -> bool;

    #[doc(hidden)]
    fn from_f32(value: f32) -> Self;
    #[doc(hidden)]
    fn from_f64(value: f64) -> Self;
    #[doc(hidden)]
    fn from_i64(value: i64) -> Self;
    #[doc(hidden)]
    fn from_u8(value: u8) -> Self;
    /// The value of as many bytes as the type has, least significant first; a bool is `true` unless its byte is 0.
    #[doc(hidden)]
    fn from_little_endian(bytes: &[u8]) -> Self;
    /// Appends the value's bytes, least significant first.
    #[doc(hidden)]
    fn put_little_endian(self, bytes: &mut Vec<u8>);
}

/// A type with arithmetic: every element type but bool.
///
/// ```
/// use gradus_tensor::{Number, Tensor};
/// // The same for all types but bool. Sums of whole numbers are i64, so that they have room.
/// fn total<T: Number>(x: &Tensor<T>) -> T::Sum {
///     x.sum(..).item()
/// }
/// assert_eq!((total(&Tensor::from([200_u8, 200])), total(&Tensor::new([0.5, 0.25]))), (400, 0.75));
/// ```
pub trait Number:
    Element
    + Arithmetic
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Rem<Output = Self>
{
    /// What elements are summed and multiplied up in by [`sum`](crate::Tensor::sum), [`prod`](crate::Tensor::prod) and
    /// [`cumsum`](crate::Tensor::cumsum): i64 for whole numbers, as in NumPy, so that 200 bytes of 200 add up to 40,000; else the
    /// type itself.
    type Sum: Number<Sum = Self::Sum>;

    /// The quotient: the operator `/` of tensors. For whole numbers it is rounded down, as NumPy's `//` (`floor_divide`): -7 / 2 is
    /// -4. Division by 0 gives 0, and the lowest number by -1 gives the lowest number, as in NumPy.
    ///
    /// So `a == (a / b) * b + a % b`, with a remainder from 0 to b for every a: places along a negative axis wrap around as those
    /// along a positive one. Rust's own operators on single numbers round towards 0 instead.
    fn over(self, other: Self) -> Self;
    /// The remainder of the quotient rounded down: the operator `%` of tensors. It has the sign of the divisor, as NumPy's and
    /// Python's `%`: -7 % 2 is 1, -7.5 % 2.0 is 0.5. For whole numbers it is 0 where the divisor is 0.
    fn modulo(self, other: Self) -> Self;
    /// -x; -0.0 for 0.0. The lowest integer wraps around to itself, as unsigned ones do.
    fn negated(self) -> Self;
    /// The smallest value: minus infinity for floats.
    const LOWEST: Self;
    /// The largest value: infinity for floats.
    const HIGHEST: Self;
}

/// A whole number, which can be an index or a class label.
///
/// ```
/// use gradus_tensor::{Integer, Tensor};
/// fn largest_label<T: Integer>(labels: &Tensor<T>) -> T {
///     labels.max(..).item()
/// }
/// assert_eq!(largest_label(&Tensor::from([3_i64, 9, 4])), 9);
/// ```
pub trait Integer: Number {}

/// A type that training computes with: f32, and f64 for gradient checks.
///
/// Elementary functions that are fast and vectorised come from [`Math`](crate::Math); `num_traits::Float` has the rest.
///
/// ```
/// use gradus_tensor::{Float, Math, Tensor};
/// /// The root of the mean of the squares.
/// fn rms<T: Float>(x: &Tensor<T>) -> T {
///     Math::sqrt((x * x).mean(..).item())
/// }
/// assert_eq!((rms(&Tensor::new([1.0, 7.0])), rms(&Tensor::from([1.0_f64, 7.0]))), (5.0_f32, 5.0_f64));
/// ```
pub trait Float:
    Number<Sum = Self> + Real + num_traits::Float + num_traits::NumAssign + MathOfRuns + Gemm + Winograd + std::iter::Sum
{
    /// The value as f64, exact.
    fn as_f64(self) -> f64 {
        self.cast()
    }

    /// The largest power of two that is not above |x|, but at least the smallest normal number; 1 for 0, NaN and infinities. Division
    /// by it changes no digit.
    #[doc(hidden)]
    fn power_of_two(self) -> Self {
        if self == Self::ZERO || !num_traits::Float::is_finite(self) {
            return Self::ONE;
        }
        let size = num_traits::Float::max(num_traits::Float::abs(self), Self::min_positive_value());
        let (mantissa, exponent, _) = num_traits::Float::integer_decode(size);
        Self::of(2_f64.powi(i32::from(exponent) + mantissa.ilog2() as i32))
    }

    /// The version of `things` for this type.
    fn choose<C: PerFloat>(things: C) -> C::Of<Self>;

    /// A value with the bits of a byte, so that a byte can be selected by the same masks as a float.
    #[doc(hidden)]
    fn from_byte_bits(byte: u8) -> Self;

    /// The byte of [`from_byte_bits`](Float::from_byte_bits).
    #[doc(hidden)]
    fn to_byte_bits(self) -> u8;
}

/// A pair of things, one for f32 and one for f64, from which generic code chooses by [`Float::choose`]. So it can use things that
/// cannot be generic, such as trait objects.
///
/// ```
/// use gradus_tensor::{Float, PerFloat};
/// /// The number of decimal digits that a type holds.
/// struct Digits;
/// impl PerFloat for Digits {
///     type Of<T: Float> = u32;
///     fn f32(self) -> u32 {
///         f32::DIGITS
///     }
///     fn f64(self) -> u32 {
///         f64::DIGITS
///     }
/// }
/// assert_eq!((f32::choose(Digits), f64::choose(Digits)), (6, 15));
/// ```
pub trait PerFloat {
    /// The thing for one type.
    type Of<T: Float>;
    /// The thing for f32.
    fn f32(self) -> Self::Of<f32>;
    /// The thing for f64.
    fn f64(self) -> Self::Of<f64>;
}

macro_rules! number {
    ($($type:ident: $from_f32:ident),*) => {$(
        impl Element for $type {
            const NAME: &'static str = stringify!($type);
            const ANY_BITS: bool = true;
            #[inline(always)]
            fn cast<U: Element>(self) -> U {
                U::$from_f32(self as _)
            }
            #[inline(always)]
            #[allow(clippy::eq_op)] // The test for NaN that every type can take.
            fn is_nan_value(self) -> bool {
                self != self
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_u8(value: u8) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_little_endian(bytes: &[u8]) -> Self {
                $type::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
            #[inline(always)]
            fn put_little_endian(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    )*};
}

// Each type travels to the others through one that holds all its values.
number!(f32: from_f32, f64: from_f64, i8: from_i64, i16: from_i64, i32: from_i64, i64: from_i64, u8: from_u8);

impl Element for bool {
    const NAME: &'static str = "bool";
    const ANY_BITS: bool = false;
    #[inline(always)]
    fn cast<U: Element>(self) -> U {
        U::from_u8(self as u8)
    }
    #[inline(always)]
    fn is_nan_value(self) -> bool {
        false
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value != 0.0
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value != 0.0
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value != 0
    }
    #[inline(always)]
    fn from_u8(value: u8) -> Self {
        value != 0
    }
    #[inline(always)]
    fn from_little_endian(bytes: &[u8]) -> Self {
        bytes[0] != 0
    }
    #[inline(always)]
    fn put_little_endian(self, bytes: &mut Vec<u8>) {
        bytes.push(self as u8);
    }
}

macro_rules! float {
    ($($type:ident),*) => {$(
        impl Number for $type {
            type Sum = $type;
            #[inline(always)]
            fn over(self, other: Self) -> Self { self / other }
            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                let remainder = self % other;
                if remainder == 0.0 {
                    // The zero, too, has the divisor's sign.
                    return remainder.copysign(other);
                }
                if (remainder < 0.0) != (other < 0.0) { remainder + other } else { remainder }
            }
            #[inline(always)]
            fn negated(self) -> Self { -self }
            const LOWEST: Self = $type::NEG_INFINITY;
            const HIGHEST: Self = $type::INFINITY;
        }
        impl Float for $type {
            fn choose<C: PerFloat>(things: C) -> C::Of<Self> {
                things.$type()
            }
            #[inline(always)]
            fn from_byte_bits(byte: u8) -> Self {
                <$type>::from_bits(byte.into())
            }
            #[inline(always)]
            fn to_byte_bits(self) -> u8 {
                self.to_bits() as u8
            }
        }
    )*};
}

float!(f32, f64);

macro_rules! integer {
    ($($type:ident),*) => {$(
        #[allow(unused_comparisons)] // One text for signed and unsigned types.
        impl Number for $type {
            type Sum = i64;
            #[inline(always)]
            fn over(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rounded_up = self.wrapping_rem(other) != 0 && (self < 0) != (other < 0);
                self.wrapping_div(other) - rounded_up as $type
            }
            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let remainder = self.wrapping_rem(other);
                if remainder != 0 && (remainder < 0) != (other < 0) { remainder + other } else { remainder }
            }
            #[inline(always)]
            fn negated(self) -> Self { self.wrapping_neg() }
            const LOWEST: Self = $type::MIN;
            const HIGHEST: Self = $type::MAX;
        }
        impl Integer for $type {}
    )*};
}

integer!(i8, i16, i32, i64, u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_agree_with_as() {
        assert_eq!((-1.9_f32).cast::<i32>(), -1);
        assert_eq!(300.0_f32.cast::<u8>(), 255);
        assert_eq!(f64::NAN.cast::<i64>(), 0);
        assert_eq!(300_i64.cast::<u8>(), 44);
        assert_eq!(16_777_217_i32.cast::<f64>(), 16_777_217.0);
        assert_eq!(0.1_f64.cast::<f32>(), 0.1_f32);
        assert!(0.5_f32.cast::<bool>());
        assert_eq!(true.cast::<f32>(), 1.0);
    }

    #[test]
    fn quotients_are_rounded_down() {
        // NumPy 2.4.6: x // y and x % y of int32.
        let cases = [
            (7, 2, 3, 1),
            (-7, 2, -4, 1),
            (7, -2, -4, -1),
            (-7, -2, 3, -1),
            (6, -3, -2, 0),
            (-1, 5, -1, 4),
            (1, -5, -1, -4),
        ];
        for (x, y, quotient, remainder) in cases {
            assert_eq!((x.over(y), x.modulo(y)), (quotient, remainder), "{x} by {y}");
        }
        // As NumPy, which warns: by 0, and the lowest number by -1.
        assert_eq!((5_u8.over(0), 5_u8.modulo(0), (-5_i64).over(0), (-5_i64).modulo(0)), (0, 0, 0, 0));
        assert_eq!((i64::MIN.over(-1), i64::MIN.modulo(-1)), (i64::MIN, 0));
        assert_eq!((i8::MIN.over(-1), i8::MIN.modulo(-1), i8::MIN.over(3), i8::MIN.modulo(3)), (-128, 0, -43, 1));
        assert_eq!((255_u8.over(2), 255_u8.modulo(2)), (127, 1));
        for (x, y) in (-128..=127_i8).flat_map(|x| (-128..=127_i8).map(move |y| (x, y))).filter(|(_, y)| *y != 0) {
            assert_eq!(x.over(y).wrapping_mul(y).wrapping_add(x.modulo(y)), x, "{x} by {y}");
        }
        // NumPy 2.4.6: np.remainder of float64.
        let cases: [(f64, f64, f64); 6] = [
            (-7.5, 2.0, 0.5),
            (7.5, -2.0, -0.5),
            (-4.0, 2.0, 0.0),
            (4.0, -2.0, -0.0),
            (-0.0, 3.0, 0.0),
            (-5.0, f64::INFINITY, f64::INFINITY),
        ];
        for (x, y, remainder) in cases {
            assert_eq!(x.modulo(y).to_bits(), remainder.to_bits(), "{x} by {y}");
        }
        assert!(1.0_f32.modulo(0.0).is_nan());
    }
}
