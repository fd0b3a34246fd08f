//! Targets and outputs as classes.

use gradus_tensor::{Float, Tensor};

use super::same_size;
use crate::error::{Error, Result};

/// The true class and the predicted class of each row.
pub(super) struct Classes {
    pub truth: Vec<usize>,
    pub predicted: Vec<usize>,
    /// The number of classes.
    pub count: usize,
}

impl Classes {
    /// Classes predicted by the largest output. Targets are one-hot in the shape of the outputs, or class indices
    /// without the last axis.
    pub fn of_many<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Tensor<T>) -> Result<Self> {
        let (count, truth) = truth_of_many(name, targets, outputs)?;
        let predicted = outputs.argmax(-1).iter().map(|class| class as usize).collect();
        Ok(Classes { truth, predicted, count })
    }

    /// Two classes: 1 where an output is above the threshold, else 0. Targets are 0 or 1.
    pub fn of_two<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Tensor<T>, threshold: f64) -> Result<Self> {
        same_size(name, targets, outputs)?;
        let threshold = T::of(threshold);
        let truth = targets.iter().map(|target| usize::from(target > T::of(0.5))).collect();
        let predicted = outputs.iter().map(|output| usize::from(output > threshold)).collect();
        Ok(Classes { truth, predicted, count: 2 })
    }

    /// Two classes for a single column of outputs, many for several columns.
    pub fn of<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Tensor<T>, threshold: f64) -> Result<Self> {
        if is_single(outputs) {
            Classes::of_two(name, targets, outputs, threshold)
        } else {
            Classes::of_many(name, targets, outputs)
        }
    }
}

/// Whether outputs are one number per sample.
pub(super) fn is_single<T: Float>(outputs: &Tensor<T>) -> bool {
    outputs.ndim() < 2 || outputs.shape().last() == Some(&1)
}

/// The number of classes and the true class of each row.
pub(super) fn truth_of_many<T: Float>(
    name: &str,
    targets: &Tensor<T>,
    outputs: &Tensor<T>,
) -> Result<(usize, Vec<usize>)> {
    // A single column would always be the largest, and every answer right.
    let several = |(classes, rows): &(&usize, &[usize])| **classes > 1 && !rows.is_empty();
    let Some((&count, rows)) = outputs.shape().split_last().filter(several) else {
        let problem =
            format!("outputs must have the shape [n, classes] of two classes or more, found {}", outputs.shape());
        return Err(Error::new(name, problem, "for a single yes or no use BinaryAccuracy"));
    };
    if targets.shape() == outputs.shape() {
        return Ok((count, targets.argmax(-1).iter().map(|class| class as usize).collect()));
    }
    let as_column = targets.shape().split_last().is_some_and(|(&last, first)| last == 1 && first == rows);
    if targets.shape()[..] != *rows && !as_column {
        let problem = format!("targets {} do not fit outputs {}", targets.shape(), outputs.shape());
        return Err(Error::new(
            name,
            problem,
            "give one-hot targets in the outputs' shape, or one class index per row",
        ));
    }
    let class_of = |(place, target): (usize, T)| {
        let class = target.as_f64();
        if class.fract() == 0.0 && class >= 0.0 && class < count as f64 {
            return Ok(class as usize);
        }
        let problem = format!("targets must be class indices from 0 to {}, found {class} at row {place}", count - 1);
        Err(Error::new(name, problem, "number the classes from 0, or give the last layer more units"))
    };
    Ok((count, targets.iter().enumerate().map(class_of).collect::<Result<_>>()?))
}
