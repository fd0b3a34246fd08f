//! The area under the ROC curve.

use gradus_tensor::{Float, Tensor};
use serde_json::Value;

use super::{Metric, ratio, row_weights, same_size};
use crate::error::Result;
use crate::number::Number;
use crate::state::{from_state, to_state};

/// The area under the receiver operating characteristic (ROC): the probability that a sample of class 1 has a higher
/// score than a sample of class 0, where equal scores count half.
///
/// Targets are 0 or 1, outputs are scores, both `[n]` or `[n, 1]`. The result is exact, so the metric keeps all scores
/// of an epoch (Keras's approximates by 200 thresholds). It is 0 if either class is missing.
#[derive(Clone, Debug, Default)]
pub struct Auc {
    /// Of each sample the score, whether it is of class 1, and the weight.
    scores: Vec<(f64, bool, f64)>,
}

impl<T: Float> Metric<T> for Auc {
    fn name(&self) -> String {
        "auc".to_owned()
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        same_size("auc", targets, outputs)?;
        let weight = row_weights("auc", weights, outputs, outputs.size())?;
        let pairs = outputs.iter().zip(targets.iter()).enumerate();
        self.scores.extend(pairs.map(|(row, (score, target))| (score.as_f64(), target > T::of(0.5), weight(row))));
        Ok(())
    }

    fn result(&self) -> f64 {
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
        let scores = self.scores.iter().map(|&(score, positive, weight)| (Number(score), positive, Number(weight)));
        to_state(&scores.collect::<Vec<_>>())
    }

    fn restore(&mut self, state: &Value) -> Result<()> {
        let scores: Vec<(Number, bool, Number)> = from_state("auc", state)?;
        self.scores = scores.into_iter().map(|(score, positive, weight)| (score.0, positive, weight.0)).collect();
        Ok(())
    }
}
