//! Precision, recall, and the F1 score, their harmonic mean.

use gradus_tensor::{Float, Tensor};
use serde_json::Value;

use super::classes::{Classes, is_single};
use super::confusion::ConfusionMatrix;
use super::{Metric, ratio};
use crate::error::Result;
use crate::state::{from_state, to_state};

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
#[derive(Clone, Debug)]
struct Scores {
    matrix: ConfusionMatrix,
    average: ClassAverage,
    threshold: f64,
    /// Whether outputs are one number per sample: then the score is that of class 1 alone.
    single: bool,
}

impl Default for Scores {
    fn default() -> Self {
        Scores { matrix: ConfusionMatrix::default(), average: ClassAverage::Macro, threshold: 0.5, single: false }
    }
}

impl Scores {
    fn update<T: Float>(
        &mut self,
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        self.single = is_single(outputs);
        let classes = Classes::of(name, targets, outputs, self.threshold)?;
        self.matrix.count(name, &classes, outputs, weights)
    }

    /// One score, from `score(found, predicted, actual)` of each class.
    fn result(&self, score: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let matrix = &self.matrix;
        let of_class = |class| score(matrix.found(class), matrix.predicted(class), matrix.actual(class));
        let classes = 0..matrix.classes();
        if classes.is_empty() {
            return 0.0;
        }
        if self.single {
            return of_class(1);
        }
        let total = |count: fn(&ConfusionMatrix, usize) -> f64| classes.clone().map(|class| count(matrix, class)).sum();
        let all: f64 = total(ConfusionMatrix::actual);
        match self.average {
            ClassAverage::Macro => classes.clone().map(of_class).sum::<f64>() / classes.len() as f64,
            ClassAverage::Micro => score(total(ConfusionMatrix::found), total(ConfusionMatrix::predicted), all),
            ClassAverage::Weighted => {
                ratio(classes.clone().map(|class| of_class(class) * matrix.actual(class)).sum(), all)
            }
        }
    }
}

macro_rules! score {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, |$found:ident, $predicted:ident, $actual:ident| $score:expr) => {
        $(#[$doc])+
        ///
        /// Outputs `[n]` or `[n, 1]` have the score of class 1, which an output above the threshold predicts. Outputs
        /// `[n, classes]` have the average over the classes. A score is 0 if its denominator is 0.
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            scores: Scores,
        }

        impl $Name {
            /// Sets the threshold, 0.5 by default.
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.scores.threshold = threshold;
                self
            }

            /// Sets the average over classes, [`ClassAverage::Macro`] by default.
            pub fn average(mut self, average: ClassAverage) -> Self {
                self.scores.average = average;
                self
            }
        }

        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
                self.scores.update($name, targets, outputs, weights)
            }

            fn result(&self) -> f64 {
                self.scores.result(|$found, $predicted, $actual| $score)
            }

            fn reset(&mut self) {
                self.scores.matrix = ConfusionMatrix::default();
            }

            fn state(&self) -> Value {
                to_state(&(&self.scores.matrix, self.scores.single))
            }

            fn restore(&mut self, state: &Value) -> Result<()> {
                (self.scores.matrix, self.scores.single) = from_state($name, state)?;
                Ok(())
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
