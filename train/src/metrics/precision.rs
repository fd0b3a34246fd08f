//! Precision, recall, and the F1 score between them.

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
    /// The mean of the classes' scores, each class alike.
    #[default]
    Macro,
    /// The score of all decisions together; for one label per sample that is the accuracy.
    Micro,
    /// The mean of the classes' scores, each by its number of samples.
    Weighted,
}

/// Counts by class, and how to make one score of them.
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

    /// One score from `score(found, predicted, actual)` by class.
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
        /// For outputs `[n]` or `[n, 1]` that of class 1, above the threshold; for outputs `[n, classes]` averaged over
        /// the classes. 0 where there is nothing to divide by.
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            scores: Scores,
        }

        impl $Name {
            /// With another threshold than 0.5.
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.scores.threshold = threshold;
                self
            }

            /// With another average over classes than the macro average.
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
    /// How many of those taken for a class are of it.
    Precision,
    "precision",
    |found, predicted, _actual| ratio(found, predicted)
);

score!(
    /// How many of those of a class are found.
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
