//! The label error rate: how many labels of strings are wrong that were read from frames.

use gradus_nn::losses::Ctc;
use gradus_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Metric, edit_distance, row_weights};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

const NAME: &str = "label_error_rate";

/// The label error rate of a network that is trained by [`Ctc`]: the edit distances of the strings that greedy decoding reads, over the
/// length of the strings that are right. It may be above 1.
///
/// Targets and outputs are those of the loss. With weights, each string counts as often as its weight says. Where the logits of a
/// string have a NaN, the rate is NaN.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{LabelErrorRate, Metric};
/// let mut rate = LabelErrorRate::default();
/// // The frames spell "1 2", right is "1 1".
/// let logits = Tensor::new([[[0.0, 5.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 5.0]]]);
/// rate.update(&Tensor::new([[1.0, 1.0]]), &logits, None).unwrap();
/// assert_eq!(Metric::<f32>::result(&rate), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct LabelErrorRate {
    loss: Ctc,
    sums: Sums,
}

/// Sums over strings, each times its weight.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    #[serde(with = "crate::number")]
    errors: f64,
    #[serde(with = "crate::number")]
    length: f64,
}

impl LabelErrorRate {
    /// For the strings of this loss, which says what the blank is.
    pub fn of(loss: Ctc) -> Self {
        LabelErrorRate { loss, sums: Sums::default() }
    }

    fn add<T: Float>(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        mask: Option<&Tensor<bool>>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        check_shapes(targets.shape(), outputs.shape())?;
        let strings = self.loss.strings(targets, outputs.shape()[2])?;
        let blank = self.loss.blank_class();
        if blank >= outputs.shape()[2] {
            let problem = format!("the blank is class {blank}, the outputs are {}", outputs.shape());
            return Err(Error::new(NAME, problem, "give the last layer one unit for each label and one for the blank"));
        }
        let weight = row_weights(NAME, weights, outputs, strings.len())?;
        for (sample, (string, read)) in strings.iter().zip(outputs.ctc_greedy_decode(mask, blank)).enumerate() {
            let errors =
                if read.log_probability.is_nan() { f64::NAN } else { edit_distance(string, &read.labels) as f64 };
            let weight = weight(sample);
            self.sums.errors += errors * weight;
            self.sums.length += string.len() as f64 * weight;
        }
        Ok(())
    }
}

fn check_shapes(targets: &Shape, outputs: &Shape) -> Result<()> {
    if targets.len() == 2 && outputs.len() == 3 && targets[0] == outputs[0] {
        return Ok(());
    }
    let problem =
        format!("targets must be [n, length] and outputs [n, frames, classes], found {targets} and {outputs}");
    Err(Error::new(NAME, problem, "give a string of labels for each sample, and logits for each frame"))
}

impl<T: Float> Metric<T> for LabelErrorRate {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        check_shapes(targets, outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        self.add(targets, outputs, None, weights)
    }

    fn update_masked(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        mask: &Tensor<bool>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        self.add(targets, outputs, Some(mask), weights)
    }

    fn result(&self) -> f64 {
        match self.sums {
            Sums { errors, length } if length == 0.0 && !errors.is_nan() => f64::from(errors > 0.0),
            Sums { errors, length } => errors / length,
        }
    }

    fn reset(&mut self) {
        self.sums = Sums::default();
    }

    fn state(&self) -> Value {
        to_state(&self.sums)
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.sums = from_state(state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits of frames of three classes, sure of these.
    fn sure(frames: &[&[usize]]) -> Tensor {
        let rows: Vec<Tensor> = frames
            .iter()
            .map(|frames| frames.iter().map(|&class| class as i64).collect::<Tensor<i64>>().one_hot(3) * 9.0)
            .collect();
        Tensor::stack(&rows, 0)
    }

    fn result(rate: &LabelErrorRate) -> f64 {
        Metric::<f32>::result(rate)
    }

    #[test]
    fn errors_are_counted_over_batches_with_weights_and_masks() {
        let mut rate = LabelErrorRate::default();
        // By hand: "1 2" for "1 1 2", one error; "2" for "2".
        let outputs = sure(&[&[1, 1, 2, 0], &[0, 2, 0, 0]]);
        let targets = Tensor::new([[1.0, 1.0, 2.0], [2.0, 0.0, 0.0]]);
        rate.update(&targets, &outputs, None).unwrap();
        assert_eq!(result(&rate), 0.25);
        rate.update(&targets, &outputs, Some(&Tensor::new([2.0, 0.5]))).unwrap();
        assert_eq!(result(&rate), 3.0 / (4.0 + 6.5));
        Metric::<f32>::reset(&mut rate);
        let mask = Tensor::from([[true, true, false, true], [true, false, true, true]]);
        rate.update_masked(&targets, &outputs, &mask, None).unwrap();
        // "1" for "1 1 2", nothing for "2".
        assert_eq!(result(&rate), 0.75);
        let mut last = LabelErrorRate::of(Ctc::default().blank(2));
        last.update(&Tensor::new([[1.0, 0.0, 2.0]]), &sure(&[&[1, 2, 0, 0]]), None).unwrap();
        assert_eq!(result(&last), 0.0);
    }

    #[test]
    fn empty_strings_and_nan_are_told() {
        let mut rate = LabelErrorRate::default();
        assert_eq!(result(&rate), 0.0);
        let nothing = Tensor::new([[0.0]]);
        rate.update(&nothing, &sure(&[&[0, 0]]), None).unwrap();
        assert_eq!(result(&rate), 0.0);
        rate.update(&nothing, &sure(&[&[0, 1]]), None).unwrap();
        assert_eq!(result(&rate), 1.0);
        rate.update(&nothing, &Tensor::full([1, 2, 3], f32::NAN), None).unwrap();
        assert!(result(&rate).is_nan());
        let error = rate.update(&Tensor::new([1.0]), &sure(&[&[0, 1]]), None).unwrap_err().to_string();
        assert!(error.starts_with("label_error_rate: targets must be [n, length]"), "{error}");
        let error = rate.update(&Tensor::new([[3.0]]), &sure(&[&[0, 1]]), None).unwrap_err().to_string();
        assert!(error.contains("labels must be whole numbers from 0 to 2, found 3"), "{error}");
    }
}
