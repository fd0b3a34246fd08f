//! Whether a function computes what is known of it, and whether its expressions say what is compiled.

use super::{Pointwise, Saved};
use crate::element::Float;
use crate::formula::Expression;
use crate::random::Generator;
use crate::tensor::Tensor;

/// Numbers at which functions go wrong: zeros, ends of ranges, infinities, NaN.
const AWKWARD: [f64; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    3.0,
    -3.0,
    6.0,
    1e-9,
    -1e-9,
    1e-40,
    -1e-40,
    17.0,
    -17.0,
    88.5,
    -104.0,
    1e30,
    -1e30,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

impl Pointwise {
    /// Holds both expressions against what is compiled, in f32 and in f64, over random and awkward numbers: the results
    /// must be the same bits, but for the bits of NaN.
    ///
    /// A row whose formula computes with constants alone may differ in the last bit; see [`Symbol`](crate::Symbol).
    ///
    /// # Panics
    /// If they differ; the message names the numbers.
    #[track_caller]
    pub fn check_expressions(&'static self) {
        check::<f32>(self);
        check::<f64>(self);
    }

    /// Holds the function against known values, in f64 and in f32.
    ///
    /// They stand in a text with lines `name parameter=number ..: input .. -> value; input .. -> value`, which may have
    /// lines of other functions and comments behind `#`. A found value may be 4 units in the last place away from the known
    /// one (ULP), or as many as the line says by `ulp=number` among the parameters; with `of=number` these are units of
    /// that number, for functions whose formula cancels. NaN is known as `NaN`, an infinity as `inf`.
    ///
    /// ```
    /// use gradus_tensor::functions;
    /// functions::LEAKY_RELU.check_values("leaky_relu slope=0.25: 3 -> 3; -2 -> -0.5; -inf -> -inf; -0 -> -0; NaN -> NaN; 1e30 -> 1e30");
    /// ```
    ///
    /// # Panics
    /// If a value differs, or if the function has no line or fewer than six values.
    #[track_caller]
    pub fn check_values(&'static self, text: &str) {
        let own = |line: &&str| line.split([' ', ':']).next() == Some(self.name);
        let lines: Vec<Known> = text.lines().filter(own).map(|line| Known::read(self, line)).collect();
        let count: usize = lines.iter().map(|line| line.points.len()).sum();
        assert!(count >= 6, "{}: 6 known values or more are needed, found {count}", self.name);
        for line in lines {
            line.check::<f64>(self, f64::EPSILON, f64::from_bits(1));
            line.check::<f32>(self, f32::EPSILON.into(), f32::from_bits(1).into());
        }
    }
}

/// A line of known values.
struct Known {
    parameters: Vec<f64>,
    ulp: f64,
    of: f64,
    /// Inputs, and the value.
    points: Vec<(Vec<f64>, f64)>,
}

impl Known {
    #[track_caller]
    fn read(function: &Pointwise, line: &str) -> Self {
        let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("{text:?} is no number: {line}"));
        let (head, points) = line.split_once(": ").unwrap_or_else(|| panic!("a colon is missing: {line}"));
        let option = |name: &str| {
            let mut options = head.split(' ').filter_map(|option| option.split_once('='));
            options.find(|(option, _)| *option == name).map(|(_, value)| number(value))
        };
        let parameter = |name: &&str| option(name).unwrap_or_else(|| panic!("the parameter {name} is missing: {line}"));
        let point = |point: &str| {
            let (inputs, value) =
                point.split_once("->").unwrap_or_else(|| panic!("-> is missing: {point:?} in {line}"));
            let inputs: Vec<f64> = inputs.split_whitespace().map(number).collect();
            assert_eq!(inputs.len(), function.inputs.len(), "the inputs are {:?}: {line}", function.inputs);
            (inputs, number(value.trim()))
        };
        Known {
            parameters: function.parameters.iter().map(parameter).collect(),
            ulp: option("ulp").unwrap_or(4.0),
            of: option("of").unwrap_or(0.0),
            points: points.split(';').map(point).collect(),
        }
    }

    /// `epsilon` is a unit in the last place of 1, `smallest` the smallest number above 0.
    #[track_caller]
    fn check<T: Float>(&self, function: &'static Pointwise, epsilon: f64, smallest: f64) {
        let parameters: Vec<T> = self.parameters.iter().copied().map(T::of).collect();
        let column = |i: usize| self.points.iter().map(|(inputs, _)| T::of(inputs[i])).collect::<Tensor<T>>();
        let inputs: Vec<Tensor<T>> = (0..function.inputs.len()).map(column).collect();
        let found = function.of(&inputs.iter().collect::<Vec<_>>(), &parameters);
        for ((inputs, known), found) in self.points.iter().zip(found.iter()) {
            let expected = T::of(*known).as_f64();
            let away = (found.as_f64() - expected).abs();
            let allowed = self.ulp * (epsilon * expected.abs().max(self.of)).max(smallest);
            let signs =
                expected != 0.0 || self.of > 0.0 || expected.is_sign_negative() == found.as_f64().is_sign_negative();
            let equal = found.as_f64() == expected || (expected.is_nan() && found.is_nan_value());
            assert!(
                (equal || away <= allowed) && signs,
                "{} of {inputs:?} in {}, parameters {parameters:?}: found {found:?}, known is {expected:?}",
                function.name,
                T::NAME
            );
        }
    }
}

#[track_caller]
fn check<T: Float>(function: &'static Pointwise) {
    let (value, derivative) = (function.expression(), function.derivative_expression());
    let mut generator = Generator::new(1);
    for round in 0..4 {
        let parameters: Vec<T> =
            (0..function.parameters.len()).map(|i| T::of([0.3, 1.0, 1.7, 0.0][(round + i) % 4])).collect();
        // Every pair of awkward numbers, and random pairs.
        let count = AWKWARD.len();
        let mut column = |of: fn(usize, usize) -> usize| {
            let awkward = (0..count * count).map(|i| T::of(AWKWARD[of(i, count)]));
            let random: Tensor<f64> = generator.normal([200], 0.0, 3.0);
            awkward.chain(random.iter().map(T::of)).collect::<Tensor<T>>()
        };
        let (a, b, c) = (column(|i, n| i % n), column(|i, n| i / n), column(|i, n| (i + i / n) % n));
        let inputs = [&a, &b];
        let inputs = &inputs[..function.inputs.len()];
        compare(function.name, &value, inputs, &parameters, &function.of(inputs, &parameters));
        let saved: Saved<T> = inputs.iter().copied().cloned().collect();
        let gradients = function.gradient(c.clone(), saved, &parameters);
        let name = format!("the derivative of {}", function.name);
        compare(&name, &derivative, &[&[&c], inputs].concat(), &parameters, &gradients);
    }
}

#[track_caller]
fn compare<T: Float>(name: &str, expression: &Expression, inputs: &[&Tensor<T>], parameters: &[T], found: &Tensor<T>) {
    let columns: Vec<Vec<T>> = inputs.iter().map(|input| input.to_vec()).collect();
    for (i, found) in found.iter().enumerate() {
        let element: Vec<T> = columns.iter().map(|column| column[i]).collect();
        let expected = expression.evaluate(&element, parameters)[0];
        // Zeros of different signs are equal, but one over them is not.
        let same = (found == expected && T::ONE / found == T::ONE / expected)
            || (found.is_nan_value() && expected.is_nan_value());
        assert!(
            same,
            "{name} of {element:?} with parameters {parameters:?} is {found:?}, its expression gives {expected:?}"
        );
    }
}
