//! The values that flow along the edges of a network: floats, ids and masks.

use std::fmt;
use std::ops::Deref;

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};
use smallvec::{SmallVec, smallvec};

use crate::parts::Flow;

/// A value that flows from layer to layer, batch axis first.
///
/// Gradients flow through floats alone.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::Value;
/// use gradus_tensor::Tensor;
/// let x = Value::from(Var::from(Tensor::new([[0.5, 1.0]])));
/// let words: Value = Tensor::from([[3_i64, 7, 7]]).into();
/// assert_eq!((x.floats().shape(), words.ids().shape()), (&[1, 2].into(), &[1, 3].into()));
/// ```
#[derive(Clone, Debug)]
pub enum Value<T: Float = f32> {
    /// Numbers that can be differentiated through.
    Floats(Var<T>),
    /// Whole numbers that stand for something: words, classes, rows of a table.
    Ids(Tensor<i64>),
    /// For each place whether there is something.
    Mask(Tensor<bool>),
}

impl<T: Float> Value<T> {
    /// The length of each axis, that of the batch first.
    pub fn shape(&self) -> &Shape {
        match self {
            Value::Floats(floats) => floats.shape(),
            Value::Ids(ids) => ids.shape(),
            Value::Mask(mask) => mask.shape(),
        }
    }

    /// The floats.
    ///
    /// # Panics
    /// If the value is something else.
    #[track_caller]
    pub fn floats(&self) -> &Var<T> {
        match self {
            Value::Floats(floats) => floats,
            other => other.is_not("floats"),
        }
    }

    /// The floats, out of the value.
    ///
    /// # Panics
    /// If the value is something else.
    #[track_caller]
    pub fn into_floats(self) -> Var<T> {
        match self {
            Value::Floats(floats) => floats,
            other => other.is_not("floats"),
        }
    }

    /// The ids.
    ///
    /// # Panics
    /// If the value is something else.
    #[track_caller]
    pub fn ids(&self) -> &Tensor<i64> {
        match self {
            Value::Ids(ids) => ids,
            other => other.is_not("ids"),
        }
    }

    /// The mask.
    ///
    /// # Panics
    /// If the value is something else.
    #[track_caller]
    pub fn mask(&self) -> &Tensor<bool> {
        match self {
            Value::Mask(mask) => mask,
            other => other.is_not("a mask"),
        }
    }

    #[cold]
    #[track_caller]
    fn is_not(&self, expected: &str) -> ! {
        let found = match self {
            Value::Floats(_) => "floats",
            Value::Ids(_) => "ids",
            Value::Mask(_) => "a mask",
        };
        panic!("a layer's computation takes {expected}, found {found}: {}", self.shape());
    }
}

impl<T: Float> From<Var<T>> for Value<T> {
    fn from(floats: Var<T>) -> Self {
        Value::Floats(floats)
    }
}

impl<T: Float> From<Tensor<i64>> for Value<T> {
    fn from(ids: Tensor<i64>) -> Self {
        Value::Ids(ids)
    }
}

impl<T: Float> From<Tensor<bool>> for Value<T> {
    fn from(mask: Tensor<bool>) -> Self {
        Value::Mask(mask)
    }
}

/// The inputs or the outputs of a layer's computation, in order: a short list, of which one value is the common case.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::{Value, Values};
/// use gradus_tensor::Tensor;
/// let (x, ids) = (Var::from(Tensor::new([[0.5]])), Tensor::from([[3_i64]]));
/// let values: Values = [Value::from(x), Value::from(ids)].into_iter().collect();
/// assert_eq!((values.len(), values[1].ids().shape()), (2, &[1, 1].into()));
/// ```
///
/// A value `[n, length, ..]` may have a mask `[n, length]`, which says which positions are there
/// ([`MaskRule`](crate::MaskRule)).
#[derive(Clone, Debug)]
pub struct Values<T: Float = f32> {
    list: SmallVec<[Value<T>; 1]>,
    /// The masks of the first values; the others have none.
    masks: SmallVec<[Option<Tensor<bool>>; 1]>,
}

impl<T: Float> Values<T> {
    /// The one value, which is floats.
    ///
    /// # Panics
    /// If there are none or several, or it is something else.
    #[track_caller]
    pub fn into_floats(mut self) -> Var<T> {
        match self.list.pop() {
            Some(value) if self.list.is_empty() => value.into_floats(),
            popped => panic!("one value is expected, found {}", self.list.len() + usize::from(popped.is_some())),
        }
    }

    /// Which positions of a value are there, `[n, length]`; `None` if all are.
    pub fn mask(&self, index: usize) -> Option<&Tensor<bool>> {
        self.masks.get(index).and_then(Option::as_ref)
    }

    /// The same values, of which the one at `index` has this mask, or none.
    pub fn with_mask(mut self, index: usize, mask: Option<Tensor<bool>>) -> Self {
        if self.masks.len() <= index && mask.is_some() {
            self.masks.resize(index + 1, None);
        }
        if let Some(place) = self.masks.get_mut(index) {
            *place = mask;
        }
        self
    }

    /// The positions that are there in all values that have a mask; `None` if no value has one.
    pub fn common_mask(&self) -> Option<Tensor<bool>> {
        self.masks.iter().flatten().cloned().reduce(|all, mask| all & mask)
    }

    /// These values and those, each with its mask.
    pub(crate) fn and(mut self, others: Self) -> Self {
        others.with_masks().for_each(|other| self.push(other));
        self
    }

    /// And this value, with its mask.
    pub(crate) fn push(&mut self, (value, mask): (Value<T>, Option<Tensor<bool>>)) {
        self.list.push(value);
        if mask.is_some() {
            self.masks.resize(self.list.len() - 1, None);
            self.masks.push(mask);
        }
    }

    /// The values, each with its mask.
    pub(crate) fn with_masks(self) -> impl Iterator<Item = (Value<T>, Option<Tensor<bool>>)> {
        self.list.into_iter().zip(self.masks.into_iter().chain(std::iter::repeat(None)))
    }
}

impl<T: Float> Default for Values<T> {
    fn default() -> Self {
        Values { list: SmallVec::new(), masks: SmallVec::new() }
    }
}

impl<T: Float> Deref for Values<T> {
    type Target = [Value<T>];
    fn deref(&self) -> &[Value<T>] {
        &self.list
    }
}

impl<T: Float> IntoIterator for Values<T> {
    type Item = Value<T>;
    type IntoIter = smallvec::IntoIter<[Value<T>; 1]>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<T: Float> FromIterator<Value<T>> for Values<T> {
    fn from_iter<I: IntoIterator<Item = Value<T>>>(values: I) -> Self {
        Values { list: values.into_iter().collect(), masks: SmallVec::new() }
    }
}

impl<T: Float, V: Into<Value<T>>> From<V> for Values<T> {
    /// One value.
    fn from(value: V) -> Self {
        Values { list: smallvec![value.into()], masks: SmallVec::new() }
    }
}

/// What the elements of a value are.
///
/// ```
/// use gradus_nn::{Embedding, Model, Sequential, ValueKind};
/// // An embedding asks for ids, so the input of this model is ids.
/// let model = Model::build(Sequential::new().add(Embedding::new(100, 8)), [5], 42)?;
/// assert_eq!(model.inputs()[0].kind, ValueKind::Ids { count: 100 });
/// assert_eq!(model.inputs()[0].kind.to_string(), "ids below 100");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Numbers that can be differentiated through.
    Floats,
    /// Whole numbers from 0 to `count` - 1.
    Ids {
        /// The number of different ids.
        count: usize,
    },
    /// For each place whether there is something.
    Mask,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueKind::Floats => write!(f, "floats"),
            ValueKind::Ids { count } => write!(f, "ids below {count}"),
            ValueKind::Mask => write!(f, "a mask"),
        }
    }
}

/// What is known of a value while a network is built: its shape, without the batch axis, and what its elements are.
///
/// ```
/// use gradus_nn::{Spec, ValueKind};
/// let words = Spec::ids([20], 1000).masked();
/// assert_eq!((words.kind(), words.is_masked()), (Some(ValueKind::Ids { count: 1000 }), true));
/// assert_eq!(Spec::floats([20, 8]).shape, [20, 8]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The shape, without the batch axis.
    pub shape: Shape,
    pub(crate) kind: SpecKind,
    is_masked: bool,
    pub(crate) flow: Flow,
}

/// What the elements of a value are, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpecKind {
    Known(ValueKind),
    /// An input of the model, by its place: its elements are what the layers that take it ask for.
    Input(usize),
}

impl Spec {
    /// Of a value of this shape and kind.
    pub fn new(shape: impl Into<Shape>, kind: ValueKind) -> Self {
        Spec { shape: shape.into(), kind: SpecKind::Known(kind), is_masked: false, flow: Flow::Whole }
    }

    /// Of an input of the model, at this place.
    pub(crate) fn input(shape: impl Into<Shape>, place: usize) -> Self {
        Spec { shape: shape.into(), kind: SpecKind::Input(place), is_masked: false, flow: Flow::Whole }
    }

    /// Of floats of this shape.
    pub fn floats(shape: impl Into<Shape>) -> Self {
        Spec::new(shape, ValueKind::Floats)
    }

    /// Of ids below `count`, of this shape.
    pub fn ids(shape: impl Into<Shape>, count: usize) -> Self {
        Spec::new(shape, ValueKind::Ids { count })
    }

    /// Of a mask of this shape.
    pub fn mask(shape: impl Into<Shape>) -> Self {
        Spec::new(shape, ValueKind::Mask)
    }

    /// The same kind of value in this shape, without a mask.
    pub(crate) fn with_shape(&self, shape: impl Into<Shape>) -> Self {
        let flow = if self.flow == Flow::Whole { Flow::Whole } else { Flow::Latest };
        Spec { shape: shape.into(), kind: self.kind, is_masked: false, flow }
    }

    /// The same, of which the first axis of the shape goes on from call to call ([`PartRule`](crate::PartRule)).
    pub fn in_parts(self) -> Self {
        self.flowing(Flow::Part)
    }

    /// Whether there comes a part of each sequence, along the first axis of the shape.
    pub fn is_in_parts(&self) -> bool {
        self.flow == Flow::Part
    }

    pub(crate) fn flowing(self, flow: Flow) -> Self {
        Spec { flow, ..self }
    }

    /// The same, with a mask over the first axis of the shape.
    pub fn masked(self) -> Self {
        Spec { is_masked: true, ..self }
    }

    /// Whether the value has a mask.
    pub fn is_masked(&self) -> bool {
        self.is_masked
    }

    /// What the elements are; `None` for an input of the network, for which the layers that take it decide.
    pub fn kind(&self) -> Option<ValueKind> {
        match self.kind {
            SpecKind::Known(kind) => Some(kind),
            SpecKind::Input(_) => None,
        }
    }
}
