//! Targets and outputs as classes.

use std::ops::RangeInclusive;

use gradus_nn::losses::{class_index, is_ignored};
use gradus_tensor::{Float, Shape, Tensor};

use super::{FLATTEN, has_axes_left, same_size};
use crate::error::{Error, Result};

/// The true class and the predicted class of each row.
pub(super) struct Classes {
    /// `None` where the class is ignored.
    truth: Vec<Option<usize>>,
    /// `None` where an output is NaN.
    predicted: Vec<Option<usize>>,
    /// The number of classes.
    pub count: usize,
}

impl Classes {
    /// Classes predicted by the largest output. Targets are one-hot in the shape of the outputs, or class indices
    /// without the last axis. Rows of the class `ignored` do not count.
    pub fn of_many<T: Float>(
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        ignored: Option<i64>,
    ) -> Result<Self> {
        let (count, truth) = truth_of_many(name, targets, outputs, ignored)?;
        let elements = outputs.to_vec();
        let class_of = |(row, largest): (&[T], i64)| (!has_nan(row)).then_some(largest as usize);
        let predicted = elements.chunks_exact(count).zip(outputs.argmax(-1).iter()).map(class_of).collect();
        Ok(Classes { truth, predicted, count })
    }

    /// Two classes: 1 where an output is above the threshold, else 0. Targets are 0 or 1. Rows of the class `ignored` do
    /// not count.
    pub fn of_two<T: Float>(
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        threshold: f64,
        ignored: Option<i64>,
    ) -> Result<Self> {
        same_size(name, targets.shape(), outputs.shape())?;
        let threshold = T::of(threshold);
        let truth = truth_of_two(name, targets, ignored)?;
        let predicted = outputs.iter().map(|output| (!output.is_nan()).then(|| usize::from(output > threshold)));
        Ok(Classes { truth, predicted: predicted.collect(), count: 2 })
    }

    /// Two classes for a single column of outputs, many for several columns.
    pub fn of<T: Float>(
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        threshold: f64,
        ignored: Option<i64>,
    ) -> Result<Self> {
        if is_single(outputs.shape()) {
            Classes::of_two(name, targets, outputs, threshold, ignored)
        } else {
            Classes::of_many(name, targets, outputs, ignored)
        }
    }

    /// The number of rows, with those that do not count.
    pub fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The rows that count: the place, the true class, and the predicted class, or `None` where an output is NaN.
    pub fn counted(&self) -> impl Iterator<Item = (usize, usize, Option<usize>)> {
        let rows = self.truth.iter().zip(&self.predicted).enumerate();
        rows.filter_map(|(place, (&truth, &predicted))| Some((place, truth?, predicted)))
    }
}

/// Whether a row of outputs says nothing.
pub(super) fn has_nan<T: Float>(row: &[T]) -> bool {
    row.iter().any(|output| output.is_nan())
}

/// Whether outputs are one number per sample.
pub(super) fn is_single(outputs: &Shape) -> bool {
    outputs.len() < 2 || outputs.last() == Some(&1)
}

/// Checks the shapes that [`Classes::of`] takes.
pub(super) fn check_either(name: &str, targets: &Shape, outputs: &Shape) -> Result<()> {
    if is_single(outputs) { same_size(name, targets, outputs) } else { check_many(name, targets, outputs) }
}

/// Checks the shapes that [`Classes::of_many`] takes.
pub(super) fn check_many(name: &str, targets: &Shape, outputs: &Shape) -> Result<()> {
    // A single column would always be the largest, and every answer right.
    let several = |(classes, rows): &(&usize, &[usize])| **classes > 1 && !rows.is_empty();
    let Some((_, rows)) = outputs.split_last().filter(several) else {
        let problem = format!("outputs must have the shape [n, classes] of two classes or more, found {outputs}");
        return Err(Error::new(name, problem, "for a single yes or no use BinaryAccuracy"));
    };
    let as_column = targets.split_last().is_some_and(|(&last, first)| last == 1 && first == rows);
    if targets == outputs || targets[..] == *rows || as_column {
        return Ok(());
    }
    let problem = format!("targets {targets} do not fit outputs {outputs}");
    let hint = "give one-hot targets in the outputs' shape, or one class index per row";
    Err(Error::new(name, problem, if has_axes_left(targets, outputs) { FLATTEN } else { hint }))
}

/// The number of classes and the true class of each row; `None` where it is `ignored`.
pub(super) fn truth_of_many<T: Float>(
    name: &str,
    targets: &Tensor<T>,
    outputs: &Tensor<T>,
    ignored: Option<i64>,
) -> Result<(usize, Vec<Option<usize>>)> {
    check_many(name, targets.shape(), outputs.shape())?;
    let count = outputs.shape()[outputs.ndim() - 1];
    let counted = |class: usize| (ignored != Some(class as i64)).then_some(class);
    if targets.shape() == outputs.shape() {
        let elements = targets.to_vec();
        let classes = targets.argmax(-1);
        let rows = elements.chunks_exact(count).zip(classes.iter()).enumerate();
        let class_of = |(place, (row, class)): (usize, (&[T], i64))| {
            check_one_hot(name, place, row)?;
            Ok(counted(class as usize))
        };
        return Ok((count, rows.map(class_of).collect::<Result<_>>()?));
    }
    let class_of = |(place, target): (usize, T)| {
        class_index(target, count, ignored).map_err(|class| {
            let last = count - 1;
            let problem = format!("targets must be class indices from 0 to {last}, found {class} at row {place}");
            let hint = if class == -1.0 || class == 255.0 {
                "leave out what has no label by ignore_class, or number the classes from 0"
            } else if class.fract() == 0.0 {
                "number the classes from 0, or give the last layer more units"
            } else {
                "give class indices; numbers are measured by MeanAbsoluteError and the like"
            };
            Error::new(name, problem, hint)
        })
    };
    Ok((count, targets.iter().enumerate().map(class_of).collect::<Result<_>>()?))
}

/// The true class of each element, 0 or 1; `None` where it is `ignored`. A target between 0 and 1, as mixed samples have,
/// counts as the nearer one.
pub(super) fn truth_of_two<T: Float>(
    name: &str,
    targets: &Tensor<T>,
    ignored: Option<i64>,
) -> Result<Vec<Option<usize>>> {
    let class_of = |(place, target): (usize, T)| {
        if is_ignored(target, ignored) {
            return Ok(None);
        }
        let target = target.as_f64();
        if (0.0..=1.0).contains(&target) {
            return Ok(Some(usize::from(target > 0.5)));
        }
        let shape = targets.shape();
        let problem = format!("targets must be in 0 to 1, found {target} at element {place} of {shape}");
        let hint = if target == -1.0 {
            "give 0 for no and 1 for yes, or leave out what has no label by ignore_class"
        } else {
            "give 0 for no and 1 for yes"
        };
        Err(Error::new(name, problem, hint))
    };
    targets.iter().enumerate().map(class_of).collect()
}

/// Checks that a row of targets has one class: numbers from 0 to 1 whose sum is 1, as also smoothed and mixed targets
/// have.
fn check_one_hot<T: Float>(name: &str, place: usize, row: &[T]) -> Result<()> {
    const SUM: RangeInclusive<f64> = 0.99..=1.01;
    if let Some(wrong) = row.iter().find(|target| !(T::ZERO..=T::ONE).contains(*target)) {
        let problem = format!("one-hot targets must be in 0 to 1, found {wrong} at row {place}");
        return Err(Error::new(name, problem, "make the targets one-hot by to_categorical"));
    }
    let sum: f64 = row.iter().map(|target| target.as_f64()).sum();
    if SUM.contains(&sum) {
        return Ok(());
    }
    let problem = format!("one-hot targets must have one class in each row, found a sum of {sum} at row {place}");
    let hint = if sum == 0.0 {
        "give each row its class, or class indices, of which ignore_class leaves out one"
    } else {
        "for several labels at once use BinaryAccuracy"
    };
    Err(Error::new(name, problem, hint))
}
