//! The confusion matrix.

use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::classes::Classes;
use super::row_weights;
use crate::error::{Error, Result};

/// The number of samples of each true class (rows) that are predicted as each class (columns).
///
/// Outputs are `[n, classes]`, with class indices or one-hot targets; or `[n]` or `[n, 1]`, which predict 1 above 0.5,
/// with targets of 0 and 1.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::ConfusionMatrix;
/// let mut matrix = ConfusionMatrix::default();
/// matrix.update(&Tensor::new([0.0, 1.0, 1.0]), &Tensor::new([0.2, 0.9, 0.4]), None).unwrap();
/// assert_eq!(matrix.counts(), Tensor::from([[1.0, 0.0], [1.0, 1.0]]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Counts")]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major, `classes` by `classes`.
    counts: Vec<f64>,
    /// The class whose samples are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<i64>,
}

/// A confusion matrix as it is written, before its size is checked.
#[derive(Deserialize)]
struct Counts {
    classes: usize,
    counts: Vec<f64>,
    #[serde(default)]
    ignored: Option<i64>,
}

impl TryFrom<Counts> for ConfusionMatrix {
    type Error = String;

    fn try_from(Counts { classes, counts, ignored }: Counts) -> Result<Self, String> {
        if classes.checked_mul(classes) != Some(counts.len()) {
            return Err(format!("{} counts are no square of {classes} by {classes} classes", counts.len()));
        }
        Ok(ConfusionMatrix { classes, counts, ignored })
    }
}

impl ConfusionMatrix {
    /// Leaves out the samples of this class, such as -1 or 255 for "unlabelled".
    pub fn ignore_class(self, class: i64) -> Self {
        ConfusionMatrix { ignored: Some(class), ..self }
    }

    /// Adds a batch: each sample counts as much as its weight, or 1.
    ///
    /// # Errors
    /// If the shapes do not fit each other, a target is no class, an output is NaN, or the batches before had another
    /// number of classes.
    pub fn update<T: Float>(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let name = "confusion_matrix";
        let classes = Classes::of(name, targets, outputs, 0.5, self.ignored)?;
        if let Some((row, ..)) = classes.counted().find(|(.., predicted)| predicted.is_none()) {
            let hint = "look for NaN in the data, or train at a lower learning rate";
            return Err(Error::new(name, format!("outputs must be numbers, found NaN at row {row}"), hint));
        }
        self.count(name, &classes, outputs, weights)
    }

    /// Adds the rows that have a prediction.
    pub(super) fn count<T: Float>(
        &mut self,
        name: &str,
        classes: &Classes,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let weight = row_weights(name, weights, outputs, classes.rows())?;
        if self.classes == 0 {
            (self.classes, self.counts) = (classes.count, vec![0.0; classes.count * classes.count]);
        }
        if self.classes != classes.count {
            let problem = format!("outputs have {} classes, those before had {}", classes.count, self.classes);
            return Err(Error::new(name, problem, "measure each model by a metric of its own"));
        }
        for (row, truth, predicted) in classes.counted() {
            if let Some(predicted) = predicted {
                self.counts[truth * self.classes + predicted] += weight(row);
            }
        }
        Ok(())
    }

    /// The counts, `[classes, classes]`; `[0, 0]` before the first update.
    pub fn counts(&self) -> Tensor<f64> {
        Tensor::from(&self.counts[..]).reshape([self.classes, self.classes])
    }

    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// The number of samples of the class `truth` that are predicted as `predicted`.
    pub(super) fn at(&self, truth: usize, predicted: usize) -> f64 {
        self.counts[truth * self.classes + predicted]
    }

    /// The number of samples of `class` that are predicted as it.
    pub(super) fn found(&self, class: usize) -> f64 {
        self.at(class, class)
    }

    /// The number of samples of `class`.
    pub(super) fn actual(&self, class: usize) -> f64 {
        self.counts[class * self.classes..][..self.classes].iter().sum()
    }

    /// The number of samples that are predicted as `class`.
    pub(super) fn predicted(&self, class: usize) -> f64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }
}
