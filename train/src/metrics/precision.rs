//! Precision, recall, and their harmonic means, F1 and F-beta.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::counts::{ClassAverage, Scores, of_counts};
use super::{Metric, of_kept, ratio};
use crate::error::Result;
use crate::state::{NamedState, Tensors};

/// Declares a metric that is a score of each class.
macro_rules! score {
    ($(#[$doc:meta])+ $Name:ident $({ $field:ident })?, $name:literal,
     |$metric:ident, $found:ident, $predicted:ident, $actual:ident| $score:expr) => {
        $(#[$doc])+
        ///
        /// Outputs `[n]` or `[n, 1]` have the score of class 1, which an output above the threshold predicts. Outputs
        /// `[n, classes]` have the average over the classes. A score is 0 if its denominator is 0, and NaN if an output
        /// is NaN.
        #[derive(Clone, Debug)]
        pub struct $Name {
            scores: Scores,
            $($field: f64,)?
        }

        impl $Name {
            /// Sets the average over classes, [`ClassAverage::Macro`] by default.
            pub fn average(mut self, average: ClassAverage) -> Self {
                self.scores.average = average;
                self
            }
        }

        of_counts!($Name, $name, |metric| {
            let $metric = metric;
            metric.scores.result(|$found, $predicted, $actual| $score)
        });
    };
}

score!(
    #[derive(Default)]
    /// Precision: of the samples predicted as a class, the share that are of the class.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, Precision};
    /// let mut precision = Precision::default();
    /// // Two are taken for class 1, of which one is.
    /// precision.update(&Tensor::new([1.0, 1.0, 0.0, 0.0]), &Tensor::new([0.9, 0.2, 0.8, 0.1]), None)?;
    /// assert_eq!(precision.result(), 0.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    Precision,
    "precision",
    |_metric, found, predicted, _actual| ratio(found, predicted)
);

score!(
    #[derive(Default)]
    /// Recall: of the samples of a class, the share that are predicted as the class.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, Recall};
    /// let mut recall = Recall::default();
    /// // Three of four of class 1 are found.
    /// recall.update(&Tensor::new([1.0, 1.0, 1.0, 1.0, 0.0]), &Tensor::new([0.9, 0.7, 0.2, 0.8, 0.6]), None)?;
    /// assert_eq!(recall.result(), 0.75);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    Recall,
    "recall",
    |_metric, found, _predicted, actual| ratio(found, actual)
);

score!(
    #[derive(Default)]
    /// The harmonic mean of precision and recall: 2 found / (predicted + actual).
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{F1, Metric};
    /// let mut f1 = F1::default();
    /// // One of three is found, without a false alarm: 2 x 1 / (1 + 3).
    /// f1.update(&Tensor::new([1.0, 1.0, 1.0, 0.0]), &Tensor::new([0.9, 0.2, 0.3, 0.1]), None)?;
    /// assert_eq!(f1.result(), 0.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    F1,
    "f1",
    |_metric, found, predicted, actual| ratio(2.0 * found, predicted + actual)
);

score!(
    /// F-beta: the harmonic mean of precision and recall, in which recall counts beta² times as much:
    /// (1 + beta²) found / (predicted + beta² actual).
    ///
    /// [`F1`] is that of beta 1; 2 is usual where it is worse to miss something, 0.5 where a false alarm is worse.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{FBeta, Metric};
    /// let mut f2 = FBeta::new(2.0);
    /// // One of three is found, without a false alarm: 5 x 1 / (1 + 4 x 3).
    /// f2.update(&Tensor::new([1.0, 1.0, 1.0, 0.0]), &Tensor::new([0.9, 0.2, 0.3, 0.1]), None)?;
    /// assert!((f2.result() - 5.0 / 13.0).abs() < 1e-12);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    FBeta { beta },
    "fbeta",
    |metric, found, predicted, actual| {
        let beta = metric.beta * metric.beta;
        ratio((1.0 + beta) * found, predicted + beta * actual)
    }
);

impl FBeta {
    /// The score of this beta.
    ///
    /// # Panics
    /// Unless it is greater than 0 and finite.
    #[track_caller]
    pub fn new(beta: f64) -> Self {
        assert!(beta > 0.0 && beta.is_finite(), "FBeta: a beta greater than 0 is needed, not {beta}");
        FBeta { scores: Scores::default(), beta }
    }
}
