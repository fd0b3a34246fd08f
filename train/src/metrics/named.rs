//! A metric under another name.

use gradus_tensor::{Float, Shape, Tensor};
use serde_json::Value;

use super::Metric;
use crate::error::Result;
use crate::state::{NamedState, Tensors};

/// A metric under another name in logs and history, for two metrics of one kind.
///
/// A callback that watches it takes less for better if the name ends in `loss` or `error` (or `mae`, `mse`, `rmse`).
///
/// ```
/// # use gradus_nn::{Activation, Dense, Model, Sequential, losses::BinaryCrossentropy};
/// # use gradus_optim::Adam;
/// use gradus_train::Trainer;
/// use gradus_train::metrics::{Named, Precision};
/// # let network = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
/// # let model = Model::build(network, [3], 0).unwrap();
/// let trainer = Trainer::new(model, BinaryCrossentropy::default(), Adam::default())
///     .metric(Precision::default())
///     .metric(Named::new("precision_at_0.9", Precision::default().threshold(0.9)));
/// ```
#[derive(Clone, Debug)]
pub struct Named<M> {
    name: String,
    metric: M,
}

impl<M> Named<M> {
    /// This metric under this name.
    pub fn new(name: impl Into<String>, metric: M) -> Self {
        Named { name: name.into(), metric }
    }
}

impl<T: Float, M: Metric<T>> Metric<T> for Named<M> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn check(&self, targets: &Shape, outputs: &Shape) -> Result<()> {
        self.metric.check(targets, outputs)
    }

    fn expects_probabilities(&self, outputs: &Shape) -> bool {
        self.metric.expects_probabilities(outputs)
    }

    fn update(&mut self, targets: &Tensor<T>, outputs: &Tensor<T>, weights: Option<&Tensor<T>>) -> Result<()> {
        self.metric.update(targets, outputs, weights)
    }

    fn update_masked(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        mask: &Tensor<bool>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        self.metric.update_masked(targets, outputs, mask, weights)
    }

    fn result(&self) -> f64 {
        self.metric.result()
    }

    fn reset(&mut self) {
        self.metric.reset();
    }

    fn state(&self) -> Value {
        self.metric.state()
    }

    fn tensors(&self) -> Tensors {
        self.metric.tensors()
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.metric.restore(state)
    }
}
