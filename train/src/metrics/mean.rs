//! Weighted means of numbers, and those of the losses of a model.

use gradus_nn::losses::OutputLoss;
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

/// The losses of a model over several batches, whatever their sizes: for each output the sum of the losses that count over
/// their number.
///
/// ```
/// use gradus_nn::losses::OutputLoss;
/// use gradus_train::metrics::LossMeans;
/// let mut means = LossMeans::default();
/// for (loss, counted) in [(2.0, 32), (5.0, 16)] {
///     means.add(loss, &[OutputLoss { output: "price".to_owned(), loss, counted, weight: 1.0 }], counted);
/// }
/// assert_eq!(means.total(), 3.0); // (2 x 32 + 5 x 16) / 48
/// assert_eq!(means.outputs().next(), Some(("price", 3.0)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossMeans {
    /// The whole loss, as if all targets of a batch counted.
    total: Mean,
    outputs: Vec<OutputMean>,
}

/// The mean loss of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OutputMean {
    output: String,
    /// The factor of this loss in the whole one.
    #[serde(with = "crate::number")]
    weight: f64,
    /// Over what counts.
    mean: Mean,
    /// Over the samples: what the total has taken for the mean.
    over_samples: Mean,
}

impl LossMeans {
    /// Adds the losses of a batch of so many samples: the whole loss and that of each output.
    pub fn add<T: Float>(&mut self, loss: T, of_outputs: &[OutputLoss<T>], samples: usize) {
        self.total.add(loss.as_f64(), samples as f64);
        if self.outputs.len() != of_outputs.len() {
            let new = |OutputLoss { output, weight, .. }: &OutputLoss<T>| OutputMean {
                output: output.clone(),
                weight: *weight,
                mean: Mean::default(),
                over_samples: Mean::default(),
            };
            self.outputs = of_outputs.iter().map(new).collect();
        }
        for (sums, OutputLoss { loss, counted, .. }) in self.outputs.iter_mut().zip(of_outputs) {
            sums.mean.add(loss.as_f64(), *counted as f64);
            sums.over_samples.add(loss.as_f64(), samples as f64);
        }
    }

    /// The loss that is trained on: that of all outputs, each times its weight, and the penalties on weights.
    pub fn total(&self) -> f64 {
        let total = self.total.result();
        let change = |sums: &OutputMean| sums.weight * (sums.mean.result() - sums.over_samples.result());
        let changed = total + self.outputs.iter().map(change).sum::<f64>();
        // A total that is not finite says so itself.
        if total.is_finite() { changed } else { total }
    }

    /// The loss of each output under its name, without its weight and penalties.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.outputs.iter().map(|output| (&*output.output, output.mean.result()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(output: &str, loss: f64, counted: usize, weight: f64) -> OutputLoss<f64> {
        OutputLoss { output: output.to_owned(), loss, counted, weight }
    }

    #[test]
    fn losses_are_means_over_what_counts() {
        let mut means = LossMeans::default();
        // Penalties 0.5 and 1.0, of 4 and 2 samples.
        means.add(3.0 + 0.2 * 5.0 + 0.5, &[part("class", 3.0, 1, 1.0), part("hours", 5.0, 4, 0.2)], 4);
        means.add(0.0 + 0.2 * 2.0 + 1.0, &[part("class", 0.0, 0, 1.0), part("hours", 2.0, 2, 0.2)], 2);
        // By hand: class (3 x 1) / 1, hours (5 x 4 + 2 x 2) / 6 = 4, penalties (0.5 x 4 + 1 x 2) / 6 = 2/3.
        assert_eq!(means.outputs().collect::<Vec<_>>(), [("class", 3.0), ("hours", 4.0)]);
        assert!((means.total() - (3.0 + 0.2 * 4.0 + 2.0 / 3.0)).abs() < 1e-12, "{}", means.total());
    }

    #[test]
    fn a_loss_that_is_no_number_stays_none() {
        for value in [f64::INFINITY, f64::NAN] {
            let mut means = LossMeans::default();
            means.add(1.0, &[part("y", 1.0, 2, 1.0)], 2);
            means.add(value, &[part("y", value, 2, 1.0)], 2);
            assert_eq!(means.total().is_nan(), value.is_nan());
            assert!(!means.total().is_finite());
            // A penalty may be what is none.
            let mut means = LossMeans::default();
            means.add(value, &[part("y", 1.0, 2, 1.0)], 2);
            assert!(!means.total().is_finite(), "{}", means.total());
        }
    }
}
