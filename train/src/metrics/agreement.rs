//! How far the classes that are predicted agree with the true ones: measures of the whole confusion matrix.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::counts::{Scores, of_counts};
use super::{Metric, of_kept, ratio};
use crate::error::Result;
use crate::state::{NamedState, Tensors};

/// Declares a metric of the whole confusion matrix.
macro_rules! of_matrix {
    ($(#[$doc:meta])+ $Name:ident { $($(#[$option_doc:meta])+ $option:ident: $Option:ty)? }, $name:literal,
     |$metric:ident, $matrix:ident| $result:expr) => {
        $(#[$doc])+
        ///
        /// Outputs `[n, classes]` predict the largest, with class indices or one-hot targets; outputs `[n]` or `[n, 1]` predict class 1
        /// above the threshold. It is 0 if its denominator is 0, and NaN if an output is NaN.
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            scores: Scores,
            $($option: $Option,)?
        }

        $(impl $Name {
            $(#[$option_doc])+
            pub fn $option(self, $option: $Option) -> Self {
                $Name { $option, ..self }
            }
        })?

        of_counts!($Name, $name, |metric| {
            let $metric = metric;
            metric.scores.of_matrix(|$matrix| $result)
        });
    };
}

/// What a prediction costs that is off by some classes.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{CohenKappa, KappaWeights, Metric};
/// // Of three grades the lowest is taken for the middle one, the highest is right.
/// let (targets, outputs) = (Tensor::new([0.0, 2.0]), Tensor::new([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]));
/// let kappa = |weights| {
///     let mut kappa = CohenKappa::default().weights(weights);
///     kappa.update(&targets, &outputs, None).map(|()| kappa.result())
/// };
/// // By chance three of four would be wrong, by 1 grade on average, and by 1.5 if squared.
/// assert!((kappa(KappaWeights::None)? - (1.0 - 0.5 / 0.75)).abs() < 1e-12);
/// assert!((kappa(KappaWeights::Linear)? - (1.0 - 0.5 / 1.0)).abs() < 1e-12);
/// assert!((kappa(KappaWeights::Quadratic)? - (1.0 - 0.5 / 1.5)).abs() < 1e-12);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KappaWeights {
    /// As much, whichever class it is.
    #[default]
    None,
    /// As much as the number of classes between.
    Linear,
    /// The square of that number.
    Quadratic,
}

impl KappaWeights {
    fn cost(self, truth: usize, predicted: usize) -> f64 {
        let distance = truth.abs_diff(predicted) as f64;
        match self {
            KappaWeights::None => f64::from(truth != predicted),
            KappaWeights::Linear => distance,
            KappaWeights::Quadratic => distance * distance,
        }
    }
}

of_matrix!(
    /// Cohen's kappa: how much better the predictions agree with the truth than by chance, 1 - cost / expected cost. 1 is all right, 0 as
    /// good as guessing by the frequencies of the classes.
    ///
    /// The cost is the number of wrong predictions, or by [`weights`](CohenKappa::weights), for classes in an order, how far they are
    /// off. Cohen 1960, "A coefficient of agreement for nominal scales"; scikit-learn's `cohen_kappa_score`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{CohenKappa, Metric};
    /// let mut kappa = CohenKappa::default();
    /// // Three of four are right. By chance half would be: 0.5 x 0.25 + 0.5 x 0.75.
    /// kappa.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.9, 0.8, 0.7]), None)?;
    /// assert_eq!(kappa.result(), (0.75 - 0.5) / (1.0 - 0.5));
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    CohenKappa {
        /// What a wrong prediction costs; [`KappaWeights::None`] by default: all the same.
        weights: KappaWeights
    },
    "cohen_kappa",
    |metric, matrix| {
        let (mut cost, mut expected) = (0.0, 0.0);
        for truth in matrix.classes() {
            for predicted in matrix.classes() {
                let one = metric.weights.cost(truth, predicted);
                cost += one * matrix.count(truth, predicted);
                expected += one * matrix.actual(truth) * matrix.predicted(predicted) / matrix.total();
            }
        }
        if expected == 0.0 { 0.0 } else { 1.0 - cost / expected }
    }
);

of_matrix!(
    /// Matthews's correlation coefficient of truth and predictions, from -1 to 1. 0 is as good as guessing, also where one class is much
    /// more frequent.
    ///
    /// Matthews 1975; for several classes Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    /// coefficient", equation 8; scikit-learn's `matthews_corrcoef`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{MatthewsCorrelation, Metric};
    /// let mut correlation = MatthewsCorrelation::default();
    /// // Two right of class 1, one of class 0, one false alarm: (2 x 1 - 1 x 0) / sqrt(3 x 2 x 2 x 1).
    /// correlation.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.9, 0.8, 0.7]), None)?;
    /// assert!((correlation.result() - 2.0 / 12.0_f64.sqrt()).abs() < 1e-12);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    MatthewsCorrelation {},
    "matthews_correlation",
    |_metric, matrix| {
        let sum = |term: &dyn Fn(usize) -> f64| matrix.classes().map(term).sum::<f64>();
        let all = matrix.total() * matrix.total();
        let right = sum(&|class| matrix.count(class, class));
        let both = right * matrix.total() - sum(&|class| matrix.actual(class) * matrix.predicted(class));
        let of_truth = all - sum(&|class| matrix.actual(class).powi(2));
        let of_predictions = all - sum(&|class| matrix.predicted(class).powi(2));
        ratio(both, (of_truth * of_predictions).sqrt())
    }
);

of_matrix!(
    /// The mean over the classes of intersection over union (Jaccard's index): found / (predicted + actual - found). What pictures are
    /// divided into is measured so, each place being a sample.
    ///
    /// A class that neither occurs nor is predicted does not count. Keras's `MeanIoU` and `BinaryIoU`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{MeanIoU, Metric};
    /// let mut iou = MeanIoU::default();
    /// // Class 0: 1 in common of 2 in all. Class 1: 2 in common of 3 in all.
    /// iou.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.9, 0.8, 0.7]), None)?;
    /// assert!((iou.result() - (1.0 / 2.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    MeanIoU {},
    "mean_iou",
    |_metric, matrix| {
        let union = |class: usize| matrix.predicted(class) + matrix.actual(class) - matrix.count(class, class);
        let classes: Vec<usize> = matrix.classes().filter(|&class| union(class) > 0.0).collect();
        ratio(classes.iter().map(|&class| matrix.count(class, class) / union(class)).sum(), classes.len() as f64)
    }
);
