//! How an op is written: its value, and a derivative for each input or for several at once.

use std::sync::Arc;

use gradus_tensor::{Float, Tensor};
use smallvec::SmallVec;

use crate::tape::{Derivative, Input, Tape};
use crate::var::Var;

/// An op being recorded. Every op of this crate is made with it, and so are a user's own.
///
/// A derivative takes the gradient of the output (in the output's shape) and returns the gradient of its input: the
/// vector-Jacobian product. If the input was broadcast, the derivative may return the broadcast shape; the backward sweep
/// sums it down. A derivative captures the tensors that it needs, never vars; they are kept until the sweep. An input that
/// is not recorded needs no derivative: the one given for it is dropped at once and costs nothing.
///
/// ```
/// use gradus_autograd::{Op, Var, gradcheck};
/// use gradus_tensor::{Float, Tensor};
///
/// /// The length of the hypotenuse: sqrt(a^2 + b^2), elementwise.
/// fn hypot<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
///     let c = a.value().clone().zip_map(b.value(), T::hypot);
///     let (da, db) = (a.value() / &c, b.value() / &c);
///     Op::new("hypot", c).input(a, move |g| g * da).input(b, move |g| g * db).finish()
/// }
///
/// let inputs = [Tensor::from([3.0, 5.0]), Tensor::from([4.0, 12.0])];
/// gradcheck(&inputs, |v| hypot(&v[0], &v[1])).unwrap();
/// ```
pub struct Op<T: Float> {
    name: &'static str,
    value: Tensor<T>,
    tape: Option<Tape<T>>,
    derivatives: SmallVec<[Derivative<T>; 2]>,
}

impl<T: Float> Op<T> {
    /// An op of this name that computed `value`.
    pub fn new(name: &'static str, value: Tensor<T>) -> Self {
        Op { name, value, tape: None, derivatives: SmallVec::new() }
    }

    /// An input, and the derivative with respect to it.
    ///
    /// # Panics
    /// If the input belongs to another tape than an earlier one.
    #[track_caller]
    pub fn input(mut self, input: &Var<T>, derivative: impl FnOnce(Tensor<T>) -> Tensor<T> + Send + 'static) -> Self {
        if let Some(input) = self.place(input) {
            self.push(Derivative::Whole(input, Box::new(derivative)));
        }
        self
    }

    /// An input of which the op reads a part only, such as a slice, and the derivative with respect to it, which adds to
    /// the input's gradient so far: many parts of one tensor cost no more than the tensor.
    ///
    /// ```
    /// use gradus_autograd::{Op, Tape, Var};
    /// use gradus_tensor::{Float, Tensor};
    ///
    /// fn first<T: Float>(x: &Var<T>) -> Var<T> {
    ///     let derivative = |g: Tensor<T>, sum: &mut Tensor<T>| sum.slice_add_assign(0, ..1, &g.unsqueeze(0));
    ///     Op::new("first", x.value().select(0, 0)).input_part(x, derivative).finish()
    /// }
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new([3.0, 5.0]));
    /// assert_eq!(tape.backward(&first(&x)).of(&x), Tensor::new([1.0, 0.0]));
    /// ```
    ///
    /// # Panics
    /// If the input belongs to another tape than an earlier one.
    #[track_caller]
    pub fn input_part(
        mut self,
        input: &Var<T>,
        derivative: impl FnOnce(Tensor<T>, &mut Tensor<T>) + Send + 'static,
    ) -> Self {
        if let Some(input) = self.place(input) {
            self.push(Derivative::Part(input, Box::new(derivative)));
        }
        self
    }

    /// Several inputs, and one derivative that returns the gradients of all of them in this order: for gradients that
    /// are computed together or share an intermediate result.
    ///
    /// The derivative is told which inputs are recorded. The gradients of the others are dropped, so it may return
    /// `None` for them instead of computing them; `None` for a recorded input is a gradient of 0. A derivative that
    /// always computes all gradients may return an array of tensors.
    ///
    /// The last derivative of an op gets the gradient of the output for itself, so that it may compute in its memory.
    ///
    /// ```
    /// use gradus_autograd::{Op, Var, gradcheck};
    /// use gradus_tensor::{Float, Tensor};
    ///
    /// /// exp(a b), elementwise; g exp(a b) is a part of both derivatives.
    /// fn exp_product<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    ///     let (x, y) = (a.value().clone(), b.value().clone());
    ///     let value = (&x * &y).exp();
    ///     Op::new("exp_product", value.clone())
    ///         .joint([a, b], move |g, [wants_a, wants_b]| {
    ///             let g = g * value;
    ///             [wants_a.then(|| &g * y), wants_b.then(|| &g * x)]
    ///         })
    ///         .finish()
    /// }
    ///
    /// let inputs = [Tensor::from([0.5, -1.0]), Tensor::from([2.0, 0.25])];
    /// gradcheck(&inputs, |v| exp_product(&v[0], &v[1])).unwrap();
    /// ```
    ///
    /// # Panics
    /// If an input belongs to another tape than an earlier one.
    #[track_caller]
    pub fn joint<const N: usize, G: Into<Option<Tensor<T>>>>(
        mut self,
        inputs: [&Var<T>; N],
        derivative: impl FnOnce(Tensor<T>, [bool; N]) -> [G; N] + Send + 'static,
    ) -> Self {
        let wanted = inputs.map(Var::is_recorded);
        if wanted.contains(&true) {
            let mut places = Vec::with_capacity(N);
            for input in inputs {
                places.push(self.place(input));
            }
            let derivative = move |g| derivative(g, wanted).into_iter().map(Into::into).collect();
            self.push(Derivative::Joint(places, Box::new(derivative)));
        }
        self
    }

    // Apart from the methods above, so that it is compiled once for each float type and not for each derivative.
    #[inline(never)]
    fn push(&mut self, derivative: Derivative<T>) {
        self.derivatives.push(derivative);
    }

    /// Where gradients of the input go, if it is recorded.
    #[inline(never)]
    #[track_caller]
    fn place(&mut self, input: &Var<T>) -> Option<Input> {
        let place = input.place.as_ref()?;
        match &self.tape {
            Some(tape) if !Arc::ptr_eq(&tape.nodes, &place.tape) => {
                panic!("{}: the inputs were recorded on two different tapes", self.name)
            }
            Some(_) => {}
            None => self.tape = Some(Tape { nodes: Arc::clone(&place.tape) }),
        }
        Some(Input { source: place.index, shape: input.shape().clone() })
    }

    /// The output: a constant if every input is, else a var with a place on the inputs' tape.
    pub fn finish(self) -> Var<T> {
        match self.tape {
            Some(tape) => {
                let place = tape.append(self.name, &self.value, self.derivatives);
                Var::placed(self.value, place)
            }
            None => Var::from(self.value),
        }
    }
}
