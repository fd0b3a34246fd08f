//! Accuracies: shares of predictions that are right.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::classes::{Classes, check_either, check_many, has_nan, is_single, truth_of_many};
use super::{Mean, Metric, row_weights, same_size};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

/// Adds each row that counts to the mean: 1 where the prediction is right, else 0, and NaN where an output is NaN.
fn add_rows<T: Float>(
    name: &str,
    mean: &mut Mean,
    classes: &Classes,
    outputs: &Tensor<T>,
    weights: Option<&Tensor<T>>,
) -> Result<()> {
    let weight = row_weights(name, weights, outputs, classes.rows())?;
    for (row, truth, predicted) in classes.counted() {
        mean.add(predicted.map_or(f64::NAN, |predicted| f64::from(predicted == truth)), weight(row));
    }
    Ok(())
}

/// The parts of a metric that are the same for all that keep a `mean`.
macro_rules! keeps_a_mean {
    () => {
        fn result(&self) -> f64 {
            self.mean.result()
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
    };
}

macro_rules! accuracy {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, $check:expr) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            ignored: Option<i64>,
            mean: Mean,
        }

        impl $Name {
            /// Leaves out the samples of this class, such as -1 or 255 for "unlabelled".
            pub fn ignore_class(self, class: i64) -> Self {
                $Name { ignored: Some(class), ..self }
            }
        }

        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
                let check: fn(&str, &Shape, &Shape) -> Result<()> = $check;
                check($name, targets, outputs)
            }

            fn expects_probabilities(&self, outputs: &Shape) -> bool {
                is_single(outputs)
            }

            fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
                Metric::<T>::check(self, targets.shape(), outputs.shape())?;
                let classes = Classes::of($name, targets, outputs, 0.5, self.ignored)?;
                add_rows($name, &mut self.mean, &classes, outputs, weights)
            }

            keeps_a_mean! {}
        }
    };
}

accuracy!(
    /// The share of predictions that are right.
    ///
    /// Outputs `[n, classes]` predict the class of the largest; targets are class indices or one-hot. Outputs `[n]` or
    /// `[n, 1]` predict 1 above 0.5, else 0; targets are 0 or 1. Where an output is NaN, the accuracy is NaN.
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
    check_either
);

accuracy!(
    /// The share of samples for which the largest of the outputs `[n, classes]` is where the one-hot target has its 1.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{CategoricalAccuracy, Metric};
    /// let mut accuracy = CategoricalAccuracy::default();
    /// let (targets, outputs) = (Tensor::new([[0.0, 1.0], [0.0, 1.0]]), Tensor::new([[0.2, 0.8], [0.7, 0.3]]));
    /// accuracy.update(&targets, &outputs, None)?;
    /// assert_eq!(accuracy.result(), 0.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    CategoricalAccuracy,
    "categorical_accuracy",
    |name, targets, outputs| {
        if targets != outputs {
            let problem = format!("targets {targets} and outputs {outputs} must have the same shape");
            return Err(Error::new(name, problem, "use SparseCategoricalAccuracy for class indices"));
        }
        check_many(name, targets, outputs)
    }
);

accuracy!(
    /// The share of samples for which the largest of the outputs `[n, classes]` is at the class index of the target.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, SparseCategoricalAccuracy};
    /// let mut accuracy = SparseCategoricalAccuracy::default().ignore_class(-1);
    /// let outputs = Tensor::new([[0.2, 0.8], [0.7, 0.3], [0.6, 0.4]]);
    /// // The third sample has no label.
    /// accuracy.update(&Tensor::new([1.0, 1.0, -1.0]), &outputs, None)?;
    /// assert_eq!(accuracy.result(), 0.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    SparseCategoricalAccuracy,
    "sparse_categorical_accuracy",
    |name, targets, outputs| {
        if targets == outputs && outputs.len() > 1 && outputs.last() != Some(&1) {
            let problem = format!("targets must be class indices, found {targets} for outputs of that shape");
            return Err(Error::new(name, problem, "use CategoricalAccuracy for one-hot targets"));
        }
        check_many(name, targets, outputs)
    }
);

/// The share of elements that are on the right side of a threshold: above it for a target of 1, else not above it.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{BinaryAccuracy, Metric};
/// let (targets, outputs) = (Tensor::new([1.0, 0.0, 1.0, 0.0]), Tensor::new([0.9, 0.6, 0.4, 0.1]));
/// let (mut at_half, mut higher) = (BinaryAccuracy::default(), BinaryAccuracy::default().threshold(0.7));
/// at_half.update(&targets, &outputs, None)?;
/// higher.update(&targets, &outputs, None)?;
/// assert_eq!((at_half.result(), higher.result()), (0.5, 0.75));
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BinaryAccuracy {
    /// `None` if it was not set.
    threshold: Option<f64>,
    ignored: Option<i64>,
    mean: Mean,
}

impl BinaryAccuracy {
    /// Sets the threshold, 0.5 by default; for logits it is 0.
    pub fn threshold(self, threshold: f64) -> Self {
        BinaryAccuracy { threshold: Some(threshold), ..self }
    }

    /// Leaves out the elements whose target is this, such as -1 for "unlabelled".
    pub fn ignore_class(self, class: i64) -> Self {
        BinaryAccuracy { ignored: Some(class), ..self }
    }
}

impl<T: Float> Metric<T> for BinaryAccuracy {
    fn name(&self) -> String {
        "binary_accuracy".to_owned()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        same_size("binary_accuracy", targets, outputs)
    }

    fn expects_probabilities(&self, _outputs: &Shape) -> bool {
        self.threshold.is_none()
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let threshold = self.threshold.unwrap_or(0.5);
        let classes = Classes::of_two("binary_accuracy", targets, outputs, threshold, self.ignored)?;
        add_rows("binary_accuracy", &mut self.mean, &classes, outputs, weights)
    }

    keeps_a_mean! {}
}

/// The share of samples for which the class of the target is among the `k` largest of the outputs `[n, classes]`.
/// Targets are class indices or one-hot.
///
/// An output equal to the `k`-th largest counts as among them, as in Keras.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Metric, TopKAccuracy};
/// let mut accuracy = TopKAccuracy::new(2);
/// let outputs = Tensor::new([[0.3, 0.6, 0.1], [0.3, 0.6, 0.1]]);
/// accuracy.update(&Tensor::new([0.0, 2.0]), &outputs, None)?;
/// assert_eq!(accuracy.result(), 0.5); // Class 0 is the second best, class 2 the third.
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TopKAccuracy {
    k: usize,
    ignored: Option<i64>,
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
        TopKAccuracy { k, ignored: None, mean: Mean::default() }
    }

    /// Leaves out the samples of this class, such as -1 or 255 for "unlabelled".
    pub fn ignore_class(self, class: i64) -> Self {
        TopKAccuracy { ignored: Some(class), ..self }
    }
}

impl<T: Float> Metric<T> for TopKAccuracy {
    fn name(&self) -> String {
        format!("top_{}_accuracy", self.k)
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        check_many(&Metric::<T>::name(self), targets, outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let name = Metric::<T>::name(self);
        let (classes, truth) = truth_of_many(&name, targets, outputs, self.ignored)?;
        let weight = row_weights(&name, weights, outputs, truth.len())?;
        for (place, (truth, row)) in truth.iter().zip(outputs.to_vec().chunks_exact(classes)).enumerate() {
            let Some(truth) = *truth else { continue };
            let better = row.iter().filter(|&&other| other > row[truth]).count();
            let right = row[truth].is_finite() && better < self.k;
            self.mean.add(if has_nan(row) { f64::NAN } else { f64::from(right) }, weight(place));
        }
        Ok(())
    }

    keeps_a_mean! {}
}
