//! Arithmetic on two vars, as operators in all ownership forms and as methods.

use std::ops::{Add, Div, Mul, Neg, Sub};

use gradus_tensor::{Float, Tensor};

use crate::op::Op;
use crate::var::Var;

#[track_caller]
fn add<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    Op::new("add", a.value() + b.value()).input(a, |g| g).input(b, |g| g).finish()
}

#[track_caller]
fn sub<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    Op::new("sub", a.value() - b.value()).input(a, |g| g).input(b, |g| -g).finish()
}

#[track_caller]
fn mul<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    let (x, y) = (a.value().clone(), b.value().clone());
    Op::new("mul", &x * &y).input(a, move |g| g * y).input(b, move |g| g * x).finish()
}

#[track_caller]
fn div<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    let (y, quotient) = (b.value().clone(), a.value() / b.value());
    Op::new("div", quotient.clone())
        .input(a, {
            let y = y.clone();
            move |g| g / y
        })
        .input(b, move |g| -(g * quotient / y))
        .finish()
}

macro_rules! operator {
    ($Trait:ident $method:ident) => {
        operator!($Trait $method, &Var<T>, &Var<T>);
        operator!($Trait $method, &Var<T>, Var<T>);
        operator!($Trait $method, Var<T>, &Var<T>);
        operator!($Trait $method, Var<T>, Var<T>);
        operator!($Trait $method, &Var<T>, &Tensor<T>);
        operator!($Trait $method, Var<T>, &Tensor<T>);
        operator!($Trait $method, &Var<T>, T);
        operator!($Trait $method, Var<T>, T);
        operator!($Trait $method, f32);
        operator!($Trait $method, f64);
    };
    ($Trait:ident $method:ident, $Left:ty, $Right:ty) => {
        impl<T: Float> $Trait<$Right> for $Left {
            type Output = Var<T>;
            #[track_caller]
            fn $method(self, other: $Right) -> Var<T> {
                $method(&Var::from(self), &Var::from(other))
            }
        }
    };
    ($Trait:ident $method:ident, $scalar:ty) => {
        impl $Trait<&Var<$scalar>> for $scalar {
            type Output = Var<$scalar>;
            fn $method(self, other: &Var<$scalar>) -> Var<$scalar> {
                $method(&Var::from(self), other)
            }
        }
        impl $Trait<Var<$scalar>> for $scalar {
            type Output = Var<$scalar>;
            fn $method(self, other: Var<$scalar>) -> Var<$scalar> {
                $method(&Var::from(self), &other)
            }
        }
    };
}

operator!(Add add);
operator!(Sub sub);
operator!(Mul mul);
operator!(Div div);

impl<T: Float> Neg for &Var<T> {
    type Output = Var<T>;
    fn neg(self) -> Var<T> {
        Op::new("neg", -self.value()).input(self, |g| -g).finish()
    }
}

impl<T: Float> Neg for Var<T> {
    type Output = Var<T>;
    fn neg(self) -> Var<T> {
        -&self
    }
}
