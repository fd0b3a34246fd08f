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

// A plain number as an operand is not stored and has no derivative.

fn add_number<T: Float>(a: &Var<T>, number: T) -> Var<T> {
    Op::new("add", a.value() + number).input(a, |g| g).finish()
}

fn sub_number<T: Float>(a: &Var<T>, number: T) -> Var<T> {
    Op::new("sub", a.value() - number).input(a, |g| g).finish()
}

fn mul_number<T: Float>(a: &Var<T>, number: T) -> Var<T> {
    Op::new("mul", a.value() * number).input(a, move |g| g * number).finish()
}

fn div_number<T: Float>(a: &Var<T>, number: T) -> Var<T> {
    Op::new("div", a.value() / number).input(a, move |g| g / number).finish()
}

fn number_sub<T: Float>(number: T, b: &Var<T>) -> Var<T> {
    Op::new(
        "sub",
        b.value().map(
            #[inline(always)]
            |b| number - b,
        ),
    )
    .input(b, |g| -g)
    .finish()
}

fn number_div<T: Float>(number: T, b: &Var<T>) -> Var<T> {
    div(&Var::from(number), b)
}

macro_rules! operator {
    ($Trait:ident $method:ident, $with_number:ident, |$number:ident, $var:ident| $number_first:expr) => {
        operator!($Trait $method, $method, &Var<T>, &Var<T>);
        operator!($Trait $method, $method, &Var<T>, Var<T>);
        operator!($Trait $method, $method, Var<T>, &Var<T>);
        operator!($Trait $method, $method, Var<T>, Var<T>);
        operator!($Trait $method, $method, &Var<T>, &Tensor<T>);
        operator!($Trait $method, $method, Var<T>, &Tensor<T>);
        operator!($Trait $method, $with_number, &Var<T>);
        operator!($Trait $method, $with_number, Var<T>);
        number_first!($Trait $method, f32, |$number, $var| $number_first);
        number_first!($Trait $method, f64, |$number, $var| $number_first);
    };
    ($Trait:ident $method:ident, $function:ident, $Left:ty, $Right:ty) => {
        impl<T: Float> $Trait<$Right> for $Left {
            type Output = Var<T>;
            #[track_caller]
            fn $method(self, other: $Right) -> Var<T> {
                $function(&Var::from(self), &Var::from(other))
            }
        }
    };
    ($Trait:ident $method:ident, $function:ident, $Left:ty) => {
        impl<T: Float> $Trait<T> for $Left {
            type Output = Var<T>;
            fn $method(self, number: T) -> Var<T> {
                $function(&self, number)
            }
        }
    };
}

macro_rules! number_first {
    ($Trait:ident $method:ident, $scalar:ty, |$number:ident, $var:ident| $value:expr) => {
        impl $Trait<&Var<$scalar>> for $scalar {
            type Output = Var<$scalar>;
            fn $method(self, $var: &Var<$scalar>) -> Var<$scalar> {
                let $number = self;
                $value
            }
        }
        impl $Trait<Var<$scalar>> for $scalar {
            type Output = Var<$scalar>;
            fn $method(self, var: Var<$scalar>) -> Var<$scalar> {
                self.$method(&var)
            }
        }
    };
}

operator!(Add add, add_number, |number, var| add_number(var, number));
operator!(Sub sub, sub_number, |number, var| number_sub(number, var));
operator!(Mul mul, mul_number, |number, var| mul_number(var, number));
operator!(Div div, div_number, |number, var| number_div(number, var));

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
