//! How often the prediction is right.

use gradus_tensor::{Float, Tensor};

use super::{Mean, Metric};
use crate::error::{Error, Result};

/// How often the prediction is right.
#[derive(Clone, Debug, Default)]
pub struct Accuracy {
    mean: Mean,
}

impl<T: Float> Metric<T> for Accuracy {
    fn name(&self) -> String {
        "accuracy".to_owned()
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        let _ = weights;
        let classes = if targets.shape() == outputs.shape() {
            targets.argmax(-1)
        } else if targets.ndim() == 1 {
            targets.to::<i64>()
        } else {
            return Err(Error::new("accuracy", format!("{} {}", targets.shape(), outputs.shape()), "check"));
        };
        let right = outputs.argmax(-1).equal(&classes);
        for right in right.iter() {
            self.mean.add(f64::from(right), 1.0);
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.mean.result()
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }
}
