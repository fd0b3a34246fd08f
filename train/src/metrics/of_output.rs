//! Metrics of the outputs of a model.

use gradus_tensor::{Float, Tensor};

use super::Metric;
use crate::error::Result;
use crate::state::NamedState;

/// A metric of one output of a model.
pub(crate) struct OutputMetric<T: Float> {
    /// The name in logs: `"accuracy"`, or `"class_accuracy"` where the model has several outputs.
    pub name: String,
    /// The place of the output among those of the model.
    output: usize,
    metric: Box<dyn Metric<T>>,
}

impl<T: Float> OutputMetric<T> {
    /// A metric of the output at this place; `prefix` is the name of the output where there are several.
    pub fn new(metric: impl Metric<T> + 'static, output: usize, prefix: Option<&str>) -> Self {
        let name = match prefix {
            Some(prefix) => format!("{prefix}_{}", metric.name()),
            None => metric.name(),
        };
        OutputMetric { name, output, metric: Box::new(metric) }
    }

    /// Takes in a batch: the targets of all outputs, and the outputs.
    pub fn update(&mut self, targets: &[Tensor<T>], outputs: &[Tensor<T>], weights: Option<&Tensor<T>>) -> Result<()> {
        self.metric.update(&targets[self.output], &outputs[self.output], weights)
    }

    /// The measure of all batches since the last reset.
    pub fn result(&self) -> f64 {
        self.metric.result()
    }

    /// Forgets all batches.
    pub fn reset(&mut self) {
        self.metric.reset();
    }

    /// The state of the metric under its name in logs.
    pub fn state(&self) -> NamedState {
        NamedState { name: self.name.clone(), state: self.metric.state() }
    }

    /// Goes on from a state.
    pub fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.metric.restore(&state.state)
    }
}
