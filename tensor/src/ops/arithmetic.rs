//! Arithmetic with NumPy's broadcasting: the operators in all ownership forms, and named methods.
//!
//! An operand that is passed by value and whose memory no other tensor shares gives that memory to the result.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign};

use crate::element::{Element, Float, Number};
use crate::formula::Arithmetic;
use crate::kernels::map::{InPlace, Loop1, Loop2};
use crate::kernels::math::Math;
use crate::kernels::{View, map};
use crate::layout::Layout;
use crate::shape::{Shape, broadcast_shapes};
use crate::tensor::{Tensor, expect_shape};

/// The right operand of a binary method: a tensor, by value or by reference, or a number.
///
/// ```
/// use gradus_tensor::{Operand, Tensor};
/// /// The mean of two operands.
/// fn middle(a: &Tensor, b: impl Operand<f32>) -> Tensor {
///     (a + b.into_tensor()) * 0.5
/// }
/// let x = Tensor::new([1.0, 3.0]);
/// assert_eq!(middle(&x, 5.0), Tensor::new([3.0, 4.0]));
/// assert_eq!(middle(&x, &Tensor::new([3.0, 1.0])), Tensor::new([2.0, 2.0]));
/// ```
pub trait Operand<T: Element> {
    /// The operand as a tensor; a number becomes a scalar.
    fn into_tensor(self) -> Tensor<T>;
}

impl<T: Element> Operand<T> for Tensor<T> {
    fn into_tensor(self) -> Tensor<T> {
        self
    }
}

impl<T: Element> Operand<T> for &Tensor<T> {
    fn into_tensor(self) -> Tensor<T> {
        self.clone()
    }
}

impl<T: Element> Operand<T> for T {
    fn into_tensor(self) -> Tensor<T> {
        Tensor::scalar(self)
    }
}

/// The shape that both operands broadcast to; panics in the name of `op` if there is none.
#[track_caller]
pub(super) fn broadcast<A: Element, B: Element>(op: &str, a: &Tensor<A>, b: &Tensor<B>) -> Shape {
    expect_shape(op, broadcast_shapes(a.shape(), b.shape()))
}

// The functions below come in pairs. A thin front makes a function into a loop over slices, the only code that is compiled
// anew for every function; the second function (`.._by`) does the work.

/// `f(a, b)` elementwise into a new tensor.
#[track_caller]
pub(super) fn zip<A: Element, B: Element, R: Element>(
    op: &str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl Fn(A, B) -> R + Sync,
) -> Tensor<R> {
    zip_by(op, a, b, &map::loop2::<{ map::SHORT }, _, _, _>(f))
}

#[track_caller]
fn zip_by<A: Element, B: Element, R: Element>(
    op: &str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: Loop2<'_, A, B, R>,
) -> Tensor<R> {
    let shape = broadcast(op, a, b);
    let (layout_a, layout_b) = (a.broadcast_layout(op, &shape), b.broadcast_layout(op, &shape));
    Tensor::written(shape, |out| {
        map::zip(View { data: &a.buffer, layout: &layout_a }, View { data: &b.buffer, layout: &layout_b }, out, f);
    })
}

/// `f(a, b)` elementwise, in the memory of `a` or `b` if no other tensor shares it.
#[track_caller]
fn zip_owned<T: Element>(op: &str, a: Tensor<T>, b: Tensor<T>, f: impl Fn(T, T) -> T + Sync) -> Tensor<T> {
    zip_owned_by(op, a, b, &map::loop2::<{ map::SHORT }, _, _, _>(f))
}

#[track_caller]
pub(crate) fn zip_owned_by<T: Element>(
    op: &str,
    mut a: Tensor<T>,
    mut b: Tensor<T>,
    f: Loop2<'_, T, T, T>,
) -> Tensor<T> {
    let shape = broadcast(op, &a, &b);
    if a.owns_elements() && *a.shape() == shape {
        zip_assign_by(op, &mut a, &b, f, InPlace::First);
        a
    } else if b.owns_elements() && *b.shape() == shape {
        zip_assign_by(op, &mut b, &a, f, InPlace::Second);
        b
    } else {
        zip_by(op, &a, &b, f)
    }
}

/// Replaces `out` by `f(out, other)`, with `other` broadcast.
#[track_caller]
fn zip_assign<T: Element>(op: &str, out: &mut Tensor<T>, other: &Tensor<T>, f: impl Fn(T, T) -> T + Sync) {
    zip_assign_by(op, out, other, &map::loop2::<{ map::SHORT }, _, _, _>(f), InPlace::First);
}

#[track_caller]
fn zip_assign_by<T: Element>(op: &str, out: &mut Tensor<T>, other: &Tensor<T>, f: Loop2<'_, T, T, T>, which: InPlace) {
    let layout = other.broadcast_layout(op, out.shape());
    map::zip_assign(out.as_mut_slice(), View { data: &other.buffer, layout: &layout }, f, which);
}

/// `f` of `x` and a number, with `x` as the operand that `which` names; in the memory of `x` if no other tensor shares it.
fn with_number<T: Element>(x: Tensor<T>, number: T, f: impl Fn(T, T) -> T + Sync, which: InPlace) -> Tensor<T> {
    with_number_by(x, number, &map::loop2::<{ map::SHORT }, _, _, _>(f), which)
}

fn with_number_by<T: Element>(mut x: Tensor<T>, number: T, f: Loop2<'_, T, T, T>, which: InPlace) -> Tensor<T> {
    if x.owns_elements() {
        number_assign_by(&mut x, number, f, which);
        return x;
    }
    let (data, layout) = ([number], repeated(x.shape()));
    let number = View { data: &data, layout: &layout };
    Tensor::written(x.shape().clone(), |out| match which {
        InPlace::First => map::zip(x.view(), number, out, f),
        InPlace::Second => map::zip(number, x.view(), out, f),
    })
}

/// Replaces `out` by `f(out, number)`.
fn number_assign<T: Element>(out: &mut Tensor<T>, number: T, f: impl Fn(T, T) -> T + Sync) {
    number_assign_by(out, number, &map::loop2::<{ map::SHORT }, _, _, _>(f), InPlace::First);
}

fn number_assign_by<T: Element>(out: &mut Tensor<T>, number: T, f: Loop2<'_, T, T, T>, which: InPlace) {
    let layout = repeated(out.shape());
    map::zip_assign(out.as_mut_slice(), View { data: &[number], layout: &layout }, f, which);
}

/// One element seen as a tensor of this shape.
fn repeated(shape: &Shape) -> Layout {
    Layout::contiguous(Shape::default()).broadcast_to(shape).expect("a scalar broadcasts to any shape")
}

/// `f(a)` elementwise, in the memory of `a` where it is its to give.
pub(super) fn map_owned<T: Element>(a: Tensor<T>, f: impl Fn(T) -> T + Sync) -> Tensor<T> {
    map_owned_by(a, &map::loop1::<{ map::SHORT }, _, _>(f))
}

fn map_owned_by<T: Element>(mut a: Tensor<T>, f: Loop1<'_, T, T>) -> Tensor<T> {
    if a.owns_elements() {
        map::map_assign(a.as_mut_slice(), f);
        a
    } else {
        a.map_by(f)
    }
}

macro_rules! operator {
    ($Trait:ident $method:ident $function:ident, $Assign:ident $assign:ident) => {
        operator!($Trait $method $function, $Assign $assign, f32, f64, i8, i16, i32, i64, u8);
    };
    ($Trait:ident $method:ident $function:ident, $Assign:ident $assign:ident, $($scalar:ty),*) => {
        impl<T: Number> $Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                zip(stringify!($method), self, other, T::$function)
            }
        }
        impl<T: Number> $Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                zip_owned(stringify!($method), self, other, T::$function)
            }
        }
        impl<T: Number> $Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                zip_owned(stringify!($method), self, other.clone(), T::$function)
            }
        }
        impl<T: Number> $Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                zip_owned(stringify!($method), self.clone(), other, T::$function)
            }
        }
        impl<T: Number> $Trait<T> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: T) -> Tensor<T> {
                with_number(self.clone(), other, T::$function, InPlace::First)
            }
        }
        impl<T: Number> $Trait<T> for Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: T) -> Tensor<T> {
                with_number(self, other, T::$function, InPlace::First)
            }
        }
        impl<T: Number> $Assign<&Tensor<T>> for Tensor<T> {
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                zip_assign(stringify!($assign), self, other, T::$function);
            }
        }
        impl<T: Number> $Assign<Tensor<T>> for Tensor<T> {
            #[track_caller]
            fn $assign(&mut self, other: Tensor<T>) {
                self.$assign(&other);
            }
        }
        impl<T: Number> $Assign<T> for Tensor<T> {
            fn $assign(&mut self, other: T) {
                number_assign(self, other, T::$function);
            }
        }
        $(
            impl $Trait<&Tensor<$scalar>> for $scalar {
                type Output = Tensor<$scalar>;
                fn $method(self, other: &Tensor<$scalar>) -> Tensor<$scalar> {
                    with_number(other.clone(), self, <$scalar>::$function, InPlace::Second)
                }
            }
            impl $Trait<Tensor<$scalar>> for $scalar {
                type Output = Tensor<$scalar>;
                fn $method(self, other: Tensor<$scalar>) -> Tensor<$scalar> {
                    with_number(other, self, <$scalar>::$function, InPlace::Second)
                }
            }
        )*
    };
}

operator!(Add add plus, AddAssign add_assign);
operator!(Sub sub minus, SubAssign sub_assign);
operator!(Mul mul times, MulAssign mul_assign);
operator!(Div div over, DivAssign div_assign);
operator!(Rem rem modulo, RemAssign rem_assign);

impl<T: Number> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        self.map(T::negated)
    }
}

impl<T: Number> Neg for Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        map_owned(self, T::negated)
    }
}

impl<T: Element> Tensor<T> {
    /// `f` of each pair of elements, with broadcasting; in the memory of an operand if no other tensor shares it.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let distance = Tensor::new([3.0, 6.0]).zip_map(Tensor::new([4.0, 8.0]), f32::hypot);
    /// assert_eq!(distance, Tensor::new([5.0, 10.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn zip_map(self, other: impl Operand<T>, f: impl Fn(T, T) -> T + Sync) -> Tensor<T> {
        zip_owned("zip_map", self, other.into_tensor(), f)
    }
}

impl<T: Number> Tensor<T> {
    /// The larger of the two, elementwise; NaN where either is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn maximum(&self, other: impl Operand<T>) -> Tensor<T> {
        zip(
            "maximum",
            self,
            &other.into_tensor(),
            #[inline(always)]
            |a, b| if a > b || a.is_nan_value() { a } else { b },
        )
    }

    /// The smaller of the two, elementwise; NaN where either is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn minimum(&self, other: impl Operand<T>) -> Tensor<T> {
        zip(
            "minimum",
            self,
            &other.into_tensor(),
            #[inline(always)]
            |a, b| if a < b || a.is_nan_value() { a } else { b },
        )
    }
}

impl<T: Float> Tensor<T> {
    /// self^exponent, elementwise; NaN for a negative base with a fractional exponent.
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn pow(&self, exponent: impl Operand<T>) -> Tensor<T> {
        let exponent = exponent.into_tensor();
        if exponent.ndim() == 0 {
            let exponent = exponent.item();
            // These common exponents are exact and a hundred times cheaper without a logarithm.
            if exponent == T::of(2.0) {
                return self.square();
            } else if exponent == T::of(0.5) {
                return self.sqrt();
            }
        }
        zip(
            "pow",
            self,
            &exponent,
            #[inline(always)]
            |x, y| Math::pow(x, y),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_broadcast_in_every_ownership_form() {
        let a = || Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
        let b = || Tensor::new([10.0, 20.0]);
        let sum = Tensor::new([[11.0, 22.0], [13.0, 24.0]]);
        assert_eq!(&a() + &b(), sum);
        assert_eq!(a() + b(), sum);
        assert_eq!(a() + &b(), sum);
        assert_eq!(&b() + a(), sum);
        assert_eq!(b() - a().t(), Tensor::new([[9.0, 17.0], [8.0, 16.0]]));
        assert_eq!(1.0 / a(), Tensor::new([[1.0, 0.5], [1.0 / 3.0, 0.25]]));
        let mut c = a();
        c *= &b();
        c -= 1.0;
        assert_eq!(c, Tensor::new([[9.0, 39.0], [29.0, 79.0]]));
        assert_eq!(-a(), a() * -1.0);
    }

    #[test]
    fn the_negative_of_zero_has_a_sign() {
        // NumPy 2.4.6: -np.array([0., -0., 1.]) is [-0.  0. -1.].
        let bits = |x: Tensor<f64>| x.to_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let (x, negative) = (Tensor::from([0.0, -0.0, 1.0]), bits(Tensor::from([-0.0, 0.0, -1.0])));
        assert_eq!(
            (bits(-&x), bits(-x.clone()), bits(-x.flip(0).flip(0))),
            (negative.clone(), negative.clone(), negative)
        );
        assert_eq!(-Tensor::from([i64::MIN, 7]), Tensor::from([i64::MIN, -7]));
        assert_eq!(-Tensor::from([1_u8, 0]), Tensor::from([255_u8, 0]));
    }

    #[test]
    fn whole_numbers_divide_rounded_down() {
        // NumPy 2.4.6: np.array([-7, 7, -8, 5]) // [2, -2, -4, 0], and % of them.
        let (x, y) = (Tensor::from([-7, 7, -8, 5]), Tensor::from([2, -2, -4, 0]));
        assert_eq!((&x / &y, &x % &y), (Tensor::from([-4, -4, 2, 0]), Tensor::from([1, -1, 0, 0])));
        assert_eq!((x.clone() / 2, -7 / y), (Tensor::from([-4, 3, -4, 2]), Tensor::from([-4, 3, 1, 0])));
    }

    #[test]
    fn a_shared_operand_keeps_its_elements() {
        let a = Tensor::new([1.0, 2.0]);
        let view = a.flip(0);
        assert_eq!(a.clone() + 1.0, Tensor::new([2.0, 3.0]));
        assert_eq!(view + &a, Tensor::new([3.0, 3.0]));
        assert_eq!(a, Tensor::new([1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "add: the shapes do not broadcast together: [2, 3] and [2]")]
    fn shapes_that_do_not_broadcast_are_named() {
        let _ = Tensor::<f32>::zeros([2, 3]) + Tensor::<f32>::zeros([2]);
    }
}
