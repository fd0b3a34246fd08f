//! Metrics: what is measured besides the loss.

mod accuracy;

pub use accuracy::Accuracy;

use gradus_tensor::{Float, Tensor};

use crate::error::Result;

/// Something measured over batches: updated with each, asked at the end.
pub trait Metric<T: Float = f32> {
    /// The name in logs and history: `"accuracy"`.
    fn name(&self) -> String;

    /// Takes in the targets and outputs of a batch, and its samples' weights `[n]` if there are any.
    ///
    /// # Errors
    /// If the shapes do not fit each other or the metric.
    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()>;

    /// The measure of all batches since the last reset.
    fn result(&self) -> f64;

    /// Forgets all batches.
    fn reset(&mut self);
}

/// A weighted mean that batches are added to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mean {
    total: f64,
    count: f64,
}

impl Mean {
    pub fn add(&mut self, value: f64, weight: f64) {
        self.total += value * weight;
        self.count += weight;
    }

    /// The mean; 0 of nothing, as in Keras.
    pub fn result(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.total / self.count }
    }
}
