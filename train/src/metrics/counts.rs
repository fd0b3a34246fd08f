//! Counts of true and predicted classes, and what metrics that are made of them share.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::classes::{Classes, check_either, is_single};
use super::confusion::ConfusionMatrix;
use super::ratio;
use crate::error::{Error, Result};
use crate::state::{NamedState, Tensors, from_state, to_state};

/// How the scores of several classes become one: scikit-learn's `average`.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{ClassAverage, Metric, Recall};
/// // Three of class 0, which are found, and one of class 1, which is not.
/// let (targets, outputs) = (Tensor::new([0.0, 0.0, 0.0, 1.0]), Tensor::new([[0.9, 0.1]; 4]));
/// let recall = |average| {
///     let mut recall = Recall::default().average(average);
///     recall.update(&targets, &outputs, None).map(|()| recall.result())
/// };
/// assert_eq!((recall(ClassAverage::Macro)?, recall(ClassAverage::Weighted)?), (0.5, 0.75));
/// # Ok::<(), gradus_train::Error>(())
/// ```
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
pub(super) struct Scores {
    matrix: ConfusionMatrix,
    pub average: ClassAverage,
    /// `None` if it was not set.
    pub threshold: Option<f64>,
    pub ignored: Option<i64>,
    /// Whether outputs are one number per sample: then the score is that of class 1 alone.
    single: bool,
    /// Whether an output was NaN: then the score is NaN.
    undefined: bool,
}

impl Scores {
    pub fn check(&self, name: &str, targets: &Shape, outputs: &Shape) -> Result<()> {
        check_either(name, targets, outputs)
    }

    pub fn expects_probabilities(&self, outputs: &Shape) -> bool {
        is_single(outputs) && self.threshold.is_none()
    }

    pub fn update<T: Float>(
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

    pub fn reset(&mut self) {
        (self.matrix, self.single, self.undefined) = (ConfusionMatrix::default(), false, false);
    }

    pub fn state(&self) -> Value {
        to_state(&(&self.matrix, self.single, self.undefined))
    }

    pub fn tensors(&self) -> Tensors {
        Tensors::new()
    }

    pub fn restore(&mut self, state: &NamedState) -> Result<()> {
        let (matrix, single, undefined): (ConfusionMatrix, bool, bool) = from_state(state)?;
        if single && ![0, 2].contains(&matrix.classes()) {
            let problem = format!("the state of {} has {} classes for a single output", state.name, matrix.classes());
            return Err(Error::new("restore", problem, "restore the state that was written by the same program"));
        }
        (self.matrix, self.single, self.undefined) = (matrix, single, undefined);
        Ok(())
    }

    /// The classes that are not left out.
    fn classes(&self) -> Vec<usize> {
        (0..self.matrix.classes()).filter(|&class| self.ignored != Some(class as i64)).collect()
    }

    /// What is made of the counts of the classes that are not left out.
    pub fn of_matrix(&self, result: impl FnOnce(&Counts<'_>) -> f64) -> f64 {
        if self.undefined { f64::NAN } else { result(&Counts { matrix: &self.matrix, classes: self.classes() }) }
    }

    /// One score, from `score(found, predicted, actual)` of each class.
    pub fn result(&self, score: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let matrix = &self.matrix;
        let of_class = |class| score(matrix.found(class), matrix.predicted(class), matrix.actual(class));
        // What a class that is left out is taken for says nothing about the others.
        let classes = self.classes();
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

/// The counts of the classes that are not left out.
pub(super) struct Counts<'a> {
    matrix: &'a ConfusionMatrix,
    classes: Vec<usize>,
}

impl Counts<'_> {
    pub fn classes(&self) -> impl Iterator<Item = usize> {
        self.classes.iter().copied()
    }

    /// The number of samples of a class that are predicted as another, or as itself.
    pub fn count(&self, truth: usize, predicted: usize) -> f64 {
        self.matrix.at(truth, predicted)
    }

    pub fn actual(&self, class: usize) -> f64 {
        self.classes().map(|predicted| self.count(class, predicted)).sum()
    }

    pub fn predicted(&self, class: usize) -> f64 {
        self.classes().map(|truth| self.count(truth, class)).sum()
    }

    pub fn total(&self) -> f64 {
        self.classes().map(|class| self.actual(class)).sum()
    }
}

/// Implements a metric whose field `scores` counts, and whose result is made of the counts.
macro_rules! of_counts {
    ($Name:ident, $name:literal, |$metric:ident| $result:expr) => {
        impl $Name {
            /// Sets the threshold, 0.5 by default; for logits it is 0.
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.scores.threshold = Some(threshold);
                self
            }

            /// Leaves out the samples of this class, such as -1 or 255 for "unlabelled"; the result is that of the other
            /// classes (scikit-learn's `labels`).
            pub fn ignore_class(mut self, class: i64) -> Self {
                self.scores.ignored = Some(class);
                self
            }
        }

        of_kept!($Name, scores, $name, |$metric| $result);
    };
}
pub(super) use of_counts;
