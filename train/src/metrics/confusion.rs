//! The confusion matrix.

use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::classes::Classes;
use super::row_weights;
use crate::error::Result;

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
}

/// A confusion matrix as it is written, before its size is checked.
#[derive(Deserialize)]
struct Counts {
    classes: usize,
    counts: Vec<f64>,
}

impl TryFrom<Counts> for ConfusionMatrix {
    type Error = String;

    fn try_from(Counts { classes, counts }: Counts) -> Result<Self, String> {
        if classes.checked_mul(classes) != Some(counts.len()) {
            return Err(format!("{} counts are no square of {classes} by {classes} classes", counts.len()));
        }
        Ok(ConfusionMatrix { classes, counts })
    }
}

impl ConfusionMatrix {
    /// Adds a batch: each sample counts as much as its weight, or 1.
    ///
    /// # Errors
    /// If the shapes do not fit each other.
    pub fn update<T: Float>(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let classes = Classes::of("confusion_matrix", targets, outputs, 0.5)?;
        self.count("confusion_matrix", &classes, outputs, weights)
    }

    pub(super) fn count<T: Float>(
        &mut self,
        name: &str,
        classes: &Classes,
        outputs: &Tensor<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        let weight = row_weights(name, weights, outputs, classes.truth.len())?;
        if self.classes != classes.count {
            *self = ConfusionMatrix { classes: classes.count, counts: vec![0.0; classes.count * classes.count] };
        }
        for (row, (&truth, &predicted)) in classes.truth.iter().zip(&classes.predicted).enumerate() {
            self.counts[truth * self.classes + predicted] += weight(row);
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

    /// The number of samples of `class` that are predicted as it.
    pub(super) fn found(&self, class: usize) -> f64 {
        self.counts[class * self.classes + class]
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
