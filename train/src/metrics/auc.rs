//! The area under the ROC curve.

use gradus_tensor::{AnyTensor, Element, Float, Shape, Tensor};
use serde_json::Value;

use super::classes::truth_of_two;
use super::{Metric, ratio, row_weights, same_size};
use crate::error::Result;
use crate::state::{NamedState, Tensors, from_state, no_state_of, to_state};

/// The names of the tensors in the state.
const SCORES: &str = "scores";
const POSITIVE: &str = "positive";
const WEIGHTS: &str = "weights";

/// The area under the receiver operating characteristic (ROC): the probability that a sample of class 1 has a higher
/// score than a sample of class 0, where equal scores count half.
///
/// Targets are 0 or 1, outputs are scores, both `[n]` or `[n, 1]`. The result is exact, so the metric keeps all scores
/// of an epoch (Keras's approximates by 200 thresholds). It is 0 if either class is missing, and NaN if a score is NaN.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Auc, Metric};
/// let mut auc = Auc::default();
/// auc.update(&Tensor::new([0.0, 0.0, 1.0, 1.0]), &Tensor::new([0.1, 0.4, 0.35, 0.8]), None).unwrap();
/// assert_eq!(Metric::<f32>::result(&auc), 0.75);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Auc {
    ignored: Option<i64>,
    /// Of each sample the score, whether it is of class 1, and the weight.
    scores: Vec<(f64, bool, f64)>,
}

impl Auc {
    /// Leaves out the samples whose target is this, such as -1 for "unlabelled".
    pub fn ignore_class(self, class: i64) -> Self {
        Auc { ignored: Some(class), ..self }
    }
}

impl<T: Float> Metric<T> for Auc {
    fn name(&self) -> String {
        "auc".to_owned()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        same_size("auc", targets, outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        same_size("auc", targets.shape(), outputs.shape())?;
        let truth = truth_of_two("auc", targets, self.ignored)?;
        let weight = row_weights("auc", weights, outputs, outputs.size())?;
        let rows = outputs.iter().zip(truth).enumerate();
        self.scores.extend(rows.filter_map(|(row, (score, truth))| Some((score.as_f64(), truth? == 1, weight(row)))));
        Ok(())
    }

    fn result(&self) -> f64 {
        if self.scores.iter().any(|score| score.0.is_nan()) {
            return f64::NAN;
        }
        let mut scores = self.scores.clone();
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut area, mut positives) = (0.0, 0.0, 0.0);
        for tie in scores.chunk_by(|a, b| a.0 == b.0) {
            let of_class = |class| tie.iter().filter(|score| score.1 == class).map(|score| score.2).sum::<f64>();
            let (negative, positive) = (of_class(false), of_class(true));
            area += positive * (below + 0.5 * negative);
            below += negative;
            positives += positive;
        }
        ratio(area, below * positives)
    }

    fn reset(&mut self) {
        self.scores.clear();
    }

    fn state(&self) -> Value {
        to_state(&self.scores.len())
    }

    fn tensors(&self) -> Tensors {
        let scores = Tensor::from_iter(self.scores.iter().map(|score| score.0));
        let positive = Tensor::from_iter(self.scores.iter().map(|score| score.1));
        let weights = Tensor::from_iter(self.scores.iter().map(|score| score.2));
        [(SCORES, scores.into()), (POSITIVE, positive.into()), (WEIGHTS, weights.into())]
            .map(|(name, tensor): (&str, AnyTensor)| (name.to_owned(), tensor))
            .into()
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let count: usize = from_state(state)?;
        let scores = column::<f64>(state, SCORES, count)?;
        let (positive, weights) = (column::<bool>(state, POSITIVE, count)?, column::<f64>(state, WEIGHTS, count)?);
        let rows = scores.iter().zip(positive.iter()).zip(weights.iter());
        self.scores = rows.map(|((score, positive), weight)| (score, positive, weight)).collect();
        Ok(())
    }
}

/// A tensor `[count]` of the state.
fn column<'a, X: Element>(state: &'a NamedState, name: &str, count: usize) -> Result<&'a Tensor<X>> {
    let tensor = state.tensors.get(name).and_then(AnyTensor::get).filter(|tensor| *tensor.shape() == [count]);
    tensor.ok_or_else(|| no_state_of(&state.name, &format!("it has no tensor {name:?} of {} [{count}]", X::NAME)))
}
