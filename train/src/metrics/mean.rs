//! Weighted means of numbers, and those of the losses of a model.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::ratio;

/// A weighted mean that numbers are added to: sum of value x weight / sum of weights.
///
/// ```
/// use gradus_train::metrics::Mean;
/// let mut mean = Mean::default();
/// mean.add(2.0, 3.0);
/// mean.add(6.0, 1.0);
/// assert_eq!(mean.result(), 3.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The sum of the values, each times its weight.
    #[serde(with = "crate::number")]
    total: f64,
    /// The sum of the weights.
    #[serde(with = "crate::number")]
    weight: f64,
}

impl Mean {
    /// Adds a value of this weight.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.total += value * weight;
        self.weight += weight;
    }

    /// The mean; 0 if nothing was added, as in Keras.
    pub fn result(&self) -> f64 {
        ratio(self.total, self.weight)
    }
}

/// The mean losses of a model over samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossMeans {
    /// The loss that is trained on: that of all outputs, each times its weight, and the penalties on weights.
    pub total: Mean,
    /// The loss of each output under its name, without its weight, if the model has several outputs; else nothing.
    pub outputs: Vec<(String, Mean)>,
}

impl LossMeans {
    /// Adds the losses of a batch: the whole loss and that of each output.
    pub fn add<T: Float>(&mut self, loss: T, of_outputs: &[(String, T)], samples: usize) {
        self.total.add(loss.as_f64(), samples as f64);
        if self.outputs.len() != of_outputs.len() {
            self.outputs = of_outputs.iter().map(|(name, _)| (name.clone(), Mean::default())).collect();
        }
        for ((_, mean), (_, loss)) in self.outputs.iter_mut().zip(of_outputs) {
            mean.add(loss.as_f64(), samples as f64);
        }
    }
}
