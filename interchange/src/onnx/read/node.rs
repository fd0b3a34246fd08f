//! Nodes of a program as plain data, as they are written to JSON.

use std::collections::BTreeMap;
use std::fmt;

use gradus_autograd::Var;
use gradus_tensor::{AnyTensor, Float, Shape, Tensor};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::{Kind, Value, Whole};

/// An operator, what feeds it, and the names of what it gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub op: String,
    /// The names of the values; `""` for one that is not given.
    pub inputs: Vec<String>,
    /// The names of the outputs; `""` for one that nobody takes.
    pub outputs: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// The version of the set of operators, where it is not that of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opset: Option<i64>,
}

/// A graph within an operator. No other value of the program has the name of one of its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    pub inputs: Vec<String>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<String>,
}

impl Node {
    /// The graphs within the operator, in the order of its attributes.
    pub fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.attributes.values().filter_map(|attribute| match attribute {
            Attribute::Graph(body) => Some(body),
            _ => None,
        })
    }

    /// Calls `each` on these nodes, and those of the graphs within them.
    pub fn each<'a>(nodes: &'a [Node], each: &mut impl FnMut(&'a Node)) {
        for node in nodes {
            each(node);
            node.bodies().for_each(|body| Node::each(&body.nodes, each));
        }
    }

    /// What messages call it: `Conv "/layer1/conv"`.
    pub fn title(&self) -> String {
        let name = if self.name.is_empty() { self.outputs.first() } else { Some(&self.name) };
        format!("{} {:?}", self.op, name.map_or("", String::as_str))
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attribute {
    Int(i64),
    Float(Number),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<Number>),
    Texts(Vec<String>),
    Tensor(Constant),
    Graph(Body),
}

impl Attribute {
    pub fn kind(&self) -> &'static str {
        match self {
            Attribute::Int(_) => "a whole number",
            Attribute::Float(_) => "a float",
            Attribute::Text(_) => "a text",
            Attribute::Ints(_) => "a list of whole numbers",
            Attribute::Floats(_) => "a list of floats",
            Attribute::Texts(_) => "a list of texts",
            Attribute::Tensor(_) => "a tensor",
            Attribute::Graph(_) => "a graph",
        }
    }
}

/// A tensor whose elements are in the data of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Constant {
    pub shape: Vec<usize>,
    #[serde(flatten)]
    pub elements: Elements,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Elements {
    Floats(Vec<Number>),
    Int8(Vec<i64>),
    Int16(Vec<i64>),
    Int32(Vec<i64>),
    Int64(Vec<i64>),
    Uint8(Vec<i64>),
    Uint16(Vec<i64>),
    Uint32(Vec<i64>),
    Uint64(Vec<i64>),
    Bools(Vec<bool>),
}

/// A float that may be infinite or NaN, which JSON has no numbers for: `"inf"`, `"-inf"`, `"nan"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("nan"),
            number => serializer.serialize_str(if number > 0.0 { "inf" } else { "-inf" }),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfNumber;
        impl Visitor<'_> for OfNumber {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"inf\", \"-inf\" or \"nan\"")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    "nan" => Ok(Number(f64::NAN)),
                    _ => Err(E::custom(format!("{text:?} is no number"))),
                }
            }
        }
        deserializer.deserialize_any(OfNumber)
    }
}

impl Constant {
    /// A tensor of this kind as data.
    pub fn of(tensor: &AnyTensor, kind: Kind) -> Self {
        let elements = match kind {
            Kind::Floats => Elements::Floats(tensor.to::<f64>().iter().map(Number).collect()),
            Kind::Mask => Elements::Bools(tensor.to::<bool>().to_vec()),
            Kind::Ints(whole) => {
                let numbers = tensor.to::<i64>().to_vec();
                match whole {
                    Whole::I8 => Elements::Int8(numbers),
                    Whole::I16 => Elements::Int16(numbers),
                    Whole::I32 => Elements::Int32(numbers),
                    Whole::I64 => Elements::Int64(numbers),
                    Whole::U8 => Elements::Uint8(numbers),
                    Whole::U16 => Elements::Uint16(numbers),
                    Whole::U32 => Elements::Uint32(numbers),
                    Whole::U64 => Elements::Uint64(numbers),
                }
            }
        };
        Constant { shape: tensor.shape().to_vec(), elements }
    }

    /// Whether there is an element for each place of the shape, within the limits of its type.
    pub fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        let places = self.shape.iter().try_fold(1_usize, |places, &length| places.checked_mul(length));
        let count = match &self.elements {
            Elements::Floats(numbers) => numbers.len(),
            Elements::Bools(bools) => bools.len(),
            other => {
                let (numbers, whole) = other.numbers().ok_or_else(|| E::custom("unknown elements"))?;
                let (low, high) = whole.limits();
                if let Some(number) = numbers.iter().find(|number| **number < low || **number > high) {
                    return Err(E::custom(format!("{number} is beyond the limits of its type")));
                }
                numbers.len()
            }
        };
        if places == Some(count) {
            return Ok(());
        }
        Err(E::custom(format!("a constant of shape {:?} has {count} elements", self.shape)))
    }

    /// The constant as a value.
    pub fn value<T: Float>(&self) -> Value<T> {
        let shape = Shape::from(&self.shape[..]);
        match &self.elements {
            Elements::Floats(numbers) => {
                let floats: Tensor<T> = numbers.iter().map(|number| T::of(number.0)).collect();
                Value::Floats(Var::from(floats.reshape(shape)))
            }
            Elements::Bools(bools) => Value::Mask(bools.iter().copied().collect::<Tensor<bool>>().reshape(shape)),
            other => {
                let (numbers, whole) = other.numbers().expect("what is left is whole numbers");
                Value::Ints(numbers.iter().copied().collect::<Tensor<i64>>().reshape(shape), whole)
            }
        }
    }
}

impl Elements {
    fn numbers(&self) -> Option<(&[i64], Whole)> {
        Some(match self {
            Elements::Int8(numbers) => (numbers, Whole::I8),
            Elements::Int16(numbers) => (numbers, Whole::I16),
            Elements::Int32(numbers) => (numbers, Whole::I32),
            Elements::Int64(numbers) => (numbers, Whole::I64),
            Elements::Uint8(numbers) => (numbers, Whole::U8),
            Elements::Uint16(numbers) => (numbers, Whole::U16),
            Elements::Uint32(numbers) => (numbers, Whole::U32),
            Elements::Uint64(numbers) => (numbers, Whole::U64),
            Elements::Floats(_) | Elements::Bools(_) => return None,
        })
    }
}
