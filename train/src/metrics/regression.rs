//! Distances of numbers from their targets.

use gradus_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Mean, Metric, ratio, row_weights, same_size};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

macro_rules! error_metric {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, |$e:ident| $error:expr, |$mean:ident| $result:expr) => {
        $(#[$doc])+
        ///
        /// Targets and outputs have the same shape; the mean is over all elements.
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            mean: Mean,
        }

        impl<T: Float> Metric<T> for $Name {
            fn name(&self) -> String {
                $name.to_owned()
            }

            fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
                same_size($name, targets, outputs)
            }

            fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
                same_size($name, targets.shape(), outputs.shape())?;
                let weight = row_weights($name, weights, outputs, outputs.size())?;
                for (row, (target, output)) in targets.iter().zip(outputs.iter()).enumerate() {
                    let $e = output.as_f64() - target.as_f64();
                    self.mean.add($error, weight(row));
                }
                Ok(())
            }

            fn result(&self) -> f64 {
                let $mean = self.mean.result();
                $result
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
    };
}

error_metric!(
    /// The mean of |t - p|.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{MeanAbsoluteError, Metric};
    /// let mut error = MeanAbsoluteError::default();
    /// error.update(&Tensor::new([1.0, 2.0]), &Tensor::new([1.0, 5.0]), None)?;
    /// assert_eq!(error.result(), 1.5);
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    MeanAbsoluteError,
    "mean_absolute_error",
    |e| e.abs(),
    |mean| mean
);

error_metric!(
    /// The mean of (t - p)^2.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{MeanSquaredError, Metric};
    /// let mut error = MeanSquaredError::default();
    /// // Over two batches, the second with a weight of 2.
    /// error.update(&Tensor::new([1.0]), &Tensor::new([1.0]), None)?;
    /// error.update(&Tensor::new([2.0]), &Tensor::new([5.0]), Some(&Tensor::new([2.0])))?;
    /// assert_eq!(error.result(), 6.0); // (0 + 2 x 9) / 3
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    MeanSquaredError,
    "mean_squared_error",
    |e| e * e,
    |mean| mean
);

error_metric!(
    /// The square root of the mean of (t - p)^2, in the unit of the targets.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// use gradus_train::metrics::{Metric, RootMeanSquaredError};
    /// let mut error = RootMeanSquaredError::default();
    /// error.update(&Tensor::new([0.0, 0.0]), &Tensor::new([1.0, 7.0]), None)?;
    /// assert_eq!(error.result(), 5.0); // The root of (1 + 49) / 2.
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    RootMeanSquaredError,
    "root_mean_squared_error",
    |e| e * e,
    |mean| mean.sqrt()
);

/// The coefficient of determination: 1 - sum (t - p)^2 / sum (t - mean t)^2. 1 is
/// perfect, 0 is as good as always predicting the mean.
///
/// Targets and outputs have the same shape; of several columns the result is the mean of their scores. A column whose
/// targets are all equal has the score 1 if the outputs are equal to them, else 0, as in scikit-learn.
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::metrics::{Metric, R2};
/// let mut r2 = R2::default();
/// r2.update(&Tensor::new([1.0, 2.0, 3.0]), &Tensor::new([1.0, 2.0, 4.0]), None)?;
/// assert!((r2.result() - (1.0 - 1.0 / 2.0)).abs() < 1e-12);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct R2 {
    columns: Vec<Moments>,
}

/// Weighted sums over a column, shifted by its first target so that large targets lose no digits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Moments {
    #[serde(with = "crate::number")]
    shift: f64,
    #[serde(with = "crate::number")]
    weight: f64,
    #[serde(with = "crate::number")]
    sum: f64,
    #[serde(with = "crate::number")]
    squares: f64,
    #[serde(with = "crate::number")]
    residuals: f64,
}

impl Moments {
    fn score(&self) -> f64 {
        let total = self.squares - ratio(self.sum * self.sum, self.weight);
        if total.is_nan() || self.residuals.is_nan() {
            f64::NAN
        } else if total > 0.0 {
            1.0 - self.residuals / total
        } else {
            f64::from(self.residuals == 0.0)
        }
    }
}

impl<T: Float> Metric<T> for R2 {
    fn name(&self) -> String {
        "r2".to_owned()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        same_size("r2", targets, outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        same_size("r2", targets.shape(), outputs.shape())?;
        let columns = if targets.ndim() < 2 { 1 } else { targets.shape()[targets.ndim() - 1] };
        let weight = row_weights("r2", weights, outputs, targets.size() / columns.max(1))?;
        if !self.columns.is_empty() && self.columns.len() != columns {
            let problem = format!("outputs have {columns} columns, those before had {}", self.columns.len());
            return Err(Error::new("r2", problem, "measure each model by a metric of its own"));
        }
        if self.columns.is_empty() {
            let shifts = targets.iter().take(columns).map(Float::as_f64);
            self.columns = shifts.map(|shift| Moments { shift, ..Moments::default() }).collect();
        }
        for (place, (target, output)) in targets.iter().zip(outputs.iter()).enumerate() {
            let (weight, column) = (weight(place / columns), &mut self.columns[place % columns]);
            let (target, output) = (target.as_f64() - column.shift, output.as_f64() - column.shift);
            column.weight += weight;
            column.sum += weight * target;
            column.squares += weight * target * target;
            column.residuals += weight * (target - output) * (target - output);
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        ratio(self.columns.iter().map(Moments::score).sum(), self.columns.len() as f64)
    }

    fn reset(&mut self) {
        self.columns.clear();
    }

    fn state(&self) -> Value {
        to_state(&self.columns)
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.columns = from_state(state)?;
        Ok(())
    }
}
