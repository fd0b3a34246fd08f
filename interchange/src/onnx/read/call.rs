//! One call of an operator: its attributes and inputs, and what they have in common to be checked.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor, broadcast_shapes};

use super::node::{Attribute, Constant, Node};
use super::program::{Inner, Inners};
use super::value::{Kind, Value, Whole};

/// What an operator gives, or what is wrong with its inputs.
pub(crate) type Outputs<T> = Result<Vec<Value<T>>, String>;

/// An operator called on values.
pub(crate) struct Call<'a, T: Float> {
    pub node: &'a Node,
    /// The version of the set of operators.
    pub opset: i64,
    pub inputs: &'a [Option<Value<T>>],
    /// Whether only the shapes of the outputs matter: large ones may be one element that stands for all.
    pub trial: bool,
    /// The graphs within the operator.
    pub inners: Inners<'a, T>,
}

/// Values of so many elements are computed in a trial, too: shapes are computed with them.
pub(crate) const SMALL: usize = 1 << 12;

/// The elements that a value may have: more would be a file that lies, or a network that fits no memory.
const MOST_ELEMENTS: usize = 1 << 30;

/// The shape, if a value may have it.
pub(crate) fn sized(shape: &Shape) -> Result<Shape, String> {
    let elements = shape.iter().try_fold(1_usize, |elements, &length| elements.checked_mul(length.max(1)));
    match elements {
        Some(elements) if elements <= MOST_ELEMENTS => Ok(shape.clone()),
        _ => Err(format!("a value of shape {shape} would have more than {MOST_ELEMENTS} elements")),
    }
}

/// The shape of these lengths, which a file gives as whole numbers.
pub(crate) fn shape_of(lengths: &[i64]) -> Result<Shape, String> {
    let shape = lengths.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Shape>>();
    sized(&shape.ok_or_else(|| format!("lengths must be 0 or more, found {lengths:?}"))?)
}

/// The place of an axis among so many, counted from -1, the last, too.
pub(crate) fn place(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(counted)
        .ok()
        .filter(|&place| place < rank)
        .ok_or_else(|| format!("there is no axis {axis} among {rank}"))
}

/// The shape that two broadcast to.
pub(crate) fn broadcast(a: &Shape, b: &Shape) -> Result<Shape, String> {
    sized(&broadcast_shapes(a, b).map_err(|error| error.to_string())?)
}

impl<'a, T: Float> Call<'a, T> {
    /// An input that must be there.
    pub fn value(&self, index: usize) -> Result<&'a Value<T>, String> {
        self.optional(index).ok_or_else(|| format!("input {index} is missing"))
    }

    /// An input that may be left out.
    pub fn optional(&self, index: usize) -> Option<&'a Value<T>> {
        self.inputs.get(index)?.as_ref()
    }

    pub fn floats(&self, index: usize) -> Result<&'a Var<T>, String> {
        match self.value(index)? {
            Value::Floats(x) => Ok(x),
            other => Err(format!("input {index} should be floats, found {}", other.kind().name())),
        }
    }

    pub fn optional_floats(&self, index: usize) -> Result<Option<&'a Var<T>>, String> {
        self.optional(index).map(|_| self.floats(index)).transpose()
    }

    pub fn ints(&self, index: usize) -> Result<&'a Tensor<i64>, String> {
        match self.value(index)? {
            Value::Ints(x, _) => Ok(x),
            other => Err(format!("input {index} should be whole numbers, found {}", other.kind().name())),
        }
    }

    pub fn mask(&self, index: usize) -> Result<&'a Tensor<bool>, String> {
        match self.value(index)? {
            Value::Mask(x) => Ok(x),
            other => Err(format!("input {index} should be a mask, found {}", other.kind().name())),
        }
    }

    /// An input as a list of numbers.
    pub fn list(&self, index: usize) -> Result<Vec<i64>, String> {
        let numbers = self.ints(index)?;
        if numbers.ndim() > 1 {
            return Err(format!("input {index} should be a list, found the shape {}", numbers.shape()));
        }
        Ok(numbers.to_vec())
    }

    pub fn optional_list(&self, index: usize) -> Result<Option<Vec<i64>>, String> {
        self.optional(index).map(|_| self.list(index)).transpose()
    }

    /// An input as one whole number.
    pub fn number(&self, index: usize) -> Result<i64, String> {
        let numbers = self.ints(index)?;
        if numbers.size() != 1 {
            return Err(format!("input {index} should be one number, found the shape {}", numbers.shape()));
        }
        Ok(numbers.reshape(Shape::from([])).item())
    }

    /// In a trial, one element that stands for all of a large value of floats.
    pub fn outline(&self, shape: &Shape) -> Option<Value<T>> {
        (self.trial && shape.size() > SMALL).then(|| Value::zeros(Kind::Floats, shape))
    }

    /// The same for a value that is made of this one by moving elements.
    pub fn outline_of(&self, x: &Value<T>, shape: &Shape) -> Option<Value<T>> {
        if x.kind() == Kind::Floats { self.outline(shape) } else { None }
    }

    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attributes.get(name)
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Int(number)) => Ok(*number),
            Some(other) => Err(wrong_kind(name, "a whole number", other)),
        }
    }

    /// A switch, which is a whole number in the file.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.int(name, i64::from(default))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("{name} should be 0 or 1, found {other}")),
        }
    }

    pub fn float(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Float(number)) => Ok(number.0),
            Some(other) => Err(wrong_kind(name, "a float", other)),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub fn text(&self, name: &str, default: &'a str) -> Result<&'a str, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Text(text)) => Ok(text),
            Some(other) => Err(wrong_kind(name, "a text", other)),
        }
    }

    pub fn numbers(&self, name: &str) -> Result<Option<&'a [i64]>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(numbers)) => Ok(Some(numbers)),
            Some(other) => Err(wrong_kind(name, "a list of whole numbers", other)),
        }
    }

    pub fn floats_list(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(numbers)) => Ok(Some(numbers.iter().map(|number| number.0).collect())),
            Some(other) => Err(wrong_kind(name, "a list of floats", other)),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Option<&'a [String]>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Texts(texts)) => Ok(Some(texts)),
            Some(other) => Err(wrong_kind(name, "a list of texts", other)),
        }
    }

    pub fn tensor(&self, name: &str) -> Result<Option<&'a Constant>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Tensor(tensor)) => Ok(Some(tensor)),
            Some(other) => Err(wrong_kind(name, "a tensor", other)),
        }
    }

    /// A graph within the operator, to be computed.
    pub fn graph(&self, name: &str) -> Result<Inner<'a, T>, String> {
        let graphs = self.node.attributes.iter().filter(|(_, value)| matches!(value, Attribute::Graph(_)));
        let mut graphs = graphs.enumerate().filter(|(_, (other, _))| *other == name);
        match graphs.next() {
            Some((index, (_, Attribute::Graph(body)))) => Ok(self.inners.inner(index, body)),
            _ => Err(format!("the graph {name} is missing")),
        }
    }

    /// Whether anybody takes this output.
    pub fn wants(&self, output: usize) -> bool {
        self.node.outputs.get(output).is_some_and(|name| !name.is_empty())
    }

    /// A list that has been an attribute and became an input: whichever is there.
    pub fn attribute_or_input(&self, name: &str, input: usize) -> Result<Option<Vec<i64>>, String> {
        match self.numbers(name)? {
            Some(numbers) => Ok(Some(numbers.to_vec())),
            None => self.optional_list(input),
        }
    }

    /// The axes of a value of so many, each once; `None` if they are not given.
    pub fn places(&self, axes: Option<Vec<i64>>, rank: usize) -> Result<Option<Vec<usize>>, String> {
        let Some(axes) = axes else { return Ok(None) };
        let mut places = Vec::with_capacity(axes.len());
        for axis in axes {
            let place = place(axis, rank)?;
            if places.contains(&place) {
                return Err(format!("axis {axis} is named twice"));
            }
            places.push(place);
        }
        Ok(Some(places))
    }
}

fn wrong_kind(name: &str, expected: &str, found: &Attribute) -> String {
    format!("the attribute {name} should be {expected}, found {}", found.kind())
}

/// One value of floats.
pub(crate) fn floats<T: Float>(x: Var<T>) -> Outputs<T> {
    Ok(vec![Value::Floats(x)])
}

/// One value of whole numbers, brought into the limits of their type.
pub(crate) fn ints<T: Float>(x: &Tensor<i64>, whole: Whole) -> Outputs<T> {
    Ok(vec![whole.of(x)])
}

/// One mask.
pub(crate) fn mask<T: Float>(x: Tensor<bool>) -> Outputs<T> {
    Ok(vec![Value::Mask(x)])
}
