//! Samples of two classes in the order of their scores: areas under curves, and points on them.

use gradus_tensor::{AnyTensor, Element, Float, Shape, Tensor};
use serde_json::Value;

use super::classes::truth_of_two;
use super::{Metric, of_kept, ratio, row_weights, same_size};
use crate::error::Result;
use crate::state::{NamedState, Tensors, from_state, no_state_of, to_state};

/// The names of the tensors in the state.
const SCORES: &str = "scores";
const POSITIVE: &str = "positive";
const WEIGHTS: &str = "weights";

/// The scores of all samples of an epoch.
#[derive(Clone, Debug, Default)]
struct Ranking {
    ignored: Option<i64>,
    /// Of each sample the score, whether it is of class 1, and the weight.
    samples: Vec<(f64, bool, f64)>,
}

/// How many samples of each class have at least some score, by weight.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Of class 1.
    found: f64,
    /// Of class 0.
    false_alarms: f64,
}

impl Point {
    fn precision(self) -> f64 {
        self.found / (self.found + self.false_alarms)
    }

    fn recall(self, all: Point) -> f64 {
        self.found / all.found
    }

    fn specificity(self, all: Point) -> f64 {
        (all.false_alarms - self.false_alarms) / all.false_alarms
    }
}

impl Ranking {
    fn check(&self, name: &str, targets: &Shape, outputs: &Shape) -> Result<()> {
        same_size(name, targets, outputs)
    }

    fn expects_probabilities(&self, _outputs: &Shape) -> bool {
        false
    }

    fn update<T: Float>(
        &mut self,
        name: &str,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        same_size(name, targets.shape(), outputs.shape())?;
        let truth = truth_of_two(name, targets, self.ignored)?;
        let weight = row_weights(name, weights, outputs, outputs.size())?;
        let rows = outputs.iter().zip(truth).enumerate();
        self.samples.extend(rows.filter_map(|(row, (score, truth))| Some((score.as_f64(), truth? == 1, weight(row)))));
        Ok(())
    }

    /// The number that `of_curve` makes of the points of the curve, from none of the samples to all; 0 if a class is missing, NaN
    /// if a score is.
    fn result(&self, of_curve: impl FnOnce(&[Point], Point) -> f64) -> f64 {
        if self.samples.iter().any(|sample| sample.0.is_nan()) {
            return f64::NAN;
        }
        let mut samples = self.samples.clone();
        samples.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut all = Point::default();
        let mut curve = vec![all];
        for tie in samples.chunk_by(|a, b| a.0 == b.0) {
            for &(_, positive, weight) in tie {
                *(if positive { &mut all.found } else { &mut all.false_alarms }) += weight;
            }
            curve.push(all);
        }
        if all.found == 0.0 || all.false_alarms == 0.0 { 0.0 } else { of_curve(&curve, all) }
    }

    fn reset(&mut self) {
        self.samples.clear();
    }

    fn state(&self) -> Value {
        to_state(&self.samples.len())
    }

    fn tensors(&self) -> Tensors {
        let scores = Tensor::from_iter(self.samples.iter().map(|sample| sample.0));
        let positive = Tensor::from_iter(self.samples.iter().map(|sample| sample.1));
        let weights = Tensor::from_iter(self.samples.iter().map(|sample| sample.2));
        [(SCORES, scores.into()), (POSITIVE, positive.into()), (WEIGHTS, weights.into())]
            .map(|(name, tensor): (&str, AnyTensor)| (name.to_owned(), tensor))
            .into()
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let count: usize = from_state(state)?;
        let scores = column::<f64>(state, SCORES, count)?;
        let (positive, weights) = (column::<bool>(state, POSITIVE, count)?, column::<f64>(state, WEIGHTS, count)?);
        let rows = scores.iter().zip(positive.iter()).zip(weights.iter());
        self.samples = rows.map(|((score, positive), weight)| (score, positive, weight)).collect();
        Ok(())
    }
}

/// A tensor `[count]` of the state.
fn column<'a, X: Element>(state: &'a NamedState, name: &str, count: usize) -> Result<&'a Tensor<X>> {
    let tensor = state.tensors.get(name).and_then(AnyTensor::get).filter(|tensor| *tensor.shape() == [count]);
    tensor.ok_or_else(|| no_state_of(&state.name, &format!("it has no tensor {name:?} of {} [{count}]", X::NAME)))
}

/// Implements [`Metric`] for structs with a field `ranking`.
macro_rules! of_ranking {
    ($($Name:ident, $name:literal, |$metric:ident, $curve:ident, $all:ident| $result:expr;)+) => {$(
        impl $Name {
            /// Leaves out the samples whose target is this, such as -1 for "unlabelled".
            pub fn ignore_class(mut self, class: i64) -> Self {
                self.ranking.ignored = Some(class);
                self
            }
        }

        of_kept!($Name, ranking, $name, |$metric| $metric.ranking.result(|$curve, $all| $result));
    )+};
}

of_ranking! {
    Auc, "auc", |metric, curve, all| {
        let steps = curve.windows(2).map(|ends| (ends[0], ends[1]));
        match metric.curve {
            Curve::Roc => {
                let area = |(a, b): (Point, Point)| (b.false_alarms - a.false_alarms) * 0.5 * (a.found + b.found);
                ratio(steps.map(area).sum(), all.found * all.false_alarms)
            }
            Curve::Pr => ratio(steps.map(|(a, b)| (b.found - a.found) * b.precision()).sum(), all.found),
        }
    };
    SensitivityAtSpecificity, "sensitivity_at_specificity", |metric, curve, all| {
        highest(curve, |point| point.specificity(all) >= metric.at, |point| point.recall(all))
    };
    SpecificityAtSensitivity, "specificity_at_sensitivity", |metric, curve, all| {
        highest(curve, |point| point.recall(all) >= metric.at, |point| point.specificity(all))
    };
    PrecisionAtRecall, "precision_at_recall", |metric, curve, all| {
        highest(&curve[1..], |point| point.recall(all) >= metric.at, |point| point.precision())
    };
    RecallAtPrecision, "recall_at_precision", |metric, curve, all| {
        highest(&curve[1..], |point| point.precision() >= metric.at, |point| point.recall(all))
    };
}

/// The highest value of the points that suit; 0 if none does.
fn highest(curve: &[Point], suits: impl Fn(Point) -> bool, value: impl Fn(Point) -> f64) -> f64 {
    curve.iter().copied().filter(|&point| suits(point)).map(value).fold(0.0, f64::max)
}

/// The curve that [`Auc`] measures the area under.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Auc, Curve, Metric};
/// let mut area = Auc::default().curve(Curve::Pr);
/// // By falling score: right, wrong, right. Precision is 1 at the first, 2/3 at the last.
/// area.update(&Tensor::new([0.0, 1.0, 1.0]), &Tensor::new([0.5, 0.3, 0.9]), None)?;
/// assert!((area.result() - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Curve {
    /// The receiver operating characteristic: the share of class 1 that is found, over the share of class 0 that is taken for it.
    #[default]
    Roc,
    /// Precision over recall. The area is the mean precision of the samples of class 1, each at its own score (scikit-learn's
    /// `average_precision_score`; Keras interpolates between 200 thresholds).
    Pr,
}

/// The area under the receiver operating characteristic (ROC): the probability that a sample of class 1 has a higher
/// score than a sample of class 0, where equal scores count half. Or, by [`curve`](Auc::curve), that under precision over recall,
/// which says more where class 1 is rare.
///
/// Targets are 0 or 1, outputs are scores, both `[n]` or `[n, 1]`. The result is exact, so the metric keeps all scores
/// of an epoch (Keras's approximates by 200 thresholds). It is 0 if either class is missing, and NaN if a score is NaN.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Auc, Curve, Metric};
/// let (targets, scores) = (Tensor::new([0.0, 0.0, 1.0, 1.0]), Tensor::new([0.1, 0.4, 0.35, 0.8]));
/// let mut auc = Auc::default();
/// auc.update(&targets, &scores, None).unwrap();
/// assert_eq!(auc.result(), 0.75);
/// let mut auc = Auc::default().curve(Curve::Pr);
/// auc.update(&targets, &scores, None).unwrap();
/// assert_eq!(auc.result(), (1.0 + 2.0 / 3.0) / 2.0);
/// ```
#[doc(alias("average_precision_score", "roc_auc_score"))]
#[derive(Clone, Debug, Default)]
pub struct Auc {
    ranking: Ranking,
    curve: Curve,
}

impl Auc {
    /// Sets the curve, [`Curve::Roc`] by default.
    pub fn curve(self, curve: Curve) -> Self {
        Auc { curve, ..self }
    }
}

macro_rules! at {
    ($($(#[$doc:meta])+ $Name:ident($at:ident);)+) => {$(
        $(#[$doc])+
        ///
        /// Targets are 0 or 1, outputs are scores, both `[n]` or `[n, 1]`. The best threshold is looked for among all scores, so the
        /// metric keeps those of an epoch (Keras's looks at 200). It is 0 if no threshold is good enough or a class is missing,
        /// and NaN if a score is NaN.
        #[derive(Clone, Debug)]
        pub struct $Name {
            ranking: Ranking,
            at: f64,
        }

        impl $Name {
            /// The metric at this share, or a higher one.
            ///
            /// # Panics
            /// Unless it is from 0 to 1.
            #[track_caller]
            pub fn new($at: f64) -> Self {
                let name = stringify!($Name);
                assert!((0.0..=1.0).contains(&$at), "{name}: a share from 0 to 1 is needed, such as 0.9, not {}", $at);
                $Name { ranking: Ranking::default(), at: $at }
            }
        }
    )+};
}

at! {
    /// The highest sensitivity (the share of class 1 that is found) of all thresholds at which the specificity (the share of class 0
    /// that is not taken for class 1) is at least so high.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, SensitivityAtSpecificity};
    /// let mut metric = SensitivityAtSpecificity::new(0.5);
    /// metric.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.4, 0.35, 0.8]), None)?;
    /// // From 0.35 on both of class 1 are found, and one of the two others is taken for it.
    /// assert_eq!(metric.result(), 1.0);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    SensitivityAtSpecificity(specificity);
    /// The highest specificity (the share of class 0 that is not taken for class 1) of all thresholds at which the sensitivity (the
    /// share of class 1 that is found) is at least so high.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, SpecificityAtSensitivity};
    /// let mut metric = SpecificityAtSensitivity::new(1.0);
    /// metric.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.4, 0.35, 0.8]), None)?;
    /// // To find both of class 1 the threshold is 0.35, and 0.4 is a false alarm.
    /// assert_eq!(metric.result(), 0.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    SpecificityAtSensitivity(sensitivity);
    /// The highest precision (of what is taken for class 1, the share that is of it) of all thresholds at which the recall (the share
    /// of class 1 that is found) is at least so high.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, PrecisionAtRecall};
    /// let mut metric = PrecisionAtRecall::new(0.5);
    /// metric.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.4, 0.35, 0.8]), None)?;
    /// // From 0.8 on, one of two is found, and there is no false alarm.
    /// assert_eq!(metric.result(), 1.0);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    PrecisionAtRecall(recall);
    /// The highest recall (the share of class 1 that is found) of all thresholds at which the precision (of what is taken for class
    /// 1, the share that is of it) is at least so high.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, RecallAtPrecision};
    /// let mut metric = RecallAtPrecision::new(0.6);
    /// metric.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.4, 0.35, 0.8]), None)?;
    /// // From 0.35 on, both are found, and two of the three that are taken for class 1 are of it.
    /// assert_eq!(metric.result(), 1.0);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    RecallAtPrecision(precision);
}
