//! Whether outputs are probabilities, checked row by row where a loss needs them.

use gradus_tensor::{Float, Shape, Tensor};

use crate::error::{Error, Result};

/// How far below 0 or above 1 a probability may be: rounding, as of a sum of many softmax outputs. What a network without
/// a softmax gives is further away.
const ROUNDING: f64 = 1e-4;

/// Whether all numbers are probabilities. NaN counts as one: a loss that becomes NaN is another matter.
#[inline(always)]
pub(super) fn are_probabilities<T: Float>(numbers: &[T]) -> bool {
    let (low, high) = (T::of(-ROUNDING), T::of(1.0 + ROUNDING));
    // Without a way out, so that it is computed several numbers at a time.
    numbers.iter().fold(true, |all, &p| all & !((p < low) | (p > high)))
}

/// Checks that all outputs are probabilities.
pub(super) fn check_probabilities<T: Float>(name: &str, outputs: &Tensor<T>, hint: &str) -> Result<()> {
    let flat = outputs.contiguous();
    let numbers = flat.as_slice().expect("just made contiguous");
    if are_probabilities(numbers) { Ok(()) } else { Err(no_probabilities(name, numbers, 0, outputs.shape(), hint)) }
}

/// Checks that all outputs are rates.
pub(super) fn check_rates<T: Float>(name: &str, outputs: &Tensor<T>) -> Result<()> {
    let Some((place, rate)) = outputs.iter().enumerate().find(|(_, rate)| *rate < T::of(-ROUNDING)) else {
        return Ok(());
    };
    let problem = format!("outputs must be rates, not below 0, found {rate} at element {place} of {}", outputs.shape());
    Err(Error::new(name, problem, "end the network in Activation::Exponential or Activation::Softplus"))
}

/// What to do about outputs that should be probabilities of classes.
pub(super) const CLASSES: &str = "end the network in Activation::Softmax, or set from_logits(true)";

/// What to do about outputs that should be a distribution.
pub(super) const DISTRIBUTION: &str = "end the network in Activation::Softmax";

/// What to do about outputs that should be probabilities of a yes.
pub(super) const UNITS: &str = "end the network in Activation::Sigmoid, or set from_logits(true)";

/// The sum of a row of probabilities of classes, which is above 0; a rounding below 0 counts as 0. An error if the row is
/// none: `row` is its number in outputs of this shape.
#[inline(always)]
pub(super) fn sum_of_classes<T: Float>(name: &str, numbers: &[T], row: usize, shape: &Shape) -> Result<T> {
    let sum: T = numbers.iter().map(|&p| if p < T::ZERO { T::ZERO } else { p }).sum();
    if are_probabilities(numbers) && sum != T::ZERO {
        return Ok(sum);
    }
    Err(no_classes(name, numbers, row, shape))
}

/// Checks that outputs are probabilities of classes, in each row that has a target.
pub(super) fn check_classes<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Tensor<T>) -> Result<()> {
    let classes = outputs.shape()[outputs.ndim() - 1];
    let (targets, flat) = (targets.contiguous(), outputs.contiguous());
    for (row, (t, p)) in rows(&targets, &flat, classes).enumerate() {
        if t.iter().any(|&t| t != T::ZERO) {
            sum_of_classes(name, p, row, outputs.shape())?;
        }
    }
    Ok(())
}

/// The rows of targets and outputs, side by side.
#[inline(always)]
pub(super) fn rows<'a, T: Float>(
    targets: &'a Tensor<T>,
    outputs: &'a Tensor<T>,
    classes: usize,
) -> impl Iterator<Item = (&'a [T], &'a [T])> {
    let elements = |x: &'a Tensor<T>| x.as_slice().expect("both were made contiguous");
    elements(targets).chunks_exact(classes).zip(elements(outputs).chunks_exact(classes))
}

#[cold]
fn no_classes<T: Float>(name: &str, numbers: &[T], row: usize, shape: &Shape) -> Error {
    if are_probabilities(numbers) {
        let problem = format!("outputs must be probabilities that sum to 1, found zeros alone in row {row} of {shape}");
        return Error::new(name, problem, CLASSES);
    }
    no_probabilities(name, numbers, row * numbers.len(), shape, CLASSES)
}

/// The error of numbers of which the first is at this place in outputs of this shape.
#[cold]
fn no_probabilities<T: Float>(name: &str, numbers: &[T], first: usize, shape: &Shape, hint: &str) -> Error {
    let found = numbers.iter().enumerate().find(|(_, p)| !are_probabilities(&[**p]));
    let (place, value) = found.expect("a number is no probability");
    let problem =
        format!("outputs must be probabilities, from 0 to 1, found {value} at element {} of {shape}", first + place);
    Error::new(name, problem, hint)
}
