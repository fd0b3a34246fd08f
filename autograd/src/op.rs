//! How an op is written: its value, then one derivative per input.

use std::rc::Rc;

use gradus_tensor::{Float, Tensor};
use smallvec::SmallVec;

use crate::tape::{Derivative, Edge, Tape};
use crate::var::Var;

/// An op being recorded. Every op of this crate is made with it, and so are a user's own.
///
/// Each derivative takes the gradient of the output (in the output's shape) and returns the gradient of its input: the
/// vector-Jacobian product. If the input was broadcast, the derivative may return the broadcast shape; the sweep sums
/// it down. What a derivative captures is what is saved until the sweep: tensors, never vars. The derivative of an
/// input through which no gradient flows is dropped at once and costs nothing.
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
    edges: SmallVec<[Edge<T>; 2]>,
}

impl<T: Float> Op<T> {
    /// An op of this name that computed `value`.
    pub fn new(name: &'static str, value: Tensor<T>) -> Self {
        Op { name, value, tape: None, edges: SmallVec::new() }
    }

    /// An input, and the derivative with respect to it.
    ///
    /// # Panics
    /// If the input belongs to another tape than an earlier one.
    #[track_caller]
    pub fn input(self, input: &Var<T>, derivative: impl FnOnce(Tensor<T>) -> Tensor<T> + 'static) -> Self {
        if input.place.is_none() { self } else { self.edge(input, Derivative::Whole(Box::new(derivative))) }
    }

    /// An input of which the op sees only a part, such as a slice, and the derivative with respect to it, which adds to
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
    pub fn input_part(self, input: &Var<T>, derivative: impl FnOnce(Tensor<T>, &mut Tensor<T>) + 'static) -> Self {
        if input.place.is_none() { self } else { self.edge(input, Derivative::Part(Box::new(derivative))) }
    }

    // Takes the derivative as an object, so that there is one of this, not one for each derivative.
    #[track_caller]
    fn edge(mut self, input: &Var<T>, derivative: Derivative<T>) -> Self {
        let Some(place) = &input.place else {
            return self;
        };
        match &self.tape {
            Some(tape) if !Rc::ptr_eq(&tape.nodes, &place.tape) => {
                panic!("{}: the inputs were recorded on two different tapes", self.name)
            }
            Some(_) => {}
            None => self.tape = Some(Tape { nodes: Rc::clone(&place.tape) }),
        }
        let shape = input.shape().clone();
        self.edges.push(Edge { source: place.index, shape, derivative });
        self
    }

    /// The output: a constant if every input is, else a var with a place on the inputs' tape.
    pub fn finish(self) -> Var<T> {
        match self.tape {
            Some(tape) => Var::placed(self.value, tape.append(self.name, self.edges)),
            None => Var::from(self.value),
        }
    }
}
