//! Elementwise functions as rows: the value, the derivative and the names stand side by side, once.
//!
//! [`pointwise!`](crate::pointwise!) makes a [`Pointwise`] of a row. The library's own rows stand in `numbers.rs`,
//! `elementary.rs`, `angles.rs` and `activations.rs`. Each of these files wraps its rows in a macro that hands them to
//! another macro, so that the statics here, the methods of tensors, the methods of autograd's vars, and the list that
//! tests walk through are all made from the same text.

mod activations;
mod angles;
mod check;
mod elementary;
pub mod functions;
mod methods;
mod numbers;
pub mod parts;

use smallvec::SmallVec;

use crate::element::{Float, PerFloat};
use crate::formula::Expression;
use crate::tensor::Tensor;
use parts::{Kernels, Recorded};

/// An elementwise function of one tensor or of two: its value, its derivative, and both as [`Expression`]s.
///
/// The macro [`pointwise!`](crate::pointwise!) makes one. A function of two tensors has a derivative by the second; the
/// first is data, such as the targets of a loss. Parameters are the same for all elements.
#[derive(Clone, Copy)]
pub struct Pointwise {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub inputs: &'static [&'static str],
    #[doc(hidden)]
    pub parameters: &'static [&'static str],
    /// The names of what the derivative's formula reads: the output's gradient, and the inputs or the output.
    #[doc(hidden)]
    pub read: &'static [&'static str],
    #[doc(hidden)]
    pub saves_output: bool,
    #[doc(hidden)]
    pub value: Recorded,
    #[doc(hidden)]
    pub derivative: Recorded,
    #[doc(hidden)]
    pub f32: Kernels<f32>,
    #[doc(hidden)]
    pub f64: Kernels<f64>,
}

/// What the derivative of a [`Pointwise`] function reads: its inputs, or its output.
pub type Saved<T> = SmallVec<[Tensor<T>; 2]>;

impl PerFloat for &'static Pointwise {
    type Of<T: Float> = &'static Kernels<T>;
    fn f32(self) -> &'static Kernels<f32> {
        &self.f32
    }
    fn f64(self) -> &'static Kernels<f64> {
        &self.f64
    }
}

impl Pointwise {
    /// The function's name: `"leaky_relu"`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The names of the inputs: one or two.
    pub fn inputs(&self) -> &'static [&'static str] {
        self.inputs
    }

    /// The names of the parameters.
    pub fn parameters(&self) -> &'static [&'static str] {
        self.parameters
    }

    /// The value as an expression of the inputs and the parameters.
    pub fn expression(&self) -> Expression {
        Expression::record(self.inputs, self.parameters, |inputs, parameters| vec![(self.value)(inputs, parameters)])
    }

    /// The derivative as an expression of the output's gradient, of what the derivative reads, and of the parameters.
    pub fn derivative_expression(&self) -> Expression {
        Expression::record(self.read, self.parameters, |read, parameters| vec![(self.derivative)(read, parameters)])
    }

    /// Whether the derivative reads the output instead of the inputs.
    pub fn saves_output(&self) -> bool {
        self.saves_output
    }

    /// The function of every element.
    ///
    /// ```
    /// use gradus_tensor::{Tensor, functions};
    /// let x = Tensor::new([-2.0, 3.0]);
    /// assert_eq!(functions::LEAKY_RELU.of(&[&x], &[0.5]), Tensor::new([-1.0, 3.0]));
    /// ```
    ///
    /// # Panics
    /// If the inputs or parameters are more or fewer than the names, or the inputs' shapes differ.
    #[track_caller]
    pub fn of<T: Float>(&'static self, inputs: &[&Tensor<T>], parameters: &[T]) -> Tensor<T> {
        if inputs.len() != self.inputs.len() || parameters.len() != self.parameters.len() {
            self.panic_count(inputs.len(), parameters.len());
        }
        if let [a, b] = inputs
            && a.shape() != b.shape()
        {
            panic_shapes(self, a, b);
        }
        (T::choose(self).value)(inputs, parameters)
    }

    /// What of an application of the function its derivative reads.
    pub fn saved<T: Float>(&self, inputs: &[&Tensor<T>], output: &Tensor<T>) -> Saved<T> {
        if self.saves_output {
            [output.clone()].into_iter().collect()
        } else {
            inputs.iter().copied().cloned().collect()
        }
    }

    /// The gradient of the last input, given the output's gradient and what [`saved`](Pointwise::saved) kept.
    ///
    /// # Panics
    /// If the numbers of tensors or parameters are not those of the function.
    #[track_caller]
    pub fn gradient<T: Float>(&'static self, gradient: Tensor<T>, saved: Saved<T>, parameters: &[T]) -> Tensor<T> {
        if saved.len() != self.inputs.len() || parameters.len() != self.parameters.len() {
            self.panic_count(saved.len(), parameters.len());
        }
        (T::choose(self).derivative)(gradient, saved, parameters)
    }

    #[cold]
    #[track_caller]
    fn panic_count(&self, inputs: usize, parameters: usize) -> ! {
        let Pointwise { name, inputs: names, parameters: options, .. } = self;
        panic!("{name}: inputs {names:?} and parameters {options:?} are needed, found {inputs} and {parameters}")
    }
}

#[cold]
#[track_caller]
fn panic_shapes<T: Float>(function: &Pointwise, a: &Tensor<T>, b: &Tensor<T>) -> ! {
    panic!("{}: the inputs must have the same shape: {} and {}", function.name, a.shape(), b.shape())
}

/// Makes statics of type [`Pointwise`](crate::Pointwise) from rows: a name, inputs and parameters, the value, and the
/// derivative.
///
/// Value and derivative are formulas over a number type `N`, which is [`Real`](crate::Real): f32, f64 or a symbol.
/// `derivative |g|` is the gradient of the last input, g being the output's gradient; it reads the inputs.
/// `derivative |g, y|` reads the output y instead of the input, where that is simpler. A function of two inputs takes
/// the first as data.
///
/// ```
/// use gradus_tensor::{Tensor, pointwise};
///
/// pointwise! {
///     /// x^3
///     static CUBE = cube(x): x * x * x, derivative |g| N::of(3.0) * g * x * x;
///     /// x above the knee, else the square root of x and the knee.
///     static BEND = bend(x; knee): N::select(x.greater(knee), x, (x * knee).sqrt()),
///         derivative |g| N::select(x.greater(knee), g, N::of(0.5) * g * (knee / x).sqrt());
/// }
///
/// assert_eq!(CUBE.of(&[&Tensor::new([2.0])], &[]), Tensor::new([8.0]));
/// assert_eq!(BEND.expression().to_string(), "select(x > knee, x, sqrt(x * knee))");
/// CUBE.check_expressions();
/// ```
///
/// A first line `static LIST: all;` makes a static slice of the functions as well, for a test that walks through them.
///
/// In `gradus_autograd`, `x.pointwise(&CUBE, &[], &[])` is the op on a var. The code is compiled where the row stands, once
/// for f32 and once for f64.
#[macro_export]
macro_rules! pointwise {
    (
        $(#[$list_attribute:meta])*
        $list_visibility:vis static $LIST:ident: all;
        $(
            $(#[$attribute:meta])*
            $visibility:vis static $NAME:ident =
                $name:ident($($input:ident),+ $(; $($parameter:ident),+)?): $value:expr,
                derivative |$g:ident $(, $output:ident)?| $derivative:expr;
        )+
    ) => {
        $(#[$list_attribute])*
        $list_visibility static $LIST: &[&$crate::Pointwise] = &[$(&$NAME),+];
        $crate::pointwise! {$(
            $(#[$attribute])*
            $visibility static $NAME = $name($($input),+ $(; $($parameter),+)?): $value,
                derivative |$g $(, $output)?| $derivative;
        )+}
    };
    ($(
        $(#[$attribute:meta])*
        $visibility:vis static $NAME:ident =
            $name:ident($($input:ident),+ $(; $($parameter:ident),+)?): $value:expr,
            derivative |$g:ident $(, $output:ident)?| $derivative:expr;
    )+) => {$(
        $(#[$attribute])*
        $visibility static $NAME: $crate::Pointwise = $crate::pointwise! {
            @row $name [$($input)+] [$($($parameter)+)?] ($value) $g [$($output)?] ($derivative)
        };
    )+};
    // One input, which the derivative reads.
    (@row $name:ident [$x:ident] $parameters:tt $value:tt $g:ident [] $derivative:tt) => {
        $crate::pointwise! { @static $name one[$x] $parameters $value gradient_of_one[$g $x] false $derivative }
    };
    // One input, of which the derivative reads the output.
    (@row $name:ident [$x:ident] $parameters:tt $value:tt $g:ident [$y:ident] $derivative:tt) => {
        $crate::pointwise! { @static $name one[$x] $parameters $value gradient_of_one[$g $y] true $derivative }
    };
    // Two inputs.
    (@row $name:ident [$a:ident $b:ident] $parameters:tt $value:tt $g:ident [] $derivative:tt) => {
        $crate::pointwise! { @static $name two[$a $b] $parameters $value gradient_of_two[$g $a $b] false $derivative }
    };
    (@static $name:ident $map:ident[$($input:ident)+] [$($parameter:ident)*] ($value:expr)
        $back:ident[$($saved:ident)+] $saves_output:literal ($derivative:expr)
    ) => {{
        use $crate::parts;

        #[inline(always)]
        #[allow(unused_variables)]
        fn value<N: $crate::Real>($($input: N,)+ $($parameter: N),*) -> N {
            $value
        }

        #[inline(always)]
        #[allow(unused_variables)]
        fn derivative<N: $crate::Real>($($saved: N,)+ $($parameter: N),*) -> N {
            $derivative
        }

        fn values<T: $crate::Float>(inputs: &[&$crate::Tensor<T>], parameters: &[T]) -> $crate::Tensor<T> {
            let [$($parameter),*] = parts::all(parameters);
            parts::$map(
                inputs,
                #[inline(always)]
                move |$($input),+| value($($input,)+ $($parameter),*),
            )
        }

        fn gradients<T: $crate::Float>(
            gradient: $crate::Tensor<T>,
            saved: parts::Saved<T>,
            parameters: &[T],
        ) -> $crate::Tensor<T> {
            let [$($parameter),*] = parts::all(parameters);
            parts::$back(
                gradient,
                saved,
                #[inline(always)]
                move |$($saved),+| derivative($($saved,)+ $($parameter),*),
            )
        }

        $crate::Pointwise {
            name: stringify!($name),
            inputs: &[$(stringify!($input)),+],
            parameters: &[$(stringify!($parameter)),*],
            read: &[$(stringify!($saved)),+],
            saves_output: $saves_output,
            value: |inputs, parameters| {
                let ([$($input),+], [$($parameter),*]) = (parts::all(inputs), parts::all(parameters));
                value($($input,)+ $($parameter),*)
            },
            derivative: |read, parameters| {
                let ([$($saved),+], [$($parameter),*]) = (parts::all(read), parts::all(parameters));
                derivative($($saved,)+ $($parameter),*)
            },
            f32: parts::Kernels { value: values, derivative: gradients },
            f64: parts::Kernels { value: values, derivative: gradients },
        }
    }};
}
