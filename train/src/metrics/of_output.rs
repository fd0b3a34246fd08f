//! Metrics of the outputs of a model.

use gradus_nn::losses::Objective;
use gradus_nn::{Activation, OutputInfo};
use gradus_tensor::{Float, Shape, Tensor};

use super::Metric;
use crate::callbacks::short_type_name;
use crate::error::{Error, Result, of_one_sample};
use crate::state::NamedState;

/// A metric of one output of a model.
pub(crate) struct OutputMetric<T: Float> {
    /// The name in logs: `"accuracy"`, or `"class_accuracy"` where the model has several outputs.
    pub name: String,
    /// The name of its type, for a message.
    pub kind: String,
    /// The place of the output among those of the model.
    output: usize,
    metric: Box<dyn Metric<T>>,
}

/// What metrics are given of a batch: for each output of the model the targets, the outputs and the mask.
pub(crate) struct Scored<'a, T: Float> {
    pub targets: &'a [Tensor<T>],
    pub outputs: &'a [Tensor<T>],
    pub masks: &'a [Option<Tensor<bool>>],
    /// The weights of the samples, if there are any.
    pub weights: Option<&'a Tensor<T>>,
}

impl<T: Float> OutputMetric<T> {
    /// A metric of the output at this place; `prefix` is the name of the output where there are several.
    pub fn new<M: Metric<T> + 'static>(metric: M, output: usize, prefix: Option<&str>) -> Self {
        let name = match prefix {
            Some(prefix) => format!("{prefix}_{}", metric.name()),
            None => metric.name(),
        };
        OutputMetric { name, kind: short_type_name::<M>(), output, metric: Box::new(metric) }
    }

    /// Checks the shapes of so many samples, with these targets of one of them, and these outputs; and that outputs which
    /// `loss` takes for logits are none of probabilities for the metric. Where a length is free, only the batches tell.
    pub fn check(
        &self,
        op: &str,
        samples: usize,
        targets: &[Tensor<T>],
        outputs: &[OutputInfo],
        loss: &dyn Objective<T>,
    ) -> Result<()> {
        let (Some(targets), Some(output)) = (targets.get(self.output), outputs.get(self.output)) else {
            let (name, count) = (&self.name, outputs.len());
            let problem = format!("{name:?} is a metric of output {}, the model has {count}", self.output);
            return Err(Error::new(op, problem, "make a new trainer for another model"));
        };
        let Some(shape) = output.shape.fixed() else { return Ok(()) };
        // With a mask each position counts as a sample.
        let positions = usize::from(output.is_masked);
        let of_all = |of_one: &[usize]| Shape::from([&[samples], of_one].concat());
        let shape = of_all(&shape[positions..]);
        self.metric.check(&of_all(targets.shape().get(1 + positions..).unwrap_or_default()), &shape)?;
        if self.metric.expects_probabilities(&shape) && takes_logits(loss, &output.name) {
            let problem = "compares outputs with 0.5, as probabilities, and the loss takes them for logits";
            let hint = "set threshold(0.0), the logit of 0.5, on BinaryAccuracy, Precision, Recall or F1";
            return Err(Error::new(format!("{op}: {}", self.name), problem, hint));
        }
        Ok(())
    }

    /// Takes in a batch. An error names the sample that causes it, of which `sample_at` says where in the data it is.
    pub fn update(&mut self, op: &str, batch: &Scored<'_, T>, sample_at: impl Fn(usize) -> usize) -> Result<()> {
        let (targets, outputs) = (&batch.targets[self.output], &batch.outputs[self.output]);
        let (mask, weights) = (batch.masks[self.output].as_ref(), batch.weights);
        let Err(error) = self.add(targets, outputs, mask, weights) else { return Ok(()) };
        // The state that a run may go on from.
        let state = self.state();
        let samples = outputs.shape().first().copied().unwrap_or(0);
        let errors = (0..samples).map(|row| {
            let of_row = |x: &Tensor<T>| x.slice(0, row..row + 1);
            if targets.shape().first() != Some(&samples) || weights.is_some_and(|w| w.shape()[..] != [samples]) {
                return None;
            }
            let mask = mask.map(|mask| mask.slice(0, row..row + 1));
            self.add(&of_row(targets), &of_row(outputs), mask.as_ref(), weights.map(of_row).as_ref()).err()
        });
        let located = match of_one_sample(errors) {
            Some((row, of_row)) => of_row.within(&format!("{op}: sample {}", sample_at(row))),
            None => error,
        };
        self.restore(&state)?;
        Err(located)
    }

    fn add(
        &mut self,
        targets: &Tensor<T>,
        outputs: &Tensor<T>,
        mask: Option<&Tensor<bool>>,
        weights: Option<&Tensor<T>>,
    ) -> Result<()> {
        match mask {
            Some(mask) => self.metric.update_masked(targets, outputs, mask, weights),
            None => self.metric.update(targets, outputs, weights),
        }
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
        let (name, state, tensors) = (self.name.clone(), self.metric.state(), self.metric.tensors());
        NamedState { name, state, tensors, only_watches: false }
    }

    /// Goes on from a state.
    pub fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.metric.restore(state)
    }
}

/// Whether a loss takes this output for logits: it may come out of a layer without an activation, and out of no sigmoid.
fn takes_logits<T: Float>(loss: &dyn Objective<T>, output: &str) -> bool {
    let admits = |activation| loss.check_activation(output, activation).is_ok();
    admits(Activation::Linear) && !admits(Activation::Sigmoid)
}
