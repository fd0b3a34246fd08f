//! The inputs and outputs of a model: names, shapes and kinds.

use std::fmt;
use std::ops::Deref;

use gradus_tensor::Shape;

use crate::activation::Activation;
use crate::value::ValueKind;

/// A shape, without the batch axis, in which a length may be free: `None`, as Keras writes it.
///
/// ```
/// use gradus_nn::PartialShape;
/// let sequences = PartialShape::from([None, Some(16)]);
/// assert_eq!(sequences.to_string(), "[None, 16]");
/// assert!(sequences.fixed().is_none());
/// assert_eq!(PartialShape::from([28, 28]).fixed().unwrap(), [28, 28]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PartialShape(Vec<Option<usize>>);

impl PartialShape {
    /// Whether no length is free.
    pub fn is_fixed(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// The shape, if no length is free.
    pub fn fixed(&self) -> Option<Shape> {
        self.0.iter().copied().collect::<Option<Vec<usize>>>().map(Shape::from)
    }

    /// The shape with this length for each that is free.
    pub(crate) fn with(&self, length: usize) -> Shape {
        self.0.iter().map(|axis| axis.unwrap_or(length)).collect()
    }

    /// Whether a shape, without the batch axis, has these lengths where they are not free.
    pub fn admits(&self, shape: &[usize]) -> bool {
        self.len() == shape.len()
            && self.iter().zip(shape).all(|(axis, &length)| axis.is_none_or(|axis| axis == length))
    }

    /// This shape with each length free in which another differs.
    pub(crate) fn merged(&self, other: &PartialShape) -> PartialShape {
        if self.len() != other.len() {
            return self.clone();
        }
        PartialShape(self.iter().zip(other.iter()).map(|(&a, &b)| if a == b { a } else { None }).collect())
    }

    /// With the batch axis, as Keras writes it: `(None, 28, 28)`.
    pub(crate) fn batched(&self) -> String {
        match &self.lengths()[..] {
            [] => "(None,)".to_owned(),
            lengths => format!("(None, {})", lengths.join(", ")),
        }
    }

    /// With the batch axis, in messages: `[n, 28, 28]`.
    pub(crate) fn of_batch(&self) -> String {
        let lengths = self.lengths();
        let all: Vec<&str> = std::iter::once("n").chain(lengths.iter().map(String::as_str)).collect();
        format!("[{}]", all.join(", "))
    }

    fn lengths(&self) -> Vec<String> {
        self.iter().map(|axis| axis.map_or("None".to_owned(), |length| length.to_string())).collect()
    }
}

impl Deref for PartialShape {
    type Target = [Option<usize>];
    fn deref(&self) -> &[Option<usize>] {
        &self.0
    }
}

impl fmt::Display for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.lengths().join(", "))
    }
}

impl fmt::Debug for PartialShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Shape> for PartialShape {
    fn from(shape: Shape) -> Self {
        PartialShape(shape.iter().copied().map(Some).collect())
    }
}

macro_rules! from_shape {
    ($([$($generic:tt)*] $type:ty),*) => {$(
        impl<$($generic)*> From<$type> for PartialShape {
            fn from(shape: $type) -> Self {
                Shape::from(shape).into()
            }
        }
    )*};
}
from_shape!([const N: usize] [usize; N], [] &[usize], [] Vec<usize>, [] usize, [] &Shape);

impl<const N: usize> From<[Option<usize>; N]> for PartialShape {
    fn from(axes: [Option<usize>; N]) -> Self {
        PartialShape(axes.to_vec())
    }
}

impl From<&[Option<usize>]> for PartialShape {
    fn from(axes: &[Option<usize>]) -> Self {
        PartialShape(axes.to_vec())
    }
}

impl From<Vec<Option<usize>>> for PartialShape {
    fn from(axes: Vec<Option<usize>>) -> Self {
        PartialShape(axes)
    }
}

impl PartialEq<[usize]> for PartialShape {
    fn eq(&self, other: &[usize]) -> bool {
        self.iter().copied().eq(other.iter().copied().map(Some))
    }
}

impl<const N: usize> PartialEq<[usize; N]> for PartialShape {
    fn eq(&self, other: &[usize; N]) -> bool {
        *self == other[..]
    }
}

impl<const N: usize> PartialEq<[Option<usize>; N]> for PartialShape {
    fn eq(&self, other: &[Option<usize>; N]) -> bool {
        self.0 == other
    }
}

impl PartialEq<Shape> for PartialShape {
    fn eq(&self, other: &Shape) -> bool {
        *self == other[..]
    }
}

/// The shape of an input that a model is built for, with the input's name if it has been given one. A shape alone is an
/// input without a name.
///
/// ```
/// use gradus_nn::{Add, Graph, Input, Model};
/// let mut graph = Graph::builder();
/// let (a, b) = (graph.input_named("a"), graph.input_named("b"));
/// let sum = graph.add(Add, [a, b]);
/// // By name, so in any order.
/// let model = Model::build(graph.output(sum), [Input::named("b", [3]), Input::named("a", [3])], 42)?;
/// assert_eq!(model.inputs()[0].name, "a");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub(crate) name: Option<String>,
    pub(crate) shape: PartialShape,
}

impl Input {
    /// The shape of the input of this name, without the batch axis: `Input::named("title", [None])`.
    pub fn named(name: &str, shape: impl Into<PartialShape>) -> Self {
        Input { name: Some(name.to_owned()), shape: shape.into() }
    }

    /// The input of this name that has one number, or one id, for each sample: its shape is `[]`.
    pub fn scalar(name: &str) -> Self {
        Input { name: Some(name.to_owned()), shape: PartialShape::default() }
    }
}

impl<S: Into<PartialShape>> From<S> for Input {
    fn from(shape: S) -> Self {
        Input { name: None, shape: shape.into() }
    }
}

/// The shapes of all inputs that a model is built for, in order or by name.
///
/// One shape stands for one input: `[28, 28]`, or `[None, Some(16)]` with a free length. Several are a pair or triple of
/// shapes, `([10], [1])`, or an array of named ones: `[Input::named("title", [10]), Input::named("price", [1])]`.
///
/// ```
/// use gradus_nn::{Input, Inputs};
/// let one: Inputs = [28, 28].into();
/// let free: Inputs = [None, Some(16)].into();
/// let two: Inputs = ([10], [1]).into();
/// assert_eq!(one, Inputs::from(Input::from([28, 28])));
/// assert_ne!(free, two);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs(pub(crate) Vec<Input>);

impl<S: Into<PartialShape>> From<S> for Inputs {
    fn from(shape: S) -> Self {
        Inputs(vec![shape.into().into()])
    }
}

impl From<Input> for Inputs {
    fn from(input: Input) -> Self {
        Inputs(vec![input])
    }
}

impl<const N: usize> From<[Input; N]> for Inputs {
    fn from(inputs: [Input; N]) -> Self {
        Inputs(inputs.into())
    }
}

impl From<Vec<Input>> for Inputs {
    fn from(inputs: Vec<Input>) -> Self {
        Inputs(inputs)
    }
}

impl<A: Into<Input>, B: Into<Input>> From<(A, B)> for Inputs {
    fn from((a, b): (A, B)) -> Self {
        Inputs(vec![a.into(), b.into()])
    }
}

impl<A: Into<Input>, B: Into<Input>, C: Into<Input>> From<(A, B, C)> for Inputs {
    fn from((a, b, c): (A, B, C)) -> Self {
        Inputs(vec![a.into(), b.into(), c.into()])
    }
}

/// An input of a built model.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential, ValueKind};
/// let model = Model::build(Sequential::new().add(Dense::new(2)), [None, Some(4)], 42)?;
/// let input = &model.inputs()[0];
/// assert_eq!((&*input.name, input.shape.to_string(), input.kind), ("input", "[None, 4]".to_owned(), ValueKind::Floats));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputInfo {
    /// The name that the network gives it.
    pub name: String,
    /// Its shape, without the batch axis.
    pub shape: PartialShape,
    /// What its elements are: what the layers that take it have asked for.
    pub kind: ValueKind,
    /// The layer that decides the kind: `"0 (Embedding)"`.
    pub(crate) layer: String,
}

/// An output of a built model.
///
/// ```
/// use gradus_nn::{Activation, Dense, Model, Sequential};
/// let network = Sequential::new().add_named("class", Dense::new(3).activation(Activation::Softmax));
/// let model = Model::build(network, [4], 42)?;
/// let output = &model.outputs()[0];
/// assert_eq!((&*output.name, output.activation, output.is_masked), ("class", Some(Activation::Softmax), false));
/// assert_eq!(output.shape, [3]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OutputInfo {
    /// The name: its layer's, or the one that the network gives it.
    pub name: String,
    /// Its shape, without the batch axis; a length is free that varies with a free length of the inputs.
    pub shape: PartialShape,
    /// The activation that it has come out of last, through layers that only move or drop elements: `Linear` behind a
    /// `Dense` without one. `None` where that is not known, as behind a layer of one's own.
    pub activation: Option<Activation>,
    /// Whether it has a mask, which says which positions of its first axis are there: losses and metrics see these alone.
    pub is_masked: bool,
}
