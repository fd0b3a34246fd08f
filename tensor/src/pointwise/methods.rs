//! The methods of tensors, made from the rows.

use super::functions;
use crate::element::{Element, Float, Number};
use crate::formula::Arithmetic;
use crate::tensor::Tensor;
use crate::{activation_functions, angle_functions, elementary_functions, number_functions};

/// Methods of tensors of floats, compiled in this crate.
macro_rules! float_methods {
    ($(
        $(#[$doc:meta])*
        pub static $NAME:ident = $name:ident($x:ident $(; $($parameter:ident),+)?): $value:expr,
            derivative |$g:ident $(, $output:ident)?| $derivative:expr;
    )+) => {
        impl<T: Float> Tensor<T> {
            $(
                $(#[$doc])*
                pub fn $name(&self $($(, $parameter: T)+)?) -> Tensor<T> {
                    functions::$NAME.of(&[self], &[$($($parameter),+)?])
                }
            )+
        }
    };
}

/// Methods of tensors of any number.
macro_rules! number_methods {
    ($(
        $(#[$doc:meta])*
        pub static $NAME:ident = $name:ident($x:ident $(; $($parameter:ident),+)?): $value:expr,
            derivative |$g:ident $(, $output:ident)?| $derivative:expr;
    )+) => {
        impl<T: Number> Tensor<T> {
            $(
                $(#[$doc])*
                pub fn $name(&self $($(, $parameter: T)+)?) -> Tensor<T> {
                    #[inline(always)]
                    fn value<N: Arithmetic>($x: N $($(, $parameter: N)+)?) -> N {
                        $value
                    }
                    self.map(
                        #[inline(always)]
                        |x| value(x $($(, $parameter)+)?),
                    )
                }
            )+
        }
    };
}

number_functions!(number_methods);
elementary_functions!(float_methods);
angle_functions!(float_methods);
activation_functions!(float_methods);

impl<T: Number> Tensor<T> {
    /// -x; wraps around for the lowest integer.
    pub fn neg(&self) -> Tensor<T> {
        -self
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
