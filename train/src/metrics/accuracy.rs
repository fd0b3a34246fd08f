//! Accuracies: shares of predictions that are right.

use gradus_tensor::{Float, Tensor};
use serde_json::Value;

use super::classes::{Classes, truth_of_many};
use super::{Mean, Metric, row_weights};
use crate::error::{Error, Result};
use crate::state::{from_state, to_state};

/// Adds each row to the mean: 1 where the prediction is right, else 0.
fn add_rows<T: Float>(
    name: &str,
    mean: &mut Mean,
    right: impl ExactSizeIterator<Item = bool>,
    outputs: &Tensor<T>,
    weights: Option<&Tensor<T>>,
) -> Result<()> {
    let weight = row_weights(name, weights, outputs, right.len())?;
    for (row, right) in right.enumerate() {
        mean.add(f64::from(right), weight(row));
    }
    Ok(())
}

macro_rules! accuracy {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, |$self:ident, $targets:ident, $outputs:ident| $classes:expr) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            mean: Mean,
        }

        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn update(
                &mut $self,
                $targets: &Tensor<T>,
                $outputs: &Tensor<T>,
                weights: Option<&Tensor<T>>,
            ) -> Result<()> {
                let classes: Classes = $classes?;
                let right = classes.truth.iter().zip(&classes.predicted).map(|(truth, predicted)| truth == predicted);
                add_rows($name, &mut $self.mean, right, $outputs, weights)
            }

            fn result(&self) -> f64 {
                self.mean.result()
            }

            fn reset(&mut self) {
                self.mean = Mean::default();
            }

            fn state(&self) -> Value {
                to_state(&self.mean)
            }

            fn restore(&mut self, state: &Value) -> Result<()> {
                self.mean = from_state($name, state)?;
                Ok(())
            }
        }
    };
}

accuracy!(
    /// The share of predictions that are right.
    ///
    /// Outputs `[n, classes]` predict the class of the largest; targets are class indices or one-hot. Outputs `[n]` or
    /// `[n, 1]` predict 1 above 0.5, else 0; targets are 0 or 1.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Accuracy, Metric};
    /// let mut accuracy = Accuracy::default();
    /// let outputs = Tensor::new([[0.9, 0.1], [0.2, 0.8]]);
    /// accuracy.update(&Tensor::new([0.0, 0.0]), &outputs, None).unwrap();
    /// assert_eq!(Metric::<f32>::result(&accuracy), 0.5);
    /// ```
    Accuracy,
    "accuracy",
    |self, targets, outputs| Classes::of("accuracy", targets, outputs, 0.5)
);

accuracy!(
    /// The share of samples for which the largest of the outputs `[n, classes]` is where the one-hot target has its 1.
    CategoricalAccuracy,
    "categorical_accuracy",
    |self, targets, outputs| {
        if targets.shape() != outputs.shape() {
            let problem =
                format!("targets {} and outputs {} must have the same shape", targets.shape(), outputs.shape());
            return Err(Error::new("categorical_accuracy", problem, "use SparseCategoricalAccuracy for class indices"));
        }
        Classes::of_many("categorical_accuracy", targets, outputs)
    }
);

accuracy!(
    /// The share of samples for which the largest of the outputs `[n, classes]` is at the class index of the target.
    SparseCategoricalAccuracy,
    "sparse_categorical_accuracy",
    |self, targets, outputs| {
        if targets.shape() == outputs.shape() {
            let problem = format!("targets must be class indices, found {} for outputs of that shape", targets.shape());
            return Err(Error::new("sparse_categorical_accuracy", problem, "use CategoricalAccuracy for one-hot targets"));
        }
        Classes::of_many("sparse_categorical_accuracy", targets, outputs)
    }
);

/// The share of elements that are on the right side of a threshold: above it for a target of 1, else not above it.
#[derive(Clone, Debug)]
pub struct BinaryAccuracy {
    threshold: f64,
    mean: Mean,
}

impl Default for BinaryAccuracy {
    fn default() -> Self {
        BinaryAccuracy { threshold: 0.5, mean: Mean::default() }
    }
}

impl BinaryAccuracy {
    /// Sets the threshold, 0.5 by default; for logits it is 0.
    pub fn threshold(self, threshold: f64) -> Self {
        BinaryAccuracy { threshold, ..self }
    }
}

impl<T: Float> Metric<T> for BinaryAccuracy {
    fn name(&self) -> String {
        "binary_accuracy".to_owned()
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let classes = Classes::of_two("binary_accuracy", targets, outputs, self.threshold)?;
        let right = classes.truth.iter().zip(&classes.predicted).map(|(truth, predicted)| truth == predicted);
        add_rows("binary_accuracy", &mut self.mean, right, outputs, weights)
    }

    fn result(&self) -> f64 {
        self.mean.result()
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn state(&self) -> Value {
        to_state(&self.mean)
    }

    fn restore(&mut self, state: &Value) -> Result<()> {
        self.mean = from_state("binary_accuracy", state)?;
        Ok(())
    }
}

/// The share of samples for which the class of the target is among the `k` largest of the outputs `[n, classes]`.
/// Targets are class indices or one-hot.
///
/// An output equal to the `k`-th largest counts as among them, as in Keras.
#[derive(Clone, Debug)]
pub struct TopKAccuracy {
    k: usize,
    mean: Mean,
}

impl TopKAccuracy {
    /// The accuracy within the `k` largest outputs.
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> Self {
        assert!(k > 0, "top_k_accuracy: k must be at least 1, found 0");
        TopKAccuracy { k, mean: Mean::default() }
    }
}

impl<T: Float> Metric<T> for TopKAccuracy {
    fn name(&self) -> String {
        format!("top_{}_accuracy", self.k)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let name = Metric::<T>::name(self);
        let (classes, truth) = truth_of_many(&name, targets, outputs)?;
        let rows = outputs.to_vec();
        let right = truth.iter().zip(rows.chunks_exact(classes)).map(|(&truth, row)| {
            row[truth].is_finite() && row.iter().filter(|&&other| other > row[truth]).count() < self.k
        });
        add_rows(&name, &mut self.mean, right, outputs, weights)
    }

    fn result(&self) -> f64 {
        self.mean.result()
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn state(&self) -> Value {
        to_state(&self.mean)
    }

    fn restore(&mut self, state: &Value) -> Result<()> {
        self.mean = from_state(&Metric::<T>::name(self), state)?;
        Ok(())
    }
}
