//! Elementwise functions of one tensor.

use crate::element::{Element, Float, Number};
use crate::kernels::math::Math;
use crate::tensor::Tensor;

/// Makes of `name(parameter): |x| value` a method of tensors, and one of the functions that [`Float::elementwise`] knows.
macro_rules! unary {
    ($($(#[$doc:meta])+ $name:ident($($parameter:ident)?): |$x:ident| $value:expr;)*) => {
        /// An elementwise function by its name.
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug)]
        #[allow(non_camel_case_types)] // They are named as the methods are.
        pub enum Unary {
            $($name),*
        }

        impl<T: Float> Tensor<T> {
            $(
                $(#[$doc])+
                pub fn $name(&self $(, $parameter: T)?) -> Tensor<T> {
                    let parameters: &[T] = &[$($parameter)?];
                    T::elementwise(Unary::$name, self, parameters.first().copied().unwrap_or_default())
                }
            )*
        }

        /// The function of every element of `x`; `parameter` is read by those that have one.
        pub(crate) fn elementwise<T: Float>(function: Unary, x: &Tensor<T>, parameter: T) -> Tensor<T> {
            match function {
                $(
                    Unary::$name => {
                        $(let $parameter = parameter;)?
                        x.map(#[inline(always)] |$x| $value)
                    }
                )*
            }
        }
    };
}

unary! {
    /// e^x
    exp(): |x| Math::exp(x);
    /// e^x - 1, accurate near 0.
    expm1(): |x| Math::expm1(x);
    /// Natural logarithm; -inf at 0, NaN below.
    ln(): |x| Math::ln(x);
    /// ln(1 + x), accurate near 0.
    ln1p(): |x| Math::ln1p(x);
    /// Square root; NaN below 0.
    sqrt(): |x| Math::sqrt(x);
    /// 1 / sqrt(x)
    rsqrt(): |x| Math::sqrt(x).recip();
    /// 1 / x
    recip(): |x| x.recip();
    /// Hyperbolic tangent: (e^x - e^-x) / (e^x + e^-x).
    tanh(): |x| Math::tanh(x);
    /// 1 / (1 + e^-x)
    sigmoid(): |x| Math::sigmoid(x);
    /// ln(1 + e^x), without overflow.
    softplus(): |x| Math::softplus(x);
    /// The error function: 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x.
    erf(): |x| Math::erf(x);
    /// The Gaussian error linear unit: x/2 (1 + erf(x / sqrt 2)). Hendrycks and Gimpel, arXiv:1606.08415.
    gelu(): |x| Math::gelu(x);
    /// The approximation of [`gelu`](Tensor::gelu) by tanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    gelu_tanh(): |x| Math::gelu_tanh(x);
    /// The sigmoid linear unit, or swish: x sigmoid(x).
    silu(): |x| Math::silu(x);
    /// x where positive, else `slope` x.
    leaky_relu(slope): |x| if x > T::ZERO { x } else { slope * x };
    /// x where positive, else `alpha` (e^x - 1). Clevert et al., arXiv:1511.07289.
    elu(alpha): |x| {
        let below = alpha * Math::expm1(x);
        if x > T::ZERO { x } else { below }
    };
    /// 1.0507 times elu with alpha 1.6733, which keeps mean 0 and variance 1. Klambauer et al., arXiv:1706.02515.
    selu(): |x| {
        let below = T::of(SELU_ALPHA) * Math::expm1(x);
        T::of(SELU_SCALE) * if x > T::ZERO { x } else { below }
    };
    /// The largest integer not above x.
    floor(): |x| Math::floor(x);
    /// The smallest integer not below x.
    ceil(): |x| Math::ceil(x);
    /// The nearest integer, halves to even as in NumPy.
    round(): |x| Math::round_even(x);
    /// The integer part, towards zero.
    trunc(): |x| Math::trunc(x);
}

macro_rules! angle {
    ($($(#[$doc:meta])+ $name:ident: $each:ident;)*) => {
        impl<T: Float> Tensor<T> {
            $(
                $(#[$doc])+
                pub fn $name(&self) -> Tensor<T> {
                    self.map_by(&T::$each)
                }
            )*
        }
    };
}

angle! {
    /// Sine of x in radians.
    sin: sin_each;
    /// Cosine of x in radians.
    cos: cos_each;
    /// Tangent of x in radians.
    tan: tan_each;
}

/// The negative side's limit in [`Tensor::selu`]: elu's alpha.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// The factor of [`Tensor::selu`].
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl<T: Number> Tensor<T> {
    /// |x|; wraps around for the lowest integer.
    pub fn abs(&self) -> Tensor<T> {
        self.map(
            #[inline(always)]
            |x| x.magnitude(),
        )
    }

    /// -1, 0 or 1 after the sign of x; NaN stays.
    pub fn sign(&self) -> Tensor<T> {
        self.map(
            #[inline(always)]
            |x| {
                let negative = if x < T::ZERO { T::ZERO.minus(T::ONE) } else { x };
                if x > T::ZERO { T::ONE } else { negative }
            },
        )
    }

    /// -x; wraps around for the lowest integer.
    pub fn neg(&self) -> Tensor<T> {
        -self
    }

    /// x^2
    pub fn square(&self) -> Tensor<T> {
        self.map(
            #[inline(always)]
            |x| x.times(x),
        )
    }

    /// max(x, 0); NaN stays.
    pub fn relu(&self) -> Tensor<T> {
        self.map(
            #[inline(always)]
            |x| if x < T::ZERO { T::ZERO } else { x },
        )
    }
}

impl<T: Element> Tensor<T> {
    /// Whether each element is NaN.
    pub fn is_nan(&self) -> Tensor<bool> {
        self.map(
            #[inline(always)]
            |x| x.is_nan_value(),
        )
    }
}

impl<T: Float> Tensor<T> {
    /// Whether each element is neither infinite nor NaN.
    pub fn is_finite(&self) -> Tensor<bool> {
        self.map(
            #[inline(always)]
            |x| num_traits::Float::is_finite(x),
        )
    }
}
