//! Why a loss or a gradient is not finite.

use gradus_autograd::{Params, Var};
use gradus_nn::Observations;
use gradus_nn::losses::{ImpossibleSample, Objective, Scored};
use gradus_tensor::{AnyTensor, Float, Tensor};

use crate::error::Error;
use crate::prepare::Prepared;
use crate::step::Step;

/// A training step whose loss, or a gradient of which, is NaN or infinite.
pub(crate) struct Divergence<'a, T: Float, F> {
    pub batch: &'a Prepared<T>,
    pub loss: &'a dyn Objective<T>,
    pub step: &'a Step<T>,
    /// The learning rate of the step.
    pub rate: f64,
    /// Whether the optimiser had taken no step before: then no rate is the cause.
    pub is_first: bool,
    /// The sample of the data that a row of the batch is.
    pub sample_at: F,
    /// What was seen of the step from within, if anything.
    pub within: Option<Within<'a, T>>,
}

/// A step from within.
pub(crate) struct Within<'a, T: Float> {
    /// The weights before it.
    pub params: &'a Params<T>,
    /// What its layers gave, if the pass was checked.
    pub layers: &'a Observations<T>,
}

const STOP: &str = "the callback TerminateOnNaN ends the run without an error";

impl<T: Float, F: Fn(usize) -> usize> Divergence<'_, T, F> {
    /// The error at this place.
    pub fn error(&self, place: &str) -> Error {
        let (problem, hint) = self.cause(place);
        Error::new("fit", problem, format!("{hint}; {STOP}"))
    }

    /// What is not finite, as the loss or a gradient.
    pub fn what(&self) -> String {
        match self.step.loss {
            loss if loss.is_finite() => "a gradient is not finite".to_owned(),
            loss => format!("the loss became {loss}"),
        }
    }

    /// The problem, which begins with `place`, and one thing to do: with the cause if it can be seen in the batch, else with
    /// those that it may have, and the place in the network.
    pub fn cause(&self, place: &str) -> (String, String) {
        let Divergence { batch, step, rate, .. } = self;
        let inputs = batch.inputs.iter().map(|column: &AnyTensor| column.to::<T>());
        let targets = batch.targets.iter().cloned();
        let data = inputs.map(|x| ("inputs", x)).chain(targets.map(|x| ("targets", x)));
        for (what, x) in data.chain(batch.weights.iter().cloned().map(|x| ("weights", x))) {
            if let Some((row, value)) = not_finite(&x) {
                let problem = format!("{place}: sample {} has {value} among its {what}", (self.sample_at)(row));
                return (problem, "mend the sample or leave it out".to_owned());
            }
        }
        if let Some(ImpossibleSample { row, problem, hint }) = self.impossible_sample() {
            let problem = format!("{place}: sample {}: {problem}", (self.sample_at)(row));
            return (problem, hint.to_owned());
        }
        let origin = self.within.as_ref().and_then(Within::origin);
        if let Some(origin) = origin.as_ref().filter(|_| self.is_first) {
            let hint = "check what it is given: scale the inputs, and keep from 0 what is divided by or has a root or logarithm";
            return (format!("{place}: {origin}"), hint.to_owned());
        }
        let place = &origin.map_or(place.to_owned(), |origin| format!("{place}: {origin}"));
        let outputs_are_finite = step.outputs.iter().all(|outputs| not_finite(outputs).is_none());
        if self.is_first && outputs_are_finite {
            let (outputs, targets) = (largest(&step.outputs), largest(&batch.targets));
            let problem = format!("{place}, for outputs up to {outputs:?} and targets up to {targets:?}");
            return (problem, "scale inputs and targets, as Dataset::normalize does".to_owned());
        }
        if self.is_first {
            let problem = format!("{place}, as outputs of the model are not finite before any step");
            return (problem, "scale the inputs, as Dataset::normalize does, and check the model's weights".to_owned());
        }
        let hint = "lower the learning rate, clip the gradients, or scale the data".to_owned();
        (format!("{place}, at learning rate {rate}"), hint)
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

impl<T: Float> Within<'_, T> {
    /// Where in the network something was the first that is not finite.
    fn origin(&self) -> Option<String> {
        let mut weights = self.params.iter().filter_map(|param| Some((&param.name, not_finite(&param.value)?.1)));
        let of_weight = weights.next().map(|(name, value)| format!("the weight {name:?} was {value} before this step"));
        of_weight.or_else(|| Some(self.layers.origin()?.to_string()))
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
