//! Why a loss is not finite.

use gradus_autograd::Var;
use gradus_nn::losses::{ImpossibleSample, Objective, Scored};
use gradus_tensor::{AnyTensor, Float, Tensor};

use crate::error::Error;
use crate::prepare::Prepared;
use crate::step::Step;

/// A training step whose loss is NaN or infinite.
pub(crate) struct Divergence<'a, T: Float, L, F> {
    pub batch: &'a Prepared<T>,
    pub loss: &'a L,
    pub step: &'a Step<T>,
    /// The learning rate of the step.
    pub rate: f64,
    /// Whether the optimiser had taken no step before: then no rate is the cause.
    pub is_first: bool,
    /// The sample of the data that a row of the batch is.
    pub sample_at: F,
}

const STOP: &str = "the callback TerminateOnNaN ends the run without an error";

impl<T: Float, L: Objective<T>, F: Fn(usize) -> usize> Divergence<'_, T, L, F> {
    /// The error at this place: with the cause if it can be seen in the batch, else with those that it may have.
    pub fn error(&self, place: &str) -> Error {
        let Divergence { batch, step, rate, .. } = self;
        let inputs = batch.inputs.iter().map(|column: &AnyTensor| column.to::<T>());
        let targets = batch.targets.iter().cloned();
        let data = inputs.map(|x| ("inputs", x)).chain(targets.map(|x| ("targets", x)));
        for (what, x) in data.chain(batch.weights.iter().cloned().map(|x| ("weights", x))) {
            if let Some((row, value)) = not_finite(&x) {
                let problem = format!("{place}: sample {} has {value} among its {what}", (self.sample_at)(row));
                return Error::new("fit", problem, format!("mend the sample or leave it out; {STOP}"));
            }
        }
        if let Some(ImpossibleSample { row, problem, hint }) = self.impossible_sample() {
            let problem = format!("{place}: sample {}: {problem}", (self.sample_at)(row));
            return Error::new("fit", problem, format!("{hint}; {STOP}"));
        }
        let outputs_are_finite = step.outputs.iter().all(|outputs| not_finite(outputs).is_none());
        if self.is_first && outputs_are_finite {
            let (outputs, targets) = (largest(&step.outputs), largest(&batch.targets));
            let problem = format!("{place}, for outputs up to {outputs:?} and targets up to {targets:?}");
            return Error::new("fit", problem, format!("scale inputs and targets, as Dataset::normalize does; {STOP}"));
        }
        if self.is_first {
            let problem = format!("{place}, as outputs of the model are not finite before any step");
            let hint = format!("scale the inputs, as Dataset::normalize does, and check the model's weights; {STOP}");
            return Error::new("fit", problem, hint);
        }
        let hint = format!("lower the learning rate, clip the gradients, or scale the data; {STOP}");
        Error::new("fit", format!("{place}, at learning rate {rate}"), hint)
    }

    /// The first sample whose loss is infinite whatever its outputs are.
    fn impossible_sample(&self) -> Option<ImpossibleSample> {
        let Step { outputs, masks, parts, .. } = self.step;
        parts.iter().zip(&self.batch.targets).zip(outputs.iter().zip(masks)).find_map(
            |((part, targets), (outputs, mask))| {
                let outputs = &Var::from(outputs);
                self.loss.impossible_sample(&Scored { name: &part.output, targets, outputs, mask: mask.as_ref() })
            },
        )
    }
}

/// The row and the value of the first element that is not finite.
fn not_finite<T: Float>(x: &Tensor<T>) -> Option<(usize, T)> {
    let rows = x.shape().first().copied().unwrap_or(1).max(1);
    let place = x.iter().enumerate().find(|(_, value)| !value.is_finite());
    place.map(|(place, value)| (place / (x.size() / rows).max(1), value))
}

/// The largest magnitude of an element, of tensors without NaN.
fn largest<T: Float>(tensors: &[Tensor<T>]) -> T {
    let elements = tensors.iter().flat_map(|x| x.iter());
    elements.fold(T::ZERO, |largest, x| if x.magnitude() > largest { x.magnitude() } else { largest })
}
