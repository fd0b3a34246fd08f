//! The variable: a tensor and, perhaps, a place on a tape.

use std::fmt;

use gradus_tensor::{Float, Shape, Tensor};

use crate::tape::{Place, lock};

/// A tensor that ops can be differentiated through.
///
/// A var made from a tensor (`Var::from`) is a constant: ops on constants just compute. A var from
/// [`Tape::var`](crate::Tape::var), or a bound weight, has a place on a tape, and so has everything computed from it.
/// So the same code trains and predicts.
#[derive(Clone)]
pub struct Var<T: Float = f32> {
    value: Tensor<T>,
    pub(crate) place: Option<Place<T>>,
}

impl<T: Float> Var<T> {
    pub(crate) fn placed(value: Tensor<T>, place: Place<T>) -> Self {
        Var { value, place: Some(place) }
    }

    /// What was computed.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// What was computed, out of the var.
    pub fn into_value(self) -> Tensor<T> {
        self.value
    }

    /// The length of each axis.
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.value.ndim()
    }

    /// Whether gradients flow through this var: whether it has a place on a tape.
    pub fn is_recorded(&self) -> bool {
        self.place.is_some()
    }

    /// The name of the op that made this var, `"var"` for a variable itself; `None` for a constant, and once a backward
    /// sweep has consumed the tape.
    pub fn op(&self) -> Option<&'static str> {
        let place = self.place.as_ref()?;
        lock(&place.tape).list.get(place.index).map(|node| node.op)
    }

    /// The place of this var on its tape: how many vars had been made on it before. `None` for a constant.
    pub fn node(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.index)
    }

    /// The same value as a constant: no gradient flows back through it.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::new(3.0));
    /// let y = &x * x.stop_gradient();
    /// assert_eq!(tape.backward(&y).of(&x), Tensor::new(3.0));
    /// ```
    pub fn stop_gradient(&self) -> Var<T> {
        Var::from(&self.value)
    }
}

impl<T: Float> From<Tensor<T>> for Var<T> {
    /// A constant.
    fn from(value: Tensor<T>) -> Self {
        Var { value, place: None }
    }
}

impl<T: Float> From<&Tensor<T>> for Var<T> {
    /// A constant that shares the tensor's elements.
    fn from(value: &Tensor<T>) -> Self {
        Var { value: value.clone(), place: None }
    }
}

impl<T: Float> From<T> for Var<T> {
    /// A constant scalar.
    fn from(value: T) -> Self {
        Var::from(Tensor::scalar(value))
    }
}

impl<T: Float> From<&Var<T>> for Var<T> {
    fn from(var: &Var<T>) -> Self {
        var.clone()
    }
}

impl<T: Float> fmt::Debug for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_recorded() { "recorded" } else { "constant" };
        write!(f, "Var({kind}, {:?})", self.value)
    }
}
