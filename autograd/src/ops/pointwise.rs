//! Elementwise functions of one var: the library's own by name, and any other as [`Var::pointwise`].

use gradus_tensor::{Float, Pointwise, Tensor, functions};
use smallvec::SmallVec;

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// An elementwise function of this var, made by [`pointwise!`](gradus_tensor::pointwise!), with its parameters. A function
    /// of two inputs takes this var as the second, and `data` as the first.
    ///
    /// ```
    /// use gradus_autograd::{Tape, Var};
    /// use gradus_tensor::{Tensor, pointwise};
    ///
    /// pointwise! {
    ///     /// x^3
    ///     static CUBE = cube(x): x * x * x, derivative |g| N::of(3.0) * g * x * x;
    ///     /// The squared distance of p from t, times a factor.
    ///     static DISTANCE = distance(t, p; factor): factor * (p - t) * (p - t),
    ///         derivative |g| N::of(2.0) * factor * g * (p - t);
    /// }
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new([2.0, -1.0]));
    /// let y = x.pointwise(&CUBE, &[], &[]);
    /// assert_eq!(y.value(), &Tensor::new([8.0, -1.0]));
    /// let z = y.pointwise(&DISTANCE, &[&Tensor::new([6.0, 0.0])], &[0.5]);
    /// assert_eq!(z.value(), &Tensor::new([2.0, 0.5]));
    /// assert_eq!(tape.backward(&z.sum(..)).of(&x), Tensor::new([24.0, -3.0]));
    /// ```
    ///
    /// # Panics
    /// If the function has other numbers of inputs or parameters, or the data another shape than the var.
    #[track_caller]
    pub fn pointwise(&self, function: &'static Pointwise, data: &[&Tensor<T>], parameters: &[T]) -> Var<T> {
        let inputs: SmallVec<[&Tensor<T>; 2]> = data.iter().copied().chain([self.value()]).collect();
        let y = function.of(&inputs, parameters);
        let saved = function.saved(&inputs, &y);
        let parameters: SmallVec<[T; 2]> = SmallVec::from_slice(parameters);
        Op::new(function.name(), y).input(self, move |g| function.gradient(g, saved, &parameters)).finish()
    }
}

macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        pub static $NAME:ident = $name:ident($x:ident $(; $($parameter:ident),+)?): $value:expr,
            derivative |$g:ident $(, $output:ident)?| $derivative:expr;
    )+) => {
        impl<T: Float> Var<T> {
            $(
                $(#[$doc])*
                pub fn $name(&self $($(, $parameter: T)+)?) -> Var<T> {
                    self.pointwise(&functions::$NAME, &[], &[$($($parameter),+)?])
                }
            )+
        }
    };
}

gradus_tensor::number_functions!(methods);
gradus_tensor::elementary_functions!(methods);
gradus_tensor::angle_functions!(methods);
gradus_tensor::activation_functions!(methods);
