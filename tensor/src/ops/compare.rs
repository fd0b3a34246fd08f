//! Comparisons, logic on bool tensors, and choices by them, all with broadcasting.

use std::ops::{BitAnd, BitOr, BitXor, Not};

use super::arithmetic::{Operand, broadcast, zip};
use crate::element::{Element, Float};
use crate::kernels::{View, map};
use crate::tensor::Tensor;

macro_rules! comparison {
    ($($(#[$doc:meta])+ $name:ident: $operator:tt;)*) => {
        impl<T: Element> Tensor<T> {
            $(
                $(#[$doc])+
                ///
                /// # Panics
                /// If the shapes do not broadcast together.
                #[track_caller]
                pub fn $name(&self, other: impl Operand<T>) -> Tensor<bool> {
                    zip(stringify!($name), self, &other.into_tensor(), #[inline(always)] |a, b| a $operator b)
                }
            )*
        }
    };
}

comparison! {
    /// Whether the two are equal, elementwise.
    equal: ==;
    /// Whether the two differ, elementwise.
    not_equal: !=;
    /// Whether this is less than the other, elementwise.
    less: <;
    /// Whether this is at most the other, elementwise.
    less_equal: <=;
    /// Whether this is greater than the other, elementwise.
    greater: >;
    /// Whether this is at least the other, elementwise.
    greater_equal: >=;
}

macro_rules! logic {
    ($($(#[$doc:meta])+ $name:ident $Trait:ident $method:ident: $operator:tt;)*) => {
        impl Tensor<bool> {
            $(
                $(#[$doc])+
                ///
                /// # Panics
                /// If the shapes do not broadcast together.
                #[track_caller]
                pub fn $name(&self, other: impl Operand<bool>) -> Tensor<bool> {
                    zip(stringify!($name), self, &other.into_tensor(), #[inline(always)] |a, b| a $operator b)
                }
            )*
        }
        $(
            impl $Trait<&Tensor<bool>> for &Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: &Tensor<bool>) -> Tensor<bool> {
                    self.$name(other)
                }
            }
            impl $Trait<Tensor<bool>> for Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: Tensor<bool>) -> Tensor<bool> {
                    self.$name(other)
                }
            }
        )*
    };
}

logic! {
    /// Whether both are true, elementwise; also `&`.
    logical_and BitAnd bitand: &;
    /// Whether either is true, elementwise; also `|`.
    logical_or BitOr bitor: |;
    /// Whether exactly one is true, elementwise; also `^`.
    logical_xor BitXor bitxor: ^;
}

impl Tensor<bool> {
    /// Whether each element is false; also `!`.
    pub fn logical_not(&self) -> Tensor<bool> {
        self.map(
            #[inline(always)]
            |x| !x,
        )
    }

    /// The elements of `a` where this is true, else of `b`; all three broadcast together. NumPy's `where`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([-1.0, 2.0]);
    /// assert_eq!(x.greater(0.0).where_(&x, 0.0), Tensor::new([0.0, 2.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn where_<T: Element>(&self, a: impl Operand<T>, b: impl Operand<T>) -> Tensor<T> {
        let (a, b) = (a.into_tensor(), b.into_tensor());
        let shape = broadcast("where", self, &a.with_layout(a.broadcast_layout("where", &broadcast("where", &a, &b))));
        let layouts = [
            self.broadcast_layout("where", &shape),
            a.broadcast_layout("where", &shape),
            b.broadcast_layout("where", &shape),
        ];
        Tensor::written(shape, |out| {
            map::zip3(
                View { data: &self.buffer, layout: &layouts[0] },
                View { data: &a.buffer, layout: &layouts[1] },
                View { data: &b.buffer, layout: &layouts[2] },
                out,
                &map::loop3::<{ map::SHORT }, _, _, _, _>(
                    #[inline(always)]
                    |condition, a, b| if condition { a } else { b },
                ),
            );
        })
    }
}

impl Not for &Tensor<bool> {
    type Output = Tensor<bool>;
    fn not(self) -> Tensor<bool> {
        self.logical_not()
    }
}

impl Not for Tensor<bool> {
    type Output = Tensor<bool>;
    fn not(self) -> Tensor<bool> {
        self.logical_not()
    }
}

impl<T: Float> Tensor<T> {
    /// Whether |a - b| <= atol + rtol |b| for all pairs of elements. Equal infinities are close; NaN is close to no number.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert!(Tensor::new([1.0, 2.0]).allclose(&Tensor::new([1.0, 2.000001]), 1e-5, 1e-8));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast together.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor<T>, rtol: f64, atol: f64) -> bool {
        let (rtol, atol) = (T::of(rtol), T::of(atol));
        let close = |a: T, b: T| a == b || (a - b).magnitude() <= atol + rtol * b.magnitude();
        zip("allclose", self, other, close).iter().all(|close| close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_combine_and_choose() {
        let x = Tensor::new([[1.0, -2.0, 3.0], [f32::NAN, 0.0, 5.0]]);
        let positive = x.greater(0.0);
        assert_eq!(positive, Tensor::from([[true, false, true], [false, false, true]]));
        let small = x.less_equal(Tensor::new([1.0, 1.0, 4.0]));
        assert_eq!(positive & small, Tensor::from([[true, false, true], [false, false, false]]));
        assert_eq!(x.is_nan().where_(7.0, &x).select(0, 1), Tensor::new([7.0, 0.0, 5.0]));
    }

    #[test]
    fn closeness_is_numpys() {
        let a = Tensor::new([f32::INFINITY, 1.0]);
        assert!(a.allclose(&a, 0.0, 0.0));
        assert!(!Tensor::new([f32::NAN]).allclose(&Tensor::new([f32::NAN]), 1.0, 1.0));
        assert!(!Tensor::new([f32::INFINITY]).allclose(&Tensor::new([1.0]), 0.1, 1.0));
    }
}
