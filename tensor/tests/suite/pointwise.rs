//! Every elementwise function against known values, and its expressions against what is compiled.

use gradus_tensor::{Pointwise, Tensor, functions, pointwise};

/// Values computed by `reference/pointwise.py` with mpmath in 60 digits.
const KNOWN: &str = include_str!("../reference/pointwise.txt");

#[test]
fn every_function_has_its_known_values() {
    functions::all().for_each(|function| function.check_values(KNOWN));
}

#[test]
fn every_line_of_known_values_is_read() {
    let names: Vec<&str> = functions::all().map(Pointwise::name).collect();
    for line in KNOWN.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split([' ', ':']).next().unwrap();
        assert!(names.contains(&name), "there is no function {name}");
    }
}

#[test]
fn every_expression_says_what_is_compiled() {
    functions::all().for_each(Pointwise::check_expressions);
}

#[test]
fn expressions_read_like_the_formulas() {
    assert_eq!(functions::ELU.expression().to_string(), "select(x > 0, x, alpha * expm1(x))");
    assert_eq!(functions::TANH.derivative_expression().to_string(), "g * (1 - y * y)");
    assert_eq!(functions::SIN.derivative_expression().to_string(), "g * cos(x)");
}

pointwise! {
    static CUBE = cube(x): x * x * x, derivative |g| N::of(3.0) * g * x * x;
    static DIFFERENCE = difference(a, b): b - a, derivative |g| g;
    // Computes with constants alone: in f32 the third of 1 is rounded before it is squared.
    static NINTH = ninth(x): x * (N::of(1.0 / 3.0) * N::of(1.0 / 3.0)), derivative |g| g;
}

#[test]
#[should_panic(expected = "cube: 6 known values or more are needed, found 0")]
fn a_function_without_known_values_is_noticed() {
    CUBE.check_values(KNOWN);
}

#[test]
#[should_panic(expected = "cube of [2.0] in f64, parameters []: found 8.0, known is 9.0")]
fn a_wrong_value_is_noticed() {
    CUBE.check_values("cube: 0 -> 0; 1 -> 1; 2 -> 9; -1 -> -1; -2 -> -8; inf -> inf");
}

#[test]
#[should_panic(expected = "in f64, parameters []: found -0.0, known is 0.0")]
fn a_wrong_sign_of_zero_is_noticed() {
    CUBE.check_values("cube: -0 -> 0; 1 -> 1; 2 -> 8; -1 -> -1; -2 -> -8; inf -> inf");
}

#[test]
#[should_panic(expected = "its expression gives")]
fn another_expression_is_noticed() {
    NINTH.check_expressions();
}

#[test]
#[should_panic(expected = "difference: the inputs must have the same shape: [2] and [3]")]
fn inputs_do_not_broadcast() {
    DIFFERENCE.of(&[&Tensor::new([1.0, 2.0]), &Tensor::new([1.0, 2.0, 3.0])], &[]);
}

#[test]
#[should_panic(expected = "inputs [\"x\"] and parameters [\"slope\"] are needed, found 1 and 0")]
fn parameters_are_counted() {
    functions::LEAKY_RELU.of(&[&Tensor::new([1.0])], &[]);
}
