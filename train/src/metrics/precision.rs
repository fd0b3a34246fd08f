//! Precision, recall, and the F1 score, their harmonic mean.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::classes::{Classes, check_either, is_single};
use super::confusion::ConfusionMatrix;
use super::{Metric, ratio};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

/// How the scores of several classes become one: scikit-learn's `average`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClassAverage {
    /// The mean of the scores of the classes.
    #[default]
    Macro,
    /// The score of all counts added up; for one label per sample it is the accuracy.
    Micro,
    /// The mean of the scores of the classes, weighted by their numbers of samples.
    Weighted,
}

/// Counts by class, and the options that make one score of them.
#[derive(Clone, Debug, Default)]
struct Scores {
    matrix: ConfusionMatrix,
    average: ClassAverage,
    /// `None` if it was not set.
    threshold: Option<f64>,
    ignored: Option<i64>,
    /// Whether outputs are one number per sample: then the score is that of class 1 alone.
    single: bool,
    /// Whether an output was NaN: then the score is NaN.
    undefined: bool,
}

impl Scores {
    fn update<T: Float>(
        &mut self,
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let classes = Classes::of(name, targets, outputs, self.threshold.unwrap_or(0.5), self.ignored)?;
        self.matrix.count(name, &classes, outputs, weights)?;
        self.single = is_single(outputs.shape());
        self.undefined |= classes.counted().any(|(.., predicted)| predicted.is_none());
        Ok(())
    }

    fn reset(&mut self) {
        (self.matrix, self.single, self.undefined) = (ConfusionMatrix::default(), false, false);
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let (matrix, single, undefined): (ConfusionMatrix, bool, bool) = from_state(state)?;
        if single && ![0, 2].contains(&matrix.classes()) {
            let problem = format!("the state of {} has {} classes for a single output", state.name, matrix.classes());
            return Err(Error::new("restore", problem, "restore the state that was written by the same program"));
        }
        (self.matrix, self.single, self.undefined) = (matrix, single, undefined);
        Ok(())
    }

    /// One score, from `score(found, predicted, actual)` of each class.
    fn result(&self, score: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let matrix = &self.matrix;
        let of_class = |class| score(matrix.found(class), matrix.predicted(class), matrix.actual(class));
        // What a class that is left out is taken for says nothing about the others.
        let counts = |&class: &usize| self.ignored != Some(class as i64);
        let classes: Vec<usize> = (0..matrix.classes()).filter(counts).collect();
        if self.undefined {
            return f64::NAN;
        }
        if matrix.classes() == 0 {
            return 0.0;
        }
        if self.single {
            return of_class(1);
        }
        let total = |count: fn(&ConfusionMatrix, usize) -> f64| classes.iter().map(|&class| count(matrix, class)).sum();
        let all: f64 = total(ConfusionMatrix::actual);
        match self.average {
            ClassAverage::Macro => classes.iter().copied().map(of_class).sum::<f64>() / classes.len() as f64,
            ClassAverage::Micro => score(total(ConfusionMatrix::found), total(ConfusionMatrix::predicted), all),
            ClassAverage::Weighted => {
                ratio(classes.iter().map(|&class| of_class(class) * matrix.actual(class)).sum(), all)
            }
        }
    }
}

macro_rules! score {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, |$found:ident, $predicted:ident, $actual:ident| $score:expr) => {
        $(#[$doc])+
        ///
        /// Outputs `[n]` or `[n, 1]` have the score of class 1, which an output above the threshold predicts. Outputs
        /// `[n, classes]` have the average over the classes. A score is 0 if its denominator is 0, and NaN if an output
        /// is NaN.
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            scores: Scores,
        }

        impl $Name {
            /// Sets the threshold, 0.5 by default; for logits it is 0.
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.scores.threshold = Some(threshold);
                self
            }

            /// Sets the average over classes, [`ClassAverage::Macro`] by default.
            pub fn average(mut self, average: ClassAverage) -> Self {
                self.scores.average = average;
                self
            }

            /// Leaves out the samples of this class, such as -1 or 255 for "unlabelled"; the average is over the other
            /// classes (scikit-learn's `labels`).
            pub fn ignore_class(mut self, class: i64) -> Self {
                self.scores.ignored = Some(class);
                self
            }
        }

        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
                check_either($name, targets, outputs)
            }

            fn expects_probabilities(&self, outputs: &Shape) -> bool {
                is_single(outputs) && self.scores.threshold.is_none()
            }

            fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
                self.scores.update($name, targets, outputs, weights)
            }

            fn result(&self) -> f64 {
                self.scores.result(|$found, $predicted, $actual| $score)
            }

            fn reset(&mut self) {
                self.scores.reset();
            }

            fn state(&self) -> Value {
                to_state(&(&self.scores.matrix, self.scores.single, self.scores.undefined))
            }

            fn restore(&mut self, state: &NamedState) -> Result<()> {
                self.scores.restore(state)
            }
        }
    };
}

score!(
    /// Precision: of the samples predicted as a class, the share that are of the class.
    Precision,
    "precision",
    |found, predicted, _actual| ratio(found, predicted)
);

score!(
    /// Recall: of the samples of a class, the share that are predicted as the class.
    Recall,
    "recall",
    |found, _predicted, actual| ratio(found, actual)
);

score!(
    /// The harmonic mean of precision and recall: 2 found / (predicted + actual).
    F1,
    "f1",
    |found, predicted, actual| ratio(2.0 * found, predicted + actual)
);
