//! Perplexity: between how many classes a model is in doubt.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::classes::{check_many, has_nan, truth_of_many};
use super::{Mean, Metric, row_weights};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

/// exp of the mean of -ln p, where p is the probability of the true class: the number of equally likely classes among which a model
/// would be in the same doubt. 1 is perfect; the same for all of k classes is k.
///
/// Outputs are probabilities `[n, .., classes]`, or logits with [`from_logits`](Perplexity::from_logits); targets are class indices or
/// one-hot. Where a true class has the probability 0, the perplexity is infinite.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Metric, Perplexity};
/// let mut perplexity = Perplexity::default();
/// perplexity.update(&Tensor::new([0.0, 1.0]), &Tensor::new([[0.5, 0.5], [0.5, 0.5]]), None).unwrap();
/// assert_eq!(Metric::<f32>::result(&perplexity), 2.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Perplexity {
    from_logits: bool,
    ignored: Option<i64>,
    /// Of -ln p.
    mean: Mean,
}

impl Perplexity {
    /// Whether outputs are logits, whose softmax is the probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        Perplexity { from_logits, ..self }
    }

    /// Leaves out the positions of this class, such as 0 for padding.
    pub fn ignore_class(self, class: i64) -> Self {
        Perplexity { ignored: Some(class), ..self }
    }
}

/// Checks that a row is probabilities: numbers that are not negative, whose sum is 1.
fn check_probabilities<T: Float>(row: &[T], place: usize) -> Result<()> {
    let sum: f64 = row.iter().map(|output| output.as_f64()).sum();
    let least = row.iter().map(|output| output.as_f64()).fold(f64::INFINITY, f64::min);
    if least >= 0.0 && (0.99..=1.01).contains(&sum) {
        return Ok(());
    }
    let problem = format!("outputs must be probabilities, found a least of {least} and a sum of {sum} at row {place}");
    Err(Error::new("perplexity", problem, "end the network with a softmax, or call `from_logits(true)` for logits"))
}

impl<T: Float> Metric<T> for Perplexity {
    fn name(&self) -> String {
        "perplexity".to_owned()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        check_many("perplexity", targets, outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let (count, truth) = truth_of_many("perplexity", targets, outputs, self.ignored)?;
        let weight = row_weights("perplexity", weights, outputs, truth.len())?;
        let outputs = outputs.to_vec();
        for (place, (row, class)) in outputs.chunks_exact(count).zip(truth).enumerate() {
            let Some(class) = class else { continue };
            let of_class = row[class].as_f64();
            let loss = if has_nan(row) {
                f64::NAN
            } else if self.from_logits {
                let largest = row.iter().map(|output| output.as_f64()).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = row.iter().map(|output| (output.as_f64() - largest).exp()).sum();
                // The first term is 0 or more, whatever the largest logit is.
                (largest - of_class) + sum.ln()
            } else {
                check_probabilities(row, place)?;
                -of_class.ln()
            };
            let weight = weight(place);
            // An infinite loss of no weight would be NaN.
            if weight != 0.0 {
                self.mean.add(loss, weight);
            }
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.mean.result().exp()
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn state(&self) -> Value {
        to_state(&self.mean)
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.mean = from_state(state)?;
        Ok(())
    }
}
