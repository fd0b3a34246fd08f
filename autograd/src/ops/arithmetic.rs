//! Arithmetic on two vars, as operators in all ownership forms and as methods.

use std::ops::{Add, Div, Mul, Neg, Sub};

use gradus_tensor::{Float, Math, Tensor};

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

impl<T: Float> Var<T> {
    /// self^exponent, elementwise: `x.pow(3.0)`, or by another var. The derivative by the exponent at base 0 is taken
    /// as 0 where the power is 0.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new([1.0, 2.0]));
    /// let y = x.pow(3.0).sum(..);
    /// assert_eq!(tape.backward(&y).of(&x), Tensor::new([3.0, 12.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn pow(&self, exponent: impl Into<Var<T>>) -> Var<T> {
        let exponent = exponent.into();
        let (x, y) = (self.value().clone(), exponent.value().clone());
        let (base, power) = (x.clone(), x.pow(&y));
        Op::new("pow", power.clone())
            .input(self, {
                let y = y.clone();
                // For a constant exponent n: n x^(n-1), where a scalar n keeps the fast forms of pow.
                move |g| {
                    // At exponent 0 the power is 1 everywhere, though x^-1 is infinite at 0.
                    let slope = x.pow(&y - T::ONE).zip_map(y, |p, y| if y == T::ZERO { T::ZERO } else { y * p });
                    g * slope
                }
            })
            .input(&exponent, move |g| {
                let slope = power.zip_map(base, |p, x| if p == T::ZERO { p } else { p * Math::ln(x) });
                g * slope
            })
            .finish()
    }
}
