//! Sine, cosine and tangent.
//!
//! Angles are reduced for a run of elements at a time, which a formula of one element cannot say. So each row has the
//! formulas, and kernels over runs take the place of those that the row was compiled to.

use super::Pointwise;
use super::parts::{Kernels, Saved};
use crate::element::Float;
use crate::tensor::Tensor;

/// The rows, handed to the macro `make`.
#[doc(hidden)]
#[macro_export]
macro_rules! angle_functions {
    ($make:ident) => {
        $make! {
            /// Sine of x in radians.
            pub static SIN = sin(x): x.sin(),
                derivative |g| g * x.cos();
            /// Cosine of x in radians.
            pub static COS = cos(x): x.cos(),
                derivative |g| -(g * x.sin());
            /// Tangent of x in radians.
            pub static TAN = tan(x): x.tan(),
                derivative |g, y| g * (N::ONE + y * y);
        }
    };
}

mod rows {
    use crate::pointwise;
    angle_functions!(pointwise);
}

/// Sine of x in radians.
pub static SIN: Pointwise = Pointwise {
    f32: Kernels { value: sin, derivative: sin_gradient },
    f64: Kernels { value: sin, derivative: sin_gradient },
    ..rows::SIN
};

/// Cosine of x in radians.
pub static COS: Pointwise = Pointwise {
    f32: Kernels { value: cos, derivative: cos_gradient },
    f64: Kernels { value: cos, derivative: cos_gradient },
    ..rows::COS
};

/// Tangent of x in radians.
pub static TAN: Pointwise = Pointwise {
    f32: Kernels { value: tan, ..rows::TAN.f32 },
    f64: Kernels { value: tan, ..rows::TAN.f64 },
    ..rows::TAN
};

fn sin<T: Float>(x: &[&Tensor<T>], _: &[T]) -> Tensor<T> {
    x[0].map_by(&T::sin_each)
}

fn cos<T: Float>(x: &[&Tensor<T>], _: &[T]) -> Tensor<T> {
    x[0].map_by(&T::cos_each)
}

fn tan<T: Float>(x: &[&Tensor<T>], _: &[T]) -> Tensor<T> {
    x[0].map_by(&T::tan_each)
}

fn sin_gradient<T: Float>(g: Tensor<T>, x: Saved<T>, _: &[T]) -> Tensor<T> {
    g * x[0].cos()
}

fn cos_gradient<T: Float>(g: Tensor<T>, x: Saved<T>, _: &[T]) -> Tensor<T> {
    g.zip_map(
        x[0].sin(),
        #[inline(always)]
        |g, sine| -(g * sine),
    )
}
