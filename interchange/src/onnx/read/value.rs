//! The values that flow from operator to operator: floats, whole numbers and masks.

use gradus_autograd::Var;
use gradus_tensor::{AnyTensor, Element, Float, Shape, Tensor};

use super::super::proto::element;

/// A value of a running program.
#[derive(Clone, Debug)]
pub(crate) enum Value<T: Float> {
    /// Floats of any width, in the float type that the program computes in.
    Floats(Var<T>),
    /// Whole numbers, exact, and the type whose limits they keep.
    Ints(Tensor<i64>, Whole),
    Mask(Tensor<bool>),
}

/// A type of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    /// Held as i64, so below 2^63.
    U64,
}

/// What the elements of a value are in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Floats,
    Ints(Whole),
    Mask,
}

impl Whole {
    /// The number brought into the type's range, as Rust's `as` does.
    pub fn wrap(self, number: i64) -> i64 {
        match self {
            Whole::I8 => i64::from(number as i8),
            Whole::I16 => i64::from(number as i16),
            Whole::I32 => i64::from(number as i32),
            Whole::U8 => i64::from(number as u8),
            Whole::U16 => i64::from(number as u16),
            Whole::U32 => i64::from(number as u32),
            Whole::I64 | Whole::U64 => number,
        }
    }

    /// The smallest and the largest number.
    pub fn limits(self) -> (i64, i64) {
        match self {
            Whole::I8 => (i8::MIN.into(), i8::MAX.into()),
            Whole::I16 => (i16::MIN.into(), i16::MAX.into()),
            Whole::I32 => (i32::MIN.into(), i32::MAX.into()),
            Whole::I64 => (i64::MIN, i64::MAX),
            Whole::U8 => (0, u8::MAX.into()),
            Whole::U16 => (0, u16::MAX.into()),
            Whole::U32 => (0, u32::MAX.into()),
            Whole::U64 => (0, i64::MAX),
        }
    }

    /// The bits of the type.
    pub fn bits(self) -> u32 {
        match self {
            Whole::I8 | Whole::U8 => 8,
            Whole::I16 | Whole::U16 => 16,
            Whole::I32 | Whole::U32 => 32,
            Whole::I64 | Whole::U64 => 64,
        }
    }

    /// The numbers as values of this type.
    pub fn of<T: Float>(self, numbers: &Tensor<i64>) -> Value<T> {
        let wrapped = if self.bits() == 64 { numbers.clone() } else { numbers.map(|number| self.wrap(number)) };
        Value::Ints(wrapped, self)
    }
}

impl Kind {
    /// What the number of an element type in a file stands for.
    pub fn of_element(number: i32) -> Option<Kind> {
        Some(match number {
            element::FLOAT | element::DOUBLE | element::FLOAT16 | element::BFLOAT16 => Kind::Floats,
            element::INT8 => Kind::Ints(Whole::I8),
            element::INT16 => Kind::Ints(Whole::I16),
            element::INT32 => Kind::Ints(Whole::I32),
            element::INT64 => Kind::Ints(Whole::I64),
            element::UINT8 => Kind::Ints(Whole::U8),
            element::UINT16 => Kind::Ints(Whole::U16),
            element::UINT32 => Kind::Ints(Whole::U32),
            element::UINT64 => Kind::Ints(Whole::U64),
            element::BOOL => Kind::Mask,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Floats => "floats",
            Kind::Ints(_) => "whole numbers",
            Kind::Mask => "a mask",
        }
    }
}

/// The name of the number of an element type, for messages.
pub(crate) fn element_name(number: i32) -> String {
    const NAMES: [&str; 27] = [
        "no type",
        "float32",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "float64",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
        "float8e8m0",
        "uint2",
        "int2",
    ];
    let name = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
    name.map_or_else(|| format!("the unknown type {number}"), |name| (*name).to_owned())
}

/// The same operation on the elements of a value, whatever they are.
macro_rules! each {
    ($value:expr, $x:ident => $result:expr) => {
        match $value {
            Value::Floats($x) => Value::Floats($result),
            Value::Ints($x, whole) => Value::Ints($result, *whole),
            Value::Mask($x) => Value::Mask($result),
        }
    };
}
pub(crate) use each;

impl<T: Float> Value<T> {
    pub fn shape(&self) -> &Shape {
        match self {
            Value::Floats(x) => x.shape(),
            Value::Ints(x, _) => x.shape(),
            Value::Mask(x) => x.shape(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Value::Floats(_) => Kind::Floats,
            Value::Ints(_, whole) => Kind::Ints(*whole),
            Value::Mask(_) => Kind::Mask,
        }
    }

    /// Whole numbers of type int64.
    pub fn longs(numbers: Tensor<i64>) -> Self {
        Value::Ints(numbers, Whole::I64)
    }

    /// One value of this kind that stands for all of a shape.
    pub fn zeros(kind: Kind, shape: &Shape) -> Self {
        match kind {
            Kind::Floats => Value::Floats(Var::from(Tensor::scalar(T::ZERO).broadcast_to(shape))),
            Kind::Ints(whole) => Value::Ints(Tensor::scalar(0).broadcast_to(shape), whole),
            Kind::Mask => Value::Mask(Tensor::scalar(false).broadcast_to(shape)),
        }
    }

    /// A tensor as a value of this kind; `None` if a number is beyond the kind's limits, or floats are given for others.
    pub fn from_tensor(tensor: &AnyTensor, kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Floats => Value::Floats(Var::from(tensor.to::<T>())),
            Kind::Ints(whole) => {
                let numbers = if tensor.is_float() { return None } else { tensor.to::<i64>() };
                let (low, high) = whole.limits();
                if numbers.iter().any(|number| number < low || number > high) {
                    return None;
                }
                Value::Ints(numbers, whole)
            }
            Kind::Mask => Value::Mask(tensor.get::<bool>()?.clone()),
        })
    }

    /// The value as a tensor: floats of the program's type, whole numbers of the smallest type here that holds theirs.
    pub fn into_tensor(self) -> AnyTensor {
        fn narrow<U: Element>(x: &Tensor<i64>) -> AnyTensor {
            x.to::<U>().into()
        }
        match self {
            Value::Floats(x) => x.into_value().contiguous().into(),
            Value::Mask(x) => x.contiguous().into(),
            Value::Ints(x, whole) => match whole {
                Whole::I8 => narrow::<i8>(&x),
                Whole::I16 => narrow::<i16>(&x),
                Whole::I32 | Whole::U16 => narrow::<i32>(&x),
                Whole::U8 => narrow::<u8>(&x),
                Whole::I64 | Whole::U32 | Whole::U64 => x.contiguous().into(),
            },
        }
    }

    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        each!(self, x => x.reshape(&shape))
    }

    pub fn permute(&self, order: &[isize]) -> Self {
        each!(self, x => x.permute(order))
    }

    pub fn broadcast_to(&self, shape: &Shape) -> Self {
        each!(self, x => x.broadcast_to(shape))
    }

    /// The entries of an axis at these places, all within range.
    pub fn take(&self, axis: usize, places: &Tensor<i64>) -> Self {
        each!(self, x => x.index_select(axis as isize, places))
    }

    /// The elements at one place of an axis, which is removed.
    pub fn select(&self, axis: usize, place: usize) -> Self {
        each!(self, x => x.select(axis as isize, place as isize))
    }

    /// A range of an axis, every `step`-th element of it, from the last on if the step is negative.
    pub fn slice(&self, axis: usize, start: usize, end: usize, step: isize) -> Self {
        each!(self, x => x.slice(axis as isize, gradus_tensor::step(start..end, step)))
    }
}

/// The shape of values of one kind that are joined along an axis.
pub(crate) fn joined<T: Float>(values: &[&Value<T>], axis: usize) -> Result<Shape, String> {
    let first = values.first().ok_or("joins one value or more, found none")?;
    for value in values {
        let mut axes = value.shape().iter().zip(first.shape().iter()).enumerate();
        let fits = value.shape().len() == first.shape().len() && axes.all(|(place, (a, b))| place == axis || a == b);
        if !fits || axis >= first.shape().len() {
            let shapes: Vec<String> = values.iter().map(|value| value.shape().to_string()).collect();
            return Err(format!("values of the shapes {} cannot be joined along axis {axis}", shapes.join(", ")));
        }
        if value.kind() != first.kind() {
            return Err("values of different types cannot be joined".to_owned());
        }
    }
    let length = values.iter().try_fold(0_usize, |sum, value| sum.checked_add(value.shape()[axis]));
    let mut shape = first.shape().clone();
    shape[axis] = length.ok_or("the joined axis is too long")?;
    super::call::sized(&shape)
}

/// Values of one kind joined along an axis.
pub(crate) fn concat<T: Float>(values: &[&Value<T>], axis: usize) -> Result<Value<T>, String> {
    joined(values, axis)?;
    let first = values[0];
    let axis = axis as isize;
    Ok(match first {
        Value::Floats(_) => Value::Floats(Var::concat(
            &all(values, |value| match value {
                Value::Floats(x) => Some(x.clone()),
                _ => None,
            }),
            axis,
        )),
        Value::Ints(_, whole) => Value::Ints(
            Tensor::concat(
                &all(values, |value| match value {
                    Value::Ints(x, _) => Some(x.clone()),
                    _ => None,
                }),
                axis,
            ),
            *whole,
        ),
        Value::Mask(_) => Value::Mask(Tensor::concat(
            &all(values, |value| match value {
                Value::Mask(x) => Some(x.clone()),
                _ => None,
            }),
            axis,
        )),
    })
}

fn all<T: Float, X>(values: &[&Value<T>], of: impl Fn(&Value<T>) -> Option<X>) -> Vec<X> {
    values.iter().filter_map(|value| of(value)).collect()
}
