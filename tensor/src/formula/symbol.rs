//! Symbols: values that record what is computed with them.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use super::expression::{Comparison, Function, Node, Operation};
use super::real::{Arithmetic, Real, Scalar, sealed};
use crate::kernels::math::Math;

/// The nodes of the expression that is being recorded.
///
/// Every symbol but a constant refers to it, so nothing is global and several expressions can be recorded at a time.
#[derive(Default)]
pub(super) struct Recording {
    nodes: RefCell<Vec<Node>>,
}

impl Recording {
    /// The place of a node; equal nodes share one.
    pub(super) fn place(&self, node: Node) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.iter().position(|known| known.is(&node)).unwrap_or_else(|| {
            nodes.push(node);
            nodes.len() - 1
        })
    }

    pub(super) fn symbol(&self, node: Node) -> Symbol<'_> {
        Symbol(Kind::Recorded(self, self.place(node)))
    }

    /// The place of a symbol, whose constants get a node each.
    pub(super) fn place_of(&self, symbol: Symbol<'_>) -> usize {
        match symbol.0 {
            Kind::Known(value) => self.place(Node::Constant(value)),
            Kind::Recorded(_, place) => place,
        }
    }

    /// The place of a condition; one that is known compares two constants.
    fn place_of_condition(&self, condition: Condition<'_>) -> usize {
        match condition.0 {
            Kind::Known(holds) => {
                let [zero, one] = [0.0, 1.0].map(|value| self.place(Node::Constant(value)));
                self.place(Node::Compare(Comparison::Equal, zero, if holds { zero } else { one }))
            }
            Kind::Recorded(_, place) => place,
        }
    }

    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.nodes.into_inner()
    }
}

#[derive(Clone, Copy)]
enum Kind<'a, T> {
    Known(T),
    Recorded(&'a Recording, usize),
}

/// A number of a formula that is recorded instead of computed: an input, a parameter, a constant, or what was made of
/// them. [`Expression::of`](crate::Expression::of) hands them to a formula.
///
/// What is computed of constants alone is computed at once, in f64. An expression evaluated in f32 then rounds once
/// where the formula in f32 rounds at each step: write such a constant as one number where the last bit matters.
///
/// ```
/// use gradus_tensor::{Expression, Real, Scalar};
/// // Symbols are numbers of a formula like f32 and f64.
/// fn clipped<N: Real>(x: N, limit: N) -> N {
///     x.maximum(-limit).minimum(limit)
/// }
/// let expression = Expression::of(["x"], ["limit"], |[x], [limit]| [clipped(x, limit)]);
/// assert_eq!(expression.evaluate(&[-7.0], &[2.0]), [clipped(-7.0, 2.0)]);
/// ```
///
/// # Panics
/// If symbols of two expressions meet.
#[derive(Clone, Copy)]
pub struct Symbol<'a>(Kind<'a, f64>);

/// The result of a comparison of symbols.
///
/// ```
/// use gradus_tensor::{Expression, Real, Scalar};
/// /// 1 between 0 and 1, else 0.
/// fn bump<N: Real>(x: N) -> N {
///     N::select(x.greater(N::ZERO) & x.less(N::ONE), N::ONE, N::ZERO)
/// }
/// let expression = Expression::of(["x"], [], |[x], []| [bump(x)]);
/// assert_eq!((expression.evaluate(&[0.5], &[]), expression.evaluate(&[2.0], &[])), (vec![1.0], vec![0.0]));
/// ```
#[derive(Clone, Copy)]
pub struct Condition<'a>(Kind<'a, bool>);

/// The recording that two things share, if one of them is not known.
fn shared<'a, A, B>(a: Kind<'a, A>, b: Kind<'a, B>) -> Option<&'a Recording> {
    match (a, b) {
        (Kind::Recorded(a, _), Kind::Recorded(b, _)) => {
            assert!(std::ptr::eq(a, b), "a formula used symbols of two expressions");
            Some(a)
        }
        (Kind::Recorded(recording, _), _) | (_, Kind::Recorded(recording, _)) => Some(recording),
        _ => None,
    }
}

impl<'a> Symbol<'a> {
    fn apply(self, function: Function) -> Self {
        match self.0 {
            Kind::Known(x) => Symbol(Kind::Known(function.of(x))),
            Kind::Recorded(recording, x) => recording.symbol(Node::Apply(function, x)),
        }
    }

    fn combine(self, operation: Operation, other: Self) -> Self {
        match (shared(self.0, other.0), self.0, other.0) {
            (None, Kind::Known(a), Kind::Known(b)) => Symbol(Kind::Known(operation.of(a, b))),
            (recording, ..) => {
                let recording = recording.expect("one of the two is recorded");
                let (a, b) = (recording.place_of(self), recording.place_of(other));
                recording.symbol(Node::Combine(operation, a, b))
            }
        }
    }

    fn compare(self, comparison: Comparison, other: Self) -> Condition<'a> {
        match (shared(self.0, other.0), self.0, other.0) {
            (None, Kind::Known(a), Kind::Known(b)) => Condition(Kind::Known(comparison.of(a, b))),
            (recording, ..) => {
                let recording = recording.expect("one of the two is recorded");
                let (a, b) = (recording.place_of(self), recording.place_of(other));
                Condition(Kind::Recorded(recording, recording.place(Node::Compare(comparison, a, b))))
            }
        }
    }
}

impl sealed::Sealed for Symbol<'_> {}

impl<'a> Scalar for Symbol<'a> {
    const ZERO: Self = Symbol(Kind::Known(0.0));
    const ONE: Self = Symbol(Kind::Known(1.0));
    type Truth = Condition<'a>;

    fn select(condition: Condition<'a>, a: Self, b: Self) -> Self {
        match condition.0 {
            Kind::Known(holds) => [b, a][usize::from(holds)],
            Kind::Recorded(recording, condition) => {
                shared(Kind::Recorded::<()>(recording, condition), a.0);
                shared(Kind::Recorded::<()>(recording, condition), b.0);
                let (a, b) = (recording.place_of(a), recording.place_of(b));
                recording.symbol(Node::Select(condition, a, b))
            }
        }
    }

    fn equal(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::Equal, other)
    }
    fn not_equal(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::NotEqual, other)
    }
    fn less(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::Less, other)
    }
    fn less_equal(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::LessEqual, other)
    }
    fn greater(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::Greater, other)
    }
    fn greater_equal(self, other: Self) -> Condition<'a> {
        self.compare(Comparison::GreaterEqual, other)
    }
}

impl Arithmetic for Symbol<'_> {
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn minus(self, other: Self) -> Self {
        self - other
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn magnitude(self) -> Self {
        self.apply(Function::Abs)
    }
}

impl Real for Symbol<'_> {
    fn of(value: f64) -> Self {
        Symbol(Kind::Known(value))
    }
}

macro_rules! elementary {
    ($($name:ident: $Function:ident),*) => {
        impl Math for Symbol<'_> {
            $(
                fn $name(self) -> Self {
                    self.apply(Function::$Function)
                }
            )*
            fn pow(self, y: Self) -> Self {
                self.combine(Operation::Power, y)
            }
        }
    };
}

elementary! {
    exp: Exp, expm1: Expm1, ln: Ln, ln1p: Ln1p, sqrt: Sqrt, sin: Sin, cos: Cos, tan: Tan, tanh: Tanh, sigmoid: Sigmoid,
    softplus: Softplus, silu: Silu, erf: Erf, gelu: Gelu, gelu_tanh: GeluTanh, floor: Floor, ceil: Ceil, trunc: Trunc,
    round_even: RoundEven
}

macro_rules! operator {
    ($($Trait:ident $method:ident $Operation:ident;)*) => {$(
        impl $Trait for Symbol<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.combine(Operation::$Operation, other)
            }
        }
    )*};
}

operator! {
    Add add Add;
    Sub sub Subtract;
    Mul mul Multiply;
    Div div Divide;
}

impl Neg for Symbol<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.apply(Function::Negate)
    }
}

impl Condition<'_> {
    fn join(self, other: Self, node: fn(usize, usize) -> Node, of: fn(bool, bool) -> bool) -> Self {
        match (shared(self.0, other.0), self.0, other.0) {
            (None, Kind::Known(a), Kind::Known(b)) => Condition(Kind::Known(of(a, b))),
            (recording, ..) => {
                let recording = recording.expect("one of the two is recorded");
                let (a, b) = (recording.place_of_condition(self), recording.place_of_condition(other));
                Condition(Kind::Recorded(recording, recording.place(node(a, b))))
            }
        }
    }
}

impl BitAnd for Condition<'_> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.join(other, Node::And, |a, b| a & b)
    }
}

impl BitOr for Condition<'_> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.join(other, Node::Or, |a, b| a | b)
    }
}

impl Not for Condition<'_> {
    type Output = Self;
    fn not(self) -> Self {
        match self.0 {
            Kind::Known(holds) => Condition(Kind::Known(!holds)),
            Kind::Recorded(recording, a) => Condition(Kind::Recorded(recording, recording.place(Node::Not(a)))),
        }
    }
}

impl fmt::Debug for Symbol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Known(value) => write!(f, "Symbol({value})"),
            Kind::Recorded(_, place) => write!(f, "Symbol(node {place})"),
        }
    }
}
