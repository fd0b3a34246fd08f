//! Expressions: what a formula computes, as data.

use super::real::Real;
use super::symbol::{Recording, Symbol};
use crate::element::Float;

/// A formula as data: nodes, each computed of earlier ones, and the places of the results.
///
/// It is what code for another device can be generated from. [`Display`](std::fmt::Display) prints it as a formula, one
/// line for each result; a part that is used twice has a line of its own before them.
///
/// ```
/// use gradus_tensor::{Expression, Math, Real};
///
/// /// A weight's new value and its new velocity.
/// fn momentum<N: Real>(weight: N, gradient: N, velocity: N, rate: N) -> [N; 2] {
///     let velocity = N::of(0.9) * velocity - rate * gradient;
///     [weight + velocity, velocity]
/// }
///
/// let expression = Expression::of(["w", "g", "v"], ["rate"], |[w, g, v], [rate]| momentum(w, g, v, rate));
/// assert_eq!(expression.to_string(), "t1 = 0.9 * v - rate * g\nw + t1\nt1");
/// assert_eq!(expression.evaluate(&[1.0, 2.0, 0.0], &[0.5]), [0.0, -1.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    inputs: Vec<String>,
    parameters: Vec<String>,
    nodes: Vec<Node>,
    results: Vec<usize>,
}

/// A step of an [`Expression`]. Numbers of type `usize` are the places of earlier nodes, unless said otherwise.
///
/// ```
/// use gradus_tensor::{Expression, Node, Operation};
/// let square = Expression::of(["x"], [], |[x], []| [x * x]);
/// assert_eq!(square.nodes(), [Node::Input(0), Node::Combine(Operation::Multiply, 0, 0)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// A number.
    Constant(f64),
    /// The element of an input, by the number of the input.
    Input(usize),
    /// The value of a parameter, the same for all elements, by the number of the parameter.
    Parameter(usize),
    /// A function of a number.
    Apply(Function, usize),
    /// An operation on two numbers.
    Combine(Operation, usize, usize),
    /// A comparison of two numbers; its value is a truth.
    Compare(Comparison, usize, usize),
    /// Whether both of two truths hold.
    And(usize, usize),
    /// Whether one of two truths holds.
    Or(usize, usize),
    /// Whether a truth does not hold.
    Not(usize),
    /// The second where the first, a truth, holds; else the third.
    Select(usize, usize, usize),
}

impl Node {
    /// Whether two nodes are the same; 0 and -0 are not, NaN and NaN are.
    pub(super) fn is(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Constant(a), Node::Constant(b)) => a.to_bits() == b.to_bits(),
            _ => self == other,
        }
    }

    /// The nodes that it is computed of.
    pub fn operands(&self) -> impl Iterator<Item = usize> + use<> {
        let operands = match *self {
            Node::Constant(_) | Node::Input(_) | Node::Parameter(_) => [None; 3],
            Node::Apply(_, a) | Node::Not(a) => [Some(a), None, None],
            Node::Combine(_, a, b) | Node::Compare(_, a, b) | Node::And(a, b) | Node::Or(a, b) => {
                [Some(a), Some(b), None]
            }
            Node::Select(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        operands.into_iter().flatten()
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])+ $Function:ident $name:literal |$x:ident| $value:expr;)*) => {
        /// A function of one number in an [`Expression`].
        ///
        /// ```
        /// use gradus_tensor::Function;
        /// assert_eq!((Function::Exp.name(), Function::Exp.of(0.0)), ("exp", 1.0));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Function {
            $($(#[$doc])+ $Function),*
        }

        impl Function {
            /// The name, that of the method in [`Math`](crate::Math) where there is one: `"exp"`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Function::$Function => $name),*
                }
            }

            /// The function of `x`.
            pub fn of<N: Real>(self, x: N) -> N {
                match self {
                    $(Function::$Function => {
                        let $x = x;
                        $value
                    })*
                }
            }
        }
    };
}

functions! {
    /// -x
    Negate "-" |x| -x;
    /// |x|
    Abs "abs" |x| x.magnitude();
    /// e^x
    Exp "exp" |x| x.exp();
    /// e^x - 1, accurate near 0.
    Expm1 "expm1" |x| x.expm1();
    /// Natural logarithm.
    Ln "ln" |x| x.ln();
    /// ln(1 + x), accurate near 0.
    Ln1p "ln1p" |x| x.ln1p();
    /// Square root.
    Sqrt "sqrt" |x| x.sqrt();
    /// Sine of x in radians.
    Sin "sin" |x| x.sin();
    /// Cosine of x in radians.
    Cos "cos" |x| x.cos();
    /// Tangent of x in radians.
    Tan "tan" |x| x.tan();
    /// Hyperbolic tangent.
    Tanh "tanh" |x| x.tanh();
    /// 1 / (1 + e^-x)
    Sigmoid "sigmoid" |x| x.sigmoid();
    /// ln(1 + e^x), without overflow.
    Softplus "softplus" |x| x.softplus();
    /// x sigmoid(x), 0 at minus infinity.
    Silu "silu" |x| x.silu();
    /// The error function.
    Erf "erf" |x| x.erf();
    /// x/2 (1 + erf(x / sqrt 2)), 0 at minus infinity.
    Gelu "gelu" |x| x.gelu();
    /// The approximation of gelu by tanh.
    GeluTanh "gelu_tanh" |x| x.gelu_tanh();
    /// The largest integer not above x.
    Floor "floor" |x| x.floor();
    /// The smallest integer not below x.
    Ceil "ceil" |x| x.ceil();
    /// The integer part, towards zero.
    Trunc "trunc" |x| x.trunc();
    /// The nearest integer, halves to even.
    RoundEven "round_even" |x| x.round_even();
}

/// An operation on two numbers in an [`Expression`].
///
/// ```
/// use gradus_tensor::Operation;
/// assert_eq!(Operation::Power.of(2.0, 3.0), 8.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// a + b
    Add,
    /// a - b
    Subtract,
    /// a * b
    Multiply,
    /// a / b
    Divide,
    /// a^b, as [`Math::pow`](crate::Math::pow).
    Power,
}

impl Operation {
    /// The operation on `a` and `b`.
    pub fn of<N: Real>(self, a: N, b: N) -> N {
        match self {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
            Operation::Power => a.pow(b),
        }
    }
}

/// A comparison of two numbers in an [`Expression`]: as IEEE 754 has it, so that NaN is unequal to everything.
///
/// ```
/// use gradus_tensor::Comparison;
/// assert!(Comparison::Less.of(1.0_f32, 2.0));
/// assert!(!Comparison::Equal.of(f32::NAN, f32::NAN));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// a == b
    Equal,
    /// a != b
    NotEqual,
    /// a < b
    Less,
    /// a <= b
    LessEqual,
    /// a > b
    Greater,
    /// a >= b
    GreaterEqual,
}

impl Comparison {
    /// The comparison of `a` and `b`.
    pub fn of<N: Real>(self, a: N, b: N) -> N::Truth {
        match self {
            Comparison::Equal => a.equal(b),
            Comparison::NotEqual => a.not_equal(b),
            Comparison::Less => a.less(b),
            Comparison::LessEqual => a.less_equal(b),
            Comparison::Greater => a.greater(b),
            Comparison::GreaterEqual => a.greater_equal(b),
        }
    }
}

impl Expression {
    /// What `formula` computes of inputs and parameters with these names.
    ///
    /// # Panics
    /// If a name is given twice.
    #[track_caller]
    pub fn of<const I: usize, const P: usize, const R: usize>(
        inputs: [&str; I],
        parameters: [&str; P],
        formula: impl for<'a> FnOnce([Symbol<'a>; I], [Symbol<'a>; P]) -> [Symbol<'a>; R],
    ) -> Self {
        Expression::record(&inputs, &parameters, |inputs, parameters| {
            let inputs = inputs.try_into().expect("as many inputs as names");
            let parameters = parameters.try_into().expect("as many parameters as names");
            formula(inputs, parameters).to_vec()
        })
    }

    /// As [`of`](Expression::of), where the numbers of inputs, parameters and results are known only at run time.
    ///
    /// # Panics
    /// If a name is given twice.
    #[track_caller]
    pub fn record(
        inputs: &[&str],
        parameters: &[&str],
        formula: impl for<'a> FnOnce(&[Symbol<'a>], &[Symbol<'a>]) -> Vec<Symbol<'a>>,
    ) -> Self {
        let names: Vec<&str> = inputs.iter().chain(parameters).copied().collect();
        for (i, name) in names.iter().enumerate() {
            assert!(!names[..i].contains(name), "expression: two inputs or parameters are named {name}");
        }
        let recording = Recording::default();
        let results = {
            let of_inputs: Vec<Symbol<'_>> = (0..inputs.len()).map(|i| recording.symbol(Node::Input(i))).collect();
            let of_parameters: Vec<Symbol<'_>> =
                (0..parameters.len()).map(|i| recording.symbol(Node::Parameter(i))).collect();
            let results = formula(&of_inputs, &of_parameters);
            results.into_iter().map(|result| recording.place_of(result)).collect()
        };
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Expression { inputs: owned(inputs), parameters: owned(parameters), nodes: recording.into_nodes(), results }
    }

    /// The names of the inputs.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The names of the parameters.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The nodes, each after those that it is computed of.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The places of the nodes that are the results.
    pub fn results(&self) -> &[usize] {
        &self.results
    }

    /// The results for one element of each input and the value of each parameter.
    ///
    /// They are the same bits as the formula's own, but where it computes with constants alone: see [`Symbol`].
    ///
    /// # Panics
    /// If there are not as many inputs or parameters as have names.
    #[track_caller]
    pub fn evaluate<T: Float>(&self, inputs: &[T], parameters: &[T]) -> Vec<T> {
        assert_eq!(inputs.len(), self.inputs.len(), "expression: the inputs are {:?}", self.inputs);
        assert_eq!(parameters.len(), self.parameters.len(), "expression: the parameters are {:?}", self.parameters);
        // A node has a number or a truth; the other of the two is not read.
        let (mut numbers, mut truths) = (vec![T::ZERO; self.nodes.len()], vec![false; self.nodes.len()]);
        for (place, node) in self.nodes.iter().enumerate() {
            match *node {
                Node::Constant(value) => numbers[place] = T::of(value),
                Node::Input(i) => numbers[place] = inputs[i],
                Node::Parameter(i) => numbers[place] = parameters[i],
                Node::Apply(function, a) => numbers[place] = function.of(numbers[a]),
                Node::Combine(operation, a, b) => numbers[place] = operation.of(numbers[a], numbers[b]),
                Node::Compare(comparison, a, b) => truths[place] = comparison.of(numbers[a], numbers[b]),
                Node::And(a, b) => truths[place] = truths[a] & truths[b],
                Node::Or(a, b) => truths[place] = truths[a] | truths[b],
                Node::Not(a) => truths[place] = !truths[a],
                Node::Select(condition, a, b) => {
                    numbers[place] = if truths[condition] { numbers[a] } else { numbers[b] };
                }
            }
        }
        self.results.iter().map(|&place| numbers[place]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Math, Scalar};

    #[test]
    fn a_formula_computes_and_records() {
        fn soft_shrink<N: Real>(x: N, t: N) -> N {
            let shrunk = N::select(x.greater(N::ZERO), x - t, x + t);
            N::select(x.magnitude().less_equal(t), N::ZERO, shrunk)
        }
        let expression = Expression::of(["x"], ["t"], |[x], [t]| [soft_shrink(x, t)]);
        assert_eq!(expression.to_string(), "select(abs(x) <= t, 0, select(x > 0, x - t, x + t))");
        for x in [-2.0_f32, -0.5, 0.0, 0.25, 3.0] {
            assert_eq!(expression.evaluate(&[x], &[0.5]), [soft_shrink(x, 0.5)]);
        }
        assert!(expression.evaluate(&[f32::NAN], &[0.5])[0].is_nan());
    }

    #[test]
    fn parts_that_are_used_twice_stand_once() {
        let expression = Expression::of(["x"], [], |[x], []| {
            let e = (-x).exp();
            [e * e, Symbol::ONE / (e + Symbol::ONE)]
        });
        assert_eq!(expression.to_string(), "t1 = exp(-x)\nt1 * t1\n1 / (t1 + 1)");
        assert_eq!(expression.evaluate(&[0.0], &[]), [1.0, 0.5]);
    }

    #[test]
    fn brackets_stand_where_they_are_needed() {
        let text = |formula: for<'a> fn(Symbol<'a>, Symbol<'a>) -> Symbol<'a>| {
            Expression::of(["a", "b"], [], |[a, b], []| [formula(a, b)]).to_string()
        };
        assert_eq!(text(|a, b| a - (b - a)), "a - (b - a)");
        assert_eq!(text(|a, b| a - b - a), "a - b - a");
        assert_eq!(text(|a, b| (a + b) * a), "(a + b) * a");
        assert_eq!(text(|a, b| a / (b * a)), "a / (b * a)");
        assert_eq!(text(|a, b| -(a + b)), "-(a + b)");
        assert_eq!(text(|a, b| -a * b), "-a * b");
        assert_eq!(text(|a, b| a - -b), "a - -b");
        assert_eq!(text(|a, b| a * Symbol::of(-2.0) + b), "a * -2 + b");
        assert_eq!(text(|a, b| (-a).pow(a + b)), "pow(-a, a + b)");
        assert_eq!(
            text(|a, b| Symbol::select(a.less(b) & !(a.equal(b) | b.greater(a)), a, b)),
            "select(a < b & !(a == b | b > a), a, b)"
        );
    }

    #[test]
    fn constants_are_computed_at_once() {
        let expression = Expression::of(["x"], [], |[x], []| {
            let two = Symbol::select(Symbol::ONE.greater(Symbol::ZERO), Symbol::of(4.0).sqrt(), Symbol::ZERO);
            [x * (two + Symbol::ONE)]
        });
        assert_eq!(expression.to_string(), "x * 3");
    }

    #[test]
    fn zero_and_minus_zero_are_two_constants() {
        let expression = Expression::of([], [], |[], []| [Symbol::ZERO, Symbol::of(-0.0)]);
        let [zero, minus_zero] = expression.evaluate::<f64>(&[], &[])[..] else { panic!("two results") };
        assert!(zero.is_sign_positive() && minus_zero.is_sign_negative());
    }

    #[test]
    #[should_panic(expected = "two expressions")]
    fn symbols_of_two_expressions_do_not_mix() {
        Expression::of(["x"], [], |[x], []| {
            Expression::of(["y"], [], |[y], []| {
                let _ = x + y;
                [y]
            });
            [x]
        });
    }
}
